//! JSON 1.0 over HTTP: bodies, headers, statuses.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use asl::Timestamp;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Response, StatusCode};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::errors::{Answer, ApiError};

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Reads an operation's parameters.
///
/// # Errors
/// `SerializationException` naming the field or the place.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    // AWS takes an absent body for one without fields.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map(|Object(asked)| asked)
        .map_err(|error| {
            ApiError::serialization(format!(
                "the body is not what the operation takes: {error}; send one JSON object"
            ))
        })
}

/// A structure that is read from a JSON object and nothing else: serde would take a list of its fields' values too.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// [`Object`] for a field that may be absent or null, for `deserialize_with`.
pub fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let object = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(object.map(|Object(value)| value))
}

/// Writes an operation's answer.
pub fn write<T: Serialize>(answer: &T) -> Answer<Vec<u8>> {
    serde_json::to_vec(answer).map_err(|error| ApiError::fault(format!("the answer can't be written: {error}")))
}

/// An answer, good or bad, as HTTP.
pub fn respond(answer: Answer<Vec<u8>>) -> Response<Body> {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, error_body(&error))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if let Ok(id) = HeaderValue::try_from(request_id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn error_body(error: &ApiError) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "__type")]
        kind: &'a str,
        message: &'a str,
        #[serde(flatten)]
        member: Option<BTreeMap<&'a str, &'a str>>,
    }
    serde_json::to_vec(&Body {
        kind: error.kind,
        message: &error.message,
        member: error
            .member
            .as_ref()
            .map(|(name, value)| BTreeMap::from([(*name, value.as_str())])),
    })
    .unwrap_or_default()
}

/// Unlike every other: a random start and a count, so that a request costs no system call.
fn request_id() -> String {
    static START: LazyLock<u128> = LazyLock::new(|| uuid::Uuid::new_v4().as_u128());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = START.wrapping_add(u128::from(COUNT.fetch_add(1, Ordering::Relaxed)));
    uuid::Builder::from_random_bytes(id.to_be_bytes())
        .into_uuid()
        .to_string()
}

/// Seconds since the epoch with a fraction, for `serialize_with`.
pub fn seconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_seconds())
}

/// The same where there may be none.
pub fn optional_seconds<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => seconds(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_their_type_and_a_lower_case_message() {
        let body = error_body(&ApiError::invalid_name("a b"));
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"__type":"InvalidName","message":"Invalid Name: 'a b'"}"#
        );
        let body = error_body(&ApiError::resource_not_found("x"));
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"__type":"ResourceNotFound","message":"Resource not found: 'x'","resourceName":"x"}"#
        );
    }

    #[test]
    fn parameters_are_an_object_and_no_list_of_its_values() {
        #[derive(Debug, Default, PartialEq, Deserialize)]
        struct Asked {
            name: Option<String>,
            #[serde(default, deserialize_with = "optional_object")]
            inner: Option<Inner>,
        }
        #[derive(Debug, Default, PartialEq, Deserialize)]
        struct Inner {
            count: Option<i64>,
        }
        for (body, expected) in [
            ("", Some(Asked::default())),
            (r#"{"name": null, "inner": null}"#, Some(Asked::default())),
            (
                r#"{"inner": {"count": 1}}"#,
                Some(Asked {
                    name: None,
                    inner: Some(Inner { count: Some(1) }),
                }),
            ),
            ("[]", None),
            (r#"["a", null]"#, None),
            (r#"{"inner": [1]}"#, None),
            ("null", None),
        ] {
            let read = read::<Asked>(body.as_bytes());
            assert_eq!(read.is_err(), expected.is_none(), "`{body}`: {read:?}");
            assert_eq!(read.ok(), expected, "`{body}`");
        }
    }

    #[test]
    fn request_ids_differ() {
        assert_ne!(request_id(), request_id());
    }
}
