//! `arn:aws:states:::lambda:invoke`: what a Task state hands to the service, and what the service answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asl::{Failure, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::resource::{self, Asked, Resource};
use crate::clock;

/// What the state's Parameters or Arguments ask for.
#[derive(Debug)]
pub struct Invocation {
    function: String,
    /// The function's event.
    pub payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    function_name: Option<String>,
    payload: Option<Payload>,
    qualifier: Option<String>,
    invocation_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    executed_version: &'a str,
    payload: &'a RawValue,
    sdk_http_metadata: HttpMetadata,
    sdk_response_metadata: ResponseMetadata,
    status_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HttpMetadata {
    all_http_headers: Map<String, Value>,
    http_headers: Map<String, Value>,
    http_status_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseMetadata {
    request_id: String,
}

/// The version of a function nobody named a version of.
const LATEST: &str = "$LATEST";
/// Parts of a function's ARN that names neither a version nor an alias.
const PARTS_WITHOUT_QUALIFIER: usize = 7;

impl Invocation {
    /// Reads the parameters of a task.
    ///
    /// # Errors
    /// The failure of a task whose parameters aren't those of an invocation.
    pub fn read(parameters: &Payload) -> Result<Self, Failure> {
        let refuse = |cause: String| Failure::new("States.Runtime", cause);
        let asked: Parameters = serde_json::from_str(parameters.text())
            .map_err(|error| refuse(format!("the parameters of lambda:invoke can't be read: {error}")))?;
        if let Some(kind) = asked.invocation_type.filter(|kind| kind != "RequestResponse") {
            return Err(refuse(format!(
                "the InvocationType `{kind}` is not supported; leave it out or write RequestResponse"
            )));
        }
        let mut function = asked
            .function_name
            .ok_or_else(|| refuse("The field 'FunctionName' is required but was missing".into()))?;
        if let Some(qualifier) = asked.qualifier {
            function = format!("{function}:{qualifier}");
        }
        Ok(Self {
            function,
            payload: asked.payload.map_or_else(Payload::empty_object, event),
        })
    }

    /// The module the function's name or ARN means.
    ///
    /// # Errors
    /// The failure of a task that names no function.
    pub fn module(&self, machine: &str) -> Result<Resource<'_>, Failure> {
        if self.function.starts_with("arn:") {
            return match resource::parse(&self.function) {
                Ok(Asked::Module(module)) => Ok(module),
                Ok(_) | Err(_) => Err(self.not_found(machine)),
            };
        }
        resource::named_function(&self.function).ok_or_else(|| self.not_found(machine))
    }

    /// Lambda's failure for a function that isn't there, in the region and account of the calling machine.
    pub fn not_found(&self, machine: &str) -> Failure {
        let account = machine
            .strip_prefix("arn:aws:states:")
            .and_then(|rest| rest.split_once(":stateMachine:"))
            .map_or("", |(account, _)| account);
        let mut arn = if self.function.starts_with("arn:") {
            self.function.clone()
        } else {
            format!("arn:aws:lambda:{account}:function:{}", self.function)
        };
        if arn.split(':').count() <= PARTS_WITHOUT_QUALIFIER {
            arn = format!("{arn}:{LATEST}");
        }
        Failure::new(
            "Lambda.ResourceNotFoundException",
            format!(
                "Function not found: {arn} (Service: AWSLambda; Status Code: 404; Error Code: \
                 ResourceNotFoundException; Request ID: {}; Proxy: null)",
                Uuid::new_v4()
            ),
        )
    }
}

/// A payload that is a text is the request's body, so a JSON text in it is the function's event.
fn event(payload: Payload) -> Payload {
    match payload.value().as_str().map(Payload::from_text) {
        Some(Ok(event)) => event,
        Some(Err(_)) | None => payload,
    }
}

/// A trace of a request that isn't sampled, in X-Ray's form.
fn trace_id(date: SystemTime) -> String {
    let seconds = date.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Sampled=0", &random[..24])
}

/// What the service answers when the function returned `output`; `version` ran, where the task asked for a certain one or
/// for an alias.
pub fn answer(output: &Payload, version: Option<u32>) -> Payload {
    let executed_version = version.map_or_else(|| LATEST.to_owned(), |version| version.to_string());
    let request_id = Uuid::new_v4().to_string();
    let Ok(payload) = serde_json::from_str::<&RawValue>(output.text()) else {
        return output.clone();
    };
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(clock::now().0).unwrap_or_default());
    let headers = [
        ("Connection", "keep-alive".to_owned()),
        ("Content-Length", output.len().to_string()),
        ("Content-Type", "application/json".to_owned()),
        ("Date", httpdate::fmt_http_date(date)),
        ("X-Amz-Executed-Version", executed_version.clone()),
        ("x-amzn-Remapped-Content-Length", "0".to_owned()),
        ("x-amzn-RequestId", request_id.clone()),
        ("X-Amzn-Trace-Id", trace_id(date)),
    ];
    let answer = Answer {
        executed_version: &executed_version,
        payload,
        sdk_http_metadata: HttpMetadata {
            all_http_headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(vec![value.clone()])))
                .collect(),
            http_headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(value.clone())))
                .collect(),
            http_status_code: 200,
        },
        sdk_response_metadata: ResponseMetadata { request_id },
        status_code: 200,
    };
    serde_json::to_string(&answer)
        .ok()
        .and_then(|text| Payload::from_text(text).ok())
        .unwrap_or_else(|| output.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::Version;

    #[test]
    fn functions_are_named_or_given_as_arns() {
        let module = |text: &str| {
            let invocation = Invocation::read(&Payload::from_text(text).expect("JSON")).expect("an invocation");
            invocation
                .module("")
                .map(|module| (module.module.name.to_owned(), module.module.version == Version::Newest))
        };
        assert_eq!(module(r#"{"FunctionName": "f", "Payload": 1}"#), Ok(("f".into(), true)));
        assert_eq!(
            module(r#"{"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f", "Qualifier": "3"}"#),
            Ok(("f".into(), false))
        );
        assert!(module(r#"{"FunctionName": "arn:aws:states:::lambda:invoke"}"#).is_err());
        let event = |text: &str| {
            Invocation::read(&Payload::from_text(text).expect("JSON")).map(|asked| asked.payload.text().to_owned())
        };
        assert_eq!(
            event(r#"{"FunctionName": "f", "Payload": "[0.0]"}"#),
            Ok("[0.0]".into())
        );
        assert_eq!(
            event(r#"{"FunctionName": "f", "Payload": "word"}"#),
            Ok("\"word\"".into())
        );
        for text in ["{}", "[]", r#"{"FunctionName": "f", "InvocationType": "Event"}"#] {
            assert!(
                Invocation::read(&Payload::from_text(text).expect("JSON")).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_told_by_its_whole_name() {
        let cause = |text: &str| {
            let invocation = Invocation::read(&Payload::from_text(text).expect("JSON")).expect("an invocation");
            let failure = invocation.not_found("arn:aws:states:us-east-1:000000000000:stateMachine:m");
            failure.cause.unwrap_or_default()
        };
        let arn = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f";
        assert!(cause(r#"{"FunctionName": "f"}"#).starts_with(&format!("{arn}:$LATEST (")));
        assert!(cause(r#"{"FunctionName": "f", "Qualifier": "live"}"#).starts_with(&format!("{arn}:live (")));
        assert!(cause(r#"{"FunctionName": "f:3"}"#).starts_with(&format!("{arn}:3 (")));
    }

    #[test]
    fn the_answer_holds_the_output_letter_by_letter() {
        let output = Payload::from_text("[1, 2]").expect("JSON");
        let answer = |version| super::answer(&output, version);
        let aliased = answer(Some(7));
        assert!(aliased.text().starts_with(r#"{"ExecutedVersion":"7","#), "{aliased}");
        let answer = answer(None);
        assert!(
            answer
                .text()
                .starts_with(r#"{"ExecutedVersion":"$LATEST","Payload":[1, 2],"#),
            "{answer}"
        );
        assert!(answer.text().ends_with(r#""StatusCode":200}"#), "{answer}");
    }
}
