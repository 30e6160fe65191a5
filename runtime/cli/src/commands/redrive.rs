//! `sandstep redrive`: an execution that didn't succeed goes on from what failed or was stopped.

use serde_json::json;

use super::start::until_closed;
use super::{short_name, time};
use crate::args;
use crate::client::Client;
use crate::output::{Output, hint};
use crate::problem::{Ending, Result};

/// Redrives an execution.
pub fn redrive(client: &Client, asked: &args::Redrive, output: &Output) -> Result {
    let arn = client.execution_arn(&asked.execution)?;
    let answer = client.call("RedriveExecution", &json!({ "executionArn": arn }))?;
    let name = short_name(&arn);
    if asked.wait {
        hint(output, &format!("redriven {name}"));
        return until_closed(client, &arn, output);
    }
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.pairs(&[
            ("execution", name.to_owned()),
            ("redriven", time(&answer, "redriveDate")),
        ])?;
        hint(
            output,
            &format!("`sandstep history {name} --follow` shows what it does"),
        );
    }
    Ok(Ending::Good)
}
