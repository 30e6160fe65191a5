//! ListMapRuns.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::execution::find;
use super::map_runs::{self, MapRun};
use crate::aws::constraints::{ARN_LENGTH, Constraints, PAGE_SIZE, TOKEN_LENGTH, page_size};
use crate::aws::errors::Answer;
use crate::aws::page_token::Question;
use crate::aws::wire;
use crate::clock;
use crate::handle::{Handle, Inner};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    map_runs: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    execution_arn: String,
    map_run_arn: String,
    state_machine_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    handle.blocking(move |inner| list(inner, &asked)).await?
}

/// Newest first, as every list.
fn list(inner: &Inner, asked: &Asked) -> Answer<Answered> {
    let arn = asked.execution_arn.as_deref().unwrap_or_default();
    let (_, execution) = find(inner, arn)?;
    let now = clock::now();
    let question = Question::new(&inner.token_key, "ListMapRuns", &[arn]);
    let before = question.position(asked.next_token.as_deref(), now)?;
    let limit = page_size(asked.max_results);
    let mut runs = map_runs::of(inner, &execution)?;
    runs.reverse();
    runs.retain(|run| before.is_none_or(|before| run.run.scheduled_at < before));
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next_token = runs
        .last()
        .filter(|_| more)
        .map(|last| question.token(last.run.scheduled_at, now));
    let show = |run: &MapRun| Shown {
        execution_arn: run.parent_arn.clone(),
        map_run_arn: map_runs::arn(inner, run),
        state_machine_arn: map_runs::machine_arn(inner, run),
        start_date: run.started,
        stop_date: run.stopped,
    };
    Ok(Answered {
        map_runs: runs.iter().map(show).collect(),
        next_token,
    })
}
