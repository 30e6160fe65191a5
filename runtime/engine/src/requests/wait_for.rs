//! Somebody wants to hear of an execution's end.

use crate::Engine;
use crate::ids::{ExecutionId, ReplyTo};
use crate::output::Reply;
use crate::resident::Entry;

impl Engine {
    pub(crate) fn wait_for(&mut self, id: ExecutionId, reply: ReplyTo) {
        match self.executions.get(&id) {
            Some(Entry::Resident(_) | Entry::Dormant(_) | Entry::Loading(_)) => {
                self.waiters.entry(id).or_default().push(reply);
            }
            Some(Entry::Quarantined) => {
                let text = format!("execution {} is quarantined; restart the server to try it again", id.0);
                self.reply(reply, Reply::Fault(text));
            }
            None => self.reply(reply, Reply::NotRunning),
        }
    }
}
