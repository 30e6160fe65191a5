//! What an execution's journal holds. Recorded events are for ever: kinds and optional fields may be
//! added; nothing is renamed, reused or reinterpreted.

mod attempt;
mod failure;
mod percentage;
mod standing;
mod state_kind;

use serde::{Deserialize, Serialize};

pub use attempt::{Attempt, LogLine, TimeoutKind};
pub use failure::Failure;
pub use percentage::Percentage;
pub use standing::{Mode, Status};
pub use state_kind::StateKind;

use super::map_run::{Batches, ChildOf, ItemSource, ResultTarget};
use crate::payload::{self, Payload};
use crate::timestamp::Timestamp;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// A place where one state at a time runs: the machine itself, a branch of a Parallel state or an
/// iteration of a Map state. Numbered in the order they open, the root being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeId(pub u32);

impl ScopeId {
    /// The machine's own scope.
    pub const ROOT: ScopeId = ScopeId(0);
}

/// A variable and the value a state assigned to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Without the `$`.
    pub name: String,
    /// The value as JSON text.
    pub value: Payload,
}

/// The kinds of event, about one for each step of the interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// First event of every journal.
    ExecutionStarted {
        /// The caller's input, letter by letter.
        input: Payload,
        /// `$$.Execution.Id`, opaque here.
        id: String,
        /// `$$.Execution.Name`.
        name: String,
        /// `$$.Execution.RoleArn`, opaque here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// `$$.StateMachine.Id`, opaque here.
        machine_id: String,
        /// `$$.StateMachine.Name`.
        machine_name: String,
        /// Of a child execution of a distributed Map state: the Map Run it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child_of: Option<Box<ChildOf>>,
        /// How much of it reaches the disk.
        #[serde(default, skip_serializing_if = "Mode::is_standard")]
        mode: Mode,
        /// What the caller's trace says it is a part of, opaque here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_parent: Option<String>,
        /// The attempt that started it, where one did: asking again after a crash is told apart from asking for a name
        /// that somebody else has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starter: Option<Starter>,
    },
    /// A scope reached a state.
    StateEntered {
        /// Where.
        scope: ScopeId,
        /// The state's name.
        state: String,
        /// Its kind.
        state_kind: StateKind,
        /// Its raw input.
        input: Payload,
    },
    /// A task attempt is wanted; it may run once this is durable.
    TaskScheduled {
        /// Where.
        scope: ScopeId,
        /// The `Resource` field.
        resource: String,
        /// Input after InputPath and Parameters.
        parameters: Payload,
        /// TimeoutSeconds where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<u64>,
        /// HeartbeatSeconds where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat_seconds: Option<u64>,
        /// Credentials where given.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "payload::present"
        )]
        credentials: Option<Payload>,
        /// How often the state was retried before this attempt: 0 for the first.
        #[serde(default, skip_serializing_if = "is_zero")]
        retry_count: u32,
    },
    /// The attempt got a slot. Recorded with what comes after it, never alone in a hurry.
    TaskStarted {
        /// Where.
        scope: ScopeId,
        /// The name the activity's worker gave itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
        /// The version of its module, where the attempt must not begin a second time: what a name means may be another
        /// version by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
    /// The attempt's request was made; its outcome comes from elsewhere: another execution's end, or
    /// whoever holds the task token. It is not made again after a crash.
    TaskSubmitted {
        /// Where.
        scope: ScopeId,
        /// What the request answered.
        output: Payload,
    },
    /// The attempt returned.
    TaskSucceeded {
        /// Where.
        scope: ScopeId,
        /// What it returned.
        output: Payload,
        /// What it cost.
        #[serde(default)]
        attempt: Attempt,
    },
    /// The attempt failed.
    TaskFailed {
        /// Where.
        scope: ScopeId,
        /// With what.
        failure: Failure,
        /// What it cost.
        #[serde(default)]
        attempt: Attempt,
    },
    /// The attempt ran out of time.
    TaskTimedOut {
        /// Where.
        scope: ScopeId,
        /// Which clock.
        timeout: TimeoutKind,
        /// What it cost.
        #[serde(default)]
        attempt: Attempt,
    },
    /// A Wait state chose its time.
    WaitStarted {
        /// Where.
        scope: ScopeId,
        /// When it ends.
        until: Timestamp,
    },
    /// A retrier matched; the state runs again at `until`.
    RetryScheduled {
        /// Where.
        scope: ScopeId,
        /// Index into the state's Retry.
        retrier: u32,
        /// When the next attempt may start.
        until: Timestamp,
    },
    /// A Parallel state opened its branches, each in a scope of its own: `branches` consecutive numbers.
    ParallelStarted {
        /// Where.
        scope: ScopeId,
        /// The branches' input.
        input: Payload,
        /// How many.
        branches: u32,
    },
    /// All branches ended well.
    ParallelSucceeded {
        /// Where.
        scope: ScopeId,
    },
    /// A branch failed and no retrier is left; its siblings are gone.
    ParallelFailed {
        /// Where.
        scope: ScopeId,
        /// The branch's failure.
        failure: Failure,
    },
    /// A Map state fixed its items.
    MapStarted {
        /// Where.
        scope: ScopeId,
        /// A JSON array.
        items: Payload,
        /// The state's input after InputPath, which ItemSelector reads.
        input: Payload,
        /// Iterations at once; 0 is no bound.
        #[serde(default, skip_serializing_if = "is_zero")]
        max_concurrency: u32,
        /// Failed iterations the state tolerates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerated_count: Option<u64>,
        /// The same as a percentage of the items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerated_percentage: Option<Percentage>,
    },
    /// An iteration opened its scope.
    IterationStarted {
        /// The Map state's scope.
        scope: ScopeId,
        /// Which item.
        index: u32,
        /// Its input, ItemSelector applied.
        input: Payload,
    },
    /// An iteration ended well.
    IterationSucceeded {
        /// The Map state's scope.
        scope: ScopeId,
        /// Which item.
        index: u32,
    },
    /// An iteration ended with an error.
    IterationFailed {
        /// The Map state's scope.
        scope: ScopeId,
        /// Which item.
        index: u32,
        /// With what.
        failure: Failure,
    },
    /// An iteration that failed or was stopped goes on after its execution was redriven.
    IterationRedriven {
        /// The Map state's scope.
        scope: ScopeId,
        /// Which item.
        index: u32,
    },
    /// An iteration was stopped because another failed.
    IterationAborted {
        /// The Map state's scope.
        scope: ScopeId,
        /// Which item.
        index: u32,
    },
    /// All iterations ended, within the tolerated failures.
    MapSucceeded {
        /// Where.
        scope: ScopeId,
    },
    /// More iterations failed than is tolerated and no retrier is left.
    MapFailed {
        /// Where.
        scope: ScopeId,
        /// With what.
        failure: Failure,
    },
    /// A distributed Map state fixed where its items come from; its child executions may start once this is
    /// durable. The position of this event names the Map Run.
    MapRunStarted {
        /// Where.
        scope: ScopeId,
        /// The state's Label, or the one made for it.
        label: String,
        /// Whether the child executions are Express workflows.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        express: bool,
        /// What reads the items; absent where they are those of MapStarted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reader: Option<ItemSource>,
        /// How items are put together, where they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batches: Option<Batches>,
        /// What writes the results, where the state says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        writer: Option<ResultTarget>,
    },
    /// Somebody changed the bounds of a Map Run while it was going on; what is absent stays.
    MapRunUpdated {
        /// Where.
        scope: ScopeId,
        /// Child executions at once; 0 is no bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_concurrency: Option<u32>,
        /// Failed items the run tolerates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerated_count: Option<u64>,
        /// The same as a percentage of the items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerated_percentage: Option<Percentage>,
    },
    /// A Map Run that ended without a result goes on with its execution, which was redriven: its child executions that
    /// didn't succeed are redriven, and items that had none get theirs.
    MapRunRedriven {
        /// Where.
        scope: ScopeId,
        /// How often the run was redriven, this time included.
        count: u32,
    },
    /// All child executions ended, within the tolerated failures, and the results are where they belong.
    MapRunSucceeded {
        /// Where.
        scope: ScopeId,
        /// The state's result: the children's outputs, or where they were written.
        result: Payload,
    },
    /// The Map Run failed: items that can't be read, more failures than tolerated, results that can't be written.
    MapRunFailed {
        /// Where.
        scope: ScopeId,
        /// With what.
        failure: Failure,
    },
    /// A state failed by itself: a Fail state, a path or an expression that can't be evaluated,
    /// a limit, a branch or iteration that failed.
    StateFailed {
        /// Where.
        scope: ScopeId,
        /// With what.
        failure: Failure,
        /// The field whose JSONata expression failed, as AWS names it; such a failure shows in the history.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
    },
    /// A state is done, by its own end or through a catcher.
    StateExited {
        /// Where.
        scope: ScopeId,
        /// The state's name.
        state: String,
        /// Its kind.
        state_kind: StateKind,
        /// After ResultSelector, ResultPath and OutputPath.
        output: Payload,
        /// Variables it assigned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        assigned: Vec<Assignment>,
        /// Where the scope goes next; absent at its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Index of the catcher that took the failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        catcher: Option<u32>,
    },
    /// An execution that was over goes on from what didn't succeed.
    ExecutionRedriven {
        /// How often it was redriven, this time included.
        count: u32,
        /// What the caller named this redrive, so that asking twice does it once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Of a child execution: the redrive of its Map Run that redrives it, counted from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<u32>,
        /// Whether iterations come back each with an IterationRedriven of its own, as far as MaxConcurrency lets them. In
        /// journals of before that rule all are back with this event.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_turn: bool,
    },
    /// Last event: the root scope ended.
    ExecutionSucceeded {
        /// The execution's output.
        output: Payload,
    },
    /// Last event: a failure nobody caught.
    ExecutionFailed {
        /// With what.
        failure: Failure,
    },
    /// Last event: somebody stopped it.
    ExecutionAborted {
        /// What the caller gave as reason.
        failure: Failure,
    },
    /// Last event: the machine's TimeoutSeconds ran out.
    ExecutionTimedOut {
        /// With what.
        failure: Failure,
    },
}

