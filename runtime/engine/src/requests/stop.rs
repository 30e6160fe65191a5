//! Somebody wants an execution stopped.

use asl::{EventKind, Failure};

use crate::Engine;
use crate::ids::{ExecutionId, ReplyTo};
use crate::output::Reply;
use crate::resident::{Entry, Loading, Pending, PendingStop};

impl Engine {
    pub(crate) fn stop(&mut self, id: ExecutionId, failure: Failure, reply: ReplyTo) {
        match self.executions.get_mut(&id) {
            Some(Entry::Resident(_)) => self.stop_resident(id, PendingStop { failure, reply }),
            Some(Entry::Loading(loading)) => loading.pending.push(Pending::Stop(PendingStop { failure, reply })),
            Some(Entry::Dormant(_)) => {
                self.load(
                    id,
                    Loading {
                        pending: vec![Pending::Stop(PendingStop { failure, reply })],
                        ..Loading::default()
                    },
                );
            }
            Some(Entry::Quarantined) => {
                let text = format!(
                    "execution {} is quarantined and can't be stopped; restart the server to try it again",
                    id.0
                );
                self.reply(reply, Reply::Fault(text));
            }
            None => self.reply(reply, Reply::NotRunning),
        }
    }

    /// Stops an execution in memory. The answer waits for the event it speaks of, whether this call
    /// or something before it caused that.
    pub(crate) fn stop_resident(&mut self, id: ExecutionId, stop: PendingStop) {
        let now = self.now;
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            self.reply(stop.reply, Reply::NotRunning);
            return;
        };
        if resident.execution.status().is_closed() {
            let answer = Reply::AlreadyClosed {
                at: resident.closed_at(),
            };
            self.reply_when_durable(id, stop.reply, answer);
            return;
        }
        resident.replies.push((stop.reply, Reply::Stopped { at: now }));
        self.change(id, |resident| {
            resident.record(now, EventKind::ExecutionAborted { failure: stop.failure })
        });
    }

    /// Answers with what an execution came to, once that is on disk.
    pub(crate) fn reply_when_durable(&mut self, id: ExecutionId, to: ReplyTo, answer: Reply) {
        match self.executions.get_mut(&id) {
            Some(Entry::Resident(resident)) if !resident.events.is_empty() => resident.replies.push((to, answer)),
            Some(Entry::Resident(resident)) if !resident.is_durable() => self.answer_with_batch(id, to, answer),
            _ => self.reply(to, answer),
        }
    }

    /// Adds an answer to the batch in flight, which carries its cause.
    fn answer_with_batch(&mut self, id: ExecutionId, to: ReplyTo, answer: Reply) {
        let members = self.commits.in_flight.as_mut().map(|batch| batch.members.iter_mut());
        match members.into_iter().flatten().find(|member| member.execution == id) {
            Some(member) => member.replies.push((to, answer)),
            None => self.reply(to, answer),
        }
    }
}
