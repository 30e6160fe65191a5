//! The backend in RAM: the same answers, nothing kept. For tests, and for running a workflow without a trace.
//!
//! It is also the reference the backend on disk is compared with, so it is written to be read, not to be fast.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use asl::{Event, EventKind, Timestamp};
use engine::batch::{Append, AppendOutcome, Batch};
use engine::ids::{Digest, ExecutionId, MachineId};
use engine::ports::{
    Catalogue, CatalogueError, CommitLog, CommitResult, ExecutionQuery, ExecutionRecord, MachineRecord, MachineUpdate,
    ModuleDescription, ModuleRecord, NewMachine, Reader, StoreError,
};

use crate::address::digest_of;
pub use crate::objects::Objects;
use crate::pending::Pending;

/// A store in RAM. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    kept: Arc<Mutex<Kept>>,
    /// `None` once dropping has begun.
    queue: Option<Sender<(Batch, Pending)>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept {
    executions: BTreeMap<ExecutionId, (ExecutionRecord, Vec<Event>)>,
    machines: BTreeMap<MachineId, (MachineRecord, Presence)>,
    definitions: BTreeMap<Digest, String>,
    modules: BTreeMap<(String, u32), ModuleRecord>,
    last_versions: BTreeMap<String, u32>,
    components: BTreeMap<Digest, Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Listed,
    Deleted,
}

