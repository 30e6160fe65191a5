//! UpdateStateMachineAlias.

use asl::Timestamp;
use engine::ports::NewAlias;
use serde::{Deserialize, Serialize};

use super::create_state_machine_alias::refused;
use super::{alias, routing};
use crate::aws::constraints::DESCRIPTION_LENGTH;
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_alias_arn: Option<String>,
    description: Option<String>,
    routing_configuration: Option<Vec<routing::Asked>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    #[serde(serialize_with = "wire::seconds")]
    update_date: Timestamp,
}

/// An update that changes nothing answers when the last one did.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = alias::check(asked.state_machine_alias_arn.as_deref());
    constraints.sensitive_length("description", asked.description.as_deref(), DESCRIPTION_LENGTH);
    routing::check(&mut constraints, asked.routing_configuration.as_deref());
    constraints.check()?;
    let arn = asked.state_machine_alias_arn.unwrap_or_default();
    let namespace = &handle.inner().namespace;
    let (machine_name, _) = alias::parse(namespace, &arn)?;
    let routing = match asked.routing_configuration {
        Some(entries) => Some(routing::read(namespace, entries)?),
        None if asked.description.is_none() => {
            return Err(ApiError::missing_field(
                "Either the description or the routingConfiguration must be specified",
            ));
        }
        None => None,
    };
    if let Some(routing) = routing.as_ref().filter(|routing| routing.machine != machine_name) {
        return Err(ApiError::invalid_routing(format!(
            "Routing configuration must contain versions of the alias's own state machine. Received: [{}]",
            routing.arn_of(routing.routes.first().map_or(0, |route| route.version))
        )));
    }

    let _changing = handle.changing_machines().await;
    let (machine, existing) = match alias::find(handle, &arn) {
        Ok(found) => found,
        Err(refusal) => return Err(handle.unless_deleting(&arn, machine_name, refusal).await),
    };
    let new = NewAlias {
        name: existing.name.clone(),
        description: asked.description.or_else(|| existing.description.clone()),
        routes: routing
            .as_ref()
            .map_or_else(|| existing.routes.clone(), |routing| routing.routes.clone()),
        at: clock::now(),
    };
    if new.description == existing.description && new.routes == existing.routes {
        return Ok(Answered {
            update_date: existing.updated,
        });
    }
    let id = machine.record.id;
    match (
        handle.blocking(move |inner| inner.machines.put_alias(id, new)).await?,
        routing,
    ) {
        (Ok(alias), _) => {
            tracing::info!(machine = machine.record.name, alias = alias.name, "alias updated");
            Ok(Answered {
                update_date: alias.updated,
            })
        }
        (Err(error), Some(routing)) => Err(refused(error, &routing)),
        (Err(error), None) => Err(error.into()),
    }
}
