//! What should be happening outside while an execution waits: tasks and wake-ups.

use super::Execution;
use super::event::{Attempt, EventKind, Failure, ScopeId, TimeoutKind};
use super::integration::integration;
use super::scope::{Phase, Place, TaskAttempt};
use crate::limits::Limits;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// An attempt that should be running.
#[derive(Debug, Clone, Copy)]
pub struct OpenTask<'a> {
    /// Position of its TaskScheduled event.
    pub scheduled_at: u64,
    /// Where.
    pub scope: ScopeId,
    /// The state's name.
    pub state: &'a str,
    /// The state's Resource.
    pub resource: &'a str,
    /// JSON text for the task.
    pub parameters: &'a Payload,
    /// 0 for the first attempt.
    pub retry_count: u32,
    /// When TimeoutSeconds is over.
    pub deadline: Option<Timestamp>,
    /// HeartbeatSeconds.
    pub heartbeat_seconds: Option<u64>,
    /// Whether its TaskStarted event is recorded.
    pub started: bool,
    /// The version of its module that TaskStarted holds: the attempt must not begin a second time.
    pub version: Option<u32>,
    /// Whether its TaskSubmitted event is recorded: the request must not be made again.
    pub submitted: bool,
}

/// Why an execution wants to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// Something can be decided at once.
    Ready,
    /// A Wait state, a retry or a task's deadline.
    Timer,
    /// The machine's TimeoutSeconds, or the time its mode allows.
    Deadline,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It returned this.
    Succeeded(Payload),
    /// It failed with this.
    Failed(Failure),
    /// A clock ran out.
    TimedOut(TimeoutKind),
}

impl Execution {
    /// The attempts that should be running now, by the position of their TaskScheduled events.
    pub fn open_tasks(&self) -> impl Iterator<Item = OpenTask<'_>> {
        self.tasks.values().filter_map(|scope| self.open_task_of(*scope))
    }

    /// The attempt with this TaskScheduled position, while it is open.
    pub fn open_task(&self, scheduled_at: u64) -> Option<OpenTask<'_>> {
        self.open_task_of(*self.tasks.get(&scheduled_at)?)
    }

    fn open_task_of(&self, scope: ScopeId) -> Option<OpenTask<'_>> {
        let Place::In(active) = &self.scopes.get(&scope)?.place else {
            return None;
        };
        let Phase::Task(attempt) = &active.phase else {
            return None;
        };
        let TaskAttempt {
            scheduled_at,
            resource,
            parameters,
            deadline,
            heartbeat_seconds,
            started,
            version,
            submitted,
        } = attempt;
        Some(OpenTask {
            scheduled_at: *scheduled_at,
            scope,
            state: &active.state,
            resource,
            parameters,
            retry_count: active.retry_count(),
            deadline: *deadline,
            heartbeat_seconds: *heartbeat_seconds,
            started: *started,
            version: *version,
            submitted: *submitted,
        })
    }

    /// The event that records what became of an attempt; `None` when it isn't open any more, or the history
    /// has no room for it: `next` then ends the execution. A result over
    /// the payload limit is a failure of the attempt.
    pub fn task_result(
        &self,
        scheduled_at: u64,
        outcome: TaskOutcome,
        attempt: Attempt,
        limits: Limits,
    ) -> Option<EventKind> {
        let task = self.open_task(scheduled_at)?;
        if self.history_entries.saturating_add(1) >= limits.history_entries {
            return None;
        }
        let scope = task.scope;
        Some(match outcome {
            TaskOutcome::Succeeded(output) if output.len() > limits.payload_bytes => EventKind::TaskFailed {
                scope,
                failure: too_large(integration(task.resource).map_or(task.resource, |(service, _)| service)),
                attempt,
            },
            TaskOutcome::Succeeded(output) => EventKind::TaskSucceeded { scope, output, attempt },
            TaskOutcome::Failed(failure) => EventKind::TaskFailed {
                scope,
                failure,
                attempt,
            },
            TaskOutcome::TimedOut(timeout) => EventKind::TaskTimedOut {
                scope,
                timeout,
                attempt,
            },
        })
    }

    /// When, and why, `next` should be asked again without anything happening from outside.
    pub fn next_wakeup(&self) -> Option<(Timestamp, Wakeup)> {
        if !self.ready.is_empty() {
            return Some((Timestamp(i64::MIN), Wakeup::Ready));
        }
        let timer = self.timers.first().map(|(time, _)| (*time, Wakeup::Timer));
        let deadline = self.deadline.map(|time| (time, Wakeup::Deadline));
        timer.into_iter().chain(deadline).min_by_key(|(time, _)| *time)
    }
}

/// AWS's failure for a result over the payload limit; `what` is the state's name, or for a task the service that
/// answered or the resource itself.
pub fn too_large(what: &str) -> Failure {
    Failure::new(
        "States.DataLimitExceeded",
        format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    )
}

impl TimeoutKind {
    /// The failure a clock leaves behind. AWS gives it no cause.
    pub fn failure(self) -> Failure {
        let error = match self {
            TimeoutKind::Deadline => "States.Timeout",
            TimeoutKind::Heartbeat => "States.HeartbeatTimeout",
        };
        Failure {
            error: Some(error.into()),
            cause: None,
        }
    }
}
