//! Requests that guests make through `wasi:http`, as far as they are granted.
//!
//! A request is held against the grants as it will be sent. Its host's name is looked up once, and the connection goes
//! to the very address that was checked: a name whose addresses change between the check and the connection gains
//! nothing. Redirects are answers like any other.

mod addresses;
mod exchange;
mod network;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::{Requested, origin};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub(crate) use network::{LOOK_UPS, Network};

use crate::granted::{self, Denials};
use crate::guest_output::{Source, cut};
use crate::guest_threads::OpenAttempt;
use exchange::{Patience, Turn};

/// Connections that one attempt may have open at once; what asks for more is refused, for it may wait for itself.
const AT_ONCE: usize = 8;

/// Bytes of a request shown in a message.
const SHOWN_BYTES: usize = 512;

/// Bytes a guest hands over at once for a request's body; standard streams have the same.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Methods of HTTP's own machinery: one makes a tunnel of a connection, the other sends back what the host put in.
const NEVER: [&str; 2] = ["CONNECT", "TRACE"];

/// What requests say of who makes them, where the guest doesn't.
const AGENT: HeaderValue = HeaderValue::from_static("sandstep");

type Written = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answered = (Response<WasiBody>, Written);
type Sent = Box<dyn Future<Output = Result<Answered, Error>> + Send>;

/// The requests of one guest.
pub(crate) struct Outbound {
    attempt: Arc<OpenAttempt>,
    network: Arc<Network>,
    connections: Arc<Semaphore>,
    denials: Arc<Mutex<Denials>>,
}

/// Where a request goes.
#[derive(Debug)]
struct Target {
    https: bool,
    host: String,
    port: u16,
    /// Whether the host may have an address that isn't public.
    private: bool,
    /// See [`engine::ports::Granted::certificates`].
    certificates: Option<Arc<str>>,
}

impl Target {
    fn origin(&self) -> String {
        origin(self.https, &self.host, self.port)
    }
}

impl Outbound {
    /// Of an attempt, as it is granted.
    pub(crate) fn new(attempt: &Arc<OpenAttempt>, network: &Arc<Network>) -> Self {
        Self {
            attempt: Arc::clone(attempt),
            network: Arc::clone(network),
            connections: Arc::new(Semaphore::new(AT_ONCE)),
            denials: Arc::default(),
        }
    }

    /// Makes a request what is sent, if it is granted; otherwise the denial is told.
    fn prepare(&mut self, request: &mut Request<WasiBody>) -> Result<(Target, Turn), Error> {
        let target = self.target(request)?;
        let origin = target.origin();
        let host = origin.split_once("://").map_or("", |(_, authority)| authority);
        let host = HeaderValue::try_from(host).map_err(|_| Error::HttpRequestUriInvalid)?;
        // A server is asked for a path; the host stands in a header, and is the one that was checked.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') {
            Uri::try_from(path)
        } else {
            Uri::try_from(format!("/{path}"))
        };
        *request.uri_mut() = path.map_err(|_| Error::HttpRequestUriInvalid)?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.entry(USER_AGENT).or_insert(AGENT);
        self.add_secrets(request, &origin);
        let Ok(turn) = Arc::clone(&self.connections).try_acquire_owned() else {
            let what = format!("the task has `{AT_ONCE}` requests open already");
            self.tell(&what, "it can read or drop their answers first");
            return Err(Error::ConnectionLimitReached);
        };
        Ok((target, Turn::of_attempt(turn)))
    }

    /// Where a request goes, if it is granted; otherwise the denial is told.
    fn target(&self, request: &Request<WasiBody>) -> Result<Target, Error> {
        let (uri, method) = (request.uri(), request.method().as_str());
        let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let https = scheme == "https";
        let port = authority.port_u16();
        let written = port.map(|port| format!("{}:{port}", authority.host()));
        if written.as_deref().unwrap_or(authority.host()) != authority.as_str() {
            // A user's name, or a port that is none: who reads it otherwise than we do goes elsewhere.
            let what = format!("`{}` is no host to ask", cut(authority.as_str(), SHOWN_BYTES));
            self.tell(&what, "write a host, and perhaps a port");
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = port.unwrap_or(if https { 443 } else { 80 });
        if NEVER.contains(&method) {
            self.tell(
                &format!("the task may not ask with `{method}`"),
                "no grant allows this method",
            );
            return Err(Error::HttpRequestMethodInvalid);
        }
        let requested = Requested {
            method,
            https,
            host: &host,
            port,
            path: uri.path(),
        };
        let all = granted::of(&self.attempt);
        let mut granted = all
            .map_or(&[][..], |granted| &granted.http)
            .iter()
            .filter(|granted| granted.pattern.matches(requested))
            .peekable();
        if granted.peek().is_none() {
            let line = format!("{method} {}{}", origin(https, &host, port), uri.path());
            let line = cut(&line, SHOWN_BYTES);
            self.tell(
                &format!("the task may not ask for `{line}`"),
                &format!("`[grants]` `http = [\"{line}\"]` in module.toml grants it"),
            );
            return Err(Error::HttpRequestDenied);
        }
        let private = granted.any(|granted| granted.private);
        Ok(Target {
            https,
            host,
            port,
            private,
            certificates: all.and_then(|granted| granted.certificates.clone()),
        })
    }

    /// Puts the secrets that belong to a request's origin into it, in place of what the guest wrote there.
    fn add_secrets(&self, request: &mut Request<WasiBody>, origin: &str) {
        let Some(granted) = granted::of(&self.attempt) else {
            return;
        };
        for header in granted.headers.iter().filter(|header| header.origin == origin) {
            let name = HeaderName::try_from(&header.name);
            let value = HeaderValue::try_from(format!("{}{}", header.prefix, header.value.reveal()));
            match (name, value) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    request.headers_mut().insert(name, value);
                }
                _ => {
                    let message = format!("the secret for the header `{}` can't stand in one", header.name);
                    self.attempt.output().log(Source::Warn, &message);
                }
            }
        }
    }

    fn tell(&self, what: &str, advice: &str) {
        tell(&self.denials, &self.attempt, what, advice);
    }
}

fn tell(denials: &Mutex<Denials>, attempt: &OpenAttempt, what: &str, advice: &str) {
    let mut denials = denials.lock().unwrap_or_else(PoisonError::into_inner);
    denials.tell(attempt, what, advice);
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _written: Written,
    ) -> Sent {
        let (target, turn) = match self.prepare(&mut request) {
            Ok(prepared) => prepared,
            Err(denied) => return Box::new(async move { Err(denied) }),
        };
        let options = options.unwrap_or_default();
        let patience = Patience::of(
            options.connect_timeout,
            options.first_byte_timeout,
            options.between_bytes_timeout,
        );
        let (network, attempt, denials) = (
            Arc::clone(&self.network),
            Arc::clone(&self.attempt),
            Arc::clone(&self.denials),
        );
        let line = cut(&format!("{} {}", request.method(), target.origin()), SHOWN_BYTES);
        Box::new(async move {
            let sent = exchange::send(&network, &target, request, patience, turn).await;
            sent.map_err(|failed| {
                let mut denials = denials.lock().unwrap_or_else(PoisonError::into_inner);
                match failed.advice {
                    Some(advice) => denials.tell(&attempt, &failed.why, advice),
                    None => denials.tell_failure(&attempt, &format!("`{line}` wasn't answered: {}", failed.why)),
                }
                failed.error
            })
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

/// Ends a wait that lasts too long.
async fn in_time<T>(patience: Duration, wait: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(patience, wait).await.ok()
}

#[cfg(test)]
mod tests;