impl Store {
    /// An empty store. Commits are answered from a thread of its own, as those on disk are.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new() -> Result<Self, StoreError> {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (queue, work) = channel::<(Batch, Pending)>();
        let written = Arc::clone(&kept);
        let writer = thread::Builder::new()
            .name("store-memory".to_owned())
            .spawn(move || {
                for (batch, done) in work {
                    let result = lock(&written).commit(&batch);
                    done.answer(result);
                }
            })
            .map_err(|error| StoreError(format!("can't start a thread to write: {error}")))?;
        Ok(Self(Arc::new(Shared {
            kept,
            queue: Some(queue),
            writer: Some(writer),
        })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue = None;
        // The last clone may be dropped by a caller's `done`, on the thread itself.
        if let Some(writer) = self
            .writer
            .take()
            .filter(|writer| writer.thread().id() != thread::current().id())
        {
            drop(writer.join());
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitLog for Store {
    fn commit(&self, batch: Batch, done: Box<dyn FnOnce(CommitResult) + Send>) {
        let work = (batch, Pending::new(done));
        match &self.0.queue {
            // A failed send drops the work, and with it the Pending, which answers.
            Some(queue) => drop(queue.send(work)),
            None => drop(work),
        }
    }
}

impl Kept {
    fn commit(&mut self, batch: &Batch) -> CommitResult {
        if let Some(append) = batch.appends.iter().find(|append| append.events.is_empty()) {
            let execution = append.execution.0;
            return Err(StoreError(format!(
                "can't write events of execution `{execution}`: there are none"
            )));
        }
        Ok(batch.appends.iter().map(|append| self.append(append)).collect())
    }

    fn append(&mut self, append: &Append) -> AppendOutcome {
        let stopped = append
            .events
            .last()
            .filter(|_| append.status.is_closed())
            .map(|event| event.at);
        let Some(start) = &append.start else {
            return match self.executions.get_mut(&append.execution) {
                Some((record, journal)) if journal.len() as u64 == append.expected_position => {
                    journal.extend_from_slice(&append.events);
                    *record = ExecutionRecord {
                        status: append.status,
                        stopped,
                        wake_at: append.wake_at,
                        ..record.clone()
                    };
                    AppendOutcome::Appended
                }
                Some(_) | None => AppendOutcome::Conflict,
            };
        };
        if append.expected_position != 0 {
            return AppendOutcome::Conflict;
        }
        let has_name = |record: &ExecutionRecord| record.machine == start.machine && record.name == start.name;
        let holder = self.executions.values().find(|(record, _)| has_name(record));
        if let Some((record, journal)) = holder.filter(|(record, _)| record.id != append.execution) {
            let same_input = input(journal).is_some() && input(journal) == input(&append.events);
            return AppendOutcome::NameTaken {
                execution: record.id,
                started: record.started,
                status: record.status,
                same_input,
            };
        }
        if self.executions.contains_key(&append.execution) {
            return AppendOutcome::Conflict;
        }
        let record = ExecutionRecord {
            id: append.execution,
            machine: start.machine,
            name: start.name.clone(),
            definition: start.definition.clone(),
            status: append.status,
            started: start.at,
            stopped,
            wake_at: append.wake_at,
        };
        self.executions
            .insert(append.execution, (record, append.events.clone()));
        AppendOutcome::Appended
    }

    fn listed_machine(&mut self, id: MachineId) -> Result<&mut (MachineRecord, Presence), CatalogueError> {
        let machine = self
            .machines
            .get_mut(&id)
            .filter(|(_, presence)| *presence == Presence::Listed);
        machine.ok_or(CatalogueError::NoSuchMachine(id))
    }

    fn listed_machines(&self) -> impl Iterator<Item = &MachineRecord> {
        self.machines
            .values()
            .filter(|(_, presence)| *presence == Presence::Listed)
            .map(|(machine, _)| machine)
    }

    fn put_definition(&mut self, text: String) -> Digest {
        let digest = digest_of(text.as_bytes());
        self.definitions.insert(digest.clone(), text);
        digest
    }
}

fn input(journal: &[Event]) -> Option<&str> {
    let EventKind::ExecutionStarted { input, .. } = &journal.first()?.kind else {
        return None;
    };
    Some(input.text())
}

impl Reader for Store {
    fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        Ok(self.kept().executions.get(&id).map(|(record, _)| record.clone()))
    }

    fn execution_by_name(&self, machine: MachineId, name: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        let kept = self.kept();
        let mut records = kept.executions.values().map(|(record, _)| record);
        Ok(records
            .find(|record| record.machine == machine && record.name == name)
            .cloned())
    }

    fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        let is_wanted = |record: &&ExecutionRecord| {
            query.machine.is_none_or(|machine| record.machine == machine)
                && query.status.is_none_or(|status| record.status == status)
                && query.before.is_none_or(|before| record.id < before)
        };
        let kept = self.kept();
        let newest_first = kept.executions.values().rev().map(|(record, _)| record);
        Ok(newest_first.filter(is_wanted).take(query.limit).cloned().collect())
    }

    fn journal(&self, id: ExecutionId, from: u64) -> Result<Vec<Event>, StoreError> {
        let kept = self.kept();
        let journal = kept.executions.get(&id).map_or(&[][..], |(_, journal)| journal);
        Ok(journal
            .iter()
            .skip(usize::try_from(from).unwrap_or(usize::MAX))
            .cloned()
            .collect())
    }

    fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        let kept = self.kept();
        let journal = kept.executions.get(&id).map(|(_, journal)| journal);
        Ok(journal.and_then(|journal| journal.first().cloned().zip(journal.last().cloned())))
    }

    fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError> {
        let kept = self.kept();
        let records = kept.executions.values().map(|(record, _)| record);
        Ok(records.filter(|record| !record.status.is_closed()).cloned().collect())
    }

    fn last_execution(&self) -> Result<ExecutionId, StoreError> {
        Ok(self
            .kept()
            .executions
            .keys()
            .next_back()
            .copied()
            .unwrap_or(ExecutionId(0)))
    }
}

impl Catalogue for Store {
    fn create_machine(&self, new: NewMachine) -> Result<MachineRecord, CatalogueError> {
        let mut kept = self.kept();
        if kept.listed_machines().any(|machine| machine.name == new.name) {
            return Err(CatalogueError::MachineExists(new.name));
        }
        let id = MachineId(kept.machines.keys().next_back().map_or(1, |last| last.0 + 1));
        let machine = MachineRecord {
            id,
            name: new.name,
            machine_type: new.machine_type,
            definition: kept.put_definition(new.definition),
            revision: new.revision,
            role: new.role,
            created: new.at,
            updated: new.at,
            configuration: new.configuration,
            modules: new.modules,
        };
        kept.machines.insert(id, (machine.clone(), Presence::Listed));
        Ok(machine)
    }

