//! DescribeExecution.

use asl::{EventKind, Failure, Payload, Status, Timestamp};
use serde::{Deserialize, Serialize};

use super::execution::{alias_arn, find, map_run_arn, outcome, status_word, version_arn};
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::handle::{Handle, Inner};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    execution_arn: String,
    state_machine_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    name: String,
    status: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: Included,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Included>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    redrive_count: u32,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Timestamp>,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<String>,
}

#[derive(Serialize)]
struct Included {
    included: bool,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .one_of(
            "includedData",
            asked.included_data.as_deref(),
            &["ALL_DATA", "METADATA_ONLY"],
        )
        .check()?;
    let arn = asked.execution_arn.unwrap_or_default();
    let data = asked.included_data.as_deref() != Some("METADATA_ONLY");
    handle.blocking(move |inner| describe(inner, arn, data)).await?
}

fn describe(inner: &Inner, arn: String, data: bool) -> Answer<Answered> {
    let (machine, execution) = find(inner, &arn)?;
    // One snapshot: status, output and stop date all come from the last event, so they agree.
    let Some((first, last)) = inner.reader.first_and_last(execution.id)? else {
        return Err(ApiError::execution_does_not_exist(arn));
    };
    let closed = last.kind.closes();
    let status = closed.unwrap_or(Status::Running);
    let (output, Failure { error, cause }) = outcome(last.kind);
    let (input, machine_name) = match first.kind {
        EventKind::ExecutionStarted {
            input, machine_name, ..
        } => (Some(input), machine_name),
        _ => (None, machine.name.clone()),
    };
    let map_run_arn = map_run_arn(&inner.namespace, &machine_name, &execution);
    // a child belongs to the machine `NAME/LABEL`
    let machine_name = map_run_arn.as_ref().map_or(&machine.name, |_| &machine_name);
    let text = |payload: Payload| data.then(|| payload.text().to_owned());
    let redrivable = match status {
        Status::Running | Status::Succeeded => None,
        Status::Failed | Status::TimedOut | Status::Aborted if execution.child.is_some() => {
            Some("REDRIVABLE_BY_MAP_RUN")
        }
        Status::Failed | Status::TimedOut | Status::Aborted => Some("REDRIVABLE"),
    };
    let word = status_word(status);
    let redrives = inner.reader.redrives(execution.id)?;
    Ok(Answered {
        execution_arn: arn,
        state_machine_arn: inner.namespace.machine(machine_name),
        state_machine_version_arn: version_arn(&inner.namespace, &machine.name, execution.origin.as_ref()),
        state_machine_alias_arn: alias_arn(&inner.namespace, &machine.name, execution.origin.as_ref()),
        map_run_arn,
        name: execution.name,
        status: word,
        start_date: execution.started,
        stop_date: closed.map(|_| last.at),
        input: input.and_then(text),
        input_details: Included { included: data },
        output_details: output.as_ref().map(|_| Included { included: data }),
        output: output.and_then(text),
        error: error.filter(|_| data),
        cause: cause.filter(|_| data),
        redrive_count: redrives.as_ref().map_or(0, |redrives| redrives.count),
        redrive_date: redrives.map(|redrives| redrives.at),
        redrive_status: redrivable.unwrap_or("NOT_REDRIVABLE"),
        redrive_status_reason: redrivable
            .is_none()
            .then(|| format!("Execution is {word} and cannot be redriven")),
    })
}
