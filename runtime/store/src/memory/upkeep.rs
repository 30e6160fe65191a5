//! Deleting what is old or what nothing refers to, in RAM.

use std::collections::BTreeSet;

use asl::Timestamp;
use engine::ids::{Digest, ExecutionId, MachineId};
use engine::ports::{Forgotten, Space, StoreError, Sweep, Swept, Tally, Upkeep};

use super::catalogue::Presence;
use super::{Kept, Store};

/// Executions deleted in one step, their children not counted.
const EXECUTIONS: usize = 32;

impl Kept {
    fn is_expired(&self, id: ExecutionId, before: Timestamp) -> bool {
        let Some((record, _)) = self.executions.get(&id) else {
            return false;
        };
        record.child.is_none()
            && record.stopped.is_some_and(|stopped| stopped < before)
            && self
                .children_of(id)
                .iter()
                .all(|child| self.executions[child].0.status.is_closed())
    }

    fn children_of(&self, parent: ExecutionId) -> Vec<ExecutionId> {
        let records = self.executions.values().map(|(record, _)| record);
        records
            .filter(|record| record.child.is_some_and(|child| child.run.execution == parent))
            .map(|record| record.id)
            .collect()
    }

    /// Deletes an execution and its children, and theirs; how many that were.
    fn forget(&mut self, id: ExecutionId) -> u64 {
        let below: u64 = self.children_of(id).into_iter().map(|child| self.forget(child)).sum();
        self.executions.remove(&id);
        self.highest_deleted = self.highest_deleted.max(Some(id));
        1 + below
    }
}

impl Upkeep for Store {
    fn forget(&self, before: Timestamp, from: ExecutionId) -> Result<Forgotten, StoreError> {
        let mut kept = self.kept();
        let behind = ExecutionId(from.0.saturating_add(1));
        let ids: Vec<ExecutionId> = kept.executions.range(behind..).map(|(id, _)| *id).collect();
        let expired: Vec<ExecutionId> = ids
            .into_iter()
            .filter(|id| kept.is_expired(*id, before))
            .take(EXECUTIONS)
            .collect();
        let next = expired.last().copied().filter(|_| expired.len() == EXECUTIONS);
        let executions = expired.into_iter().map(|id| kept.forget(id)).sum();
        Ok(Forgotten { executions, next })
    }

    fn expired(&self, before: Timestamp) -> Result<u64, StoreError> {
        let kept = self.kept();
        let ids = kept.executions.keys();
        Ok(ids.filter(|id| kept.is_expired(**id, before)).count() as u64)
    }

    fn sweep(&self, in_use: &dyn Fn(&Digest) -> bool, sweep: Sweep) -> Result<Swept, StoreError> {
        let kept = self.kept();
        let mut catalogue = self.catalogue();
        let records = || kept.executions.values().map(|(record, _)| record);
        let busy: BTreeSet<MachineId> = records().map(|record| record.machine).collect();
        let youngest = catalogue.machines.keys().next_back().copied();
        let gone: Vec<MachineId> = catalogue
            .machines
            .iter()
            .filter(|(id, (machine, presence))| {
                *presence == Presence::Deleted
                    && Some(**id) != youngest
                    && !busy.contains(id)
                    && !in_use(&machine.definition)
            })
            .map(|(id, _)| *id)
            .collect();
        let machines = catalogue.machines.iter().filter(|(id, _)| !gone.contains(id));
        let mut named: BTreeSet<Digest> = machines.map(|(_, (machine, _))| machine.definition.clone()).collect();
        named.extend(catalogue.versions.values().map(|version| version.definition.clone()));
        named.extend(records().map(|record| record.definition.clone()));
        let mut definitions = Tally::default();
        for (digest, text) in &catalogue.definitions {
            if !named.contains(digest) && !in_use(digest) {
                definitions += Tally::of(text.len() as u64);
            }
        }
        if sweep == Sweep::Delete {
            catalogue.machines.retain(|id, _| !gone.contains(id));
            catalogue
                .definitions
                .retain(|digest, _| named.contains(digest) || in_use(digest));
        }
        Ok(Swept {
            machines: gone.len() as u64,
            definitions,
            // One goes with the last module that has it.
            components: Tally::default(),
        })
    }

    fn space(&self) -> Result<Space, StoreError> {
        Ok(Space::default())
    }

    fn shrink(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}
