//! `aws-sdk:sfn:<operation>`: any operation of this server's own API.

use asl::{Failure, Payload};
use engine::output::TaskRequest;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::aws::errors::ApiError;
use crate::handle::Handle;

/// Parameters that are JSON texts: a value that is no text is written as one.
const JSON_TEXTS: [&str; 3] = ["input", "output", "definition"];

pub(super) async fn run(handle: &Handle, request: &TaskRequest, operation: &str) -> Result<Payload, Failure> {
    let asked = parameters(&request.parameters);
    let answered = handle
        .call(&capitalised(operation), asked.to_string().as_bytes())
        .await
        .map_err(|error| failure(&error))?;
    let answered: Value = serde_json::from_slice(&answered).unwrap_or_default();
    Ok(Payload::from_value(in_pascal_case(answered, as_iso_time)))
}

/// An error of the API in the words of the SDK that AWS calls it with.
fn failure(error: &ApiError) -> Failure {
    Failure::new(
        format!("Sfn.{}", exception(error.kind)),
        format!(
            "{} (Service: Sfn, Status Code: {}, Request ID: {}) (SDK Attempt Count: 1)",
            error.message,
            error.status,
            Uuid::new_v4()
        ),
    )
}

/// An error's name as the SDKs spell it.
pub(super) fn exception(kind: &str) -> String {
    if kind.ends_with("Exception") {
        kind.to_owned()
    } else {
        format!("{kind}Exception")
    }
}

/// A task's parameters as the API takes them: names in camelCase, JSON texts as texts, nothing that is null.
pub(super) fn parameters(parameters: &Payload) -> Value {
    let Some(fields) = parameters.value().as_object() else {
        return Value::Object(Map::new());
    };
    let fields = fields.iter().filter(|(_, value)| !value.is_null());
    let fields = fields.map(|(name, value)| {
        let name = lowered(name);
        let value = if JSON_TEXTS.contains(&&*name) && !value.is_string() {
            Value::String(value.to_string())
        } else {
            in_camel_case(value)
        };
        (name, value)
    });
    Value::Object(fields.collect())
}

fn in_camel_case(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (lowered(name), in_camel_case(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(in_camel_case).collect()),
        other => other.clone(),
    }
}

/// An answer of the API as tasks see it: names in PascalCase, in their alphabetical order, times as
/// `time` writes them.
pub(super) fn in_pascal_case(value: Value, time: fn(f64) -> Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields
                .into_iter()
                .map(|(name, value)| {
                    let is_time = name.ends_with("Date") || name == "timestamp";
                    let value = match value.as_f64().filter(|_| is_time) {
                        Some(seconds) => time(seconds),
                        None => in_pascal_case(value, time),
                    };
                    (capitalised(&name), value)
                })
                .collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| in_pascal_case(item, time)).collect()),
        other => other,
    }
}

fn as_iso_time(seconds: f64) -> Value {
    Value::String(asl::Timestamp((seconds * 1000.0).round() as i64).to_string())
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn lowered(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_answers_change_their_spelling_and_nothing_else() {
        let asked = Payload::from_text(
            r#"{"StateMachineArn": "a", "Input": {"Key": 1}, "Name": null, "Tags": [{"Key": "k"}]}"#,
        );
        assert_eq!(
            parameters(&asked.expect("JSON")).to_string(),
            r#"{"stateMachineArn":"a","input":"{\"Key\":1}","tags":[{"key":"k"}]}"#
        );
        let answered = serde_json::json!({"startDate": 1.5, "executionArn": "a", "inputDetails": {"included": true}});
        assert_eq!(
            in_pascal_case(answered, as_iso_time).to_string(),
            r#"{"ExecutionArn":"a","InputDetails":{"Included":true},"StartDate":"1970-01-01T00:00:01.500Z"}"#
        );
    }

    #[test]
    fn errors_are_spelled_as_the_sdk_spells_them() {
        let failure = failure(&ApiError::invalid_token("Invalid token"));
        assert_eq!(failure.error.as_deref(), Some("Sfn.InvalidTokenException"));
        let cause = failure.cause.expect("a cause");
        assert!(
            cause.starts_with("Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: "),
            "{cause}"
        );
        assert_eq!(exception("ValidationException"), "ValidationException");
    }
}
