//! Finding an alias by its ARN.

use std::sync::Arc;

use engine::ports::AliasRecord;

use crate::aws::arn::Namespace;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::target::Qualifier;
use crate::handle::Handle;
use crate::machines::Machine;

/// Names of the machine and the alias in an alias's ARN.
///
/// # Errors
/// `ValidationException` for the ARN of a machine or a version.
pub fn parse<'a>(namespace: &Namespace, arn: &'a str) -> Answer<(&'a str, &'a str)> {
    let parsed = namespace.parse_machine(arn)?;
    match parsed.qualifier.map(|name| (name, Qualifier::read(name))) {
        Some((name, Some(Qualifier::Alias(_)))) => Ok((parsed.name, name)),
        Some(_) | None => Err(ApiError::validation(format!(
            "Invalid state machine alias ARN. Received: {arn}"
        ))),
    }
}

/// Checks the field that names an alias.
pub fn check(arn: Option<&str>) -> Constraints {
    let mut constraints = Constraints::new();
    constraints.text("stateMachineAliasArn", arn, ARN_LENGTH);
    constraints
}

/// The alias of this ARN and its machine.
///
/// # Errors
/// `ResourceNotFound`.
pub fn find(handle: &Handle, arn: &str) -> Answer<(Arc<Machine>, Arc<AliasRecord>)> {
    let (machine, name) = parse(&handle.inner().namespace, arn)?;
    let machine = handle.inner().machines.get(machine);
    machine
        .and_then(|machine| machine.alias(name).cloned().map(|alias| (machine, alias)))
        .ok_or_else(|| ApiError::reference_not_found(arn))
}
