//! ListExecutions.

use std::sync::Arc;

use asl::{Status, Timestamp};
use engine::ids::ExecutionId;
use engine::ports::{ChildQuery, ExecutionQuery, ExecutionRecord, MachineType, StoreError, Through};
use serde::{Deserialize, Serialize};

use super::execution::{alias_arn, status_word, version_arn};
use super::map_runs::{self, PENDING_REDRIVE};
use crate::aws::arn::unlabelled;
use crate::aws::constraints::{
    ARN_LENGTH, Constraints, EXECUTIONS_TOKEN_LENGTH, LONG_ARN_LENGTH, PAGE_SIZE, page_size,
};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::page_token::Question;
use crate::aws::target::Qualifier;
use crate::aws::wire;
use crate::clock;
use crate::handle::{Handle, Inner};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    status_filter: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    map_run_arn: Option<String>,
    redrive_filter: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    executions: Vec<Execution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Execution {
    execution_arn: String,
    state_machine_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    name: String,
    status: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "wire::optional_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_count: Option<u64>,
}

const STATUSES: [&str; 6] = [
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "ABORTED",
    PENDING_REDRIVE,
];

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .length("stateMachineArn", asked.state_machine_arn.as_deref(), 1, ARN_LENGTH)
        .one_of("statusFilter", asked.status_filter.as_deref(), &STATUSES)
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, EXECUTIONS_TOKEN_LENGTH)
        .one_of(
            "redriveFilter",
            asked.redrive_filter.as_deref(),
            &["REDRIVEN", "NOT_REDRIVEN"],
        )
        .length("mapRunArn", asked.map_run_arn.as_deref(), 1, LONG_ARN_LENGTH)
        .check()?;
    let arn = match (&asked.state_machine_arn, &asked.map_run_arn) {
        (Some(arn), None) => arn.clone(),
        (None, Some(map_run)) => {
            let map_run = map_run.clone();
            return handle.blocking(move |inner| children(inner, &asked, map_run)).await?;
        }
        _ => return Err(ApiError::validation("Must provide a StateMachine ARN or MapRun ARN")),
    };
    let parsed = handle.inner().namespace.parse_machine(&arn)?;
    let machine = Arc::clone(&handle.seen(&arn).await?.target().machine);
    if machine.record.machine_type == MachineType::Express {
        return Err(ApiError::not_for_this_type());
    }
    let through = match parsed.qualifier.and_then(Qualifier::read) {
        Some(Qualifier::Version(number)) => Some(Through::Version(number)),
        Some(Qualifier::Alias(name)) => Some(Through::Alias(name.to_owned())),
        None => None,
    };
    let now = clock::now();
    let filter = asked.status_filter.unwrap_or_default();
    let redriven = asked.redrive_filter.unwrap_or_default();
    let question = Question::new(&handle.inner().token_key, "ListExecutions", &[&arn, &filter, &redriven]);
    let before = question.position(asked.next_token.as_deref(), now)?.map(ExecutionId);
    let limit = page_size(asked.max_results);
    // An execution that is redriven runs at once.
    let mut records = if filter == PENDING_REDRIVE {
        Vec::new()
    } else {
        let mut query = ExecutionQuery {
            machine: Some(machine.record.id),
            through,
            status: status(&filter),
            before,
            // One more says whether there is a next page.
            limit: limit + 1,
        };
        let wanted = wanted(&redriven);
        handle
            .blocking(move |inner| {
                let page = || {
                    let page = inner.reader.executions(&query)?;
                    query.before = page.last().map(|record| record.id);
                    Ok(page)
                };
                listed(inner, limit + 1, page, |_| true, wanted)
            })
            .await??
    };
    let more = records.len() > limit;
    records.truncate(limit);
    let next_token = records
        .last()
        .filter(|_| more)
        .map(|(last, _)| question.token(last.id.0, now));
    let namespace = &handle.inner().namespace;
    let show = |(record, redrive_count): (ExecutionRecord, u32)| Execution {
        execution_arn: namespace.execution(&machine.record.name, &record.name),
        state_machine_arn: namespace.machine(&machine.record.name),
        state_machine_version_arn: version_arn(namespace, &machine.record.name, record.origin.as_ref()),
        state_machine_alias_arn: alias_arn(namespace, &machine.record.name, record.origin.as_ref()),
        name: record.name,
        status: status_word(record.status),
        start_date: record.started,
        stop_date: record.stopped,
        redrive_count,
        map_run_arn: None,
        item_count: None,
    };
    Ok(Answered {
        executions: records.into_iter().map(show).collect(),
        next_token,
    })
}

