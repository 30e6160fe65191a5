//! An execution was read back.

use asl::execution::Execution;

use crate::Engine;
use crate::ids::ExecutionId;
use crate::input::Loaded;
use crate::output::Reply;
use crate::ports::StoreError;
use crate::quarantine::guarded;
use crate::resident::{Entry, Loading, Resident};

impl Engine {
    pub(crate) fn loaded(&mut self, id: ExecutionId, result: Result<Loaded, StoreError>) {
        if !self.loads.arrived(id) {
            return;
        }
        let Some(Entry::Loading(loading)) = self.executions.get_mut(&id) else {
            return;
        };
        let came_back = loading.came_back;
        let resident = match result {
            Ok(loaded) => match guarded(|| read_back(&loaded, came_back)) {
                Ok(read) => read,
                Err(panic) => Err(panic),
            },
            Err(error) => Err(error.to_string()),
        };
        match resident {
            Ok(resident) => self.settle(id, resident),
            Err(reason) => self.quarantine(id, reason),
        }
    }

    fn settle(&mut self, id: ExecutionId, resident: Resident) {
        let Some(Entry::Loading(Loading { stops, .. })) =
            self.executions.insert(id, Entry::Resident(Box::new(resident)))
        else {
            return;
        };
        self.reconcile(id, 0);
        for stop in stops {
            match self.executions.get(&id) {
                Some(Entry::Quarantined) => {
                    let text = format!("execution {} is quarantined and can't be stopped", id.0);
                    self.reply(stop.reply, Reply::Fault(text));
                }
                _ => self.stop_resident(id, stop),
            }
        }
        self.ready.push_back(id);
    }
}

fn read_back(loaded: &Loaded, came_back: bool) -> Result<Resident, String> {
    let machine = std::sync::Arc::clone(&loaded.state_machine);
    let execution =
        Execution::replay(machine, &loaded.events).map_err(|error| format!("its journal does not replay: {error}"))?;
    if execution.context().is_none() {
        return Err("its journal is empty".to_owned());
    }
    Ok(Resident::read_back(execution, came_back))
}