/// An attempt, as other executions know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starter {
    /// The execution, in the numbers of whoever keeps executions.
    pub execution: u64,
    /// Position of its TaskScheduled event.
    pub position: u64,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl EventKind {
    /// How many entries of AWS's history show this event: expressions and error texts name entries by number.
    pub fn history_entries(&self) -> u64 {
        match self {
            EventKind::WaitStarted { .. }
            | EventKind::RetryScheduled { .. }
            | EventKind::IterationRedriven { .. }
            | EventKind::MapRunUpdated { .. } => 0,
            EventKind::StateFailed { location, .. } => u64::from(location.is_some()),
            _ => 1,
        }
    }

    /// Calls `visit` with every payload the event holds.
    pub fn payloads(&mut self, visit: &mut dyn FnMut(&mut Payload)) {
        match self {
            EventKind::ExecutionStarted { input, .. }
            | EventKind::StateEntered { input, .. }
            | EventKind::ParallelStarted { input, .. }
            | EventKind::IterationStarted { input, .. } => visit(input),
            EventKind::TaskScheduled {
                parameters,
                credentials,
                ..
            } => {
                visit(parameters);
                credentials.iter_mut().for_each(visit);
            }
            EventKind::MapStarted { items, input, .. } => {
                visit(items);
                visit(input);
            }
            EventKind::MapRunSucceeded { result, .. } => visit(result),
            EventKind::TaskSubmitted { output, .. }
            | EventKind::TaskSucceeded { output, .. }
            | EventKind::ExecutionSucceeded { output } => visit(output),
            EventKind::StateExited { output, assigned, .. } => {
                visit(output);
                assigned.iter_mut().for_each(|variable| visit(&mut variable.value));
            }
            EventKind::TaskStarted { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::TaskTimedOut { .. }
            | EventKind::WaitStarted { .. }
            | EventKind::RetryScheduled { .. }
            | EventKind::ParallelSucceeded { .. }
            | EventKind::ParallelFailed { .. }
            | EventKind::IterationSucceeded { .. }
            | EventKind::IterationFailed { .. }
            | EventKind::IterationAborted { .. }
            | EventKind::IterationRedriven { .. }
            | EventKind::MapSucceeded { .. }
            | EventKind::MapFailed { .. }
            | EventKind::MapRunStarted { .. }
            | EventKind::MapRunUpdated { .. }
            | EventKind::MapRunRedriven { .. }
            | EventKind::MapRunFailed { .. }
            | EventKind::StateFailed { .. }
            | EventKind::ExecutionFailed { .. }
            | EventKind::ExecutionAborted { .. }
            | EventKind::ExecutionTimedOut { .. }
            | EventKind::ExecutionRedriven { .. } => {}
        }
    }

    /// The status an execution has after this event, when the event ends it.
    pub fn closes(&self) -> Option<Status> {
        match self {
            EventKind::ExecutionSucceeded { .. } => Some(Status::Succeeded),
            EventKind::ExecutionFailed { .. } => Some(Status::Failed),
            EventKind::ExecutionAborted { .. } => Some(Status::Aborted),
            EventKind::ExecutionTimedOut { .. } => Some(Status::TimedOut),
            _ => None,
        }
    }
}
