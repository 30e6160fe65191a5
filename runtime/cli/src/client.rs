//! The server as commands see it: AWS's JSON 1.0 protocol for workflows, plain HTTP for modules.

mod identity;
mod modules;
mod objects;

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::Path;
use std::time::Duration;

use asl::Timestamp;
use serde_json::{Value, json};
use server::aws::signature::{CONTENT_SHA256, payload_digest, reader_digest};
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::args::{Common, ExecutionName};
use crate::config::read_text;
use crate::problem::Problem;
use identity::Identity;
pub use modules::{Guard, Upload};

/// A server on this network answers a connection at once, or isn't there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Every answer but an upload's comes from memory or one disk read; half a minute is a server in trouble.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A test of a state may run its task for five minutes; the server ends it then.
const TEST_TIMEOUT: Duration = Duration::from_secs(330);
/// Compiling the largest guests takes half a minute of a desktop's time; a small board is twenty times slower.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(900);
/// A page of history ends after 8 MiB, but holds one event whole: with limits lifted that is a payload of hundreds of
/// megabytes, escaped.
const ANSWER_LIMIT: u64 = 1 << 30;
/// All public authorities together have a quarter of this.
const LARGEST_PEM: u64 = 1 << 20;
/// Events asked for at once.
pub const HISTORY_PAGE: usize = 100;
/// Things asked for at once in lists, the most AWS allows.
const LIST_PAGE: usize = 1000;
/// Module versions are immutable and small to describe; a server holds far fewer.
const LIST_LIMIT: usize = 100_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or not any more.
    #[error("can't reach the server at `{endpoint}`: {reason}")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// The network's words.
        reason: String,
    },
    /// Somebody answered who isn't a Sandstep server, or the answer broke off.
    #[error("`{endpoint}` gave an answer that can't be read: {reason}")]
    Unreadable {
        /// Who answered.
        endpoint: String,
        /// What was wrong with it.
        reason: String,
    },
    /// The server said no.
    #[error("{message} ({code})")]
    Refused {
        /// The API's error name.
        code: String,
        /// The server's words.
        message: String,
        /// What the server says to do next; empty where it says nothing.
        hint: String,
    },
    /// An upload couldn't be read.
    #[error("can't read `{path}`: {reason}")]
    File {
        /// The upload.
        path: String,
        /// The file system's words.
        reason: String,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unreachable { reason, .. } if reason.contains("certificate") => Problem::refused(
                message,
                "name the authority that signed the server's certificate with --ca-file, and the host as it stands in it",
            ),
            Error::Unreachable { endpoint, .. } if is_loopback(&endpoint) => Problem::refused(
                message,
                format!(
                    "start one with `sandstep serve{}`, or name another with --endpoint or SANDSTEP_ENDPOINT",
                    listen_option(&endpoint)
                ),
            ),
            Error::Unreachable { .. } => Problem::refused(
                message,
                "check --endpoint or SANDSTEP_ENDPOINT, and that `sandstep serve` runs there",
            ),
            Error::Unreadable { .. } => {
                Problem::refused(message, "check that --endpoint names a Sandstep server of this version")
            }
            Error::Refused { code, hint, .. } if hint.is_empty() || HAVE_COMMANDS.contains(&&*code) => {
                Problem::refused(message, next_step(&code))
            }
            Error::Refused { hint, .. } => Problem::refused(message, hint),
            Error::File { .. } => Problem::usage(message, "name a file that exists and that you may read"),
        }
    }
}

/// What `serve` needs to listen where the client looked.
fn listen_option(endpoint: &str) -> String {
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    if endpoint == crate::args::DEFAULT_ENDPOINT {
        String::new()
    } else {
        format!(" --listen {address}")
    }
}

/// Errors whose hints name routes, for whoever speaks HTTP: here, commands do the same.
const HAVE_COMMANDS: [&str; 4] = [
    "ExecutionDoesNotExist",
    "NoSuchLabel",
    "NoSuchModule",
    "StateMachineDoesNotExist",
];

