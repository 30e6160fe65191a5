//! Whether a mocked result has the shape its service's model promises, in AWS's words.

use serde_json::{Map, Value};

use super::service_models::{Bounds, Field, Kind, Shape};

/// How an integration spells the fields of its service's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// An optimised integration: the model's names with a capital in front; bytes are any JSON.
    Optimised,
    /// An SDK integration: the names of the AWS SDK for Java, words in PascalCase.
    Sdk,
}

impl Spelling {
    /// A field of the service's model as the integration spells it.
    pub fn spelt(self, name: &str) -> String {
        match self {
            Self::Optimised => capitalised(name),
            Self::Sdk => words(name).map(|word| capitalised(&word.to_lowercase())).collect(),
        }
    }
}

/// How much of the shape counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Required fields must be there.
    Strict,
    /// What is there must fit.
    Present,
}

/// Checks `value`, the whole result, against `shape`.
///
/// # Errors
/// What is wrong with the first field that doesn't fit.
pub fn check(value: &Value, shape: Shape<'_>, spelling: Spelling, strictness: Strictness) -> Result<(), String> {
    let check = Check { spelling, strictness };
    match (shape.kind(), value) {
        (Kind::Structure(fields), Value::Object(map)) => check.structure(&fields, map),
        (Kind::Structure(_), _) => Err("Mocked result must be an object".into()),
        _ => check.value("result", value, shape),
    }
}

struct Check {
    spelling: Spelling,
    strictness: Strictness,
}

