//! Traces over OTLP, as the standard `OTEL_*` variables ask for them.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use server::traces::{ExportError, Sampler, Span, SpanExporter, Traces, otlp};
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, Uri};
use ureq::tls::TlsConfig;

use crate::client::{authorities, is_loopback};
use crate::problem::{Problem, Result};

/// The service, where OTEL_SERVICE_NAME doesn't say.
const NAME: &str = "sandstep";
/// Where a collector is, where OTEL_EXPORTER_OTLP_ENDPOINT doesn't say.
const ENDPOINT: &str = "http://localhost:4318";
/// What the endpoint of all signals has for traces.
const PATH: &str = "v1/traces";
/// How long a collector may take for a batch, in milliseconds, where OTEL_EXPORTER_OTLP_TIMEOUT doesn't say.
const TIMEOUT_MILLIS: u64 = 10_000;
/// Spans that wait, where OTEL_BSP_MAX_QUEUE_SIZE doesn't say: OpenTelemetry's own default.
const QUEUE: usize = 2048;
/// Spans sent at once, where OTEL_BSP_MAX_EXPORT_BATCH_SIZE doesn't say: OpenTelemetry's own default.
const BATCH: usize = 512;
/// How long a batch waits for more, in milliseconds, where OTEL_BSP_SCHEDULE_DELAY doesn't say: OpenTelemetry's own
/// default.
const DELAY_MILLIS: u64 = 5000;
/// The first pause before a batch is sent again; each is twice the one before, within the batch's time.
const PAUSE: Duration = Duration::from_millis(500);
/// Answers after which OTLP wants a batch sent again.
const LATER: [u16; 4] = [429, 502, 503, 504];
/// The only protocol spoken.
const PROTOCOL: &str = "http/protobuf";

/// The environment's variables. An empty one is as good as none.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How executions are traced, as the process's environment says; `None` where it says that they aren't.
pub fn traces() -> Result<Option<Traces>> {
    let variables = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match Settings::read(&variables)? {
        Some(settings) => settings.traces().map(Some),
        None => Ok(None),
    }
}

/// What the variables say.
struct Settings {
    endpoint: Uri,
    headers: HeaderMap,
    resource: Vec<(String, String)>,
    timeout: Duration,
    certificate: Option<String>,
    sampler: Sampler,
    queue: usize,
    batch: usize,
    delay: Duration,
}

impl Settings {
    fn read(variables: Variables<'_>) -> Result<Option<Self>> {
        let disabled = variables("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        match variables("OTEL_TRACES_EXPORTER").as_deref() {
            Some("none") => return Ok(None),
            None | Some("otlp") => {}
            Some(other) => return Err(unknown("OTEL_TRACES_EXPORTER", other, "`otlp` or `none`")),
        }
        if disabled {
            return Ok(None);
        }
        let otlp = |name: &str| {
            variables(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variables(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        if let Some(other) = otlp("PROTOCOL").filter(|protocol| protocol != PROTOCOL) {
            return Err(unknown("OTEL_EXPORTER_OTLP_PROTOCOL", &other, "`http/protobuf`"));
        }
        if let Some(other) = otlp("COMPRESSION").filter(|compression| compression != "none") {
            return Err(unknown("OTEL_EXPORTER_OTLP_COMPRESSION", &other, "`none`"));
        }
        let timeout = number("OTEL_EXPORTER_OTLP_TIMEOUT", otlp("TIMEOUT"), TIMEOUT_MILLIS)?;
        let count = |name: &str, usual: usize| {
            let count = number(name, variables(name), usual as u64)?;
            usize::try_from(count).map_err(|_| unknown(name, &count.to_string(), "a smaller number"))
        };
        let delay = "OTEL_BSP_SCHEDULE_DELAY";
        Ok(Some(Self {
            endpoint: endpoint(variables)?,
            headers: headers(otlp("HEADERS").as_deref().unwrap_or_default())?,
            resource: resource(variables)?,
            timeout: Duration::from_millis(timeout),
            certificate: otlp("CERTIFICATE"),
            sampler: sampler(variables)?,
            queue: count("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE)?,
            batch: count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH)?,
            delay: Duration::from_millis(number(delay, variables(delay), DELAY_MILLIS)?),
        }))
    }

    fn traces(self) -> Result<Traces> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("sandstep/", env!("CARGO_PKG_VERSION")));
        let config = match &self.certificate {
            Some(file) => {
                let roots = authorities(Path::new(file), "OTEL_EXPORTER_OTLP_CERTIFICATE")?;
                config.tls_config(TlsConfig::builder().root_certs(roots).build())
            }
            None => config,
        };
        // A proxy for the outside world has no way to this machine's own ports.
        let config = if is_loopback(&self.endpoint.to_string()) {
            config.proxy(None)
        } else {
            config
        };
        Ok(Traces {
            exporter: Arc::new(Collector {
                agent: config.build().new_agent(),
                endpoint: self.endpoint,
                headers: self.headers,
                resource: self.resource,
                timeout: self.timeout,
            }),
            sampler: self.sampler,
            queue: self.queue,
            batch: self.batch,
            delay: self.delay,
        })
    }
}

fn sampler(variables: Variables<'_>) -> Result<Sampler> {
    let ratio = || {
        let Some(text) = variables("OTEL_TRACES_SAMPLER_ARG") else {
            return Ok(1.0);
        };
        let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
        number.ok_or_else(|| unknown("OTEL_TRACES_SAMPLER_ARG", &text, "a number from 0 to 1"))
    };
    let name = variables("OTEL_TRACES_SAMPLER");
    let name = name.as_deref().unwrap_or("parentbased_always_on");
    let (heeds_parent, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name),
    };
    let ratio = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio()?,
        _ => {
            let known = "`always_on`, `always_off` or `traceidratio`, `parentbased_` before it or not";
            return Err(unknown("OTEL_TRACES_SAMPLER", name, known));
        }
    };
    Ok(Sampler { heeds_parent, ratio })
}

