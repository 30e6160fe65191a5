//! DescribeStateMachine.

use asl::Timestamp;
use engine::ports::MachineType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::Configuration;
use super::update_state_machine::shown_revision;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::aws::wire;
use crate::handle::Handle;

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
    status: &'static str,
    definition: String,
    role_arn: String,
    r#type: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    logging_configuration: Value,
    tracing_configuration: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
}

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
    let record = handle.machine(&arn)?.record.clone();
    let definition = if asked.included_data.as_deref() == Some("METADATA_ONLY") {
        NO_DEFINITION.into()
    } else {
        let digest = record.definition.clone();
        handle.blocking(move |inner| inner.machines.text(&digest)).await??
    };
    let configuration = Configuration::stored(&record.configuration);
    Ok(Answered {
        state_machine_arn: arn,
        name: record.name,
        status: "ACTIVE",
        definition,
        role_arn: record.role,
        r#type: type_word(record.machine_type),
        creation_date: record.created,
        logging_configuration: configuration.logging(),
        tracing_configuration: configuration.tracing(),
        encryption_configuration: configuration.encryption_configuration,
        revision_id: shown_revision(record.revision),
    })
}

/// AWS's words.
pub(super) fn type_word(machine_type: MachineType) -> &'static str {
    match machine_type {
        MachineType::Standard => "STANDARD",
        MachineType::Express => "EXPRESS",
    }
}