/// What to do about an error AWS's protocol has no hint for, or one in other words.
fn next_step(code: &str) -> &'static str {
    match code {
        "StateMachineDoesNotExist" => {
            "`sandstep machines` lists the state machines, `sandstep deploy DIR` deploys more"
        }
        "ResourceNotFound" => "`sandstep map-runs list EXECUTION` lists the Map Runs of an execution",
        "NoSuchModule" => {
            "`sandstep modules` lists the modules and their versions, `sandstep modules push NAME FILE` uploads one"
        }
        "NoSuchLabel" => "`sandstep modules label NAME` lists a module's labels",
        "ExecutionDoesNotExist" => "`sandstep list` lists the executions",
        "ExecutionAlreadyExists" => "choose another --name, or leave it out to get a new one",
        "InvalidDefinition" => "`sandstep validate FILE` points at the line",
        "InvalidExecutionInput" => "give one JSON text of at most 262,144 bytes",
        "InvalidName" => "names have 1 to 80 characters, without white space and without <>{}[]?*\"#%\\^|~`$&,;:/",
        "MissingAuthenticationTokenException" => {
            "give --token or SANDSTEP_TOKEN, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
        "UnrecognizedClientException" => "check the token, or AWS_ACCESS_KEY_ID; the operator may have taken it back",
        "InvalidSignatureException" => {
            "check AWS_SECRET_ACCESS_KEY, AWS_REGION (the server's `--region`) and this machine's clock"
        }
        "AccessDeniedException" => "ask the operator for a key with another role, or for other names",
        "InvalidArn" => "give MACHINE:NAME, or the whole ARN as `sandstep list --output json` shows it",
        _ => "the server's log says more; `sandstep --help` lists the commands",
    }
}

type Result<T> = std::result::Result<T, Error>;

/// A connection to a server, kept open between calls.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    endpoint: String,
    signs: bool,
}

impl Client {
    /// To the server that was asked for; nothing is sent yet.
    pub fn new(asked: &Common) -> std::result::Result<Self, Problem> {
        let endpoint = asked.endpoint.trim_end_matches('/').to_owned();
        let identity = Identity::new(asked.token.as_ref(), |name| std::env::var(name).ok());
        let signs = identity.signs();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .middleware(identity)
            .user_agent(concat!("sandstep/", env!("CARGO_PKG_VERSION")));
        let config = match &asked.ca_file {
            Some(file) => config.tls_config(TlsConfig::builder().root_certs(authorities(file, "--ca-file")?).build()),
            None => config,
        };
        // A proxy for the outside world has no way to this machine's own ports.
        let config = if is_loopback(&endpoint) {
            config.proxy(None)
        } else {
            config
        };
        Ok(Self {
            agent: config.build().new_agent(),
            endpoint,
            signs,
        })
    }

    /// Whether what is sent must be known before it is sent.
    pub fn signs(&self) -> bool {
        self.signs
    }

