//! Somebody outside reports on an attempt: a worker, or whoever holds a task token.

use asl::execution::TaskOutcome;
use asl::{Attempt, EventKind};

use crate::Engine;
use crate::ids::{ReplyTo, TaskId};
use crate::input::Word;
use crate::output::Reply;
use crate::resident::{Entry, Loading, Pending};

impl Engine {
    pub(crate) fn callback(&mut self, task: TaskId, word: Word, reply: ReplyTo) {
        match self.executions.get_mut(&task.execution) {
            Some(Entry::Resident(_)) => self.callback_resident(task, word, reply),
            Some(Entry::Loading(loading)) => loading.pending.push(Pending::Callback { task, word, reply }),
            Some(Entry::Dormant(_)) => {
                let pending = vec![Pending::Callback { task, word, reply }];
                self.load(
                    task.execution,
                    Loading {
                        pending,
                        ..Loading::default()
                    },
                );
            }
            Some(Entry::Quarantined) => {
                let text = format!(
                    "execution {} is quarantined, so its tasks can't be reported on; restart the server to try it again",
                    task.execution.0
                );
                self.reply(reply, Reply::Fault(text));
            }
            None => self.reply(reply, Reply::TaskNotOpen),
        }
    }

    /// Takes the word of an attempt in memory. The answer waits for what it speaks of.
    pub(crate) fn callback_resident(&mut self, task: TaskId, word: Word, reply: ReplyTo) {
        let (now, limits) = (self.now, self.options.limits);
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&task.execution) else {
            self.reply(reply, Reply::TaskNotOpen);
            return;
        };
        let open = resident.execution.open_task(task.scheduled_at);
        let full = resident.execution.history_entries().saturating_add(2) >= resident.limits(limits).history_entries;
        let Some(open) = open.filter(|_| !full) else {
            self.reply_when_durable(task.execution, reply, Reply::TaskNotOpen);
            return;
        };
        let (scope, started) = (open.scope, open.started);
        let given = resident
            .running
            .get(&task.scheduled_at)
            .map_or(now, |running| running.given);
        match word {
            Word::Heartbeat => {
                self.change(task.execution, |resident| {
                    resident.beat(task.scheduled_at, now);
                    Ok(())
                });
                self.reply(reply, Reply::TaskHeard);
            }
            Word::Taken { worker } => {
                if started {
                    self.reply_when_durable(task.execution, reply, Reply::TaskNotOpen);
                    return;
                }
                resident.replies.push((reply, Reply::TaskHeard));
                self.change(task.execution, |resident| {
                    if let Some(running) = resident.running.get_mut(&task.scheduled_at) {
                        running.queued = false;
                    }
                    resident.beat(task.scheduled_at, now);
                    resident.record(
                        now,
                        EventKind::TaskStarted {
                            scope,
                            worker,
                            version: None,
                        },
                    )
                });
            }
            Word::Succeeded(_) | Word::Failed(_) => {
                let outcome = match word {
                    Word::Succeeded(output) => TaskOutcome::Succeeded(output),
                    Word::Failed(failure) => TaskOutcome::Failed(failure),
                    Word::Heartbeat | Word::Taken { .. } => return,
                };
                resident.replies.push((reply, Reply::TaskHeard));
                self.change(task.execution, |resident| {
                    resident.record_started(task.scheduled_at, given)?;
                    let kind = resident.execution.task_result(
                        task.scheduled_at,
                        outcome,
                        Attempt::default(),
                        resident.limits(limits),
                    );
                    match kind {
                        Some(kind) => resident.record(now, kind),
                        None => Ok(()),
                    }
                });
            }
        }
    }
}
