//! CreateStateMachine.

use std::sync::Arc;

use asl::Timestamp;
use engine::ports::{CatalogueError, MachineType, NewMachine};
use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::publish_state_machine_version::{check_description, new_version, version_arn};
use super::tags;
use crate::aws::constraints::{ARN_LENGTH, Constraints, DESCRIPTION_LENGTH, NAME_LENGTH, is_name};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::{definition, wire};
use crate::clock;
use crate::handle::Handle;
use crate::machines::Machine;

/// The revision a machine has until its first update; AWS doesn't show it.
pub const FIRST_REVISION: &str = "INITIAL";

/// The number of the version that is published with its machine.
const FIRST_VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    name: Option<String>,
    definition: Option<String>,
    role_arn: Option<String>,
    r#type: Option<String>,
    publish: Option<bool>,
    version_description: Option<String>,
    tags: Option<Vec<tags::Asked>>,
    #[serde(flatten)]
    configuration: Configuration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .text("name", asked.name.as_deref(), NAME_LENGTH)
        .required("definition", asked.definition.as_deref())
        .sensitive(
            "definition",
            asked.definition.as_deref(),
            1,
            handle.inner().limits.definition_characters,
        )
        .text("roleArn", asked.role_arn.as_deref(), ARN_LENGTH)
        .one_of("type", asked.r#type.as_deref(), &["STANDARD", "EXPRESS"])
        .sensitive_length(
            "versionDescription",
            asked.version_description.as_deref(),
            DESCRIPTION_LENGTH,
        );
    tags::check(&mut constraints, asked.tags.as_deref());
    asked.configuration.check(&mut constraints);
    constraints.check()?;
    let name = asked.name.unwrap_or_default();
    if !is_name(&name) {
        return Err(ApiError::invalid_name(&name));
    }
    let role = asked.role_arn.unwrap_or_default();
    check_role(&role)?;
    asked.configuration.check_meaning()?;
    let publish = asked.publish.unwrap_or(false);
    check_description(publish, asked.version_description.as_ref())?;
    let arn = handle.inner().namespace.machine(&name);
    let tags = tags::added(&arn, Vec::new(), asked.tags.unwrap_or_default())?;
    let machine_type = machine_type(asked.r#type.as_deref());
    let text = asked.definition.unwrap_or_default();
    let (text, checked) = handle
        .blocking(move |inner| (definition::check(&text, machine_type, &inner.limits), text))
        .await
        .map(|(c, t)| (t, c))?;
    let (parsed, modules) = checked.accepted()?;

    let _changing = handle.changing_machines().await;
    if let Some(existing) = handle.inner().machines.get(&name) {
        let same_version = published_alike(&existing, publish, asked.version_description.as_ref());
        let same_type = existing.record.machine_type == machine_type;
        return if same_type && same_version && is_same(handle, &existing, text, &asked.configuration).await? {
            Ok(Answered {
                state_machine_arn: arn,
                creation_date: existing.record.created,
                state_machine_version_arn: publish.then(|| version_arn(handle, &existing, FIRST_VERSION)),
            })
        } else {
            Err(ApiError::state_machine_already_exists(arn))
        };
    }
    let named = name.clone();
    if handle.blocking(move |inner| inner.deleting(&named)).await??.is_some() {
        return Err(ApiError::state_machine_deleting(arn));
    }
    let new = NewMachine {
        name,
        machine_type,
        definition: text,
        revision: FIRST_REVISION.into(),
        role,
        at: clock::now(),
        configuration: asked.configuration.to_stored(),
        modules,
        publish: new_version(publish, asked.version_description),
        tags,
    };
    match handle.blocking(move |inner| inner.machines.create(new, parsed)).await? {
        Ok(machine) => {
            tracing::info!(machine = machine.record.name, "state machine created");
            Ok(Answered {
                state_machine_arn: arn,
                creation_date: machine.record.created,
                state_machine_version_arn: publish.then(|| version_arn(handle, &machine, FIRST_VERSION)),
            })
        }
        Err(CatalogueError::MachineExists(_)) => Err(ApiError::state_machine_already_exists(arn)),
        Err(error) => Err(error.into()),
    }
}

/// AWS compares what decides how it runs; a different role or different tags are ignored.
async fn is_same(handle: &Handle, existing: &Arc<Machine>, text: String, asked: &Configuration) -> Answer<bool> {
    if !Configuration::stored(&existing.record.configuration).same_behaviour(asked) {
        return Ok(false);
    }
    let digest = existing.record.definition.clone();
    let stored = handle.blocking(move |inner| inner.machines.text(&digest)).await??;
    Ok(stored == text)
}

/// Whether the machine was created with, or without, the version that is asked for now.
fn published_alike(existing: &Machine, publish: bool, description: Option<&String>) -> bool {
    // A version published later is younger than the machine.
    let with_machine = existing
        .versions
        .get(&FIRST_VERSION)
        .map(|version| &version.record)
        .filter(|version| version.created == existing.record.created);
    with_machine.is_some() == publish && with_machine.is_none_or(|version| version.description.as_ref() == description)
}

pub(super) fn machine_type(word: Option<&str>) -> MachineType {
    if word == Some("EXPRESS") {
        MachineType::Express
    } else {
        MachineType::Standard
    }
}

pub(super) fn check_role(role: &str) -> Answer<()> {
    if role.starts_with("arn:") {
        Ok(())
    } else {
        Err(ApiError::invalid_arn(format_args!("Invalid ARN prefix: {role}")))
    }
}