impl Check {
    fn structure(&self, fields: &[Field<'_>], map: &Map<String, Value>) -> Result<(), String> {
        if self.strictness == Strictness::Strict {
            let mut required = fields.iter().filter(|field| field.required);
            if let Some(missing) = required.find(|field| !map.keys().any(|name| self.is(name, field))) {
                return Err(format!("Required field '{}' is missing", self.spelt(missing.name)));
            }
        }
        for (name, value) in map {
            if let Some(field) = fields.iter().find(|field| self.is(name, field)) {
                self.value(name, value, field.shape)?;
            }
        }
        Ok(())
    }

    fn value(&self, name: &str, value: &Value, shape: Shape<'_>) -> Result<(), String> {
        let wrong = |wanted: &str| Err(format!("Field '{name}' must be {wanted}"));
        match (shape.kind(), value) {
            // a field that says nothing is as good as none
            (_, Value::Null) | (Kind::Any, _) => Ok(()),
            (Kind::Bytes, _) if self.spelling == Spelling::Optimised => Ok(()),
            (Kind::Structure(fields), Value::Object(map)) => self.structure(&fields, map),
            (Kind::Map(values), Value::Object(map)) => {
                length(name, map.len(), shape.bounds())?;
                map.iter().try_for_each(|(name, value)| self.value(name, value, values))
            }
            (Kind::Structure(_) | Kind::Map(_), _) => wrong("an object"),
            (Kind::List(elements), Value::Array(items)) => {
                length(name, items.len(), shape.bounds())?;
                items.iter().try_for_each(|item| self.value(name, item, elements))
            }
            (Kind::List(_), _) => wrong("an array"),
            (Kind::Text(values), Value::String(text)) => {
                if !values.is_empty() && !values.contains(&text.as_str()) {
                    return Err(format!("Field '{name}' is not an expected value"));
                }
                length(name, text.chars().count(), shape.bounds())
            }
            (Kind::Time | Kind::Bytes, Value::String(_)) => Ok(()),
            (Kind::Text(_) | Kind::Time | Kind::Bytes, _) => wrong("a string"),
            (Kind::Number, Value::Number(number)) => {
                let bounds = shape.bounds();
                match number.as_f64() {
                    Some(number) if bounds.least.is_some_and(|least| number < least) => {
                        Err(format!("Field '{name}' is less than the minimum value"))
                    }
                    Some(number) if bounds.most.is_some_and(|most| number > most) => {
                        Err(format!("Field '{name}' exceeds the maximum value"))
                    }
                    _ => Ok(()),
                }
            }
            (Kind::Number, _) => wrong("a number"),
            (Kind::Boolean, Value::Bool(_)) => Ok(()),
            (Kind::Boolean, _) => wrong("a boolean"),
        }
    }

    fn is(&self, name: &str, field: &Field<'_>) -> bool {
        // the services' own spelling is taken too where it starts with a capital: the two differ in acronyms alone
        name == field.name && name.starts_with(char::is_uppercase) || name == self.spelt(field.name)
    }

    fn spelt(&self, name: &str) -> String {
        self.spelling.spelt(name)
    }
}

fn length(name: &str, length: usize, bounds: Bounds) -> Result<(), String> {
    let length = length as f64;
    if bounds.least.is_some_and(|least| length < least) {
        return Err(format!("Field '{name}' is shorter than the minimum length"));
    }
    if bounds.most.is_some_and(|most| length > most) {
        return Err(format!("Field '{name}' exceeds the maximum length"));
    }
    Ok(())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The words of a model's name, where the AWS SDK for Java sees them: at a capital after a small letter, at the last
/// capital of an acronym before a word, after a number.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let bytes = name.as_bytes();
    let starts = (1..bytes.len()).filter(|&at| {
        let (before, this, next) = (bytes[at - 1], bytes[at], bytes.get(at + 1));
        let after_small = before.is_ascii_lowercase() && next.is_some_and(u8::is_ascii_alphanumeric);
        let ends_acronym = before.is_ascii_uppercase() && next.is_some_and(u8::is_ascii_lowercase);
        this.is_ascii_uppercase() && (after_small || ends_acronym)
            || this.is_ascii_alphabetic() && before.is_ascii_digit()
    });
    let mut cuts: Vec<usize> = std::iter::once(0).chain(starts).collect();
    cuts.push(name.len());
    (0..cuts.len() - 1)
        .filter_map(move |index| name.get(cuts[index]..cuts[index + 1]))
        .flat_map(|word| word.split(|letter: char| !letter.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::service_models::Service;
    use super::*;

    fn checked(service: &str, operation: &str, value: &Value, spelling: Spelling, strictness: Strictness) -> String {
        let service = Service::named(service).expect("a service");
        let shape = service.answer(operation).expect("an operation");
        check(value, shape, spelling, strictness).err().unwrap_or_default()
    }

    #[test]
    fn the_first_field_that_does_not_fit_is_named() {
        use Spelling::{Optimised, Sdk};
        use Strictness::{Present, Strict};
        for (service, operation, value, spelling, strictness, complaint) in [
            (
                "kinesis",
                "describeStreamSummary",
                json!({}),
                Sdk,
                Strict,
                "Required field 'StreamDescriptionSummary' is missing",
            ),
            ("kinesis", "describeStreamSummary", json!({}), Sdk, Present, ""),
            (
                "sfn",
                "StartExecution",
                json!({"executionArn": 1, "startDate": 1}),
                Optimised,
                Present,
                "",
            ),
            (
                "sfn",
                "StartExecution",
                json!({"ExecutionArn": "a"}),
                Optimised,
                Strict,
                "Required field 'StartDate' is missing",
            ),
            (
                "sfn",
                "StartExecution",
                json!({"ExecutionArn": "a", "StartDate": 1}),
                Optimised,
                Strict,
                "Field 'StartDate' must be a string",
            ),
            (
                "lambda",
                "Invoke",
                json!({"Payload": {"any": [1]}}),
                Optimised,
                Strict,
                "",
            ),
            (
                "lambda",
                "Invoke",
                json!({"Payload": {"any": [1]}}),
                Sdk,
                Strict,
                "Field 'Payload' must be a string",
            ),
            (
                "lambda",
                "ListFunctions",
                json!({"Functions": [{"Timeout": 0}]}),
                Sdk,
                Present,
                "Field 'Timeout' is less than the minimum value",
            ),
            (
                "lambda",
                "ListFunctions",
                json!({"Functions": [{"MemorySize": 99_999_999}]}),
                Sdk,
                Present,
                "Field 'MemorySize' exceeds the maximum value",
            ),
            (
                "lambda",
                "ListFunctions",
                json!({"Functions": {}}),
                Sdk,
                Present,
                "Field 'Functions' must be an array",
            ),
            (
                "lambda",
                "GetFunction",
                json!({"Configuration": 1}),
                Sdk,
                Present,
                "Field 'Configuration' must be an object",
            ),
            (
                "lambda",
                "GetFunction",
                json!({"Configuration": {"MemorySize": 10241}}),
                Sdk,
                Present,
                "Field 'MemorySize' exceeds the maximum value",
            ),
            (
                "lambda",
                "GetFunction",
                json!({"Tags": {"a": 1}}),
                Sdk,
                Present,
                "Field 'a' must be a string",
            ),
            (
                "lambda",
                "GetFunction",
                json!({"Configuration": {"State": "Asleep"}}),
                Sdk,
                Present,
                "Field 'State' is not an expected value",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"Item": {"a": {"BOOL": "true"}}}),
                Optimised,
                Present,
                "Field 'BOOL' must be a boolean",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"Item": null, "Unheard": 1}),
                Optimised,
                Strict,
                "",
            ),
            (
                "dynamodb",
                "GetItem",
                json!([]),
                Optimised,
                Present,
                "Mocked result must be an object",
            ),
            (
                "sqs",
                "SendMessage",
                json!({"MD5OfMessageBody": 1}),
                Optimised,
                Present,
                "Field 'MD5OfMessageBody' must be a string",
            ),
            (
                "sqs",
                "SendMessage",
                json!({"Md5OfMessageBody": 1}),
                Sdk,
                Present,
                "Field 'Md5OfMessageBody' must be a string",
            ),
        ] {
            assert_eq!(
                checked(service, operation, &value, spelling, strictness),
                complaint,
                "{service}:{operation} {value}"
            );
        }
    }

    #[test]
    fn names_are_spelt_as_the_sdk_spells_them() {
        let check = Check {
            spelling: Spelling::Sdk,
            strictness: Strictness::Strict,
        };
        for (name, spelt) in [
            ("executionArn", "ExecutionArn"),
            ("DBInstanceIdentifier", "DbInstanceIdentifier"),
            ("SSEKMSKeyId", "SsekmsKeyId"),
            ("ETag", "ETag"),
            ("MD5OfMessageBody", "Md5OfMessageBody"),
            ("VPCId", "VpcId"),
            ("s3Bucket", "S3Bucket"),
            ("x-amz-id", "XAmzId"),
            ("", ""),
        ] {
            assert_eq!(check.spelt(name), spelt, "{name}");
        }
    }
}