fn number(name: &str, given: Option<String>, usual: u64) -> Result<u64> {
    match given {
        None => Ok(usual),
        Some(text) => text.trim().parse().map_err(|_| unknown(name, &text, "a whole number")),
    }
}

fn unknown(name: &str, value: &str, known: &str) -> Problem {
    Problem::usage(
        format!("{name} is `{value}`, which can't be had"),
        format!("it takes {known}; leave --traces out to send none"),
    )
}

/// Where traces go: their own endpoint as it stands, or a path at that of all signals.
fn endpoint(variables: Variables<'_>) -> Result<Uri> {
    let (name, text) = match variables("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        Some(own) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own),
        None => {
            let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
            let all = variables(name).unwrap_or_else(|| ENDPOINT.to_owned());
            (name, format!("{}/{PATH}", all.trim_end_matches('/')))
        }
    };
    let parsed = text.parse().ok();
    let asked = parsed.filter(|uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    asked.ok_or_else(|| unknown(name, &text, "a URL such as http://localhost:4318"))
}

/// `key=value,key=value`, the values percent-encoded. The values may be secrets.
fn headers(text: &str) -> Result<HeaderMap> {
    let unusable = || {
        Problem::usage(
            "OTEL_EXPORTER_OTLP_HEADERS can't be read",
            "it takes `name=value,name=value`, the values percent-encoded",
        )
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(text).ok_or_else(unusable)? {
        let name: HeaderName = name.parse().map_err(|_| unusable())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Who speaks, as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have it.
fn resource(variables: Variables<'_>) -> Result<Vec<(String, String)>> {
    let attributes = "OTEL_RESOURCE_ATTRIBUTES";
    let text = variables(attributes).unwrap_or_default();
    let mut resource = pairs(&text).ok_or_else(|| unknown(attributes, &text, "`key=value,key=value`"))?;
    if let Some(service) = variables("OTEL_SERVICE_NAME") {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".to_owned(), service));
    }
    for (key, value) in [("service.name", NAME), ("service.version", env!("CARGO_PKG_VERSION"))] {
        if !resource.iter().any(|(known, _)| known == key) {
            resource.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(resource)
}

/// The pairs of a list, values decoded; `None` where one has no `=` or is no text.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim().to_owned(), percent_decoded(value.trim())?))
    };
    pairs.map(pair).collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let encoded = (*first == b'%').then(|| more.get(..2)).flatten();
        let digits = encoded.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// An OpenTelemetry collector, or whoever speaks OTLP.
struct Collector {
    agent: Agent,
    endpoint: Uri,
    headers: HeaderMap,
    resource: Vec<(String, String)>,
    /// For a batch, however often it is sent.
    timeout: Duration,
}

impl SpanExporter for Collector {
    fn export(&self, spans: Vec<Span>) -> std::result::Result<(), ExportError> {
        let body = otlp::request(&spans, &self.resource);
        let until = Instant::now() + self.timeout;
        let mut pause = PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let why = match self.send(&body, left) {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let why = format!("`{}` answered {}", self.endpoint, answer.status());
                    if !LATER.contains(&answer.status().as_u16()) {
                        return Err(ExportError(why));
                    }
                    why
                }
                Err(error) => format!("can't reach `{}`: {error}", self.endpoint),
            };
            if until.saturating_duration_since(Instant::now()) <= pause {
                return Err(ExportError(why));
            }
            sleep(pause);
            pause *= 2;
        }
    }
}

impl Collector {
    fn send(&self, body: &[u8], within: Duration) -> std::result::Result<Response<ureq::Body>, ureq::Error> {
        let mut request = self.agent.post(&self.endpoint).content_type("application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.config().timeout_global(Some(within)).build().send(body)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use asl::Timestamp;
    use server::traces::SpanKind;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        let variables = variables.to_vec();
        Settings::read(&move |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_the_standards_defaults_count() {
        let settings = read(&[]).expect("reads").expect("is on");
        assert_eq!(settings.endpoint, "http://localhost:4318/v1/traces");
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!((settings.sampler.heeds_parent, settings.sampler.ratio), (true, 1.0));
        assert_eq!((settings.queue, settings.batch), (2048, 512));
        assert_eq!(settings.delay, Duration::from_secs(5));
        assert_eq!(settings.resource[0], ("service.name".into(), "sandstep".into()));
        assert!(settings.headers.is_empty() && settings.certificate.is_none());
    }

    #[test]
    fn the_variables_of_traces_go_before_those_of_all() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_SCHEDULE_DELAY", "3"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all/"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://own/as/it/stands"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, x-more=c=d"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=a%2Cb"),
            ("OTEL_SERVICE_NAME", "shop"),
        ]);
        let settings = settings.expect("reads").expect("is on");
        assert_eq!(settings.timeout, Duration::from_millis(2));
        assert_eq!(settings.certificate.as_deref(), Some("ca.pem"));
        assert_eq!((settings.sampler.heeds_parent, settings.sampler.ratio), (true, 0.25));
        assert_eq!(settings.delay, Duration::from_millis(3));
        assert_eq!(settings.endpoint, "https://own/as/it/stands");
        assert_eq!(
            (&settings.headers["x-key"], &settings.headers["x-more"]),
            (&"a b".try_into().expect("reads"), &"c=d".try_into().expect("reads"))
        );
        let resource: Vec<_> = settings
            .resource
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        assert_eq!(resource, ["zone=a,b", "service.name=shop", version]);
    }

    #[test]
    fn the_environment_may_turn_traces_off() {
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(read(&[off]).expect("reads").is_none());
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_in_words() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318"),
        ] {
            let refused = read(&[(name, value)]).err().expect("refused").to_string();
            assert_eq!(refused, format!("{name} is `{value}`, which can't be had"));
        }
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ];
        assert!(read(&ratio).is_err());
    }

    fn span() -> Span {
        Span {
            trace: [1; 16],
            id: [2; 8],
            parent: None,
            parent_is_remote: false,
            kind: SpanKind::Execution,
            name: "orders".into(),
            started: Timestamp(1),
            ended: Timestamp(2),
            attributes: Vec::new(),
            error: None,
        }
    }

    /// A collector that answers so, one connection after the other, and hands on what it was sent.
    fn collector(answers: &'static [&'static str]) -> (String, Receiver<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (sent, received) = channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept()?;
                let mut reader = BufReader::new(stream.try_clone()?);
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") {
                    let begin = head.len();
                    reader.read_line(&mut head)?;
                    if let Some(value) = head[begin..].to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a number");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body)?;
                let _ = sent.send((head, body));
                write!(
                    stream,
                    "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )?;
            }
            std::io::Result::Ok(())
        });
        (format!("http://{address}"), received)
    }

    fn exporter(endpoint: &str, timeout: &str) -> Arc<dyn SpanExporter> {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret"),
            ("OTEL_SERVICE_NAME", "shop"),
        ]);
        let traces = settings.expect("reads").expect("is on").traces();
        traces.expect("can be had").exporter
    }

    #[test]
    fn a_collector_gets_spans_again_where_it_asks_for_that() {
        let (endpoint, received) = collector(&["503 Service Unavailable", "200 OK"]);
        let exported = exporter(&endpoint, "60000").export(vec![span()]);
        assert_eq!(exported, Ok(()));
        let sent: Vec<_> = received.iter().collect();
        assert_eq!(sent.len(), 2);
        for (head, body) in sent {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
            assert!(head.contains("x-key: secret\r\n"), "{head}");
            let resource = read(&[("OTEL_SERVICE_NAME", "shop")])
                .expect("reads")
                .expect("is on")
                .resource;
            assert_eq!(body, otlp::request(&[span()], &resource));
        }
    }

    #[test]
    fn spans_are_lost_where_a_collector_wants_none_or_is_not_there() {
        let (endpoint, received) = collector(&["400 Bad Request"]);
        let refused = exporter(&endpoint, "60000").export(vec![span()]).expect_err("refused");
        assert!(refused.0.contains("400"), "{refused}");
        assert_eq!(received.iter().count(), 1);
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let nobody = format!("http://{}", free.local_addr().expect("it has an address"));
        drop(free);
        let refused = exporter(&nobody, "400").export(vec![span()]).expect_err("refused");
        assert!(refused.0.starts_with("can't reach"), "{refused}");
        assert!(!refused.0.contains("secret"), "{refused}");
    }
}
