//! DescribeStateMachineAlias.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::{alias, routing};
use crate::aws::errors::Answer;
use crate::aws::wire;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_alias_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_alias_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    routing_configuration: Vec<routing::Shown>,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    #[serde(serialize_with = "wire::seconds")]
    update_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    alias::check(asked.state_machine_alias_arn.as_deref()).check()?;
    let arn = asked.state_machine_alias_arn.unwrap_or_default();
    let (machine, alias) = alias::find(handle, &arn)?;
    Ok(Answered {
        state_machine_alias_arn: arn,
        name: alias.name.clone(),
        description: alias.description.clone(),
        routing_configuration: routing::shown(&handle.inner().namespace, &machine.record.name, &alias.routes),
        creation_date: alias.created,
        update_date: alias.updated,
    })
}