/// The children of a Map Run.
fn children(inner: &Inner, asked: &Asked, map_run_arn: String) -> Answer<Answered> {
    let run = map_runs::find(inner, &map_run_arn)?;
    let now = clock::now();
    let filter = asked.status_filter.as_deref().unwrap_or_default();
    let redriven = asked.redrive_filter.as_deref().unwrap_or_default();
    let question = Question::new(&inner.token_key, "ListExecutions", &[&map_run_arn, filter, redriven]);
    let before = question.position(asked.next_token.as_deref(), now)?.map(ExecutionId);
    let limit = page_size(asked.max_results);
    let mut query = ChildQuery {
        run: run.run,
        status: status(filter),
        before,
        limit: limit + 1,
    };
    let mut records = match filter == PENDING_REDRIVE && !run.has_pending() {
        true => Vec::new(),
        false => {
            let page = || {
                let page = inner.reader.children(&query)?;
                query.before = page.last().map(|record| record.id);
                Ok(page)
            };
            // Those that a redrive has yet to come to are told apart from the others.
            let shown = |record: &ExecutionRecord| filter.is_empty() || run.word_of(record) == filter;
            listed(inner, limit + 1, page, shown, wanted(redriven))?
        }
    };
    let more = records.len() > limit;
    records.truncate(limit);
    let next_token = records
        .last()
        .filter(|_| more)
        .map(|(last, _)| question.token(last.id.0, now));
    let machine = format!("{}/{}", unlabelled(&run.machine_name), run.label);
    let show = |(record, redrive_count): (ExecutionRecord, u32)| Execution {
        execution_arn: inner.namespace.execution(&machine, &record.name),
        state_machine_arn: inner.namespace.machine(&machine),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        status: run.word_of(&record),
        name: record.name,
        start_date: record.started,
        stop_date: record.stopped,
        redrive_count,
        map_run_arn: Some(map_run_arn.clone()),
        item_count: record.child.map(|child| child.items),
    };
    Ok(Answered {
        executions: records.into_iter().map(show).collect(),
        next_token,
    })
}

/// The executions that pages of a query have, each with how often it was redriven; only those that `shown` lets
/// through and that were redriven, or weren't, where the caller says so.
fn listed(
    inner: &Inner,
    limit: usize,
    mut page: impl FnMut() -> Result<Vec<ExecutionRecord>, StoreError>,
    shown: impl Fn(&ExecutionRecord) -> bool,
    redriven: Option<bool>,
) -> Result<Vec<(ExecutionRecord, u32)>, StoreError> {
    let mut listed = Vec::new();
    loop {
        let page = page()?;
        let is_last = page.len() < limit;
        for record in page.into_iter().filter(&shown) {
            let count = redrives(inner, &record)?;
            if redriven.is_none_or(|redriven| redriven == (count > 0)) {
                listed.push((record, count));
            }
        }
        if is_last || listed.len() >= limit {
            listed.truncate(limit);
            return Ok(listed);
        }
    }
}

fn redrives(inner: &Inner, record: &ExecutionRecord) -> Result<u32, StoreError> {
    // No redrive of its Map Run has come to it.
    if record.child.as_ref().is_some_and(|child| child.round == 0) {
        return Ok(0);
    }
    Ok(inner.reader.redrives(record.id)?.map_or(0, |redrives| redrives.count))
}

/// What a redriveFilter says: whether executions are wanted that were redriven.
fn wanted(redrive_filter: &str) -> Option<bool> {
    match redrive_filter {
        "REDRIVEN" => Some(true),
        "NOT_REDRIVEN" => Some(false),
        _ => None,
    }
}

fn status(word: &str) -> Option<Status> {
    [
        Status::Running,
        Status::Succeeded,
        Status::Failed,
        Status::Aborted,
        Status::TimedOut,
    ]
    .into_iter()
    .find(|status| status_word(*status) == word)
}
