//! DeleteStateMachineAlias.

use engine::ports::CatalogueError;
use serde::{Deserialize, Serialize};

use super::alias;
use crate::aws::errors::Answer;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_alias_arn: Option<String>,
}

#[derive(Serialize)]
pub struct Answered {}

/// Deleting an alias that isn't there succeeds, as on AWS.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    alias::check(asked.state_machine_alias_arn.as_deref()).check()?;
    let arn = asked.state_machine_alias_arn.unwrap_or_default();
    let (machine, name) = alias::parse(&handle.inner().namespace, &arn)?;
    let name = name.to_owned();
    let _changing = handle.changing_machines().await;
    let Some(machine) = handle.inner().machines.get(machine) else {
        return Ok(Answered {});
    };
    let (id, alias) = (machine.record.id, name.clone());
    match handle
        .blocking(move |inner| inner.machines.delete_alias(id, &alias))
        .await?
    {
        Ok(()) => {
            tracing::info!(machine = machine.record.name, alias = name, "alias deleted");
            Ok(Answered {})
        }
        Err(CatalogueError::NoSuchAlias { .. }) => Ok(Answered {}),
        Err(error) => Err(error.into()),
    }
}
