//! UpdateStateMachine.

use std::sync::Arc;

use asl::Timestamp;
use engine::ports::{CatalogueError, MachineUpdate, NewVersion};
use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::create_state_machine::{FIRST_REVISION, check_role};
use super::publish_state_machine_version::{check_description, check_quota, new_version, version_arn};
use crate::aws::constraints::{ARN_LENGTH, Constraints, DESCRIPTION_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::{definition, wire};
use crate::clock;
use crate::handle::Handle;
use crate::machines::Machine;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    definition: Option<String>,
    role_arn: Option<String>,
    publish: Option<bool>,
    version_description: Option<String>,
    #[serde(flatten)]
    configuration: Configuration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    #[serde(serialize_with = "wire::seconds")]
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .sensitive(
            "definition",
            asked.definition.as_deref(),
            1,
            handle.inner().limits.definition_characters,
        )
        .length("roleArn", asked.role_arn.as_deref(), 1, ARN_LENGTH)
        .sensitive_length(
            "versionDescription",
            asked.version_description.as_deref(),
            DESCRIPTION_LENGTH,
        );
    asked.configuration.check(&mut constraints);
    constraints.check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    handle.inner().namespace.parse_machine(&arn)?;
    if asked.definition.is_none() && asked.role_arn.is_none() && asked.configuration == Configuration::default() {
        return Err(ApiError::missing_required_parameter(
            "Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration or the \
             EncryptionConfiguration must be specified",
        ));
    }
    if let Some(role) = &asked.role_arn {
        check_role(role)?;
    }
    asked.configuration.check_meaning()?;
    let publish = asked.publish.unwrap_or(false);
    check_description(publish, asked.version_description.as_ref())?;

    let _changing = handle.changing_machines().await;
    let machine = handle.machine(&arn).await?;
    let record = machine.record.clone();
    let (mut text, mut parsed, mut modules) = (None, None, None);
    if let Some(new) = asked.definition {
        let (digest, machine_type) = (record.definition.clone(), record.machine_type);
        let (new, checked, stored) = handle
            .blocking(move |inner| {
                let checked = definition::check(&new, machine_type, &inner.limits);
                let stored = inner.machines.text(&digest);
                (new, checked, stored)
            })
            .await?;
        let accepted = checked.accepted()?;
        if stored? != new {
            text = Some(new);
            parsed = Some(accepted.0);
            modules = Some(accepted.1);
        }
    }
    let role = asked.role_arn.filter(|role| *role != record.role);
    let stored = Configuration::stored(&record.configuration);
    let configuration = stored.clone().updated(asked.configuration);
    let configuration = (configuration != stored).then(|| configuration.to_stored());
    if text.is_none() && role.is_none() && configuration.is_none() {
        return unchanged(handle, machine, new_version(publish, asked.version_description)).await;
    }
    if publish {
        check_quota(&machine)?;
    }
    let revision = uuid::Uuid::new_v4().to_string();
    let update = MachineUpdate {
        definition: text,
        role,
        configuration,
        modules,
        revision,
        publish: new_version(publish, asked.version_description),
        at: clock::now(),
    };
    match handle
        .blocking(move |inner| inner.machines.update(record.id, update, parsed))
        .await?
    {
        Ok(machine) => {
            tracing::info!(
                machine = machine.record.name,
                revision = machine.record.revision,
                "state machine updated"
            );
            Ok(answered(handle, &machine, publish))
        }
        Err(CatalogueError::NoSuchMachine(_)) => Err(ApiError::state_machine_does_not_exist(arn)),
        Err(error) => Err(error.into()),
    }
}

/// An update that changes nothing makes no revision, and publishes the one there is unless that was done.
async fn unchanged(handle: &Handle, machine: Arc<Machine>, publish: Option<NewVersion>) -> Answer<Answered> {
    let Some(new) = publish else {
        return Ok(answered(handle, &machine, false));
    };
    let mut answered = answered(handle, &machine, true);
    if answered.state_machine_version_arn.is_none() {
        check_quota(&machine)?;
        let id = machine.record.id;
        let version = handle
            .blocking(move |inner| inner.machines.publish(id, new, clock::now()))
            .await??;
        answered.state_machine_version_arn = Some(version_arn(handle, &machine, version.record.number));
    }
    Ok(answered)
}

fn answered(handle: &Handle, machine: &Arc<Machine>, published: bool) -> Answered {
    let version = machine.version_of_revision().filter(|_| published);
    Answered {
        update_date: machine.record.updated,
        revision_id: shown_revision(machine.record.revision.clone()),
        state_machine_version_arn: version.map(|version| version_arn(handle, machine, version.record.number)),
    }
}

/// AWS names no revision before the first update.
pub(super) fn shown_revision(revision: String) -> Option<String> {
    (revision != FIRST_REVISION).then_some(revision)
}
