//! DescribeStateMachine.

use std::collections::{BTreeMap, BTreeSet};

use asl::Timestamp;
use asl::definition::StateMachine;
use engine::ports::{CatalogueError, MachineType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::Configuration;
use super::update_state_machine::shown_revision;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::handle::{Handle, Inner, Seen};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    status: &'static str,
    definition: String,
    role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    r#type: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    logging_configuration: Value,
    tracing_configuration: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "References::is_empty")]
    variable_references: References,
}

/// For each state that reads variables, which.
pub(super) type References = BTreeMap<String, BTreeSet<String>>;

/// What AWS shows of a definition that wasn't asked for.
pub(super) const NO_DEFINITION: &str = "{}";

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .one_of(
            "includedData",
            asked.included_data.as_deref(),
            &["ALL_DATA", "METADATA_ONLY"],
        )
        .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    // `NAME/LABEL` is what the child executions of a distributed Map state belong to
    let (whole, label) = match arn.rsplit_once('/') {
        Some((whole, label)) => (whole, Some(label.to_owned())),
        None => (&*arn, None),
    };
    let seen = handle.seen(whole).await?;
    let target = seen.target().clone();
    if let Some(label) = &label {
        let (labelled, wanted) = (target.clone(), label.clone());
        let known =
            move |inner: &Inner| Ok::<_, CatalogueError>(labelled.state_machine(&inner.machines)?.has_label(&wanted));
        if !handle.blocking(known).await?? {
            return Err(ApiError::state_machine_does_not_exist(arn));
        }
    }
    let shown = target.clone();
    let (definition, variable_references) = if asked.included_data.as_deref() == Some("METADATA_ONLY") {
        (NO_DEFINITION.into(), References::new())
    } else {
        let read = move |inner: &Inner| {
            let text = inner.machines.text(target.definition())?;
            let parsed = target.state_machine(&inner.machines)?;
            Ok::<_, CatalogueError>((text, references(&parsed)))
        };
        handle.blocking(read).await??
    };
    let configuration = Configuration::stored(shown.configuration());
    let namespace = &handle.inner().namespace;
    let record = &shown.machine.record;
    let version = shown.version().map(|version| &version.record);
    Ok(Answered {
        state_machine_arn: match version {
            Some(version) => namespace.qualified(&record.name, version.number),
            None => arn,
        },
        name: record.name.clone(),
        label,
        description: version.and_then(|version| version.description.clone()),
        status: match seen {
            Seen::Active(_) => "ACTIVE",
            Seen::Deleting(_) => "DELETING",
        },
        definition,
        role_arn: shown.role().to_owned(),
        r#type: type_word(shown.machine_type()),
        creation_date: shown.created(),
        logging_configuration: configuration.logging(),
        tracing_configuration: configuration.tracing(),
        encryption_configuration: configuration.encryption_configuration,
        revision_id: shown_revision(shown.revision().to_owned()),
        variable_references,
    })
}

pub(super) fn references(machine: &StateMachine) -> References {
    machine
        .variable_references()
        .into_iter()
        .map(|(state, variables)| (state.to_owned(), variables))
        .collect()
}

/// AWS's words.
pub(super) fn type_word(machine_type: MachineType) -> &'static str {
    match machine_type {
        MachineType::Standard => "STANDARD",
        MachineType::Express => "EXPRESS",
    }
}
