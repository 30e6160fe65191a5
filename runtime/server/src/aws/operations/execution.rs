//! Finding an execution by its ARN, and AWS's words for how it stands.

use asl::Status;
use engine::ports::{ExecutionRecord, MachineRecord, Origin};

use crate::aws::arn::Namespace;
use crate::aws::errors::{Answer, ApiError};
use crate::handle::Inner;

/// AWS's words.
pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Running => "RUNNING",
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Aborted => "ABORTED",
        Status::TimedOut => "TIMED_OUT",
    }
}

/// The ARN of the version an execution was started through.
pub fn version_arn(namespace: &Namespace, machine: &str, origin: Option<&Origin>) -> Option<String> {
    origin.map(|origin| namespace.qualified(machine, origin.version))
}

/// The ARN of the alias an execution was started through.
pub fn alias_arn(namespace: &Namespace, machine: &str, origin: Option<&Origin>) -> Option<String> {
    let alias = origin.and_then(|origin| origin.alias.as_ref());
    alias.map(|alias| namespace.qualified(machine, alias))
}

/// The execution of this ARN, also one of a deleted machine. Blocks while the store reads.
pub fn find(inner: &Inner, arn: &str) -> Answer<(MachineRecord, ExecutionRecord)> {
    let parsed = inner.namespace.parse_execution(arn)?;
    let current = inner.machines.get(parsed.machine);
    if let Some(machine) = &current
        && let Some(execution) = inner.reader.execution_by_name(machine.record.id, parsed.name)?
    {
        return Ok((machine.record.clone(), execution));
    }
    for machine in inner.machines.ever_named(parsed.machine)? {
        if current.as_ref().is_some_and(|current| current.record.id == machine.id) {
            continue;
        }
        if let Some(execution) = inner.reader.execution_by_name(machine.id, parsed.name)? {
            return Ok((machine, execution));
        }
    }
    Err(ApiError::execution_does_not_exist(arn))
}
