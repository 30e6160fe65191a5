//! `sandstep list`: executions, newest first, of one state machine or of all.

use serde_json::{Value, json};

use super::describe::took;
use super::{short_name, text, time};
use crate::args;
use crate::client::Client;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Result};

/// Lists executions.
pub fn list(client: &Client, asked: &args::List, output: &Output) -> Result {
    let machines = match &asked.machine {
        Some(name) => vec![client.machine_arn(name)?],
        None => client
            .machines()?
            .iter()
            .map(|machine| text(machine, "stateMachineArn").to_owned())
            .collect(),
    };
    let limit = asked.limit as usize;
    let mut executions = Vec::new();
    for machine in machines {
        let mut parameters = json!({ "stateMachineArn": machine });
        if let Some(status) = asked.status {
            parameters["statusFilter"] = json!(status.as_str());
        }
        match client.list("ListExecutions", &parameters, "executions", limit) {
            Ok(more) => executions.extend(more),
            // AWS refuses to list what an Express machine ran; this server remembers the latest.
            Err(crate::client::Error::Refused { code, .. }) if code == "StateMachineTypeNotSupported" => {
                let status = asked.status.map(args::Status::as_str);
                executions.extend(client.express_executions(&machine, status, limit)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let started = |execution: &Value| execution["startDate"].as_f64().unwrap_or_default();
    executions.sort_by(|left, right| started(right).total_cmp(&started(left)));
    executions.truncate(limit);
    if output.is_json() {
        output.json(&json!({ "executions": executions }))?;
        return Ok(Ending::Good);
    }
    if executions.is_empty() {
        hint(
            output,
            "no executions; `sandstep start MACHINE --input JSON` starts one",
        );
        return Ok(Ending::Good);
    }
    let columns = [
        ("EXECUTION", Align::Left),
        ("STATUS", Align::Left),
        ("STARTED", Align::Left),
        ("TOOK", Align::Right),
    ];
    let mut table = Table::new(&columns, 0);
    for execution in &executions {
        table.row([
            (short_name(text(execution, "executionArn")).to_owned(), Style::Bold),
            (
                text(execution, "status").to_owned(),
                Style::of(text(execution, "status")),
            ),
            (time(execution, "startDate"), Style::Plain),
            (took(execution), Style::Plain),
        ]);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}
