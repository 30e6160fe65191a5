//! `sandstep machines`: state machines by name.

use serde_json::json;

use super::{text, time};
use crate::args;
use crate::client::Client;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Result};

/// Lists, shows or deletes state machines.
pub fn machines(client: &Client, command: Option<&args::Machines>, output: &Output) -> Result {
    match command {
        None | Some(args::Machines::List) => list(client, output),
        Some(args::Machines::Describe { name }) => describe(client, name, output),
        Some(args::Machines::Delete { name }) => delete(client, name, output),
    }
}

fn list(client: &Client, output: &Output) -> Result {
    let machines = client.machines()?;
    if output.is_json() {
        output.json(&json!({ "stateMachines": machines }))?;
        return Ok(Ending::Good);
    }
    if machines.is_empty() {
        hint(
            output,
            "no state machines; `sandstep deploy DIR` deploys those of a directory",
        );
        return Ok(Ending::Good);
    }
    let columns = [
        ("NAME", Align::Left),
        ("TYPE", Align::Left),
        ("CREATED", Align::Left),
        ("ARN", Align::Left),
    ];
    let mut table = Table::new(&columns, 3);
    for machine in &machines {
        table.row([
            (text(machine, "name").to_owned(), Style::Bold),
            (text(machine, "type").to_owned(), Style::Plain),
            (time(machine, "creationDate"), Style::Plain),
            (text(machine, "stateMachineArn").to_owned(), Style::Plain),
        ]);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

fn describe(client: &Client, name: &str, output: &Output) -> Result {
    let arn = client.machine_arn(name)?;
    let answer = client.call("DescribeStateMachine", &json!({ "stateMachineArn": arn }))?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    output.pairs(&[
        ("name", text(&answer, "name").to_owned()),
        ("arn", arn),
        ("type", text(&answer, "type").to_owned()),
        ("status", text(&answer, "status").to_owned()),
        ("created", time(&answer, "creationDate")),
        ("updated", time(&answer, "updateDate")),
        ("revision", text(&answer, "revisionId").to_owned()),
    ])?;
    output.line(text(&answer, "definition").trim_end())?;
    Ok(Ending::Good)
}

fn delete(client: &Client, name: &str, output: &Output) -> Result {
    let arn = client.machine_arn(name)?;
    let answer = client.call("DeleteStateMachine", &json!({ "stateMachineArn": arn }))?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.pairs(&[("deleted", name.to_owned())])?;
    }
    Ok(Ending::Good)
}
