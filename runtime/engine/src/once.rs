//! Attempts that are not repeated after a crash: they may have changed something outside, and nobody knows how far
//! they came.
//!
//! Such an attempt begins only when its start is on disk. Whoever finds the start of one there, and doesn't run it,
//! knows that a crash came between, and lets it fail; one without a start has never run. The start holds the version of
//! the module that is to run, so that nobody asks again what its name or label means.

use asl::execution::{ApplyError, Limits, TaskOutcome};
use asl::{Attempt, EventKind, Failure, Timestamp};

use crate::Engine;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::resident::{Entry, Resident};

/// What an attempt comes to that a crash interrupted and that may not be repeated. Retriers and catchers decide.
pub fn interrupted() -> Failure {
    Failure::new(
        "Sandbox.HostRestarted",
        "the server stopped, or couldn't write to its disk, while the task was under way, and nobody knows how far it \
         came; a Retry of the state runs it again, and so does `restart = \"repeat\"` in the manifest of a module that \
         can do its work twice",
    )
}

impl Resident {
    /// Records the start of an attempt that just got its slot and may not be repeated; it begins when that is on disk.
    /// One whose start is recorded already fails.
    fn begin_once(
        &mut self,
        scheduled_at: u64,
        version: Option<u32>,
        now: Timestamp,
        limits: Limits,
    ) -> Result<(), ApplyError> {
        let Some(task) = self.execution.open_task(scheduled_at) else {
            return Ok(());
        };
        let scope = task.scope;
        if task.started {
            let outcome = TaskOutcome::Failed(interrupted());
            let attempt = Attempt {
                version: task.version,
                ..Attempt::default()
            };
            let result = self.execution.task_result(scheduled_at, outcome, attempt, limits);
            if let Some(kind) = result {
                self.record(now, kind)?;
            }
            self.running.remove(&scheduled_at);
            return Ok(());
        }
        let worker = None;
        self.record(now, EventKind::TaskStarted { scope, worker, version })?;
        if let Some(running) = self.running.get_mut(&scheduled_at) {
            running.begins_at = Some(self.execution.position());
        }
        Ok(())
    }

    /// The attempts whose start is on disk by now and that are still wanted.
    fn take_begun(&mut self) -> Vec<u64> {
        let durable = self.durable;
        let begun = self.running.iter_mut().filter_map(|(scheduled_at, running)| {
            running.begins_at.take_if(|position| *position <= durable)?;
            Some(*scheduled_at)
        });
        let begun: Vec<u64> = begun.collect();
        begun
            .into_iter()
            .filter(|scheduled_at| self.execution.open_task(*scheduled_at).is_some())
            .collect()
    }
}

impl Engine {
    /// An attempt that may not be repeated got its slot.
    pub(crate) fn begin_once(&mut self, task: TaskId, version: Option<u32>) {
        let (now, limits) = (self.now, self.options.limits);
        let has_begun = |engine: &Self| match engine.executions.get(&task.execution) {
            Some(Entry::Resident(resident)) => resident.running.contains_key(&task.scheduled_at),
            _ => true,
        };
        self.change(task.execution, |resident| {
            resident.begin_once(task.scheduled_at, version, now, resident.limits(limits))
        });
        if !has_begun(self) {
            self.slots.give_back();
        }
    }

    /// Runs the attempts whose start the durability line has passed.
    pub(crate) fn run_begun(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        let requests: Vec<_> = resident
            .take_begun()
            .into_iter()
            .filter_map(|scheduled_at| resident.request(id, scheduled_at))
            .collect();
        for mut request in requests {
            // The start that is recorded is that of this very run.
            request.started = false;
            self.outputs.push_back(Output::Run(request));
        }
    }
}
