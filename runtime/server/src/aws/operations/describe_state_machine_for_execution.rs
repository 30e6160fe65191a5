//! DescribeStateMachineForExecution.

use std::sync::Arc;

use asl::Timestamp;
use engine::ports::{ExecutionRecord, MachineRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::Configuration;
use super::describe_state_machine::{NO_DEFINITION, References, references};
use super::execution::{find, map_run_arn};
use super::update_state_machine::shown_revision;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::aws::wire;
use crate::handle::{Handle, Inner};
use crate::machines::Version;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    definition: String,
    role_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    update_date: Timestamp,
    logging_configuration: Value,
    tracing_configuration: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "References::is_empty")]
    variable_references: References,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .one_of(
            "includedData",
            asked.included_data.as_deref(),
            &["ALL_DATA", "METADATA_ONLY"],
        )
        .check()?;
    let arn = asked.execution_arn.unwrap_or_default();
    let data = asked.included_data.as_deref() != Some("METADATA_ONLY");
    handle.blocking(move |inner| describe(inner, &arn, data)).await?
}

/// The version an execution was started through, where it is still there.
fn version_of(inner: &Inner, machine: &MachineRecord, execution: &ExecutionRecord) -> Option<Arc<Version>> {
    let number = execution.origin.as_ref()?.version;
    let machine = inner
        .machines
        .get(&machine.name)
        .filter(|current| current.record.id == machine.id)?;
    machine.versions.get(&number).cloned()
}

fn describe(inner: &Inner, arn: &str, data: bool) -> Answer<Answered> {
    let (mut machine, execution) = find(inner, arn)?;
    if let Some(version) = version_of(inner, &machine, &execution) {
        let version = &version.record;
        machine.definition.clone_from(&version.definition);
        machine.revision.clone_from(&version.revision);
        machine.role.clone_from(&version.role);
        machine.configuration.clone_from(&version.configuration);
        machine.updated = version.created;
    }
    let configuration = Configuration::stored(&machine.configuration);
    // The execution is pinned to its definition; a machine that moved on has another revision.
    let revision = (machine.definition == execution.definition).then_some(machine.revision);
    let (definition, variable_references) = if data {
        let parsed = inner.machines.definitions().get(&execution.definition)?;
        (inner.machines.text(&execution.definition)?, references(&parsed))
    } else {
        (NO_DEFINITION.into(), References::new())
    };
    // of a child, the ARN names the Map state too
    let child_machine = inner.namespace.parse_execution(arn)?.machine;
    let label = child_machine.split_once('/').map(|(_, label)| label.to_owned());
    Ok(Answered {
        state_machine_arn: inner.namespace.machine(child_machine),
        map_run_arn: map_run_arn(&inner.namespace, child_machine, &execution),
        label,
        name: machine.name,
        definition,
        variable_references,
        role_arn: machine.role,
        update_date: machine.updated,
        logging_configuration: configuration.logging(),
        tracing_configuration: configuration.tracing(),
        encryption_configuration: configuration.encryption_configuration,
        revision_id: revision.and_then(shown_revision),
    })
}