    /// One operation of the AWS API.
    pub fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        self.call_within(ANSWER_TIMEOUT, operation, parameters)
    }

    /// TestState, which may run a task.
    pub fn test_state(&self, parameters: &Value) -> Result<Value> {
        self.call_within(TEST_TIMEOUT, "TestState", parameters)
    }

    fn call_within(&self, timeout: Duration, operation: &str, parameters: &Value) -> Result<Value> {
        let body = parameters.to_string();
        let answer = self
            .agent
            .post(format!("{}/", self.endpoint))
            .config()
            .timeout_recv_response(Some(timeout))
            .build()
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", format!("AWSStepFunctions.{operation}"))
            .header(CONTENT_SHA256, payload_digest(body.as_bytes()))
            .send(body);
        self.read(answer)
    }

    /// Every element of a paginated list, at most `limit`.
    pub fn list(&self, operation: &str, parameters: &Value, key: &str, limit: usize) -> Result<Vec<Value>> {
        let mut parameters = parameters.clone();
        let mut elements = Vec::new();
        loop {
            parameters["maxResults"] = json!(LIST_PAGE.min(limit - elements.len()));
            let mut page = self.call(operation, &parameters)?;
            if let Value::Array(more) = page[key].take() {
                elements.extend(more);
            }
            match page["nextToken"].take() {
                Value::String(token) if elements.len() < limit => parameters["nextToken"] = json!(token),
                _ => break,
            }
        }
        elements.truncate(limit);
        Ok(elements)
    }

    /// Every state machine.
    pub fn machines(&self) -> Result<Vec<Value>> {
        self.list("ListStateMachines", &json!({}), "stateMachines", LIST_LIMIT)
    }

    /// The ARN of a state machine given by name or ARN.
    pub fn machine_arn(&self, name: &str) -> Result<String> {
        if name.starts_with("arn:") {
            return Ok(name.to_owned());
        }
        let machines = self.machines()?;
        // of the machine of child executions, `NAME/LABEL`, the label follows the ARN
        let (listed, label) = match name.split_once('/') {
            Some((listed, _)) => (listed, &name[listed.len()..]),
            None => (name, ""),
        };
        let found = machines.iter().find(|machine| machine["name"] == listed);
        found
            .and_then(|machine| machine["stateMachineArn"].as_str())
            .map(|arn| format!("{arn}{label}"))
            .ok_or_else(|| Error::Refused {
                code: "StateMachineDoesNotExist".to_owned(),
                message: format!("no state machine is named `{name}`"),
                hint: String::new(),
            })
    }

    /// The ARN of an execution.
    pub fn execution_arn(&self, execution: &ExecutionName) -> Result<String> {
        match execution {
            ExecutionName::Arn(arn) => Ok(arn.clone()),
            ExecutionName::Short { machine, name } => {
                let machine = self.machine_arn(machine)?;
                let kind = if name.contains(':') { ":express:" } else { ":execution:" };
                Ok(format!("{}:{name}", machine.replacen(":stateMachine:", kind, 1)))
            }
        }
    }

    /// The ARN of a Map Run, given as `MACHINE/LABEL:ID`.
    pub fn map_run_arn(&self, name: &str) -> Result<String> {
        if name.starts_with("arn:") {
            return Ok(name.to_owned());
        }
        let (machine, id) = name.split_once(':').unwrap_or((name, ""));
        let machine = self.machine_arn(machine)?;
        Ok(format!("{}:{id}", machine.replacen(":stateMachine:", ":mapRun:", 1)))
    }

    /// What is known of an execution, of a standard or an Express machine.
    pub fn execution(&self, arn: &str) -> Result<Value> {
        if !is_express(arn) {
            return self.call("DescribeExecution", &json!({ "executionArn": arn }));
        }
        let url = format!("{}/v1/executions/{}", self.endpoint, percent_encoded(arn));
        let execution = self.read(self.agent.get(url).call())?;
        let mut described = in_words_of_aws(&execution);
        for member in ["input", "output"] {
            if let Some(value) = execution.get(member) {
                described[member] = json!(value.to_string());
            }
        }
        Ok(described)
    }

    /// The attempts of an execution that run now.
    pub fn running(&self, arn: &str) -> Result<Vec<Value>> {
        let url = format!("{}/v1/executions/{}", self.endpoint, percent_encoded(arn));
        let mut execution = self.read(self.agent.get(url).call())?;
        Ok(match execution["running"].take() {
            Value::Array(running) => running,
            _ => Vec::new(),
        })
    }

    /// The executions of an Express machine that the server remembers; AWS has no operation for that.
    pub fn express_executions(&self, machine_arn: &str, status: Option<&str>, limit: usize) -> Result<Vec<Value>> {
        let machine = machine_arn.split_once(":stateMachine:").map_or("", |(_, name)| name);
        let machine = percent_encoded(machine.split(':').next().unwrap_or_default());
        let url = format!("{}/v1/state-machines/{machine}/executions", self.endpoint);
        let request = self.agent.get(url).query("limit", limit.to_string());
        let request = match status {
            Some(status) => request.query("status", status),
            None => request,
        };
        let listed = self.read(request.call())?;
        let executions = listed["executions"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(executions.iter().map(in_words_of_aws).collect())
    }

    /// The next page of an Express execution's history: its events as AWS shows them, `next` where there is another
    /// page, and whether all are there. `None` for the ARN of a standard one.
    pub fn express_history(&self, arn: &str, after: u64) -> Option<Result<Value>> {
        if !is_express(arn) {
            return None;
        }
        let url = format!("{}/v1/executions/{}/history", self.endpoint, percent_encoded(arn));
        Some(self.read(self.agent.get(url).query("after", after.to_string()).call()))
    }

    /// All that the tasks of a state machine can touch.
    pub fn machine_reach(&self, name: &str) -> Result<Value> {
        let name = percent_encoded(name);
        let url = format!("{}/v1/state-machines/{name}/reach", self.endpoint);
        self.read(self.agent.get(url).call())
    }

    /// All that the tasks of a definition can touch.
    pub fn definition_reach(&self, definition: &str) -> Result<Value> {
        let request = self.agent.post(format!("{}/v1/reach", self.endpoint));
        self.read(request.send(definition))
    }

    /// What the server has to delete.
    pub fn count_garbage(&self) -> Result<Value> {
        self.read(self.agent.get(self.garbage_url()).call())
    }

    /// Lets the server delete it, for some seconds.
    pub fn collect_garbage(&self) -> Result<Value> {
        self.read(self.agent.post(self.garbage_url()).send_empty())
    }

    fn garbage_url(&self) -> String {
        format!("{}/v1/gc", self.endpoint)
    }

    /// The digest of a file that is about to be sent, where requests are signed.
    fn digest_of(&self, file: &mut File) -> std::io::Result<Option<String>> {
        if !self.signs {
            return Ok(None);
        }
        let digest = reader_digest(file)?;
        file.rewind()?;
        Ok(Some(digest))
    }

    /// An answer that is as large as it is: it goes to a file, not into memory.
    fn stream(&self, answer: std::result::Result<Response<Body>, ureq::Error>) -> Result<Box<dyn Read>> {
        match answer {
            Ok(answer) if answer.status().is_success() => {
                Ok(Box::new(answer.into_body().into_with_config().limit(u64::MAX).reader()))
            }
            other => match self.read(other) {
                Err(error) => Err(error),
                Ok(_) => Err(self.unreadable("an answer that is neither what was asked for nor an error".to_owned())),
            },
        }
    }

    fn read(&self, answer: std::result::Result<Response<Body>, ureq::Error>) -> Result<Value> {
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_LIMIT)
            .read_to_string()
            .map_err(|error| Error::Unreadable {
                endpoint: self.endpoint.clone(),
                reason: error.to_string(),
            })?;
        let value = if text.trim().is_empty() {
            Ok(json!({}))
        } else {
            serde_json::from_str(&text)
        };
        match value {
            Ok(value) if status.is_success() => Ok(value),
            Ok(body) if body.is_object() => Err(refusal(status.as_u16(), &body)),
            Ok(_) => Err(self.unreadable(format!("status {status} without an error's name"))),
            Err(error) => Err(self.unreadable(format!("status {status}, and the body is not JSON ({error})"))),
        }
    }

    fn unreadable(&self, reason: String) -> Error {
        Error::Unreadable {
            endpoint: self.endpoint.clone(),
            reason,
        }
    }

    fn unreachable(&self, error: ureq::Error) -> Error {
        let reason = match error {
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "nobody listens there".to_owned()
            }
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        Error::Unreachable {
            endpoint: self.endpoint.clone(),
            reason,
        }
    }
}

