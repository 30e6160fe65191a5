//! `sandstep describe`: one execution.

use serde_json::Value;

use super::{duration, redriven, short_name, size, text, time, time_of};
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
    let is_running = text(&answer, "status") == "RUNNING";
    // A server that can't tell, one of AWS's for instance, has said the rest.
    let running = is_running.then(|| client.running(&arn).unwrap_or_default());
    let mut pairs = vec![
        ("execution", name.to_owned()),
        ("arn", arn.clone()),
        ("status", text(&answer, "status").to_owned()),
        ("started", time(&answer, "startDate")),
        ("stopped", time(&answer, "stopDate")),
        ("took", took(&answer)),
        ("redriven", redriven(&answer)),
        ("error", text(&answer, "error").to_owned()),
        ("cause", text(&answer, "cause").to_owned()),
        ("input", text(&answer, "input").to_owned()),
        ("output", text(&answer, "output").to_owned()),
    ];
    pairs.extend(running.iter().flatten().map(|running| ("running", attempt(running))));
    output.pairs(&pairs)?;
    let follow = if is_running { " --follow" } else { "" };
    hint(output, &format!("`sandstep history {name}{follow}` shows what it did"));
    Ok(Ending::Good)
}

/// An attempt that runs now, in a line.
fn attempt(running: &Value) -> String {
    let mut line = format!("{} since {}", text(running, "state"), text(running, "started"));
    match (text(running, "lastHeartbeat"), running["heartbeatSeconds"].as_u64()) {
        ("", None) => {}
        ("", Some(seconds)) => line.push_str(&format!(", no heartbeat yet, at least one in {seconds} s")),
        (last, None) => line.push_str(&format!(", last heartbeat {last}")),
        (last, Some(seconds)) => line.push_str(&format!(", last heartbeat {last}, at least one in {seconds} s")),
    }
    line.push_str(&format!(", {}", size(running["peakMemory"].as_u64().unwrap_or(0))));
    line
}

/// How long an execution took; empty while it runs.
pub fn took(answer: &Value) -> String {
    match (time_of(answer, "startDate"), time_of(answer, "stopDate")) {
        (Some(start), Some(stop)) => duration(stop.millis_since(start)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attempt_that_runs_is_told_in_a_line() {
        let mut running = json!({ "state": "Charge", "started": "2026-01-01T00:00:00.000Z", "peakMemory": 2 << 20 });
        assert_eq!(attempt(&running), "Charge since 2026-01-01T00:00:00.000Z, 2.0 MiB");
        running["heartbeatSeconds"] = json!(10);
        assert!(attempt(&running).contains(", no heartbeat yet, at least one in 10 s, "));
        running["lastHeartbeat"] = json!("2026-01-01T00:00:05.000Z");
        assert!(attempt(&running).contains(", last heartbeat 2026-01-01T00:00:05.000Z, at least one in 10 s, "));
    }
}
