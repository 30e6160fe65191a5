//! DescribeMapRun.

use asl::{Status, Timestamp};
use engine::ports::{ChildCount, MapRunStanding};
use serde::{Deserialize, Serialize};

use super::execution::status_word;
use super::map_runs::{self, MapRun};
use crate::aws::constraints::{Constraints, LONG_ARN_LENGTH};
use crate::aws::errors::Answer;
use crate::aws::wire;
use crate::handle::{Handle, Inner};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    map_run_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    map_run_arn: String,
    execution_arn: String,
    status: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    max_concurrency: u32,
    tolerated_failure_percentage: f64,
    tolerated_failure_count: u64,
    item_counts: Counts,
    execution_counts: Counts,
    redrive_count: u32,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Timestamp>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    pending: u64,
    running: u64,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    aborted: u64,
    total: u64,
    results_written: u64,
    failures_not_redrivable: u64,
    pending_redrive: u64,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("mapRunArn", asked.map_run_arn.as_deref(), LONG_ARN_LENGTH)
        .check()?;
    let arn = asked.map_run_arn.unwrap_or_default();
    handle.blocking(move |inner| describe(inner, arn)).await?
}

fn describe(inner: &Inner, arn: String) -> Answer<Answered> {
    let run = map_runs::find(inner, &arn)?;
    let standing = map_runs::standing(inner, &run)?;
    // of items that are read elsewhere, those that have no child yet are known to nobody
    let pending_items = match run.length {
        Some(length) if run.status == Status::Running => length.saturating_sub(standing.next_item),
        _ => 0,
    };
    let pending_children = pending_items.div_ceil(run.items_a_child.unwrap_or(1).max(1));
    Ok(Answered {
        map_run_arn: arn,
        item_counts: counts(&run, &standing, pending_items, |count| count.items),
        execution_counts: counts(&run, &standing, pending_children, |count| count.executions),
        execution_arn: run.parent_arn,
        status: status_word(run.status),
        start_date: run.started,
        stop_date: run.stopped,
        max_concurrency: run.max_concurrency,
        tolerated_failure_percentage: run.tolerated_percentage,
        tolerated_failure_count: run.tolerated_count,
        redrive_count: run.redrives,
        redrive_date: run.redriven,
    })
}

fn counts(run: &MapRun, standing: &MapRunStanding, pending: u64, of: impl Fn(ChildCount) -> u64) -> Counts {
    // those that a redrive that goes on has yet to come to are neither failed nor over
    let is_running = run.status == Status::Running;
    let count = |status| {
        of(if is_running {
            standing.count_of_round(status)
        } else {
            standing.count(status)
        })
    };
    let pending_redrive = standing
        .pending_redrive
        .iter()
        .filter(|_| is_running)
        .map(|count| of(*count))
        .sum();
    let counts = Counts {
        pending,
        running: count(Status::Running),
        succeeded: count(Status::Succeeded),
        failed: count(Status::Failed),
        timed_out: count(Status::TimedOut),
        aborted: count(Status::Aborted),
        pending_redrive,
        ..Counts::default()
    };
    let closed = counts.succeeded + counts.failed + counts.timed_out + counts.aborted;
    let written = run.is_written && run.status != Status::Running && run.status != Status::Aborted;
    Counts {
        total: pending + pending_redrive + counts.running + closed,
        results_written: if written { closed } else { 0 },
        ..counts
    }
}
