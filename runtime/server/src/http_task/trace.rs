//! What was said over the wire, for whoever tests a state.

use hyper::Request;
use hyper::header::HeaderMap;
use serde::Serialize;

use super::client::Answer;
use super::request::Prepared;

/// Whether what a connection adds to a request may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// All of the request is shown.
    Revealed,
    /// Headers, query parameters and fields of the body that come from the connection are left out.
    Hidden,
}

/// A request and its answer, as far as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// What was sent.
    pub(crate) request: Option<Sent>,
    /// What came back.
    pub(crate) response: Option<Received>,
}

/// Somebody who looks at what is said.
#[derive(Debug)]
pub(crate) struct Watch<'t> {
    /// How much of it they may see.
    pub(crate) secrets: Secrets,
    /// Where they look.
    pub(crate) trace: &'t mut Trace,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    /// `https` or `http`.
    pub(crate) protocol: String,
    /// `GET`
    pub(crate) method: String,
    /// With its query.
    pub(crate) url: String,
    /// `[name: value, name: value]`
    pub(crate) headers: String,
    /// Where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Received {
    /// `https` or `http`.
    pub(crate) protocol: String,
    /// `200`
    pub(crate) status_code: String,
    /// `OK`
    pub(crate) status_message: String,
    /// `[name: value, name: value]`
    pub(crate) headers: String,
    /// What isn't UTF-8 in it is replaced.
    pub(crate) body: String,
}

impl Sent {
    /// `request` is what goes over the wire, a token included.
    pub(super) fn new<B>(prepared: &Prepared, request: &Request<B>, secrets: Secrets) -> Self {
        let (url, body) = match secrets {
            Secrets::Revealed => (prepared.url(), prepared.body()),
            Secrets::Hidden => prepared.without_secrets(),
        };
        Self {
            protocol: url.scheme().to_owned(),
            method: prepared.method.to_string(),
            url: url.to_string(),
            headers: shown(request.headers(), secrets),
            body: (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned()),
        }
    }
}

impl Received {
    pub(super) fn new(prepared: &Prepared, answer: &Answer) -> Self {
        Self {
            protocol: prepared.url().scheme().to_owned(),
            status_code: answer.status.as_str().to_owned(),
            status_message: answer.status.canonical_reason().unwrap_or_default().to_owned(),
            headers: shown(&answer.headers, Secrets::Revealed),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }
    }
}

fn shown(headers: &HeaderMap, secrets: Secrets) -> String {
    let headers = headers
        .iter()
        .filter(|(_, value)| secrets == Secrets::Revealed || !value.is_sensitive());
    let headers = headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    format!("[{}]", headers.collect::<Vec<_>>().join(", "))
}
