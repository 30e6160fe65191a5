//! The routing configuration of an alias, as callers write it and as it is kept.

use engine::ports::Route;
use serde::{Deserialize, Serialize};

use crate::aws::arn::Namespace;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::target::{Qualifier, WHOLE};

/// Most versions an alias points to.
const MOST_ROUTES: usize = 2;

/// One entry of a `routingConfiguration`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_version_arn: Option<String>,
    weight: Option<i64>,
}

/// One entry as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    state_machine_version_arn: String,
    weight: u8,
}

/// A routing configuration that holds together; whether its versions are there is the catalogue's to say.
pub struct Routing {
    /// The machine they all belong to.
    pub machine: String,
    /// In the caller's order.
    pub routes: Vec<Route>,
    arns: Vec<String>,
}

/// The service's own constraints.
pub fn check(constraints: &mut Constraints, entries: Option<&[Asked]>) {
    const FIELD: &str = "routingConfiguration";
    let Some(entries) = entries else { return };
    let shown: Vec<String> = entries.iter().map(Asked::as_aws_writes_it).collect();
    constraints.members(FIELD, &format!("[{}]", shown.join(", ")), entries.len(), 1, MOST_ROUTES);
    for (index, entry) in entries.iter().take(MOST_ROUTES).enumerate() {
        let member = index + 1;
        constraints
            .text(
                &format!("{FIELD}.{member}.member.stateMachineVersionArn"),
                entry.state_machine_version_arn.as_deref(),
                ARN_LENGTH,
            )
            .required(&format!("{FIELD}.{member}.member.weight"), entry.weight.as_ref())
            .range(
                &format!("{FIELD}.{member}.member.weight"),
                entry.weight,
                0,
                i64::from(WHOLE),
            );
    }
}

/// What the entries mean together; [`check`] has passed them.
///
/// # Errors
/// `ValidationException` for ARNs that are no versions' of one machine, or weights that don't add up.
pub fn read(namespace: &Namespace, entries: Vec<Asked>) -> Answer<Routing> {
    let weights: Vec<u8> = entries
        .iter()
        .map(|entry| entry.weight.and_then(|weight| u8::try_from(weight).ok()).unwrap_or(0))
        .collect();
    let arns: Vec<String> = entries
        .into_iter()
        .map(|entry| entry.state_machine_version_arn.unwrap_or_default())
        .collect();
    let received = || arns.join(", ");
    let mut machine: Option<&str> = None;
    let mut routes: Vec<Route> = Vec::with_capacity(arns.len());
    for (arn, weight) in arns.iter().zip(&weights) {
        let parsed = namespace.parse_machine(arn)?;
        let number = match parsed.qualifier.map(Qualifier::read) {
            Some(Some(Qualifier::Version(number))) => number,
            Some(None) => return Err(ApiError::reference_not_found(arn)),
            Some(Some(Qualifier::Alias(_))) | None => {
                return Err(ApiError::invalid_routing(format!(
                    "Routing configuration must contain state machine version ARNs. Received: [{}]",
                    received()
                )));
            }
        };
        if *machine.get_or_insert(parsed.name) != parsed.name {
            return Err(ApiError::invalid_routing(format!(
                "Routing configuration must contain versions of the same state machine. Received: [{}]",
                received()
            )));
        }
        if routes.iter().any(|route| route.version == number) {
            return Err(ApiError::invalid_routing(format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{}]",
                received()
            )));
        }
        routes.push(Route {
            version: number,
            weight: *weight,
        });
    }
    if weights.iter().map(|weight| u32::from(*weight)).sum::<u32>() != u32::from(WHOLE) {
        let weights: Vec<String> = weights.iter().map(u8::to_string).collect();
        return Err(ApiError::invalid_routing(format!(
            "Sum of routing configuration weights must equal 100. Received: [{}]",
            weights.join(", ")
        )));
    }
    Ok(Routing {
        machine: machine.unwrap_or_default().to_owned(),
        routes,
        arns,
    })
}

impl Routing {
    /// The ARN the caller gave for a version.
    pub fn arn_of(&self, version: u32) -> &str {
        let place = self.routes.iter().position(|route| route.version == version);
        place.and_then(|place| self.arns.get(place)).map_or("", String::as_str)
    }
}

impl Asked {
    fn as_aws_writes_it(&self) -> String {
        let weight = self
            .weight
            .map_or_else(|| "null".to_owned(), |weight| weight.to_string());
        let arn = self.state_machine_version_arn.as_deref().unwrap_or("null");
        format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={weight})")
    }
}

/// An alias's routes as they are shown.
pub fn shown(namespace: &Namespace, machine: &str, routes: &[Route]) -> Vec<Shown> {
    routes
        .iter()
        .map(|route| Shown {
            state_machine_version_arn: namespace.qualified(machine, route.version),
            weight: route.weight,
        })
        .collect()
}
