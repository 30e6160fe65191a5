//! `sandstep describe`: one execution.

use serde_json::Value;

use super::{duration, short_name, text, time, time_of};
use crate::args::ExecutionName;
use crate::client::Client;
use crate::output::{Output, hint};
use crate::problem::{Ending, Result};

/// Shows an execution.
pub fn describe(client: &Client, execution: &ExecutionName, output: &Output) -> Result {
    let arn = client.execution_arn(execution)?;
    let answer = client.execution(&arn)?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    let name = short_name(&arn);
    output.pairs(&[
        ("execution", name.to_owned()),
        ("arn", arn.clone()),
        ("status", text(&answer, "status").to_owned()),
        ("started", time(&answer, "startDate")),
        ("stopped", time(&answer, "stopDate")),
        ("took", took(&answer)),
        ("error", text(&answer, "error").to_owned()),
        ("cause", text(&answer, "cause").to_owned()),
        ("input", text(&answer, "input").to_owned()),
        ("output", text(&answer, "output").to_owned()),
    ])?;
    let follow = if text(&answer, "status") == "RUNNING" {
        " --follow"
    } else {
        ""
    };
    hint(output, &format!("`sandstep history {name}{follow}` shows what it did"));
    Ok(Ending::Good)
}

/// How long an execution took; empty while it runs.
pub fn took(answer: &Value) -> String {
    match (time_of(answer, "startDate"), time_of(answer, "stopDate")) {
        (Some(start), Some(stop)) => duration(stop.millis_since(start)),
        _ => String::new(),
    }
}
