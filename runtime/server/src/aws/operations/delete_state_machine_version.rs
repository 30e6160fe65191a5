//! DeleteStateMachineVersion.

use engine::ports::CatalogueError;
use serde::{Deserialize, Serialize};

use crate::aws::constraints::{Constraints, LONG_ARN_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::target::Qualifier;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_version_arn: Option<String>,
}

#[derive(Serialize)]
pub struct Answered {}

/// Deleting a version that isn't there succeeds, as on AWS.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text(
            "stateMachineVersionArn",
            asked.state_machine_version_arn.as_deref(),
            LONG_ARN_LENGTH,
        )
        .check()?;
    let arn = asked.state_machine_version_arn.unwrap_or_default();
    let parsed = handle.inner().namespace.parse_machine(&arn)?;
    let number = match parsed.qualifier.map(Qualifier::read) {
        Some(Some(Qualifier::Version(number))) => number,
        // A number that no version can have.
        Some(None) => return Ok(Answered {}),
        Some(Some(Qualifier::Alias(_))) | None => {
            return Err(ApiError::validation(format!(
                "Invalid state machine version ARN. Received: {arn}"
            )));
        }
    };
    let _changing = handle.changing_machines().await;
    let Some(machine) = handle.inner().machines.get(parsed.name) else {
        return Ok(Answered {});
    };
    let id = machine.record.id;
    match handle
        .blocking(move |inner| inner.machines.unpublish(id, number))
        .await?
    {
        Ok(()) => {
            tracing::info!(
                machine = machine.record.name,
                version = number,
                "state machine version deleted"
            );
            Ok(Answered {})
        }
        Err(CatalogueError::NoSuchVersion { .. } | CatalogueError::NoSuchMachine(_)) => Ok(Answered {}),
        Err(CatalogueError::VersionInUse { aliases, .. }) => Err(ApiError::conflict(format!(
            "Version to be deleted must not be referenced by an alias. \
             Current list of aliases referencing this version: [{}]",
            aliases.join(", ")
        ))),
        Err(error) => Err(error.into()),
    }
}
