//! StopExecution.

use asl::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::execution::find;
use crate::aws::constraints::{ARN_LENGTH, CAUSE_LENGTH, Constraints, ERROR_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    #[serde(serialize_with = "wire::seconds")]
    stop_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .sensitive_length("error", asked.error.as_deref(), ERROR_LENGTH)
        .sensitive_length("cause", asked.cause.as_deref(), CAUSE_LENGTH)
        .check()?;
    let arn = asked.execution_arn.unwrap_or_default();
    let execution = find_stop_date(handle, &arn).await?;
    // One that is over answers its own stop date, as AWS does.
    if let (_, Some(stop_date)) = execution {
        return Ok(Answered { stop_date });
    }
    let failure = Failure {
        error: asked.error,
        cause: asked.cause,
    };
    if let Some(stop_date) = handle.stop(execution.0, failure).await? {
        return Ok(Answered { stop_date });
    }
    // It closed between the two looks.
    match find_stop_date(handle, &arn).await? {
        (_, Some(stop_date)) => Ok(Answered { stop_date }),
        (id, None) => Err(ApiError::fault(format!(
            "execution {} runs on disk and not in memory; restart the server",
            id.0
        ))),
    }
}

async fn find_stop_date(handle: &Handle, arn: &str) -> Answer<(engine::ids::ExecutionId, Option<Timestamp>)> {
    let arn = arn.to_owned();
    let (_, execution) = handle.blocking(move |inner| find(inner, &arn)).await??;
    Ok((execution.id, execution.stopped))
}
