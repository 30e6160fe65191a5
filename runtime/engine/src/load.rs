//! How much there is to do, for whoever watches.

use crate::Engine;
use crate::resident::Entry;

/// What an engine has in hand at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Executions that haven't closed, as far as the engine knows.
    pub running: usize,
    /// Those of them that are not recorded step by step.
    pub unrecorded: usize,
    /// Those of them that are in memory.
    pub resident: usize,
    /// Executions set aside until the next start of the process.
    pub quarantined: usize,
    /// Attempts that may run at once.
    pub slots: usize,
    /// Attempts that have a slot.
    pub slots_taken: usize,
    /// Attempts that wait for one.
    pub tasks_waiting: usize,
}

impl Engine {
    /// What there is now. Looks at every execution in memory.
    pub fn workload(&self) -> Load {
        let mut load = Load {
            slots: self.slots.total(),
            slots_taken: self.slots.taken(),
            ..Load::default()
        };
        for entry in self.executions.values() {
            match entry {
                Entry::Resident(resident) => {
                    load.running += usize::from(!resident.execution.status().is_closed());
                    load.unrecorded += usize::from(!resident.execution.mode().is_standard());
                    load.resident += 1;
                    load.tasks_waiting += resident.waiting.len();
                }
                Entry::Dormant(_) | Entry::Loading(_) => load.running += 1,
                Entry::Quarantined => load.quarantined += 1,
            }
        }
        load
    }
}