/// The certificates of a PEM file.
pub fn authorities(file: &Path, option: &str) -> std::result::Result<RootCerts, Problem> {
    let hint = format!("{option} takes the certificates of authorities in PEM form");
    let text = read_text(file, LARGEST_PEM, "a file of certificates", &hint)?;
    let unusable = |reason: String| Problem::usage(format!("`{}` can't be used: {reason}", file.display()), &*hint);
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(text.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| unusable(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn is_express(arn: &str) -> bool {
    arn.contains(":express:")
}

/// An execution as plain HTTP shows it, with AWS's names for what it is.
fn in_words_of_aws(execution: &Value) -> Value {
    let seconds = |member: &str| {
        let time = execution[member].as_str().and_then(Timestamp::parse);
        time.map_or(Value::Null, |time| json!(time.as_seconds()))
    };
    let mut described = json!({
        "executionArn": execution["arn"],
        "name": execution["name"],
        "status": execution["status"],
        "startDate": seconds("started"),
    });
    if execution.get("stopped").is_some() {
        described["stopDate"] = seconds("stopped");
    }
    for member in ["error", "cause"] {
        if let Some(text) = execution.get(member) {
            described[member] = text.clone();
        }
    }
    described
}

/// AWS's `{__type, message}` and our own `{code, message, hint}`.
fn refusal(status: u16, body: &Value) -> Error {
    let text = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| body[*key].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let mut code = text(&["code", "__type"]);
    if let Some((_, name)) = code.rsplit_once('#') {
        code = name.to_owned();
    }
    if code.is_empty() {
        code = format!("HTTP {status}");
    }
    let mut message = text(&["message", "Message"]);
    if message.is_empty() {
        message = "the server refused".to_owned();
    }
    Error::Refused {
        code,
        message,
        hint: text(&["hint"]),
    }
}

pub fn is_loopback(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<ureq::http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A path segment; RFC 3986's unreserved characters stand for themselves.
fn percent_encoded(segment: &str) -> String {
    let mut encoded = String::new();
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_refusal_are_read() {
        let aws =
            json!({"__type": "com.amazonaws.states#ExecutionDoesNotExist", "message": "Execution Does Not Exist: 'x'"});
        assert_eq!(
            refusal(400, &aws).to_string(),
            "Execution Does Not Exist: 'x' (ExecutionDoesNotExist)"
        );
        let ours = json!({"code": "NotWasm", "message": "not wasm", "hint": "build it first"});
        assert_eq!(Problem::from(refusal(422, &ours)).hint(), "build it first");
        assert_eq!(refusal(502, &json!({})).to_string(), "the server refused (HTTP 502)");
    }

    #[test]
    fn an_unreachable_server_is_told_how_to_start() {
        let problem = |endpoint: &str| {
            Problem::from(Error::Unreachable {
                endpoint: endpoint.to_owned(),
                reason: String::new(),
            })
            .hint()
            .to_owned()
        };
        assert!(problem("http://127.0.0.1:8083").starts_with("start one with `sandstep serve`,"));
        assert!(problem("http://127.0.0.1:9/").starts_with("start one with `sandstep serve --listen 127.0.0.1:9`,"));
    }

    #[test]
    fn module_names_cannot_leave_their_segment() {
        assert_eq!(percent_encoded("../a b/ü"), "..%2Fa%20b%2F%C3%BC");
        assert_eq!(percent_encoded("charge-card_2"), "charge-card_2");
    }

    #[test]
    fn loopback_is_recognised() {
        for endpoint in ["http://127.0.0.1:8083", "http://localhost:1", "http://[::1]:80/"] {
            assert!(is_loopback(endpoint), "{endpoint}");
        }
        assert!(!is_loopback("http://example.org:8083"));
    }
}
