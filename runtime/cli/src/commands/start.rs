//! `sandstep start`: starts an execution, and waits for its end where asked to.

use std::time::Duration;

use serde_json::{Value, json};

use super::{short_name, text, time};
use crate::args;
use crate::client::Client;
use crate::config;
use crate::output::{Output, Style, hint, note, paint, printable, takes_colour};
use crate::problem::{Ending, Result};
use crate::progress::Progress;

/// Short workflows end within a few milliseconds; the first looks come soon.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// Long ones are looked at once a second, which a server doesn't notice.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Starts an execution.
pub fn start(client: &Client, asked: &args::Start, output: &Output) -> Result {
    let input = config::input(&asked.input)?;
    let machine = client.machine_arn(&asked.machine)?;
    let mut parameters = json!({ "stateMachineArn": machine, "input": input });
    if let Some(name) = &asked.name {
        parameters["name"] = json!(name);
    }
    let started = client.call("StartExecution", &parameters)?;
    let arn = text(&started, "executionArn");
    let name = short_name(arn);
    if asked.wait {
        hint(output, &format!("started {name}"));
        return until_closed(client, arn, output);
    }
    if output.is_json() {
        output.json(&started)?;
    } else {
        output.pairs(&[
            ("execution", name.to_owned()),
            ("arn", arn.to_owned()),
            ("started", time(&started, "startDate")),
        ])?;
        hint(
            output,
            &format!("`sandstep history {name} --follow` shows what it does"),
        );
    }
    Ok(Ending::Good)
}

/// Waits for the end of an execution and shows it.
pub fn until_closed(client: &Client, arn: &str, output: &Output) -> Result {
    let answer = wait(client, arn)?;
    let next = format!("`sandstep history {}` shows what it did", short_name(arn));
    show_end(&answer, &next, output)
}

/// The description of an execution once it has closed.
fn wait(client: &Client, arn: &str) -> Result<Value> {
    let _progress = Progress::start(format!("running {}", short_name(arn)));
    let mut pause = FIRST_LOOK;
    loop {
        let answer = client.execution(arn)?;
        if text(&answer, "status") != "RUNNING" {
            return Ok(answer);
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(LAST_LOOK);
    }
}

/// A closed execution: its output on standard output, or its failure on standard error. Programs get the whole
/// description either way.
pub fn show_end(description: &Value, next: &str, output: &Output) -> Result {
    let status = text(description, "status");
    let succeeded = status == "SUCCEEDED";
    if output.is_json() {
        output.json(description)?;
    } else if succeeded {
        output.line(text(description, "output"))?;
    } else {
        let word = paint(status, Style::of(status), takes_colour(&std::io::stderr()));
        let failure = match (text(description, "error"), text(description, "cause")) {
            ("", "") => String::new(),
            (error, "") => format!(": {error}"),
            ("", cause) => format!(": {cause}"),
            (error, cause) => format!(": {error}: {cause}"),
        };
        note(&format!("{word}{}\n", printable(&failure)));
        if !next.is_empty() {
            hint(output, next);
        }
    }
    Ok(if succeeded { Ending::Good } else { Ending::Bad })
}
