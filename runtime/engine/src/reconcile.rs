//! What should run against what runs.
//!
//! Open work is a value, so there is no outbox: the difference is taken whenever the durability line
//! moves. Recovery is the same difference against nothing.

use std::collections::BTreeSet;

use asl::execution::Execution;

use crate::Engine;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::quarantine::guarded;
use crate::resident::{Entry, Resident};

impl Resident {
    /// Marks attempts that run and aren't open any more. Called as a batch is cut: it carries
    /// whatever ended them, so they are stopped when it is on disk and not before.
    pub(crate) fn mark_unwanted(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let open = open_positions(&self.execution);
        let position = self.execution.position();
        for (scheduled_at, running) in &mut self.running {
            if running.unwanted_at.is_none() && !open.contains(scheduled_at) {
                running.unwanted_at = Some(position);
            }
        }
    }

    /// Recomputes which attempts may run and have no slot.
    fn find_waiting(&mut self) {
        let (durable, running) = (self.durable, &self.running);
        self.waiting = open_positions(&self.execution)
            .into_iter()
            .filter(|scheduled_at| *scheduled_at < durable && !running.contains_key(scheduled_at))
            .collect();
    }

    /// Takes out the attempts whose end is on disk.
    fn take_unwanted(&mut self) -> Vec<u64> {
        let durable = self.durable;
        self.running
            .extract_if(.., |_, running| {
                running
                    .unwanted_at
                    .is_some_and(|position| position <= durable)
            })
            .map(|(scheduled_at, _)| scheduled_at)
            .collect()
    }
}

impl Engine {
    /// Stops what nobody wants any more and queues what may run now.
    pub(crate) fn reconcile(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        if let Err(panic) = guarded(|| resident.find_waiting()) {
            self.quarantine(id, panic);
            return;
        }
        if !resident.waiting.is_empty() {
            self.slots.line.push_back(id);
        }
        for scheduled_at in resident.take_unwanted() {
            self.slots.give_back();
            self.outputs.push_back(Output::Cancel(TaskId {
                execution: id,
                scheduled_at,
            }));
        }
    }

    /// Stops everything that runs for an execution which leaves memory.
    pub(crate) fn release(&mut self, id: ExecutionId, resident: &mut Resident) {
        resident.waiting.clear();
        for scheduled_at in std::mem::take(&mut resident.running).into_keys() {
            self.slots.give_back();
            self.outputs.push_back(Output::Cancel(TaskId {
                execution: id,
                scheduled_at,
            }));
        }
    }
}

fn open_positions(execution: &Execution) -> BTreeSet<u64> {
    execution
        .open_tasks()
        .map(|task| task.scheduled_at)
        .collect()
}
