//! What browsers may do on behalf of web pages: nothing, unless the operator names the page's origin.
//!
//! Also where no key is asked for, on a developer's own machine, a page from elsewhere must not reach the server, neither
//! by a request of its own nor by making its name lead here (DNS rebinding).

use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// Headers pages may send: those of the AWS SDKs and of plain requests.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, last-event-id, traceparent, x-amz-content-sha256, x-amz-date, x-amz-security-token, \
     x-amz-target, x-amz-user-agent, amz-sdk-invocation-id, amz-sdk-request",
);
/// Methods pages may use.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
/// Headers pages may read.
const READ: HeaderValue = HeaderValue::from_static("x-amzn-requestid, x-amzn-errortype");
/// How long a browser may remember all that, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("3600");
/// Ends of names that the public name system never leads anywhere (RFC 6761, RFC 6762, and ICANN for `internal`).
const PRIVATE: [&str; 4] = ["localhost", "local", "internal", "test"];
/// What some AWS clients put before the host for some operations.
const SYNC: &str = "sync-";

/// What is to become of a request, as far as its origin is concerned.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No page sent it, or one of this server's own.
    Ours,
    /// A page the operator let in.
    Allowed(HeaderValue),
    /// The question whether such a page may.
    Preflight(HeaderValue),
    /// A page from elsewhere.
    Foreign(String),
    /// A server without keys, asked for by a name anybody can make lead to it.
    Renamed(String),
}

/// Looks at a request. `is_open` on a server that asks for no keys.
pub fn judge(method: &Method, headers: &HeaderMap, is_open: bool, allowed: &[String]) -> Verdict {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if is_open && !is_private(host) {
        return Verdict::Renamed(host.to_owned());
    }
    let Some(value) = headers.get(ORIGIN) else {
        return Verdict::Ours;
    };
    let origin = String::from_utf8_lossy(value.as_bytes());
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    if !authority.is_empty() && authority.eq_ignore_ascii_case(host) {
        return Verdict::Ours;
    }
    if !allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&origin)) {
        return Verdict::Foreign(origin.into_owned());
    }
    if method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        Verdict::Preflight(value.clone())
    } else {
        Verdict::Allowed(value.clone())
    }
}

/// Whether a host is an address, or a name that only this network can have given.
fn is_private(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        // An IPv6 address has colons of its own, and brackets around them.
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix(SYNC).unwrap_or(name).trim_end_matches('.');
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let last = name.rsplit('.').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || PRIVATE.iter().any(|private| private.eq_ignore_ascii_case(last))
}

/// The answer to a preflight of an allowed origin.
pub fn preflight(origin: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    allow(response, origin)
}

/// Lets a page read an answer.
pub fn allow(mut response: Response<Body>, origin: HeaderValue) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: &str, origin: Option<&str>, is_open: bool, method: Method) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a value"));
        }
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        judge(&method, &headers, is_open, &["https://console.example".to_owned()])
    }

    #[test]
    fn pages_from_elsewhere_are_foreign_and_our_own_are_not() {
        let from = |origin| judged("127.0.0.1:8083", Some(origin), true, Method::POST);
        assert_eq!(from("http://127.0.0.1:8083"), Verdict::Ours);
        for origin in ["http://127.0.0.1:3000", "https://evil.example", "null", ""] {
            assert_eq!(from(origin), Verdict::Foreign(origin.to_owned()));
        }
        assert_eq!(judged("127.0.0.1:8083", None, true, Method::POST), Verdict::Ours);
        let console = HeaderValue::from_static("https://console.example");
        assert_eq!(from("https://console.example"), Verdict::Allowed(console.clone()));
        assert_eq!(
            judged("127.0.0.1:8083", Some("https://console.example"), true, Method::OPTIONS),
            Verdict::Preflight(console)
        );
    }

    #[test]
    fn an_open_server_is_asked_for_by_private_names_only() {
        for host in [
            "127.0.0.1:8083",
            "[::1]:8083",
            "[::1]",
            "localhost",
            "LOCALHOST:1",
            "sync-localhost:8083",
            "sync-127.0.0.1:8083",
            "sandstep",
            "sandstep.local",
            "host.docker.internal:8083",
            "",
        ] {
            assert_eq!(judged(host, None, true, Method::GET), Verdict::Ours, "{host}");
        }
        for host in ["evil.example:8083", "127.0.0.1.nip.io", "localhost.evil.example"] {
            assert_eq!(judged(host, None, true, Method::GET), Verdict::Renamed(host.to_owned()));
            assert_eq!(judged(host, None, false, Method::GET), Verdict::Ours, "{host}");
        }
    }
}
