//! Finding an execution by its ARN, and AWS's words for how it stands.

use asl::{EventKind, Failure, Payload, Status};
use engine::ids::ExecutionId;
use engine::ports::{ExecutionRecord, MachineRecord, Origin};

use crate::aws::arn::{ExecutionArn, Namespace, unlabelled};
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

/// The ARN of the Map Run a child belongs to; `machine_name` is the child's, `NAME/LABEL`.
pub fn map_run_arn(namespace: &Namespace, machine_name: &str, execution: &ExecutionRecord) -> Option<String> {
    let child = execution.child?;
    let (_, label) = machine_name.split_once('/')?;
    Some(namespace.map_run(machine_name, label, child.run))
}

/// The execution of this ARN, also one of a deleted machine. Blocks while the store reads.
pub fn find(inner: &Inner, arn: &str) -> Answer<(MachineRecord, ExecutionRecord)> {
    let parsed = inner.namespace.parse_execution(arn)?;
    if parsed.machine.contains('/') {
        return find_child(inner, arn, parsed);
    }
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

/// A child execution of a Map Run: its name is its number, and nothing else leads to it.
fn find_child(inner: &Inner, arn: &str, parsed: ExecutionArn<'_>) -> Answer<(MachineRecord, ExecutionRecord)> {
    let missing = || ApiError::execution_does_not_exist(arn);
    let id = ExecutionId::from_child_name(parsed.name).ok_or_else(missing)?;
    let execution = inner
        .reader
        .execution(id)?
        .filter(|execution| execution.child.is_some());
    let execution = execution.ok_or_else(missing)?;
    // the name and the label in the ARN must be the child's too
    let first = inner.reader.first_and_last(id)?.map(|(first, _)| first.kind);
    match first {
        Some(EventKind::ExecutionStarted { id, .. }) if id == arn => {}
        _ => return Err(missing()),
    }
    let machines = inner.machines.ever_named(unlabelled(parsed.machine))?;
    let machine = machines.into_iter().find(|machine| machine.id == execution.machine);
    Ok((machine.ok_or_else(missing)?, execution))
}

/// What came of an execution, from its last event.
pub fn outcome(last: EventKind) -> (Option<Payload>, Failure) {
    match last {
        EventKind::ExecutionSucceeded { output } => (Some(output), Failure::default()),
        EventKind::ExecutionFailed { failure }
        | EventKind::ExecutionAborted { failure }
        | EventKind::ExecutionTimedOut { failure } => (None, failure),
        _ => (None, Failure::default()),
    }
}
