//! DeleteStateMachine.

use serde::{Deserialize, Serialize};

use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
}

#[derive(Serialize)]
pub struct Answered {}

/// Deleting a machine that isn't there succeeds, as on AWS.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let parsed = handle.inner().namespace.parse_machine(&arn)?;
    let _changing = handle.changing_machines().await;
    let found = handle
        .inner()
        .machines
        .get(parsed.name)
        .filter(|_| parsed.qualifier.is_none());
    if let Some(machine) = found {
        let name = machine.record.name.clone();
        handle.blocking(move |inner| inner.machines.delete(&machine)).await??;
        tracing::info!(machine = name, "state machine deleted");
    }
    Ok(Answered {})
}
