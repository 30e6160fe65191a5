//! What one commit writes: events of several executions, all or none.

use asl::{Event, Status, Timestamp};

use crate::ids::{BatchId, Digest, ExecutionId, MachineId, TaskId};
use crate::ports::Origin;

/// One transaction's worth of events.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// One append for each execution that moved; no execution and no name of a machine twice.
    pub appends: Vec<Append>,
}

/// New events of one execution.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose.
    pub execution: ExecutionId,
    /// Position of the first of `events`: how many the journal must already hold.
    pub expected_position: u64,
    /// At least one.
    pub events: Vec<Event>,
    /// Present on the first append of an execution.
    pub start: Option<Start>,
    /// The execution's status after these events.
    pub status: Status,
    /// When somebody must look at the execution again if the process dies now: at once where tasks are
    /// open, at the next timer where it only waits, absent where nothing but an outside call moves it.
    /// `None` as well once it is closed.
    pub wake_at: Option<Timestamp>,
}

impl Append {
    /// The `wake_at` that means at once: always the same time in the past, so that it seldom changes
    /// and an index over it is seldom written.
    pub const AT_ONCE: Timestamp = Timestamp(0);
}

/// What is stored of an execution beside its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The machine it belongs to.
    pub machine: MachineId,
    /// Unique within the machine.
    pub name: String,
    /// The definition it is pinned to.
    pub definition: Digest,
    /// StartDate.
    pub at: Timestamp,
    /// Through which version or alias it was started.
    pub origin: Option<Origin>,
    /// The Map Run it is a child of. Children have no names of their own, see [`ExecutionId::child_name`].
    pub child: Option<Child>,
}

/// What a child execution is to its Map Run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The run.
    pub run: TaskId,
    /// Number of its first item.
    pub item: u64,
    /// How many items it has.
    pub items: u64,
    /// The redrive of the run that started it, or that it was last redriven with; 0 before the first.
    pub round: u32,
}

/// What became of one append of a committed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is on disk.
    Appended,
    /// Another execution of the machine has this name; nothing of this append was written.
    NameTaken {
        /// Which.
        execution: ExecutionId,
        /// When it started.
        started: Timestamp,
        /// How it stands.
        status: Status,
        /// Whether its input is the same text.
        same_input: bool,
    },
    /// The journal is longer or shorter than expected: somebody else moved this execution.
    /// Nothing of this append was written.
    Conflict,
}
