//! CreateStateMachineAlias.

use asl::Timestamp;
use engine::ports::{CatalogueError, NewAlias};
use serde::{Deserialize, Serialize};

use super::routing;
use crate::aws::constraints::{Constraints, DESCRIPTION_LENGTH, NAME_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

/// Most aliases of a machine.
const MOST_ALIASES: usize = 100;

/// What the model says of an alias's name: one character at least is no digit, or it would be a version.
const NAME_PATTERN: &str = r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    description: Option<String>,
    name: Option<String>,
    routing_configuration: Option<Vec<routing::Asked>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_alias_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

/// Asking for the same again answers the alias that is there.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .sensitive_length("description", asked.description.as_deref(), DESCRIPTION_LENGTH)
        .text("name", asked.name.as_deref(), NAME_LENGTH)
        .pattern("name", asked.name.as_deref(), is_alias_name, NAME_PATTERN)
        .required("routingConfiguration", asked.routing_configuration.as_ref());
    routing::check(&mut constraints, asked.routing_configuration.as_deref());
    constraints.check()?;
    let namespace = &handle.inner().namespace;
    let routing = routing::read(namespace, asked.routing_configuration.unwrap_or_default())?;
    let name = asked.name.unwrap_or_default();

    let _changing = handle.changing_machines().await;
    let Some(machine) = handle.inner().machines.get(&routing.machine) else {
        let version = routing.routes.first().map_or(0, |route| route.version);
        let refusal = ApiError::reference_not_found(routing.arn_of(version));
        return Err(handle
            .unless_deleting(&namespace.machine(&routing.machine), &routing.machine, refusal)
            .await);
    };
    let arn = namespace.qualified(&machine.record.name, &name);
    if let Some(existing) = machine.alias(&name) {
        if existing.description != asked.description || existing.routes != routing.routes {
            return Err(ApiError::conflict(
                "Failed to create alias because an alias with the same name and a different routing configuration \
                 already exists.",
            ));
        }
        return Ok(Answered {
            state_machine_alias_arn: arn,
            creation_date: existing.created,
        });
    }
    if machine.aliases.len() >= MOST_ALIASES {
        return Err(ApiError::service_quota_exceeded(format!(
            "a state machine has at most {MOST_ALIASES} aliases; delete some of `{}` with DeleteStateMachineAlias",
            machine.record.name
        )));
    }
    let (id, new) = (
        machine.record.id,
        NewAlias {
            name,
            description: asked.description,
            routes: routing.routes.clone(),
            at: clock::now(),
        },
    );
    match handle.blocking(move |inner| inner.machines.put_alias(id, new)).await? {
        Ok(alias) => {
            tracing::info!(machine = machine.record.name, alias = alias.name, "alias created");
            Ok(Answered {
                state_machine_alias_arn: arn,
                creation_date: alias.created,
            })
        }
        Err(error) => Err(refused(error, &routing)),
    }
}

/// A version that isn't there, in the service's words.
pub(super) fn refused(error: CatalogueError, routing: &routing::Routing) -> ApiError {
    match error {
        CatalogueError::NoSuchVersion { number, .. } => ApiError::reference_not_found(routing.arn_of(number)),
        error => error.into(),
    }
}

fn is_alias_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    name.bytes().all(is_allowed) && name.bytes().any(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_no_number() {
        for good in ["PROD", "v1", "1.", "a-b_c"] {
            assert!(is_alias_name(good), "{good}");
        }
        for bad in ["", "12", "a b", "ä", "a:b", "a/b"] {
            assert!(!is_alias_name(bad), "{bad}");
        }
    }
}
