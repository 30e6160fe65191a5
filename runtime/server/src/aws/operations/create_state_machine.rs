//! CreateStateMachine.

use std::sync::Arc;

use asl::Timestamp;
use engine::ports::{CatalogueError, MachineType, NewMachine};
use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use crate::aws::constraints::{ARN_LENGTH, Constraints, NAME_LENGTH, is_name};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::{definition, wire};
use crate::clock;
use crate::handle::Handle;
use crate::machines::Machine;

/// The revision a machine has until its first update; AWS doesn't show it.
pub const FIRST_REVISION: &str = "INITIAL";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    name: Option<String>,
    definition: Option<String>,
    role_arn: Option<String>,
    r#type: Option<String>,
    publish: Option<bool>,
    #[serde(flatten)]
    configuration: Configuration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .text("name", asked.name.as_deref(), NAME_LENGTH)
        .text(
            "definition",
            asked.definition.as_deref(),
            handle.inner().limits.definition_characters,
        )
        .text("roleArn", asked.role_arn.as_deref(), ARN_LENGTH)
        .one_of("type", asked.r#type.as_deref(), &["STANDARD", "EXPRESS"]);
    asked.configuration.check(&mut constraints);
    constraints.check()?;
    let name = asked.name.unwrap_or_default();
    if !is_name(&name) {
        return Err(ApiError::invalid_name(&name));
    }
    let role = asked.role_arn.unwrap_or_default();
    check_role(&role)?;
    asked.configuration.check_meaning()?;
    check_publish(asked.publish)?;
    let machine_type = machine_type(asked.r#type.as_deref());
    let text = asked.definition.unwrap_or_default();
    let (text, checked) = handle
        .blocking(move |inner| (definition::check(&text, machine_type, &inner.limits), text))
        .await
        .map(|(c, t)| (t, c))?;
    let (parsed, modules) = checked.accepted()?;
    if machine_type == MachineType::Express {
        return Err(ApiError::state_machine_type_not_supported(
            "Express state machines are not available on this server; create it with type STANDARD",
        ));
    }

    let _changing = handle.changing_machines().await;
    let arn = handle.inner().namespace.machine(&name);
    if let Some(existing) = handle.inner().machines.get(&name) {
        return if is_same(handle, &existing, text, &asked.configuration).await? {
            Ok(Answered {
                state_machine_arn: arn,
                creation_date: existing.record.created,
            })
        } else {
            Err(ApiError::state_machine_already_exists(arn))
        };
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
        publish: None,
        tags: Vec::new(),
    };
    match handle.blocking(move |inner| inner.machines.create(new, parsed)).await? {
        Ok(machine) => {
            tracing::info!(machine = machine.record.name, "state machine created");
            Ok(Answered {
                state_machine_arn: arn,
                creation_date: machine.record.created,
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

pub(super) fn check_publish(publish: Option<bool>) -> Answer<()> {
    if publish == Some(true) {
        return Err(ApiError::validation(
            "this server keeps no versions of state machines; leave `publish` out or set it to false",
        ));
    }
    Ok(())
}
