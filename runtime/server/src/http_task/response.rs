//! From an answer to a task's result.

use asl::{Failure, Payload};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};

use super::client::Answer;
use super::runtime;

/// The result, or the failure, of a task with this answer.
pub(super) fn read(answer: Answer) -> Result<Payload, Failure> {
    let content_type = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .unwrap_or_default();
    let text = String::from_utf8(answer.body);
    if !answer.status.is_success() {
        return Err(Failure::new(
            format!("States.Http.StatusCode.{}", answer.status.as_u16()),
            text.unwrap_or_default(),
        ));
    }
    let is_binary = content_type == "application/octet-stream"
        || ["image/", "video/", "audio/"]
            .iter()
            .any(|kind| content_type.starts_with(kind));
    if is_binary {
        return Err(runtime(format!(
            "the response has the content-type `{content_type}`, and only texts can be results"
        )));
    }
    let text = text.map_err(|_| runtime("the response can't be read as a text in UTF-8"))?;
    let is_json = content_type == "application/json" || content_type.ends_with("+json");
    let body = match serde_json::from_str(&text) {
        Ok(value) if is_json => value,
        Ok(_) | Err(_) => Value::String(text),
    };
    let mut result = Map::new();
    result.insert("Headers".to_owned(), headers(&answer.headers));
    result.insert("ResponseBody".to_owned(), body);
    result.insert("StatusCode".to_owned(), answer.status.as_u16().into());
    result.insert("StatusText".to_owned(), reason(answer.status).into());
    Ok(Payload::from_value(Value::Object(result)))
}

fn headers(headers: &HeaderMap) -> Value {
    let all = headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes())));
        (name.as_str().to_owned(), values.collect())
    });
    Value::Object(all.collect())
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &[u8]) -> Result<Payload, Failure> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        }
        read(Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            body: body.to_vec(),
        })
    }

    #[test]
    fn json_is_json_and_everything_else_a_text() {
        assert_eq!(
            answer(200, "application/json; charset=utf-8", br#"{"a": 1}"#)
                .expect("a result")
                .text(),
            r#"{"Headers":{"content-type":["application/json; charset=utf-8"]},"ResponseBody":{"a":1},"StatusCode":200,"StatusText":"OK"}"#
        );
        let body = |kind: &str, body: &[u8]| answer(201, kind, body).expect("a result").value()["ResponseBody"].clone();
        assert_eq!(body("text/plain", b"12"), "12");
        assert_eq!(body("application/problem+json", b"12"), 12);
        assert_eq!(body("application/json", b"{"), "{");
        assert_eq!(body("", b""), "");
    }

    #[test]
    fn what_is_no_text_fails() {
        for (kind, body) in [
            ("image/png", &b"x"[..]),
            ("application/octet-stream", b"x"),
            ("text/plain", b"\xff"),
        ] {
            let failure = answer(200, kind, body).expect_err("no text");
            assert_eq!(failure.error.as_deref(), Some("States.Runtime"), "{kind}");
        }
        for status in [302, 404, 500] {
            let failure = answer(status, "image/png", b"body").expect_err("no success");
            assert_eq!(failure.error, Some(format!("States.Http.StatusCode.{status}")));
            assert_eq!(failure.cause.as_deref(), Some("body"));
        }
    }
}
