//! Everything the engine asks of its shell.

use std::sync::Arc;

use asl::{Event, Failure, ItemSource, Payload, ResultTarget, Status, Timestamp};

use crate::batch::Batch;
use crate::ids::{ExecutionId, ReplyTo, TaskId};

/// One thing to do. Outputs are done in order; none of them blocks the next.
#[derive(Debug)]
pub enum Output {
    /// Write this and answer with [`crate::input::Input::Committed`]. At most one is under way.
    Commit(Batch),
    /// Answer a caller; what the answer says is durable.
    Reply {
        /// Whom.
        to: ReplyTo,
        /// What.
        reply: Reply,
    },
    /// Run an attempt whose TaskScheduled event is durable.
    Run(TaskRequest),
    /// Stop an attempt that nobody wants any more.
    Cancel(TaskId),
    /// Stop an attempt here and leave what it began elsewhere alone: it will be asked for again.
    Forget(TaskId),
    /// Read an execution back and answer with [`crate::input::Input::Loaded`].
    Load(ExecutionId),
    /// Events of an execution that isn't recorded step by step, which are past its line. Only where
    /// [`crate::Options::show_unrecorded`] asks for them.
    Unrecorded {
        /// Which run: a restart after a crash is another one.
        execution: ExecutionId,
        /// The version of the machine it was started through, if any.
        version: Option<u32>,
        /// In order, with none left out.
        events: Vec<Event>,
    },
    /// Read items of a Map Run whose state has an ItemReader, and answer with [`crate::input::Input::ItemsRead`].
    ReadItems {
        /// Which run.
        run: TaskId,
        /// How often it was redriven.
        redrives: u32,
        /// Where its items are.
        source: ItemSource,
        /// Number of the first one wanted. Mostly where the read before ended.
        from: u64,
        /// At most this many.
        limit: usize,
    },
    /// A Map Run begins, or goes on after a restart: say how far it has come and whether its results can be written.
    /// Answer with [`crate::input::Input::MapRunLoaded`].
    LoadMapRun(MapRunRequest),
    /// A Map Run was redriven: say which of its children are redriven with it, see
    /// [`crate::ports::Reader::children_to_redrive`]. Answer with [`crate::input::Input::ChildrenToRedrive`].
    FindChildrenToRedrive {
        /// Which run.
        run: TaskId,
        /// How often it was redriven.
        redrives: u32,
        /// The last child of the page before.
        after: Option<ExecutionId>,
        /// At most this many.
        limit: usize,
    },
    /// All children of a Map Run are closed: put their results together, in the order of items, and answer with
    /// [`crate::input::Input::MapRunFinished`].
    FinishMapRun {
        /// Which run, and where its results belong.
        request: MapRunRequest,
        /// The failure of a run that failed. Its results are still written, but that is what it comes to.
        failure: Option<Failure>,
        /// Bytes the state's result may have: beyond them nobody reads it.
        result_bytes: usize,
    },
    /// A Map Run with an ItemReader is over: whatever is open for it can be closed.
    MapRunOver(TaskId),
    /// An execution panicked or can't be read back; it is left alone until the next start of the process.
    Quarantined {
        /// Which.
        execution: ExecutionId,
        /// Why, for the operator.
        reason: String,
    },
}

/// A Map Run and where its results belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRunRequest {
    /// Which run.
    pub run: TaskId,
    /// The Map state's name.
    pub state: String,
    /// Its Label, or the one made for it.
    pub label: String,
    /// The name of the parent's machine.
    pub machine_name: String,
    /// What writes the results; without one they are the state's result.
    pub writer: Option<ResultTarget>,
    /// How often the run was redriven.
    pub redrives: u32,
}

/// An attempt as the language knows it; the shell finds the component that `resource` names.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// Which attempt.
    pub task: TaskId,
    /// The state's `Resource`.
    pub resource: String,
    /// JSON text for the task.
    pub parameters: Payload,
    /// `$$.Execution.Id`.
    pub execution: Arc<str>,
    /// `$$.StateMachine.Id`.
    pub machine: Arc<str>,
    /// The state's name.
    pub state: Arc<str>,
    /// 0 for the first attempt.
    pub retry_count: u32,
    /// When TimeoutSeconds is over.
    pub deadline: Option<Timestamp>,
    /// HeartbeatSeconds.
    pub heartbeat_seconds: Option<u64>,
    /// Whether it is recorded as started: a worker may have it already.
    pub started: bool,
    /// Whether its request was made before: it must not be made again, only waited for.
    pub submitted: bool,
    /// The version of the module it runs, settled when it got its slot.
    pub version: Option<u32>,
}

/// Answers to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The execution has started, or an equal one with this name is running.
    Started {
        /// Its id.
        execution: ExecutionId,
        /// Its StartDate.
        at: Timestamp,
    },
    /// Another execution of the machine has the name: a closed one, or one with other input.
    NameTaken {
        /// Which.
        execution: ExecutionId,
    },
    /// The execution was stopped by this call.
    Stopped {
        /// StopDate.
        at: Timestamp,
    },
    /// The execution was closed before.
    AlreadyClosed {
        /// StopDate.
        at: Timestamp,
    },
    /// The Map Run has new bounds.
    MapRunUpdated,
    /// No running execution has this id; the store knows whether it ever existed.
    NotRunning,
    /// The execution goes on.
    Redriven {
        /// RedriveDate.
        at: Timestamp,
    },
    /// The execution isn't over, succeeded, or has no room left in its history.
    NotRedrivable,
    /// What was said of an attempt is recorded; of a heartbeat, that it was heard.
    TaskHeard,
    /// The attempt isn't open: it ended, or nobody can take it any more.
    TaskNotOpen,
    /// The execution has closed.
    Closed {
        /// Which.
        execution: ExecutionId,
        /// How.
        status: Status,
        /// Its output where it succeeded.
        output: Option<Payload>,
        /// Its failure where it didn't.
        failure: Option<Failure>,
        /// When.
        at: Timestamp,
    },
    /// The commit failed; nothing happened. The text is for the operator.
    Fault(String),
}
