//! The process has started: what the disk holds.

use std::collections::BTreeMap;

use crate::Engine;
use crate::ids::ExecutionId;
use crate::ports::ExecutionRecord;
use crate::resident::{Entry, Loading};

impl Engine {
    /// Executions whose timer lies ahead stay on disk, as does one that only an outside call moves;
    /// the others are read back. Only the first call counts.
    pub(crate) fn recover(&mut self, running: Vec<ExecutionRecord>, last: ExecutionId) {
        if std::mem::replace(&mut self.recovered, true) {
            return;
        }
        self.last = self.last.max(last);
        for record in running {
            self.last = self.last.max(record.id);
            if record.status.is_closed() {
                continue;
            }
            if let Some(child) = record.child {
                self.map_runs.found(record.id, child);
            }
            match record.wake_at {
                Some(at) if at <= self.now => self.load(record.id, Loading::default()),
                ahead => {
                    self.executions.insert(record.id, Entry::Dormant(BTreeMap::new()));
                    self.timers.set(record.id, ahead);
                }
            }
        }
        self.map_runs_recovered();
    }
}
