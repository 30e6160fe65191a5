//! A panic in one execution stops that execution, visibly, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Engine;
use crate::ids::ExecutionId;
use crate::output::{Output, Reply};
use crate::resident::Entry;

/// Runs code that reads or moves one execution. What it was moving may be half moved after a panic:
/// whoever gets an `Err` puts the execution away with [`Engine::quarantine`].
///
/// # Errors
/// The panic's message.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("the interpreter panicked: {text}")
    })
}

impl Engine {
    /// Puts an execution away until the next start of the process: what runs for it is stopped, who
    /// waits for it is told, what is on disk stays as it is. Answers that belong to a batch in flight
    /// still follow that batch.
    pub(crate) fn quarantine(&mut self, id: ExecutionId, reason: String) {
        let text = format!("execution {} is quarantined: {reason}", id.0);
        match self.executions.insert(id, Entry::Quarantined) {
            Some(Entry::Resident(mut resident)) => {
                self.release(id, &mut resident);
                for (to, _) in std::mem::take(&mut resident.replies) {
                    self.reply(to, Reply::Fault(text.clone()));
                }
                if resident.start.is_some() {
                    // Its first event never left this process: nothing is on disk.
                    self.executions.remove(&id);
                }
            }
            Some(Entry::Loading(loading)) => {
                for stop in loading.stops {
                    self.reply(stop.reply, Reply::Fault(text.clone()));
                }
            }
            Some(Entry::Dormant | Entry::Quarantined) | None => {}
        }
        self.timers.set(id, None);
        for to in self.waiters.remove(&id).unwrap_or_default() {
            self.reply(to, Reply::Fault(text.clone()));
        }
        self.outputs.push_back(Output::Quarantined {
            execution: id,
            reason,
        });
    }
}
