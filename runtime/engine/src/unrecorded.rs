//! Runs: executions that are not recorded step by step.
//!
//! The interpreter is the same and so is everything that follows the durability line; only the line is elsewhere. An
//! asynchronous Express execution is on disk with its start and its outcome: between them the line keeps up with the
//! interpreter, and after a crash the execution begins again as another run. A synchronous one is nowhere on disk, and
//! its line is wherever it is.

use asl::execution::{Execution, Limits};
use asl::{Event, EventKind};

use crate::Engine;
use crate::ids::ExecutionId;
use crate::output::Output;
use crate::quarantine::guarded;
use crate::resident::{Entry, Resident};

/// What a run knows beyond the disk.
#[derive(Debug)]
pub(crate) struct Run {
    /// Whether its start is on disk, or need not be.
    begun: bool,
    /// How many of its events are to be recorded and aren't yet: its start, its outcome.
    unsaved: u64,
    /// Whether its events are put out.
    shown: bool,
    /// Events applied and not put out yet.
    unseen: Vec<Event>,
}

impl Run {
    /// A run of which nothing has happened.
    pub(crate) fn new(shown: bool, begun: bool) -> Self {
        Self {
            begun,
            unsaved: 0,
            shown,
            unseen: Vec::new(),
        }
    }

    /// Another run of an execution whose start is on disk; `None` for one that is recorded step by step.
    pub(crate) fn again(execution: &Execution, shown: bool) -> Option<Self> {
        let mode = execution.mode();
        if mode.is_standard() {
            return None;
        }
        let mut run = Self::new(shown, true);
        if let Some(context) = execution.context().filter(|_| shown) {
            let kind = EventKind::ExecutionStarted {
                input: context.input.clone(),
                id: context.id.clone(),
                name: context.name.clone(),
                role: context.role.clone(),
                machine_id: context.machine_id.clone(),
                machine_name: context.machine_name.clone(),
                child_of: None,
                mode,
                trace_parent: execution.trace_parent().map(str::to_owned),
                starter: None,
            };
            let at = context.started;
            run.unseen.push(Event { at, kind });
        }
        Some(run)
    }

    /// An event was applied.
    pub(crate) fn applied(&mut self, event: &Event, recorded: bool) {
        self.unsaved += u64::from(recorded);
        if self.shown {
            self.unseen.push(event.clone());
        }
    }

    /// So many of its events are on disk.
    fn saved(&mut self, count: u64) {
        self.begun = true;
        self.unsaved = self.unsaved.saturating_sub(count);
    }
}

impl Resident {
    /// What this execution may use: histories that nobody keeps have no longest one.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        match self.run {
            None => limits,
            Some(_) => Limits {
                history_entries: Limits::OFF.history_entries,
                ..limits
            },
        }
    }

    /// Moves the line of a run up to the interpreter, and answers where it was and what may be seen now. Not while its
    /// outcome is on its way to the disk: what that ends goes on until it is there.
    fn move_line(&mut self) -> Option<(u64, Vec<Event>)> {
        let run = self.run.as_mut().filter(|run| run.begun && run.unsaved == 0)?;
        let from = std::mem::replace(&mut self.durable, self.execution.position());
        Some((from, std::mem::take(&mut run.unseen)))
    }
}

impl Engine {
    /// An append of a run is on disk.
    pub(crate) fn run_saved(&mut self, id: ExecutionId, count: u64) {
        if let Some(Entry::Resident(resident)) = self.executions.get_mut(&id)
            && let Some(run) = &mut resident.run
        {
            run.saved(count);
        }
        self.pass_line(id);
    }

    /// Lets out what a run has come to: the counterpart of a commit, without one.
    pub(crate) fn pass_line(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        let Some((from, events)) = resident.move_line() else {
            return;
        };
        if !events.is_empty() {
            self.outputs.push_back(Output::Unrecorded {
                execution: id,
                version: resident.pinned.version,
                events,
            });
        }
        if resident.journal.is_none() {
            // No commit will carry them.
            for (to, reply) in std::mem::take(&mut resident.replies) {
                self.outputs.push_back(Output::Reply { to, reply });
            }
        }
        match guarded(|| resident.mark_unwanted()) {
            Ok(()) => self.reconcile(id, from),
            Err(panic) => self.quarantine(id, panic),
        }
    }
}
