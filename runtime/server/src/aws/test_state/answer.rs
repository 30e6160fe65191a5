//! What a test comes to, as the API shows it.

use asl::Payload;
use asl::trial::{Inspection, Verdict};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::http_task::{Received, Sent, Trace};

/// The operation's answer.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    status: &'static str,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    output: Option<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection_data: Option<InspectionData>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectionData {
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    input: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_input_path: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_parameters: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_arguments: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    result: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_result_selector: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_result_path: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_items_path: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_item_selector: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_items_pointer: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    after_item_batcher: Option<Payload>,
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    variables: Option<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_percentage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<ErrorDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Sent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Received>,
}

#[derive(Debug, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_backoff_interval_seconds: Option<u64>,
}

impl Answered {
    /// The answer for a verdict; `seen` goes with the raw input where the level asks for it.
    pub fn new(verdict: Verdict, seen: Option<(Payload, Inspection)>, trace: Trace) -> Self {
        let (status, output, failure, next_state) = match verdict {
            Verdict::Succeeded { output, next } => ("SUCCEEDED", Some(output), None, next),
            Verdict::Caught { failure, output, next } => ("CAUGHT_ERROR", Some(output), Some(failure), next),
            Verdict::Retriable(failure) => ("RETRIABLE", None, Some(failure), None),
            Verdict::Failed(failure) => ("FAILED", None, Some(failure), None),
        };
        let failure = failure.unwrap_or_default();
        Self {
            status,
            output,
            error: failure.error,
            cause: failure.cause,
            next_state,
            inspection_data: seen.map(|(input, seen)| InspectionData::new(input, seen, trace)),
        }
    }
}

impl InspectionData {
    fn new(input: Payload, seen: Inspection, trace: Trace) -> Self {
        let details = ErrorDetails {
            catch_index: seen.catch_index,
            retry_index: seen.retry_index,
            retry_backoff_interval_seconds: seen.retry_backoff_seconds,
        };
        let variables: Map<String, Value> = seen
            .variables
            .into_iter()
            .map(|(name, value)| (name, value.value().clone()))
            .collect();
        Self {
            input: Some(input),
            after_input_path: seen.after_input_path,
            after_parameters: seen.after_parameters,
            after_arguments: seen.after_arguments,
            result: seen.result,
            after_result_selector: seen.after_result_selector,
            after_result_path: seen.after_result_path,
            after_items_path: seen.after_items_path,
            after_item_selector: seen.after_item_selector,
            after_items_pointer: seen.after_items_pointer,
            after_item_batcher: seen.after_item_batcher,
            variables: (!variables.is_empty()).then(|| Payload::from_value(Value::Object(variables))),
            max_concurrency: seen.max_concurrency,
            tolerated_failure_count: seen.tolerated_failure_count,
            tolerated_failure_percentage: seen.tolerated_failure_percentage.map(|share| share.as_number()),
            request: trace.request,
            response: trace.response,
            error_details: (details != ErrorDetails::default()).then_some(details),
        }
    }
}

/// Payloads travel as JSON texts within the JSON of the answer.
fn text<S: Serializer>(payload: &Option<Payload>, serializer: S) -> Result<S::Ok, S::Error> {
    match payload {
        Some(payload) => serializer.serialize_str(payload.text()),
        None => serializer.serialize_none(),
    }
}
