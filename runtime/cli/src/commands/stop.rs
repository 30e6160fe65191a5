//! `sandstep stop`: ends an execution and whatever its tasks are doing.

use serde_json::json;

use super::{short_name, time};
use crate::args;
use crate::client::Client;
use crate::output::Output;
use crate::problem::{Ending, Result};

/// Stops an execution.
pub fn stop(client: &Client, asked: &args::Stop, output: &Output) -> Result {
    let arn = client.execution_arn(&asked.execution)?;
    let mut parameters = json!({ "executionArn": arn });
    for (key, value) in [("error", &asked.error), ("cause", &asked.cause)] {
        if let Some(value) = value {
            parameters[key] = json!(value);
        }
    }
    let answer = client.call("StopExecution", &parameters)?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.pairs(&[
            ("execution", short_name(&arn).to_owned()),
            ("stopped", time(&answer, "stopDate")),
        ])?;
    }
    Ok(Ending::Good)
}
