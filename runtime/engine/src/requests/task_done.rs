//! An attempt ended.

use asl::execution::TaskOutcome;

use crate::Engine;
use crate::ids::TaskId;
use crate::output::Output;
use crate::ports::{Outcome, Report};
use crate::resident::{Entry, Loading, Pending};

impl Engine {
    /// Records how an attempt ended, together with its start. Reports of attempts that don't run,
    /// because they were reported before or stopped, and of attempts that nobody wants any more, are dropped.
    pub(crate) fn task_done(&mut self, task: TaskId, report: Report) {
        let (now, limits) = (self.now, self.options.limits);
        let resident = match self.executions.get_mut(&task.execution) {
            Some(Entry::Resident(resident)) => resident,
            Some(Entry::Loading(loading)) if loading.parked.contains_key(&task.scheduled_at) => {
                loading.pending.push(Pending::TaskDone { task, report });
                return;
            }
            Some(Entry::Dormant(parked)) if parked.contains_key(&task.scheduled_at) => {
                let pending = vec![Pending::TaskDone { task, report }];
                self.load(
                    task.execution,
                    Loading {
                        pending,
                        ..Loading::default()
                    },
                );
                return;
            }
            Some(Entry::Loading(_) | Entry::Dormant(_) | Entry::Quarantined) | None => return,
        };
        let running = resident.running.remove(&task.scheduled_at);
        // The report may be that of an earlier run of the same attempt, and a later one goes on.
        let may_go_on = resident.came_back || running.as_ref().is_some_and(|running| !running.has_slot);
        let given = match running {
            Some(running) => {
                if running.has_slot {
                    self.slots.give_back();
                }
                running.given
            }
            None => return,
        };
        if may_go_on {
            self.outputs.push_back(Output::Cancel(task));
        }
        self.change(task.execution, |resident| {
            resident.record_started(task.scheduled_at, given)?;
            let outcome = match report.outcome {
                Outcome::Succeeded(output) => TaskOutcome::Succeeded(output),
                Outcome::Failed(failure) => TaskOutcome::Failed(failure),
                Outcome::TimedOut(timeout) => TaskOutcome::TimedOut(timeout),
            };
            match resident
                .execution
                .task_result(task.scheduled_at, outcome, report.attempt, resident.limits(limits))
            {
                Some(kind) => resident.record(now, kind),
                None => Ok(()),
            }
        });
    }
}
