//! Journals: where they are written, and what is read of them.

use std::ops::ControlFlow;
use std::sync::Arc;

use asl::{Event, EventKind, Status, Timestamp};

use super::{Origin, Through};
use crate::batch::{AppendOutcome, Batch, Child};
use crate::ids::{Digest, ExecutionId, MachineId, TaskId};

/// Why something stored couldn't be written or read. The text says what was attempted, with what, and
/// what the operator can do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// What a commit came to: one outcome for each append, in order.
pub type CommitResult = Result<Vec<AppendOutcome>, StoreError>;

/// The write side of the journal: one writer, one transaction and one sync for each batch.
pub trait CommitLog: Send + Sync {
    /// Hands a batch to the writer and returns at once. `done` is called exactly once, from the
    /// writer's thread, after the batch is on disk or has failed as a whole.
    fn commit(&self, batch: Arc<Batch>, done: Box<dyn FnOnce(CommitResult) + Send>);
}

/// An execution as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: ExecutionId,
    /// Its machine.
    pub machine: MachineId,
    /// Unique within the machine.
    pub name: String,
    /// The definition it is pinned to.
    pub definition: Digest,
    /// How it stands.
    pub status: Status,
    /// When it started.
    pub started: Timestamp,
    /// When it closed.
    pub stopped: Option<Timestamp>,
    /// See [`crate::batch::Append::wake_at`].
    pub wake_at: Option<Timestamp>,
    /// Through which version or alias it was started.
    pub origin: Option<Origin>,
    /// The Map Run it is a child of.
    pub child: Option<Child>,
}

/// How far a Map Run has come, by what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapRunStanding {
    /// Number of the first item no child has: children are made in the order of items.
    pub next_item: u64,
    /// Its children and their items, by how the children stand.
    pub counts: Vec<ChildCount>,
    /// Of those that didn't succeed, the ones that the run's present redrive has not come to; none where it was never
    /// redriven.
    pub pending_redrive: Vec<ChildCount>,
    /// The children that aren't closed, in the order of items.
    pub running: Vec<ExecutionId>,
}

/// How many children of a Map Run stand alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildCount {
    /// How they stand.
    pub status: Status,
    /// How many.
    pub executions: u64,
    /// How many items they have.
    pub items: u64,
}

impl MapRunStanding {
    /// The count of children that stand like this.
    pub fn count(&self, status: Status) -> ChildCount {
        count_in(&self.counts, status)
    }

    /// The count of those that ended like this since the run was last redriven, or ever where it wasn't.
    pub fn count_of_round(&self, status: Status) -> ChildCount {
        let (all, pending) = (self.count(status), count_in(&self.pending_redrive, status));
        ChildCount {
            status,
            executions: all.executions.saturating_sub(pending.executions),
            items: all.items.saturating_sub(pending.items),
        }
    }
}

fn count_in(counts: &[ChildCount], status: Status) -> ChildCount {
    let none = ChildCount {
        status,
        executions: 0,
        items: 0,
    };
    let found = counts.iter().find(|count| count.status == status);
    found.copied().unwrap_or(none)
}

/// Whether a child that ended like this is redriven with its Map Run.
pub fn is_unsuccessful(status: Status) -> bool {
    match status {
        Status::Failed | Status::TimedOut | Status::Aborted => true,
        Status::Running | Status::Succeeded => false,
    }
}

/// The redrives of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrives {
    /// How many.
    pub count: u32,
    /// The last one's time.
    pub at: Timestamp,
    /// What the caller named the last one.
    pub token: Option<String>,
}

/// One page of a machine's executions, newest first.
#[derive(Debug, Clone)]
pub struct ExecutionQuery {
    /// Whose executions; every machine's when absent.
    pub machine: Option<MachineId>,
    /// Only those started through this; goes with `machine`, without which it says nothing.
    pub through: Option<Through>,
    /// Only these.
    pub status: Option<Status>,
    /// Only executions with a smaller id (the previous page's last).
    pub before: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

/// One page of a Map Run's children, newest first.
#[derive(Debug, Clone)]
pub struct ChildQuery {
    /// Whose.
    pub run: TaskId,
    /// Only these.
    pub status: Option<Status>,
    /// Only children with a smaller id (the previous page's last).
    pub before: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

/// The read side: every call reads one snapshot, so nobody sees what is not durable. Calls block.
pub trait Reader: Send + Sync {
    /// The execution with this id.
    fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError>;
    /// The execution with this name.
    fn execution_by_name(&self, machine: MachineId, name: &str) -> Result<Option<ExecutionRecord>, StoreError>;
    /// A page of executions; children of Map Runs are on none.
    fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// Hands the events from position `from` on to `visit`, in order, until it breaks off. No more of the journal
    /// is in memory at once than one commit wrote; `visit` must not call back into the store.
    fn visit_journal(
        &self,
        id: ExecutionId,
        from: u64,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;
    /// The events from position `from` on, in order.
    fn journal(&self, id: ExecutionId, from: u64) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        self.visit_journal(id, from, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }
    /// The first and the last event of an execution, its input and where it stands, without what lies
    /// between. `None` when there is no such execution.
    fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        let events = self.journal(id, 0)?;
        Ok(events.first().cloned().zip(events.last().cloned()))
    }
    /// How far a Map Run has come that was redriven `redrives` times.
    fn map_run(&self, run: TaskId, redrives: u32) -> Result<MapRunStanding, StoreError>;
    /// Children of a Map Run that didn't succeed and that its redrive number `redrives` has not come to, in the order
    /// of their items. `after` is the last one of the page before.
    fn children_to_redrive(
        &self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Child)>, StoreError>;
    /// A page of a Map Run's children, newest first.
    fn children(&self, query: &ChildQuery) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// Children of a Map Run that are closed, in the order of their items, each with its first and its last event.
    /// `after` is the last one of the page before.
    fn closed_children(
        &self,
        run: TaskId,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionRecord, Event, Event)>, StoreError>;
    /// How often an execution was redriven, and the last time; `None` when it never was.
    fn redrives(&self, id: ExecutionId) -> Result<Option<Redrives>, StoreError> {
        let redriven = |event: Event| match event.kind {
            EventKind::ExecutionRedriven { count, token, .. } => Some(Redrives {
                count,
                at: event.at,
                token,
            }),
            _ => None,
        };
        Ok(self.journal(id, 0)?.into_iter().filter_map(redriven).next_back())
    }
    /// Every execution that isn't closed, in the order of ids.
    fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// The highest execution id ever given out; 0 when there was none.
    fn last_execution(&self) -> Result<ExecutionId, StoreError>;
}
