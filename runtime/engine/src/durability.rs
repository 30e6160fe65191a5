//! The durability line: what happens when a batch is on disk, and when it isn't.
//!
//! Nothing leaves the engine before its cause is on disk. Answers travel with the batch that carries
//! their cause; attempts are compared with what is open when the line moves.

use asl::{Status, Timestamp};

use crate::Engine;
use crate::group_commit::Member;
use crate::ids::{ExecutionId, ReplyTo};
use crate::output::{Output, Reply};
use crate::resident::{Entry, Loading};

/// The execution that has a name already.
pub(crate) struct Namesake {
    pub(crate) execution: ExecutionId,
    pub(crate) started: Timestamp,
    pub(crate) status: Status,
    pub(crate) same_input: bool,
}

impl Engine {
    pub(crate) fn reply(&mut self, to: ReplyTo, reply: Reply) {
        self.outputs.push_back(Output::Reply { to, reply });
    }

    /// The append is on disk.
    pub(crate) fn appended(&mut self, member: Member) {
        for (to, reply) in member.replies {
            self.reply(to, reply);
        }
        let id = member.execution;
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        let from = resident.durable;
        let is_run = resident.run.is_some();
        resident.durable_up_to(member.end);
        if is_run {
            self.run_saved(id, member.count);
        } else {
            self.reconcile(id, from);
            self.map_runs_moved(id, from);
        }
        self.ready.push_back(id);
    }

    /// The append was not written, nor was anything else of its batch, or somebody else has moved the
    /// execution. This is a crash of the execution: forget it and read back what is on disk.
    pub(crate) fn crashed(&mut self, member: Member, why: &str) {
        let id = member.execution;
        for (to, _) in member.replies {
            self.reply(to, Reply::Fault(why.to_owned()));
        }
        if let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) {
            for (to, _) in std::mem::take(&mut resident.replies) {
                self.outputs.push_back(Output::Reply {
                    to,
                    reply: Reply::Fault(why.to_owned()),
                });
            }
        }
        if member.first {
            self.drop_unwritten(id);
            for to in self.waiters.remove(&id).unwrap_or_default() {
                self.reply(to, Reply::Fault(why.to_owned()));
            }
        } else if let Some(Entry::Resident(mut resident)) = self.executions.remove(&id) {
            let journal = resident.journal.unwrap_or(id);
            if journal == id {
                self.release(id, &mut resident, Output::Forget);
            } else {
                // The run is over; the execution begins again as another one.
                self.release(id, &mut resident, Output::Cancel);
                self.timers.set(id, None);
                if let Some(waiting) = self.waiters.remove(&id) {
                    self.waiters.insert(journal, waiting);
                }
            }
            self.load(
                journal,
                Loading {
                    came_back: true,
                    ..Loading::default()
                },
            );
        }
    }

    /// Another execution of the machine has the name: the new one never was.
    pub(crate) fn name_taken(&mut self, member: Member, namesake: &Namesake) {
        let id = member.execution;
        let stands_in = namesake.same_input && namesake.status == Status::Running;
        let answer = if stands_in {
            Reply::Started {
                execution: namesake.execution,
                at: namesake.started,
            }
        } else {
            Reply::NameTaken {
                execution: namesake.execution,
            }
        };
        for (to, reply) in member.replies {
            let started = matches!(reply, Reply::Started { .. });
            self.reply(to, if started { answer.clone() } else { Reply::NotRunning });
        }
        self.drop_unwritten(id);
        for to in self.waiters.remove(&id).unwrap_or_default() {
            if !stands_in {
                self.reply(to, answer.clone());
                continue;
            }
            match self.executions.get(&namesake.execution) {
                // Its end isn't on disk yet, or the store would have said so: it will be announced.
                Some(Entry::Resident(_) | Entry::Dormant(_) | Entry::Loading(_)) => {
                    self.waiters.entry(namesake.execution).or_default().push(to);
                }
                Some(Entry::Quarantined) => {
                    let text = format!(
                        "execution {} has the name and is quarantined, so its end can't be waited for; \
                         restart the server to try it again",
                        namesake.execution.0
                    );
                    self.reply(to, Reply::Fault(text));
                }
                None => {
                    let text = format!("execution {} has the name and runs elsewhere", namesake.execution.0);
                    self.reply(to, Reply::Fault(text));
                }
            }
        }
    }

    /// Forgets an execution of which nothing is on disk.
    pub(crate) fn drop_unwritten(&mut self, id: ExecutionId) {
        self.timers.set(id, None);
        self.child_dropped(id);
        if let Some(Entry::Resident(resident)) = self.executions.remove(&id) {
            for (to, _) in resident.replies {
                self.reply(to, Reply::NotRunning);
            }
        }
    }
}
