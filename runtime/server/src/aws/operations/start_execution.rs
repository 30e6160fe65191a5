//! StartExecution.

use asl::json_syntax::complaint;
use asl::{Payload, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aws::constraints::{ARN_LENGTH, Constraints, NAME_LENGTH, is_name};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::target::Throw;
use crate::aws::wire;
use crate::handle::Handle;
use crate::traces::{TraceParent, on_behalf_of};

/// Longest X-Ray header, in characters.
const TRACE_HEADER_LENGTH: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    execution_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    check(
        handle,
        asked.state_machine_arn.as_deref(),
        asked.name.as_deref(),
        asked.input.as_deref(),
        asked.trace_header.as_deref(),
    )
    .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let target = handle.target(&arn, Throw::dice).await?;
    let name = read_name(asked.name)?;
    let input = read_input(asked.input)?;
    let start = handle.start_target(target, name, input, false);
    let started = on_behalf_of(traced_by(asked.trace_header.as_deref()), start).await?;
    Ok(Answered {
        execution_arn: started.arn,
        start_date: started.at,
    })
}

/// What the caller's X-Ray header says the execution is a part of.
pub(super) fn traced_by(trace_header: Option<&str>) -> Option<TraceParent> {
    trace_header.and_then(TraceParent::parse_xray)
}

/// The service's own constraints on a start.
pub(super) fn check(
    handle: &Handle,
    machine: Option<&str>,
    name: Option<&str>,
    input: Option<&str>,
    trace_header: Option<&str>,
) -> Constraints {
    let mut constraints = Constraints::new();
    constraints
        .text("stateMachineArn", machine, ARN_LENGTH)
        .length("name", name, 1, NAME_LENGTH)
        .sensitive_bytes("input", input, handle.inner().limits.payload_bytes)
        .length("traceHeader", trace_header, 0, TRACE_HEADER_LENGTH);
    constraints
}

/// The caller's name for an execution, or one of our own.
pub(super) fn read_name(name: Option<String>) -> Answer<String> {
    let name = name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if is_name(&name) {
        Ok(name)
    } else {
        Err(ApiError::invalid_name(&name))
    }
}

/// The caller's input, letter by letter.
pub(super) fn read_input(input: Option<String>) -> Answer<Payload> {
    match input {
        None => Ok(Payload::empty_object()),
        Some(text) => Payload::from_text(text.as_str()).map_err(|error| {
            ApiError::invalid_execution_input(&complaint(&text).map_or(error.0, |found| found.message))
        }),
    }
}
