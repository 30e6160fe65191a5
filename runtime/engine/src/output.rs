//! Everything the engine asks of its shell.

use asl::{Event, Failure, Payload, Status, Timestamp};

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
        /// In order, with none left out.
        events: Vec<Event>,
    },
    /// An execution panicked or can't be read back; it is left alone until the next start of the process.
    Quarantined {
        /// Which.
        execution: ExecutionId,
        /// Why, for the operator.
        reason: String,
    },
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
    pub execution: String,
    /// `$$.StateMachine.Id`.
    pub machine: String,
    /// The state's name.
    pub state: String,
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
    /// No running execution has this id; the store knows whether it ever existed.
    NotRunning,
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
