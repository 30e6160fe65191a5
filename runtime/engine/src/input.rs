//! Everything that can happen to the engine.

use std::sync::Arc;

use asl::definition::StateMachine;
use asl::{Failure, MapItem, Mode, Payload, Percentage};

use crate::batch::Child;
use crate::ids::{BatchId, Digest, ExecutionId, MachineId, ReplyTo, TaskId};
use crate::ports::{CommitResult, ExecutionRecord, MapRunStanding, Origin, Report, StoreError};
use crate::replay::Loaded;

/// One thing that happened, handed in by the shell with the time it happened at.
#[derive(Debug)]
pub enum Input {
    /// Somebody wants an execution started.
    Start(StartExecution),
    /// Somebody wants an execution stopped.
    Stop {
        /// Which.
        execution: ExecutionId,
        /// The caller's reason.
        failure: Failure,
        /// Whom to answer.
        reply: ReplyTo,
    },
    /// Somebody wants an execution that is over, and not by success, to go on.
    Redrive {
        /// Which.
        execution: ExecutionId,
        /// What the caller names this redrive.
        token: Option<String>,
        /// Whom to answer.
        reply: ReplyTo,
    },
    /// Somebody wants to hear of an execution's end.
    Await {
        /// Which.
        execution: ExecutionId,
        /// Whom to answer.
        reply: ReplyTo,
    },
    /// An attempt ended. One the engine no longer wants is dropped.
    TaskDone {
        /// Which attempt.
        task: TaskId,
        /// How.
        report: Report,
    },
    /// An attempt goes on without its slot: what it waits for happens elsewhere.
    TaskReleased {
        /// Which attempt.
        task: TaskId,
        /// What it waits for.
        release: Release,
        /// What its request answered, where one was made that must not be made again.
        submitted: Option<Payload>,
    },
    /// Somebody outside speaks of an attempt: a worker, or whoever holds its task token.
    Callback {
        /// Which attempt.
        task: TaskId,
        /// What is said of it.
        word: Word,
        /// Whom to answer.
        reply: ReplyTo,
    },
    /// An answer to [`crate::output::Output::ReadItems`].
    ItemsRead {
        /// Which run.
        run: TaskId,
        /// How often it was redriven when they were asked for.
        redrives: u32,
        /// Number of the first item.
        from: u64,
        /// The items, or the failure of the run.
        result: Result<ItemsRead, Failure>,
    },
    /// An answer to [`crate::output::Output::LoadMapRun`].
    MapRunLoaded {
        /// Which run.
        run: TaskId,
        /// How often it was redriven when it was asked about.
        redrives: u32,
        /// How far it had come, or its failure where its results can't be written; an error where what is stored
        /// can't be read.
        result: Result<Result<MapRunStanding, Failure>, StoreError>,
    },
    /// An answer to [`crate::output::Output::FindChildrenToRedrive`].
    ChildrenToRedrive {
        /// Which run.
        run: TaskId,
        /// How often it was redriven when it was asked about.
        redrives: u32,
        /// The last child of the page before.
        after: Option<ExecutionId>,
        /// A page of them; one that isn't full is the last.
        result: Result<Vec<(ExecutionId, Child)>, StoreError>,
    },
    /// An answer to [`crate::output::Output::FinishMapRun`].
    MapRunFinished {
        /// Which run.
        run: TaskId,
        /// How often it was redriven when it was asked about.
        redrives: u32,
        /// The Map state's result, or the failure of the run; an error where what is stored can't be read.
        result: Result<Result<Payload, Failure>, StoreError>,
    },
    /// Somebody wants the bounds of a Map Run changed while it goes on.
    UpdateMapRun {
        /// Which.
        run: TaskId,
        /// To what.
        bounds: MapRunBounds,
        /// Whom to answer.
        reply: ReplyTo,
    },
    /// A batch is on disk, or isn't.
    Committed {
        /// Which batch.
        batch: BatchId,
        /// Outcomes in the order of the batch's appends.
        result: CommitResult,
    },
    /// An answer to [`crate::output::Output::Load`].
    Loaded {
        /// Which execution.
        execution: ExecutionId,
        /// Its journal and definition.
        result: Result<Loaded, StoreError>,
    },
    /// First input after a start of the process: executions that aren't closed.
    Recover {
        /// In the order of ids.
        running: Vec<ExecutionRecord>,
        /// The highest id ever given out.
        last: ExecutionId,
    },
    /// The time a wake-up was asked for has come.
    Tick,
}

/// Items of a Map Run, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemsRead {
    /// At least one, unless there are no more.
    pub items: Vec<MapItem>,
    /// Whether no item follows.
    pub last: bool,
}

/// New bounds of a Map Run; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapRunBounds {
    /// Children at once; 0 is no bound.
    pub max_concurrency: Option<u32>,
    /// Failed items that are tolerated.
    pub tolerated_count: Option<u64>,
    /// The same as a percentage of all items.
    pub tolerated_percentage: Option<Percentage>,
}

/// What an attempt without a slot waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// A worker that takes it: it hasn't started.
    Queued,
    /// Something that is reported with [`Input::TaskDone`].
    Elsewhere,
    /// Whoever holds its task token; the clock of its heartbeats runs.
    Callback,
}

/// What is said of an attempt from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It returned this.
    Succeeded(Payload),
    /// It failed with this.
    Failed(Failure),
    /// It is still being worked on.
    Heartbeat,
    /// A worker took it from its queue.
    Taken {
        /// The name the worker gave itself.
        worker: Option<String>,
    },
}

/// An execution to start.
#[derive(Debug)]
pub struct StartExecution {
    /// Its machine.
    pub machine: MachineId,
    /// The definition it will be pinned to.
    pub definition: Digest,
    /// The same, parsed.
    pub state_machine: Arc<StateMachine>,
    /// How much of it reaches the disk.
    pub mode: Mode,
    /// Through which version or alias it is started.
    pub origin: Option<Origin>,
    /// `$$.Execution.Name`.
    pub name: String,
    /// What it is stored under, unique within the machine, where its name is not.
    pub stored_as: Option<String>,
    /// The caller's input, letter by letter.
    pub input: Payload,
    /// `$$.Execution.Id`.
    pub id_text: String,
    /// `$$.Execution.RoleArn`.
    pub role: Option<String>,
    /// `$$.StateMachine.Id`.
    pub machine_id_text: String,
    /// `$$.StateMachine.Name`.
    pub machine_name: String,
    /// What the caller's trace says it is a part of.
    pub trace_parent: Option<String>,
    /// The attempt that starts it, where one does.
    pub starter: Option<TaskId>,
    /// Whom to answer once the start is durable.
    pub reply: ReplyTo,
    /// Whom to answer once the execution has closed and that is durable, for callers that wait.
    pub on_closed: Option<ReplyTo>,
}
