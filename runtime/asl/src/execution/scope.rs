//! Where an execution stands: scopes, each running one state at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::{Failure, Percentage, ScopeId, StateKind};
use super::map_run::{Batches, ItemSource, ResultTarget, over_tolerance_of};
use crate::definition::FlowId;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// Variables in sight of a scope. An inner scope starts with its parent's and can't change them there.
pub(super) type Variables = Arc<BTreeMap<String, Payload>>;

/// One scope.
#[derive(Debug)]
pub(super) struct Scope {
    pub parent: Option<Parent>,
    pub flow: FlowId,
    pub variables: Variables,
    /// Bytes of the variables this scope itself assigned.
    pub variable_bytes: usize,
    pub place: Place,
}

impl Scope {
    /// Whether its state is a Map state with open iterations.
    pub fn runs_iterations(&self) -> bool {
        matches!(&self.place, Place::In(active) if matches!(active.phase, Phase::Map(_)))
    }
}

/// What a scope is to the scope that opened it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parent {
    pub scope: ScopeId,
    /// Which branch or item.
    pub index: u32,
}

/// Where in its flow a scope stands.
#[derive(Debug)]
pub(super) enum Place {
    /// Between two states.
    Before { state: String, input: Payload },
    /// In a state.
    In(Box<Active>),
    /// At its end.
    Done(Payload),
}

/// A state that was entered and not exited.
#[derive(Debug)]
pub(super) struct Active {
    pub state: String,
    pub kind: StateKind,
    pub input: Payload,
    pub entered: Timestamp,
    /// Number of its StateEntered entry in AWS's history.
    pub entry: u64,
    /// Retries so far, for each retrier.
    pub retries: Vec<u32>,
    /// Whether its ParallelStateFailed or MapStateFailed is recorded.
    pub said_failed: bool,
    pub phase: Phase,
}

impl Active {
    /// Whether AWS's history shows the state's end when the scope around it is torn down.
    pub fn shows_abort(&self) -> bool {
        match self.kind {
            StateKind::Task | StateKind::Wait | StateKind::Parallel | StateKind::Map => !self.said_failed,
            StateKind::Pass | StateKind::Choice | StateKind::Succeed | StateKind::Fail => false,
        }
    }

    /// Whether child executions of its Map Run may be running.
    pub fn has_open_map_run(&self) -> bool {
        matches!(&self.phase, Phase::MapRun(run) if run.open_at().is_some())
    }

    /// Retries so far, of all retriers.
    pub fn retry_count(&self) -> u32 {
        self.retries.iter().sum()
    }
}

/// What an active state is doing.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing yet.
    Entered,
    /// A Wait state, until then.
    Waiting(Timestamp),
    /// Waiting for a retry.
    Retrying(Timestamp),
    /// Running a task.
    Task(TaskAttempt),
    /// Running branches.
    Parallel(Branches),
    /// Running iterations.
    Map(Box<Iterations>),
    /// Running child executions.
    MapRun(Box<MapRun>),
    /// Holding a result that isn't processed yet.
    Returned(Payload),
    /// Holding a failure that isn't dealt with yet.
    Failed(Failing),
}

#[derive(Debug)]
pub(super) struct TaskAttempt {
    /// Position of its TaskScheduled event.
    pub scheduled_at: u64,
    pub resource: String,
    pub parameters: Payload,
    pub deadline: Option<Timestamp>,
    pub heartbeat_seconds: Option<u64>,
    pub started: bool,
    pub version: Option<u32>,
    pub submitted: bool,
}

#[derive(Debug)]
pub(super) struct Branches {
    pub outputs: Vec<Option<Payload>>,
    pub open: usize,
}

#[derive(Debug)]
pub(super) struct Iterations {
    pub items: Payload,
    pub input: Payload,
    pub max_concurrency: u32,
    pub tolerated_count: Option<u64>,
    pub tolerated_percentage: Option<Percentage>,
    pub length: u32,
    pub next: u32,
    pub open: BTreeMap<u32, ScopeId>,
    /// Those that go on after a redrive when their turn comes.
    pub waiting: BTreeMap<u32, ScopeId>,
    /// What each iteration that ended well returned, by its index.
    pub outputs: Vec<Option<Payload>>,
    pub failed: u32,
    /// The failure that ended the state, while its other iterations are being stopped.
    pub last_failure: Option<Failure>,
}

impl Iterations {
    /// Whether more iterations failed than are tolerated.
    pub fn over_tolerance(&self) -> bool {
        over_tolerance_of(
            u64::from(self.failed),
            Some(u64::from(self.length)),
            self.tolerated_count,
            self.tolerated_percentage,
        )
    }

    /// Whether another iteration may start.
    pub fn may_start(&self) -> bool {
        self.next < self.length && self.waiting.is_empty() && self.has_room() && !self.over_tolerance()
    }

    /// Whether an iteration of before a redrive may go on.
    pub fn may_redrive(&self) -> bool {
        !self.waiting.is_empty() && self.has_room() && !self.over_tolerance()
    }

    /// Whether another iteration may run beside the open ones.
    fn has_room(&self) -> bool {
        self.max_concurrency == 0 || self.open.len() < self.max_concurrency as usize
    }
}

/// A distributed Map state at work.
#[derive(Debug)]
pub(super) struct MapRun {
    /// Those of the state's input; none where a reader reads them.
    pub items: Payload,
    pub input: Payload,
    pub max_concurrency: u32,
    pub tolerated_count: Option<u64>,
    pub tolerated_percentage: Option<Percentage>,
    /// What MapRunStarted said.
    pub started: Option<StartedRun>,
    /// What the run came to, while that isn't the state's result yet.
    pub result: Option<Payload>,
}

#[derive(Debug)]
pub(super) struct StartedRun {
    /// Position of its MapRunStarted event.
    pub position: u64,
    /// Position of the event it has been going on since: that one, or its last MapRunRedriven.
    pub since: u64,
    /// How often it was redriven.
    pub redrives: u32,
    /// It ended without a result, with its execution or before it, and waits for its MapRunRedriven.
    pub to_redrive: bool,
    pub label: String,
    pub express: bool,
    pub reader: Option<ItemSource>,
    pub batches: Option<Batches>,
    pub writer: Option<ResultTarget>,
}

impl MapRun {
    /// The run's position, while its children may be running.
    pub fn open_at(&self) -> Option<u64> {
        let started = self.started.as_ref().filter(|started| !started.to_redrive)?;
        self.result.is_none().then_some(started.position)
    }
}

/// A failure on its way to a retrier, a catcher or the scope above.
#[derive(Debug)]
pub(super) struct Failing {
    pub failure: Failure,
    /// Whether the history has to say that the Parallel or Map state failed, before the failure goes on.
    pub to_say: bool,
}
