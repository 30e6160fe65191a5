//! GetActivityTask, SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.

use asl::json_syntax::complaint;
use asl::{Failure, Payload};
use engine::input::Word;
use serde::{Deserialize, Serialize};

use super::activity;
use crate::activities::LONG_POLL;
use crate::aws::constraints::{ARN_LENGTH, CAUSE_LENGTH, Constraints, ERROR_LENGTH, NAME_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::handle::Handle;

/// Longest task token, in characters.
const TASK_TOKEN_LENGTH: usize = 2048;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTask {
    activity_arn: Option<String>,
    worker_name: Option<String>,
}

/// Empty when no task came.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    task_token: Option<String>,
    output: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    task_token: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    task_token: Option<String>,
}

#[derive(Serialize)]
pub struct Heard {}

/// Waits up to a minute for a task. What is handed out is recorded as started first.
pub async fn get_activity_task(handle: &Handle, asked: GetTask) -> Answer<Task> {
    Constraints::new()
        .text("activityArn", asked.activity_arn.as_deref(), ARN_LENGTH)
        .length("workerName", asked.worker_name.as_deref(), 1, NAME_LENGTH)
        .check()?;
    let arn = asked.activity_arn.unwrap_or_default();
    let activity = activity::find(handle, &arn)?;
    let inner = handle.inner();
    while let Some(queued) = inner.activities.poll(&activity.name, LONG_POLL).await {
        let worker = asked.worker_name.clone();
        if handle.callback(queued.task, Word::Taken { worker }).await? {
            return Ok(Task {
                task_token: Some(inner.token_key.token(queued.task)),
                input: Some(queued.input.text().to_owned()),
            });
        }
        // it timed out or was stopped while it waited
    }
    Ok(Task {
        task_token: None,
        input: None,
    })
}

pub async fn success(handle: &Handle, asked: Success) -> Answer<Heard> {
    Constraints::new()
        .text("taskToken", asked.task_token.as_deref(), TASK_TOKEN_LENGTH)
        .required("output", asked.output.as_ref())
        .sensitive_bytes("output", asked.output.as_deref(), handle.inner().limits.payload_bytes)
        .check()?;
    let text = asked.output.unwrap_or_default();
    let output = Payload::from_text(text.as_str())
        .map_err(|error| ApiError::invalid_output(&complaint(&text).map_or(error.0, |found| found.message)))?;
    say(handle, asked.task_token, Word::Succeeded(output)).await
}

pub async fn failure(handle: &Handle, asked: Failed) -> Answer<Heard> {
    Constraints::new()
        .text("taskToken", asked.task_token.as_deref(), TASK_TOKEN_LENGTH)
        .sensitive_length("error", asked.error.as_deref(), ERROR_LENGTH)
        .sensitive_length("cause", asked.cause.as_deref(), CAUSE_LENGTH)
        .check()?;
    let failure = Failure {
        error: asked.error,
        cause: asked.cause,
    };
    say(handle, asked.task_token, Word::Failed(failure)).await
}

pub async fn heartbeat(handle: &Handle, asked: Heartbeat) -> Answer<Heard> {
    Constraints::new()
        .text("taskToken", asked.task_token.as_deref(), TASK_TOKEN_LENGTH)
        .check()?;
    say(handle, asked.task_token, Word::Heartbeat).await
}

async fn say(handle: &Handle, token: Option<String>, word: Word) -> Answer<Heard> {
    let task = handle
        .inner()
        .token_key
        .task(&token.unwrap_or_default())
        .ok_or_else(|| ApiError::invalid_token("Invalid token"))?;
    if handle.callback(task, word).await? {
        Ok(Heard {})
    } else {
        Err(ApiError::task_timed_out())
    }
}
