//! Executions of Express machines: what is remembered of them, where the AWS API has nothing to ask.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use engine::ids::ExecutionId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::executions::Shown;
use super::names;
use crate::aws::errors::ApiError;
use crate::aws::history::{Origin, Part};
use crate::aws::operations::execution::{outcome, status_word};
use crate::express::{self, Remembered};
use crate::handle::Handle;
use crate::http::Problem;

/// Longest time between two looks at an execution that is waited for: one that isn't remembered closes without a sign.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl From<Remembered> for Shown {
    fn from(run: Remembered) -> Self {
        let stopped = run.closed.as_ref().map(|event| event.at.to_string());
        let status = status_word(run.status()).to_owned();
        let (output, failure) = run.closed.map(|event| outcome(event.kind)).unwrap_or_default();
        Self {
            id: names::short(&run.arn).to_owned(),
            state_machine: run.machine,
            arn: run.arn,
            name: run.name,
            status,
            started: run.started.to_string(),
            stopped,
            input: Some(super::json(run.input.text().to_owned())),
            output: output.map(|output| super::json(output.text().to_owned())),
            error: failure.error,
            cause: failure.cause,
            running: Vec::new(),
        }
    }
}

/// A machine's executions that are remembered, the newest first, without what came in and out.
pub(super) fn list(handle: &Handle, machine: &str, status: Option<&str>, limit: usize) -> Response {
    #[derive(Serialize)]
    struct Executions {
        executions: Vec<Shown>,
    }
    let runs = handle.inner().express.list(Some(machine), usize::MAX);
    let of_status = |run: &Remembered| status.is_none_or(|status| status_word(run.status()) == status);
    let executions = runs.into_iter().filter(of_status).take(limit).map(|run| Shown {
        input: None,
        output: None,
        error: None,
        cause: None,
        ..Shown::from(run)
    });
    axum::Json(Executions {
        executions: executions.collect(),
    })
    .into_response()
}

/// How an execution stands, or how it ended where that is waited for and comes in time.
pub(super) async fn described_within(handle: &Handle, arn: String, wait: Option<Duration>) -> Result<Shown, Problem> {
    let until = tokio::time::Instant::now() + wait.unwrap_or_default();
    let mut closings = handle.inner().express.closings();
    loop {
        let run = find(handle, &arn).await?;
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if run.closed.is_some() || left.is_zero() {
            return Ok(run.into());
        }
        let _ = tokio::time::timeout(left.min(LOOK_AGAIN), closings.changed()).await;
    }
}

/// A part of what is remembered of its history.
pub(super) async fn history(handle: &Handle, arn: String, part: Part) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct History {
        events: Box<RawValue>,
        /// What to ask for as `after` to get the next page; absent on the last one.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Whether these are all events there were.
        complete: bool,
    }
    let run = find(handle, &arn).await?;
    let complete = run.complete;
    let rendered = handle
        .blocking(move |inner| {
            let origin = Origin {
                namespace: &inner.namespace,
                machine: &run.machine,
                // Only Map Runs are named after it, which Express machines don't have.
                execution: ExecutionId(0),
            };
            part.of(run.events, &origin)
        })
        .await?;
    let (events, last) = rendered?;
    Ok(axum::Json(History {
        events: super::json(events),
        next: last.map(|last| last.to_string()),
        complete,
    })
    .into_response())
}

async fn find(handle: &Handle, arn: &str) -> Result<Remembered, Problem> {
    let asked = arn.to_owned();
    let found = handle.blocking(move |inner| express::find(inner, &asked)).await?;
    found.map_err(ApiError::from)?.ok_or_else(|| {
        Problem::new(
            404,
            "ExecutionDoesNotExist",
            format!("no Express execution `{arn}` is remembered"),
            "Express executions are remembered in memory: the newest ones (`serve --express-history N`), \
             until the server stops",
        )
    })
}
