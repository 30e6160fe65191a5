//! PublishStateMachineVersion.

use std::sync::Arc;

use asl::Timestamp;
use engine::ports::{CatalogueError, NewVersion};
use serde::{Deserialize, Serialize};

use crate::aws::constraints::{ARN_LENGTH, Constraints, DESCRIPTION_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;
use crate::machines::Machine;

/// Most versions of a machine.
const MOST_VERSIONS: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    revision_id: Option<String>,
    description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    state_machine_version_arn: String,
}

/// A revision is published once: a second call answers the version that is there.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .sensitive_length("description", asked.description.as_deref(), DESCRIPTION_LENGTH)
        .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let _changing = handle.changing_machines().await;
    let machine = handle.machine(&arn).await?;
    let current = &machine.record.revision;
    if let Some(asked) = asked.revision_id.filter(|asked| asked != current) {
        return Err(ApiError::conflict(format!(
            "Failed to publish the State Machine version for revision {asked}. \
             The current State Machine revision is {current}."
        )));
    }
    if let Some(version) = machine.version_of_revision() {
        return Ok(Answered {
            creation_date: version.record.created,
            state_machine_version_arn: version_arn(handle, &machine, version.record.number),
        });
    }
    check_quota(&machine)?;
    let (id, name) = (machine.record.id, machine.record.name.clone());
    let new = NewVersion {
        description: asked.description,
    };
    let published = handle
        .blocking(move |inner| inner.machines.publish(id, new, clock::now()))
        .await?;
    match published {
        Ok(version) => {
            tracing::info!(
                machine = name,
                version = version.record.number,
                "state machine version published"
            );
            Ok(Answered {
                creation_date: version.record.created,
                state_machine_version_arn: version_arn(handle, &machine, version.record.number),
            })
        }
        Err(CatalogueError::NoSuchMachine(_)) => Err(ApiError::state_machine_does_not_exist(arn)),
        Err(error) => Err(error.into()),
    }
}

/// Refuses one version too many.
pub(super) fn check_quota(machine: &Machine) -> Answer<()> {
    if machine.versions.len() < MOST_VERSIONS {
        return Ok(());
    }
    Err(ApiError::service_quota_exceeded(format!(
        "a state machine has at most {MOST_VERSIONS} versions; delete some of `{}` with DeleteStateMachineVersion",
        machine.record.name
    )))
}

/// Refuses a description of a version that isn't published.
pub(super) fn check_description(publish: bool, description: Option<&String>) -> Answer<()> {
    if description.is_some() && !publish {
        return Err(ApiError::validation(
            "Version description can only be set when publish is true",
        ));
    }
    Ok(())
}

/// What is published with a revision, where anything is.
pub(super) fn new_version(publish: bool, description: Option<String>) -> Option<NewVersion> {
    publish.then_some(NewVersion { description })
}

pub(super) fn version_arn(handle: &Handle, machine: &Arc<Machine>, number: u32) -> String {
    handle.inner().namespace.qualified(&machine.record.name, number)
}
