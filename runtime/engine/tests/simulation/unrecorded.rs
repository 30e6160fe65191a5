//! Executions that aren't recorded step by step, as far as the world sees them.

use std::sync::Arc;

use asl::execution::Execution;
use asl::{Event, EventKind, Mode};
use engine::batch::{Batch, Start};
use engine::ids::{Digest, ExecutionId, MachineId};

use crate::disk::Stored;
use crate::world::World;

impl World {
    /// What is known of an execution or a run.
    pub fn stored(&self, id: ExecutionId) -> &Stored {
        let stored = self.disk.executions.get(&id);
        let recorded = stored.filter(|stored| stored.fold.mode().is_standard());
        let run = self.unrecorded.get(&id).or_else(|| self.over.get(&id));
        recorded.or(run).expect("run before it was past the line")
    }

    /// Events of a run are past its line: of an asynchronous one, its start and then its outcome are on disk.
    pub fn see(&mut self, run: ExecutionId, events: Vec<Event>) {
        for event in events {
            if let EventKind::ExecutionStarted {
                name, machine_id, mode, ..
            } = &event.kind
            {
                let number = machine_id.rsplit(':').next().and_then(|number| number.parse().ok());
                let machine = MachineId(number.expect("callers number machines"));
                let start = Start {
                    machine,
                    name: name.clone(),
                    definition: Digest("".into()),
                    at: event.at,
                    origin: None,
                    child: None,
                };
                assert!(!mode.is_standard(), "what is recorded is not shown as unrecorded");
                let again = self.runs_of(name).next().is_some();
                assert!(!again, "two runs of one execution at once");
                if self.begun.contains(name) {
                    self.seen.restarts += 1;
                }
                self.begun.insert(name.clone());
                let stored = Stored::new(start, Arc::clone(&self.disk.machines[&machine]));
                assert!(self.unrecorded.insert(run, stored).is_none(), "a run begins once");
            }
            let closes = event.kind.closes().is_some();
            let stored = self.unrecorded.get_mut(&run).expect("a run begins with its start");
            stored.push(run, event, &self.disk.legitimate);
            let stored = &self.unrecorded[&run];
            if matches!(stored.fold.mode(), Mode::Express { .. }) {
                let journal = self.disk.named(stored.start.machine, &stored.start.name);
                let journal = journal.expect("seen before its start is on disk");
                let on_disk = &self.disk.executions[&journal];
                assert_eq!(on_disk.events.first(), stored.events.first(), "it began otherwise");
                if closes {
                    assert_eq!(
                        on_disk.events.last(),
                        stored.events.last(),
                        "seen before its end is on disk"
                    );
                } else {
                    assert!(on_disk.events.len() <= 2, "only its edges are on disk");
                }
            }
        }
    }

    fn runs_of<'w>(&'w self, name: &'w str) -> impl Iterator<Item = ExecutionId> + 'w {
        let of_name = move |fold: &Execution| fold.context().is_some_and(|context| context.name == name);
        let runs = self.unrecorded.iter();
        runs.filter(move |(_, stored)| of_name(&stored.fold))
            .map(|(run, _)| *run)
    }

    /// A commit failed: the runs whose outcome was in it are over, and begin again.
    pub fn forget_runs(&mut self, batch: &Batch) {
        for append in &batch.appends {
            if let Some(stored) = self.disk.executions.get(&append.execution)
                && !stored.fold.mode().is_standard()
            {
                let runs: Vec<_> = self.runs_of(&stored.start.name).collect();
                for run in runs {
                    self.over.insert(run, self.unrecorded.remove(&run).expect("just found"));
                }
            }
        }
    }
}
