//! Somebody wants an execution that is over to go on.

use asl::EventKind;
use asl::execution::Execution;

use crate::Engine;
use crate::ids::{ExecutionId, ReplyTo};
use crate::output::Reply;
use crate::resident::{Entry, Loading, Pending};

/// Whether an execution is over, and not by success, and its history has room for the redrive and something more.
pub(crate) fn can_be_redriven(execution: &Execution, history_entries: u64) -> bool {
    execution.is_redrivable() && execution.history_entries().saturating_add(2) < history_entries
}

impl Engine {
    /// The execution is read back, since one that is over is on disk only.
    pub(crate) fn redrive(&mut self, id: ExecutionId, token: Option<String>, reply: ReplyTo) {
        match self.executions.get_mut(&id) {
            None => {
                let pending = vec![Pending::Redrive { token, reply }];
                self.load(
                    id,
                    Loading {
                        pending,
                        ..Loading::default()
                    },
                );
            }
            Some(Entry::Loading(loading)) => loading.pending.push(Pending::Redrive { token, reply }),
            Some(Entry::Resident(_)) => self.redrive_resident(id, token, reply),
            Some(Entry::Dormant(_)) => self.reply(reply, Reply::NotRedrivable),
            Some(Entry::Quarantined) => {
                let text = format!("execution {} is quarantined; restart the server to try it again", id.0);
                self.reply(reply, Reply::Fault(text));
            }
        }
    }

    /// Redrives an execution in memory, if it can be.
    pub(crate) fn redrive_resident(&mut self, id: ExecutionId, token: Option<String>, reply: ReplyTo) {
        let (now, most) = (self.now, self.options.limits.history_entries);
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            self.reply(reply, Reply::NotRedrivable);
            return;
        };
        // a child execution goes on with its Map Run
        if resident.child().is_some() || !can_be_redriven(&resident.execution, most) {
            self.reply_when_durable(id, reply, Reply::NotRedrivable);
            self.ready.push_back(id);
            return;
        }
        let count = resident.execution.redrive_count().saturating_add(1);
        resident.replies.push((reply, Reply::Redriven { at: now }));
        self.change(id, |resident| {
            let redriven = EventKind::ExecutionRedriven {
                count,
                token,
                round: None,
                in_turn: true,
            };
            resident.record(now, redriven)
        });
    }
}
