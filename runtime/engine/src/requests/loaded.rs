//! An execution was read back.

use crate::Engine;
use crate::ids::ExecutionId;
use crate::output::{Output, Reply};
use crate::ports::StoreError;
use crate::quarantine::guarded;
use crate::replay::Loaded;
use crate::resident::{Entry, Loading, Pending, Resident};

impl Engine {
    pub(crate) fn loaded(&mut self, id: ExecutionId, result: Result<Loaded, StoreError>) {
        if !self.loads.arrived(id) {
            return;
        }
        let Some(Entry::Loading(loading)) = self.executions.get_mut(&id) else {
            return;
        };
        let (came_back, shown) = (loading.came_back, self.options.show_unrecorded);
        let resident = match result {
            Ok(loaded) => loaded
                .0
                .map(|settled| Resident::read_back(settled, id, came_back, shown)),
            Err(error) => Err(error.to_string()),
        };
        match resident {
            Ok(resident) => self.settle(id, resident),
            Err(reason) => self.quarantine(id, reason),
        }
    }

    fn settle(&mut self, journal: ExecutionId, resident: Resident) {
        let Some(Entry::Loading(loading)) = self.executions.remove(&journal) else {
            return;
        };
        let id = match resident.run {
            None => journal,
            Some(_) => self.next_run(),
        };
        if let Some(waiting) = self.waiters.remove(&journal) {
            self.waiters.insert(id, waiting);
        }
        let Loading { pending, parked, .. } = loading;
        let mut resident = Box::new(resident);
        resident.running = parked;
        let now = self.now;
        let submitted = guarded(|| resident.take_submitted(id, now));
        self.executions.insert(id, Entry::Resident(resident));
        match submitted {
            Ok(requests) => self.outputs.extend(requests.into_iter().map(Output::Run)),
            Err(panic) => self.quarantine(id, panic),
        }
        self.reconcile(id, 0);
        self.pass_line(id);
        self.map_runs_read_back(id);
        self.child_read_back(id);
        for pending in pending {
            if let Some(Entry::Quarantined) = self.executions.get(&id) {
                if let Some(to) = pending.reply() {
                    let text = format!("execution {} is quarantined; restart the server to try it again", id.0);
                    self.reply(to, Reply::Fault(text));
                }
                continue;
            }
            match pending {
                Pending::Stop(stop) => self.stop_resident(id, stop),
                Pending::Callback { task, word, reply } => self.callback_resident(task, word, reply),
                Pending::Redrive { token, reply } => self.redrive_resident(id, token, reply),
                Pending::TaskDone { task, report } => self.task_done(task, report),
                Pending::TaskReleased {
                    task,
                    release,
                    submitted,
                } => self.task_released(task, release, submitted),
                Pending::Abort => self.abort_child(id),
                Pending::UpdateMapRun { run, bounds, reply } => self.update_map_run(run, bounds, reply),
            }
        }
        self.ready.push_back(id);
    }
}
