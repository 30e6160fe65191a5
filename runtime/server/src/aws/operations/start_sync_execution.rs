//! StartSyncExecution.

use asl::{Failure, Payload, Status, Timestamp};
use engine::ports::MachineType;
use serde::{Deserialize, Serialize};

use super::execution::status_word;
use super::start_execution::{check, read_input, read_name, traced_by};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::target::Throw;
use crate::aws::wire;
use crate::handle::Handle;
use crate::traces::on_behalf_of;

/// AWS bills by pieces of so many milliseconds.
const BILLED_MILLIS: i64 = 100;
/// And by pieces of 64 MB of memory: a workflow's definition and payloads fit into the first.
const BILLED_MEMORY_MB: u32 = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "wire::seconds")]
    stop_date: Timestamp,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: Included,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Included>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    billing_details: Billing,
}

#[derive(Serialize)]
struct Included {
    included: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Billing {
    billed_duration_in_milliseconds: i64,
    #[serde(rename = "billedMemoryUsedInMB")]
    billed_memory_used_in_mb: u32,
}

/// Answers with the execution's end, good or bad.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    check(
        handle,
        asked.state_machine_arn.as_deref(),
        asked.name.as_deref(),
        asked.input.as_deref(),
        asked.trace_header.as_deref(),
    )
    .one_of(
        "includedData",
        asked.included_data.as_deref(),
        &["ALL_DATA", "METADATA_ONLY"],
    )
    .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let target = handle.target(&arn, Throw::dice).await?;
    if target.machine_type() != MachineType::Express {
        return Err(ApiError::not_for_this_type());
    }
    let name = read_name(asked.name)?;
    let input = read_input(asked.input)?;
    let data = asked.included_data.as_deref() != Some("METADATA_ONLY");
    let machine = handle.inner().namespace.machine(&target.machine.record.name);
    let start = handle.start_synchronous(target, name.clone(), input.clone());
    let started = on_behalf_of(traced_by(asked.trace_header.as_deref()), start).await?;
    let (execution_arn, start_date) = (started.arn.clone(), started.at);
    let closed = started.closed().await?;
    let Failure { error, cause } = closed.failure.unwrap_or_default();
    let output = closed.output.filter(|_| closed.status == Status::Succeeded);
    let text = |payload: Payload| data.then(|| payload.text().to_owned());
    Ok(Answered {
        execution_arn,
        state_machine_arn: machine,
        name,
        start_date,
        stop_date: closed.at,
        status: status_word(closed.status),
        error,
        cause,
        input: text(input),
        input_details: Included { included: data },
        output_details: output.as_ref().map(|_| Included { included: data }),
        output: output.and_then(text),
        trace_header: asked.trace_header,
        billing_details: Billing::of(closed.at.millis_since(start_date)),
    })
}

impl Billing {
    fn of(millis: i64) -> Self {
        let pieces = millis.max(1).div_euclid(BILLED_MILLIS) + i64::from(millis.max(1) % BILLED_MILLIS > 0);
        Self {
            billed_duration_in_milliseconds: pieces * BILLED_MILLIS,
            billed_memory_used_in_mb: BILLED_MEMORY_MB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_billed_in_whole_pieces() {
        for (millis, billed) in [(0, 100), (1, 100), (100, 100), (101, 200), (7510, 7600), (-5, 100)] {
            assert_eq!(Billing::of(millis).billed_duration_in_milliseconds, billed, "{millis}");
        }
        let shown = serde_json::to_string(&Billing::of(1)).expect("writes");
        assert_eq!(
            shown,
            r#"{"billedDurationInMilliseconds":100,"billedMemoryUsedInMB":64}"#
        );
    }
}