    fn update_machine(&self, id: MachineId, update: MachineUpdate) -> Result<MachineRecord, CatalogueError> {
        let mut kept = self.kept();
        let mut machine = kept.listed_machine(id)?.0.clone();
        if let Some(definition) = update.definition {
            machine.definition = kept.put_definition(definition);
        }
        machine.role = update.role.unwrap_or(machine.role);
        machine.configuration = update.configuration.unwrap_or(machine.configuration);
        machine.modules = update.modules.unwrap_or(machine.modules);
        machine.revision = update.revision;
        machine.updated = update.at;
        kept.machines.insert(id, (machine.clone(), Presence::Listed));
        Ok(machine)
    }

    fn delete_machine(&self, id: MachineId) -> Result<(), CatalogueError> {
        self.kept().listed_machine(id)?.1 = Presence::Deleted;
        Ok(())
    }

    fn machines(&self) -> Result<Vec<MachineRecord>, CatalogueError> {
        Ok(self.kept().listed_machines().cloned().collect())
    }

    fn machines_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        let kept = self.kept();
        let newest_first = kept.machines.values().rev().map(|(machine, _)| machine);
        Ok(newest_first.filter(|machine| machine.name == name).cloned().collect())
    }

    fn machine(&self, id: MachineId) -> Result<Option<MachineRecord>, CatalogueError> {
        Ok(self.kept().machines.get(&id).map(|(machine, _)| machine.clone()))
    }

    fn definition(&self, digest: &Digest) -> Result<Option<String>, CatalogueError> {
        Ok(self.kept().definitions.get(digest).cloned())
    }

    fn put_module(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        at: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError> {
        let mut kept = self.kept();
        let digest = digest_of(component);
        let last = kept.last_versions.get(name).copied().unwrap_or(0);
        let newest = kept.modules.get(&(name.to_owned(), last));
        if let Some(newest) = newest.filter(|newest| newest.digest == digest && newest.description == description) {
            return Ok(newest.clone());
        }
        let version = last + 1;
        let size = component.len() as u64;
        let module = ModuleRecord {
            name: name.to_owned(),
            version,
            digest,
            size,
            created: at,
            description,
        };
        kept.components.insert(module.digest.clone(), component.to_vec());
        kept.last_versions.insert(name.to_owned(), version);
        kept.modules.insert((name.to_owned(), version), module.clone());
        Ok(module)
    }

    fn modules(&self) -> Result<Vec<ModuleRecord>, CatalogueError> {
        Ok(self.kept().modules.values().cloned().collect())
    }

    fn delete_module(&self, name: &str, force: bool) -> Result<(), CatalogueError> {
        let mut kept = self.kept();
        if !kept.modules.values().any(|module| module.name == name) {
            return Err(CatalogueError::NoSuchModule(name.to_owned()));
        }
        let users = kept
            .listed_machines()
            .filter(|machine| machine.modules.iter().any(|module| module == name));
        let machines: Vec<String> = users.map(|machine| machine.name.clone()).collect();
        if !force && !machines.is_empty() {
            return Err(CatalogueError::ModuleInUse {
                module: name.to_owned(),
                machines,
            });
        }
        let Kept {
            modules, components, ..
        } = &mut *kept;
        modules.retain(|_, module| module.name != name);
        components.retain(|digest, _| modules.values().any(|module| module.digest == *digest));
        Ok(())
    }

    fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        Ok(self.kept().components.get(digest).cloned())
    }
}
