//! What becomes of a handler's response.

use base64::Engine as _;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::entry::Answer;
use crate::outcome;
use crate::values::BASE64;

/// Before the status in the error of a response that says that something went wrong.
const STATUS: &str = "Sandbox.Http.StatusCode.";

/// What a handler sends, if it sends anything.
pub(super) type Answered = oneshot::Receiver<Result<Response<HyperOutgoingBody>, ErrorCode>>;

/// A response, all of it.
pub(super) type Collected = Result<(u16, HeaderMap, Vec<u8>), NoResponse>;

/// Why there is none.
#[derive(Debug)]
pub(super) enum NoResponse {
    /// The handler said this in its place.
    Failed(ErrorCode),
    /// The handler returned without one.
    Dropped,
    /// It broke off, or isn't as long as its head says.
    Broken,
    /// It is larger than a task may answer.
    TooLarge,
}

/// JSON Schema of the output.
pub(super) fn schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "status": {"type": "integer", "minimum": 200, "maximum": 399},
            "headers": {
                "type": "object",
                "additionalProperties": {"anyOf": [text.clone(), {"type": "array", "items": text}]},
            },
            "body": {"description": "JSON where the content type says so, else a text; null where there is none"},
            "base64": {"const": true, "description": "there where body is base64: it was no text"},
        },
        "required": ["status", "headers", "body"],
        "additionalProperties": false,
    })
}

/// Takes a response in, at most `limit` bytes of it.
pub(super) async fn collect(answered: Answered, limit: usize) -> Collected {
    let response = match answered.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(NoResponse::Failed(code)),
        Err(_) => return Err(NoResponse::Dropped),
    };
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers say nothing here.
        let Ok(data) = frame.map_err(|_| NoResponse::Broken)?.into_data() else {
            continue;
        };
        if bytes.len().saturating_add(data.len()) > limit {
            return Err(NoResponse::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((parts.status.as_u16(), parts.headers, bytes))
}

/// What the task answers.
pub(super) fn answer(collected: Collected, limit: usize) -> Answer {
    let no_response = |cause: String| Answer::Refused {
        error: outcome::NO_RESPONSE,
        cause,
    };
    match collected {
        Ok((status, _, body)) if status >= 400 => {
            let said = String::from_utf8_lossy(&body).into_owned();
            Answer::Failure {
                error: format!("{STATUS}{status}"),
                cause: if said.is_empty() { reason(status) } else { said },
            }
        }
        Ok((status, headers, body)) => match output(status, &headers, &body) {
            text if text.len() > limit => too_large(limit),
            text => Answer::Output(text),
        },
        Err(NoResponse::TooLarge) => too_large(limit),
        Err(NoResponse::Dropped) => no_response("the handler returned without a response".to_owned()),
        Err(NoResponse::Broken) => {
            no_response("the handler broke its response off, or wrote another length than its head says".to_owned())
        }
        Err(NoResponse::Failed(ErrorCode::InternalError(Some(said)))) => no_response(said),
        Err(NoResponse::Failed(code)) => no_response(format!("the handler answered with the error `{code:?}`")),
    }
}

fn too_large(limit: usize) -> Answer {
    Answer::Refused {
        error: outcome::OUTPUT_TOO_LARGE,
        cause: outcome::too_large(limit),
    }
}

fn reason(status: u16) -> String {
    let known = hyper::StatusCode::from_u16(status).ok();
    let known = known.and_then(|status| status.canonical_reason());
    known.unwrap_or("the handler said nothing more").to_owned()
}

fn output(status: u16, headers: &HeaderMap, body: &[u8]) -> String {
    let (body, encoded) = written(headers, body);
    let headers = Value::Object(listed(headers));
    let encoded = if encoded { ",\"base64\":true" } else { "" };
    format!("{{\"status\":{status},\"headers\":{headers},\"body\":{body}{encoded}}}")
}

/// The body as JSON, and whether it is base64.
fn written(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    if body.is_empty() {
        return ("null".to_owned(), false);
    }
    if says_json(headers)
        && let Ok(json) = serde_json::from_slice::<&RawValue>(body)
    {
        return (json.get().to_owned(), false);
    }
    match std::str::from_utf8(body) {
        Ok(text) => (Value::from(text).to_string(), false),
        Err(_) => (Value::from(BASE64.encode(body)).to_string(), true),
    }
}

/// Whether the content type is `application/json` or ends with `+json` (RFC 6839).
fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    let media_type = media_type.unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

fn listed(headers: &HeaderMap) -> Map<String, Value> {
    let values = |name| {
        let values = headers.get_all(name).iter();
        let mut values = values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes())));
        match (values.next(), values.next()) {
            (Some(one), None) => one,
            (first, second) => first.into_iter().chain(second).chain(values).collect(),
        }
    };
    headers.keys().map(|name| (name.to_string(), values(name))).collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_static(value);
            (HeaderName::from_static(name), value)
        });
        answer(Ok((status, headers.collect(), body.to_vec())), 1000)
    }

    #[test]
    fn a_response_is_an_output() {
        for (headers, body, wanted) in [
            (&[][..], &b""[..], r#"{"status":200,"headers":{},"body":null}"#),
            (&[], b"a \"b\"", r#"{"status":200,"headers":{},"body":"a \"b\""}"#),
            (
                &[("content-type", "application/json; charset=utf-8")],
                b" {\"a\": 1.0} ",
                r#"{"status":200,"headers":{"content-type":"application/json; charset=utf-8"},"body":{"a": 1.0}}"#,
            ),
            (
                &[("content-type", "Application/Problem+JSON")],
                b"[]",
                r#"{"status":200,"headers":{"content-type":"Application/Problem+JSON"},"body":[]}"#,
            ),
            (
                &[("content-type", "application/json")],
                b"{oops",
                r#"{"status":200,"headers":{"content-type":"application/json"},"body":"{oops"}"#,
            ),
            (
                &[],
                b"\xff\x00",
                r#"{"status":200,"headers":{},"body":"/wA=","base64":true}"#,
            ),
            (
                &[("set-cookie", "a=1"), ("set-cookie", "b=2")],
                b"",
                r#"{"status":200,"headers":{"set-cookie":["a=1","b=2"]},"body":null}"#,
            ),
        ] {
            match answered(200, headers, body) {
                Answer::Output(text) => assert_eq!(text, wanted),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(answered(302, &[], b""), Answer::Output(_)));
    }

    #[test]
    fn statuses_that_say_so_are_failures() {
        for (status, body, cause) in [
            (404, &b"no such order"[..], "no such order"),
            (500, b"", "Internal Server Error"),
            (599, b"", "the handler said nothing more"),
        ] {
            match answered(status, &[], body) {
                Answer::Failure { error, cause: said } => {
                    assert_eq!(
                        (error, said.as_str()),
                        (format!("Sandbox.Http.StatusCode.{status}"), cause)
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_output_is_measured_as_it_is_handed_on() {
        let refused = answered(200, &[], &[b'"'; 600]);
        assert!(
            matches!(refused, Answer::Refused { error, .. } if error == outcome::OUTPUT_TOO_LARGE),
            "{refused:?}"
        );
    }
}
