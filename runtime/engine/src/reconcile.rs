//! What should run against what runs.
//!
//! Open work is a value, so there is no outbox: the difference is taken whenever the durability line
//! moves. Recovery is the same difference against nothing, from the journal's beginning.

use crate::Engine;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::quarantine::guarded;
use crate::resident::{Entry, Resident, Running};

impl Resident {
    /// Marks attempts that run and aren't open any more. Called as a batch is cut: it carries
    /// whatever ended them, so they are stopped when it is on disk and not before.
    pub(crate) fn mark_unwanted(&mut self) {
        for (scheduled_at, running) in &mut self.running {
            running.unwanted = self.execution.open_task(*scheduled_at).is_none();
        }
    }

    /// Finds the attempts that may run and have no slot. Only what the durability line has passed since
    /// position `from` can be new; what has ended since is found out when its turn comes.
    fn find_waiting(&mut self, from: u64) {
        let is_open = |scheduled_at: &u64| self.execution.open_task(*scheduled_at).is_some();
        let new = (from..self.durable)
            .filter(is_open)
            .filter(|scheduled_at| !self.running.contains_key(scheduled_at));
        self.waiting.extend(new);
        if self.execution.open_tasks().next().is_none() {
            self.waiting.clear();
        }
    }

    /// Takes out the attempts whose end is on disk.
    fn take_unwanted(&mut self) -> Vec<(u64, Running)> {
        self.running.extract_if(.., |_, running| running.unwanted).collect()
    }
}

impl Engine {
    /// Stops what nobody wants any more and queues what may run now that the durability line has moved on
    /// from position `from`.
    pub(crate) fn reconcile(&mut self, id: ExecutionId, from: u64) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        if let Err(panic) = guarded(|| resident.find_waiting(from)) {
            self.quarantine(id, panic);
            return;
        }
        if !resident.waiting.is_empty() {
            self.slots.line.push_back(id);
        }
        for (scheduled_at, running) in resident.take_unwanted() {
            if running.has_slot {
                self.slots.give_back();
            }
            if running.begins_at.is_some() {
                continue;
            }
            self.outputs.push_back(Output::Cancel(TaskId {
                execution: id,
                scheduled_at,
            }));
        }
        self.run_begun(id);
    }

    /// Gives back what runs for an execution which leaves memory: `how` says whether it is over, or will be
    /// asked for again.
    pub(crate) fn release(&mut self, id: ExecutionId, resident: &mut Resident, how: fn(TaskId) -> Output) {
        resident.waiting.clear();
        for (scheduled_at, running) in std::mem::take(&mut resident.running) {
            if running.has_slot {
                self.slots.give_back();
            }
            if running.begins_at.is_some() {
                continue;
            }
            self.outputs.push_back(how(TaskId {
                execution: id,
                scheduled_at,
            }));
        }
    }
}
