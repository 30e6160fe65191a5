//! An attempt goes on without its slot.

use asl::{EventKind, Payload};

use crate::Engine;
use crate::ids::TaskId;
use crate::input::Release;
use crate::resident::{Entry, Loading, Pending};

impl Engine {
    /// Gives the attempt's slot back and, where its request was made, records that. Attempts that don't run
    /// or aren't open any more have given it back already.
    pub(crate) fn task_released(&mut self, task: TaskId, release: Release, submitted: Option<Payload>) {
        let now = self.now;
        let resident = match self.executions.get_mut(&task.execution) {
            Some(Entry::Resident(resident)) => resident,
            Some(Entry::Loading(loading)) if loading.parked.contains_key(&task.scheduled_at) => {
                loading.pending.push(Pending::TaskReleased {
                    task,
                    release,
                    submitted,
                });
                return;
            }
            Some(Entry::Dormant(parked)) if parked.contains_key(&task.scheduled_at) => {
                let pending = vec![Pending::TaskReleased {
                    task,
                    release,
                    submitted,
                }];
                self.load(
                    task.execution,
                    Loading {
                        pending,
                        ..Loading::default()
                    },
                );
                return;
            }
            _ => return,
        };
        let Some(running) = resident.running.get_mut(&task.scheduled_at) else {
            return;
        };
        let given = running.given;
        running.released = true;
        running.queued = release == Release::Queued;
        if std::mem::replace(&mut running.has_slot, false) {
            self.slots.give_back();
        }
        let (full, limit) = (
            resident.execution.history_entries().saturating_add(2),
            resident.limits(self.options.limits).history_entries,
        );
        self.change(task.execution, |resident| {
            if release == Release::Callback {
                resident.beat(task.scheduled_at, now);
            }
            let Some(open) = resident.execution.open_task(task.scheduled_at) else {
                return Ok(());
            };
            let (scope, submitted_before) = (open.scope, open.submitted);
            match submitted {
                Some(output) if !submitted_before && full < limit => {
                    resident.record_started(task.scheduled_at, given)?;
                    resident.record(now, EventKind::TaskSubmitted { scope, output })
                }
                Some(_) | None => Ok(()),
            }
        });
    }
}
