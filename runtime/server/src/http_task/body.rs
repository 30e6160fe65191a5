//! A request's body as it goes over the wire.

use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::form::{self, ArrayFormat};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// How a body is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Transform {
    #[serde(default)]
    request_body_encoding: Encoding,
    #[serde(default)]
    request_encoding_options: EncodingOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
enum Encoding {
    #[default]
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "URL_ENCODED")]
    UrlEncoded,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EncodingOptions {
    #[serde(default)]
    array_format: ArrayFormat,
}

/// A body as it goes over the wire, and what it is; nothing where there is none.
pub(super) fn encoded(body: &Value, transform: &Transform) -> Option<(String, HeaderValue)> {
    Some(match (body, transform.request_body_encoding) {
        (Value::Null, _) => return None,
        (Value::String(text), Encoding::None) => (text.clone(), JSON),
        (Value::String(text), Encoding::UrlEncoded) => (text.clone(), FORM),
        (body, Encoding::None) => (body.to_string(), JSON),
        (body, Encoding::UrlEncoded) => (
            form::encode(body, transform.request_encoding_options.array_format),
            FORM,
        ),
    })
}
