//! `sandstep map-runs`: the child executions of distributed Map states.

use serde_json::{Value, json};

use super::describe::took;
use super::{short_name, text, time};
use crate::args;
use crate::client::Client;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Result};

/// Most Map Runs listed: an execution's history has no room for more.
const LIST_LIMIT: usize = 10_000;

/// Lists, shows or changes Map Runs.
pub fn map_runs(client: &Client, command: &args::MapRuns, output: &Output) -> Result {
    match command {
        args::MapRuns::List { execution } => list(client, execution, output),
        args::MapRuns::Describe { map_run } => describe(client, map_run, output),
        args::MapRuns::Children { map_run, status, limit } => {
            children(client, map_run, *status, *limit as usize, output)
        }
        args::MapRuns::Update(asked) => update(client, asked, output),
    }
}

/// `machine/label:id` of a Map Run's ARN.
fn short_run(arn: &str) -> &str {
    arn.split_once(":mapRun:").map_or(arn, |(_, name)| name)
}

fn list(client: &Client, execution: &args::ExecutionName, output: &Output) -> Result {
    let arn = client.execution_arn(execution)?;
    let runs = client.list("ListMapRuns", &json!({ "executionArn": arn }), "mapRuns", LIST_LIMIT)?;
    if output.is_json() {
        output.json(&json!({ "mapRuns": runs }))?;
        return Ok(Ending::Good);
    }
    if runs.is_empty() {
        hint(
            output,
            "no Map Runs; each distributed Map state an execution enters has one",
        );
        return Ok(Ending::Good);
    }
    let columns = [
        ("MAP RUN", Align::Left),
        ("STARTED", Align::Left),
        ("TOOK", Align::Right),
    ];
    let mut table = Table::new(&columns, 0);
    for run in &runs {
        table.row([
            (short_run(text(run, "mapRunArn")).to_owned(), Style::Bold),
            (time(run, "startDate"), Style::Plain),
            (took(run), Style::Plain),
        ]);
    }
    output.table(&mut table)?;
    let newest = runs.first().map_or("", |run| short_run(text(run, "mapRunArn")));
    hint(
        output,
        &format!("`sandstep map-runs describe {newest}` shows how far it has come"),
    );
    Ok(Ending::Good)
}

fn describe(client: &Client, name: &str, output: &Output) -> Result {
    let arn = client.map_run_arn(name)?;
    let answer = client.call("DescribeMapRun", &json!({ "mapRunArn": arn }))?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    output.pairs(&[
        ("map run", short_run(&arn).to_owned()),
        ("arn", arn.clone()),
        ("execution", short_name(text(&answer, "executionArn")).to_owned()),
        ("status", text(&answer, "status").to_owned()),
        ("started", time(&answer, "startDate")),
        ("stopped", time(&answer, "stopDate")),
        ("took", took(&answer)),
        ("redriven", super::redriven(&answer)),
        ("at once", bound(&answer["maxConcurrency"])),
        (
            "tolerates",
            format!(
                "{} failed items, {} %",
                answer["toleratedFailureCount"], answer["toleratedFailurePercentage"]
            ),
        ),
        ("items", counts(&answer["itemCounts"])),
        ("executions", counts(&answer["executionCounts"])),
    ])?;
    let failed = ["failed", "timedOut"]
        .iter()
        .any(|of| answer["executionCounts"][of] != 0);
    let which = if failed { " --status failed" } else { "" };
    hint(
        output,
        &format!(
            "`sandstep map-runs children {}{which}` lists its executions",
            short_run(&arn)
        ),
    );
    Ok(Ending::Good)
}

/// A bound, where 0 is none.
fn bound(number: &Value) -> String {
    match number.as_u64() {
        None | Some(0) => "as many as fit".to_owned(),
        Some(number) => number.to_string(),
    }
}

/// `1,000 in all: 990 succeeded, 10 failed`.
fn counts(counts: &Value) -> String {
    const NAMES: [(&str, &str); 7] = [
        ("pending", "pending"),
        ("pendingRedrive", "to be redriven"),
        ("running", "running"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("timedOut", "timed out"),
        ("aborted", "aborted"),
    ];
    let some: Vec<String> = NAMES
        .iter()
        .filter(|(field, _)| counts[field] != 0)
        .map(|(field, name)| format!("{} {name}", counts[field]))
        .collect();
    match some.is_empty() {
        true => counts["total"].to_string(),
        false => format!("{} in all: {}", counts["total"], some.join(", ")),
    }
}

fn children(client: &Client, name: &str, status: Option<args::Status>, limit: usize, output: &Output) -> Result {
    let mut parameters = json!({ "mapRunArn": client.map_run_arn(name)? });
    if let Some(status) = status {
        parameters["statusFilter"] = json!(status.as_str());
    }
    let children = client.list("ListExecutions", &parameters, "executions", limit)?;
    if output.is_json() {
        output.json(&json!({ "executions": children }))?;
        return Ok(Ending::Good);
    }
    if children.is_empty() {
        hint(output, "no child executions that stand like this");
        return Ok(Ending::Good);
    }
    let columns = [
        ("EXECUTION", Align::Left),
        ("ITEMS", Align::Right),
        ("STATUS", Align::Left),
        ("STARTED", Align::Left),
        ("TOOK", Align::Right),
    ];
    let mut table = Table::new(&columns, 0);
    for child in &children {
        let status = text(child, "status");
        table.row([
            (short_name(text(child, "executionArn")).to_owned(), Style::Bold),
            (child["itemCount"].to_string(), Style::Plain),
            (status.to_owned(), Style::of(status)),
            (time(child, "startDate"), Style::Plain),
            (took(child), Style::Plain),
        ]);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

fn update(client: &Client, asked: &args::UpdateMapRun, output: &Output) -> Result {
    let arn = client.map_run_arn(&asked.map_run)?;
    let mut parameters = json!({ "mapRunArn": arn });
    let bounds = [
        ("maxConcurrency", asked.max_concurrency.map(Value::from)),
        ("toleratedFailureCount", asked.tolerated_failure_count.map(Value::from)),
        (
            "toleratedFailurePercentage",
            asked.tolerated_failure_percentage.map(Value::from),
        ),
    ];
    for (name, bound) in bounds {
        if let Some(bound) = bound {
            parameters[name] = bound;
        }
    }
    let answer = client.call("UpdateMapRun", &parameters)?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    describe(client, &arn, output)
}
