//! The state machines that may be started, in memory, in front of the catalogue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use asl::Limits;
use asl::definition::{self, StateMachine};
use engine::ids::{Digest, MachineId};
use engine::ports::{Catalogue, CatalogueError, MachineRecord, MachineUpdate, NewMachine, StoreError};

/// A machine as it stands.
pub struct Machine {
    /// What the catalogue says of it.
    pub record: MachineRecord,
    parsed: OnceLock<Arc<StateMachine>>,
}

impl Machine {
    /// The parsed definition, once somebody asked for it.
    pub fn parsed(&self) -> Option<&Arc<StateMachine>> {
        self.parsed.get()
    }
}

/// Every machine that isn't deleted. Changes go to the catalogue first; what is not durable is never seen.
pub struct Machines {
    catalogue: Arc<dyn Catalogue>,
    definitions: Definitions,
    by_name: RwLock<HashMap<String, Arc<Machine>>>,
}

impl Machines {
    /// Reads every machine. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be read.
    pub fn open(catalogue: Arc<dyn Catalogue>) -> Result<Self, CatalogueError> {
        let by_name = catalogue
            .machines()?
            .into_iter()
            .map(|record| {
                (
                    record.name.clone(),
                    Arc::new(Machine {
                        record,
                        parsed: OnceLock::new(),
                    }),
                )
            })
            .collect();
        let definitions = Definitions {
            catalogue: Arc::clone(&catalogue),
            parsed: Mutex::default(),
        };
        Ok(Self {
            catalogue,
            definitions,
            by_name: RwLock::new(by_name),
        })
    }

    /// The machine of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Machine>> {
        self.by_name
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Every machine, in the order they were created.
    pub fn list(&self) -> Vec<Arc<Machine>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let mut machines: Vec<_> = by_name.values().cloned().collect();
        machines.sort_by_key(|machine| machine.record.id);
        machines
    }

    /// Every machine that ever had this name, the newest first: executions of a deleted machine stay
    /// readable. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be read.
    pub fn ever_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        self.catalogue.machines_named(name)
    }

    /// The text of a definition. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read or isn't there.
    pub fn text(&self, digest: &Digest) -> Result<String, CatalogueError> {
        self.definitions.text(digest)
    }

    /// The parsed definition of a machine. Blocks while the store reads, the first time.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read or no longer parses.
    pub fn state_machine(&self, machine: &Machine) -> Result<Arc<StateMachine>, CatalogueError> {
        if let Some(parsed) = machine.parsed.get() {
            return Ok(Arc::clone(parsed));
        }
        let parsed = self.definitions.get(&machine.record.definition)?;
        Ok(Arc::clone(machine.parsed.get_or_init(|| parsed)))
    }

    /// The parsed definitions by digest.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Stores a machine. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::MachineExists`] where the name is taken.
    pub fn create(&self, new: NewMachine, parsed: Arc<StateMachine>) -> Result<Arc<Machine>, CatalogueError> {
        let record = self.catalogue.create_machine(new)?;
        Ok(self.remember(record, Some(parsed)))
    }

    /// Changes a machine. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchMachine`] where it is gone.
    pub fn update(
        &self,
        id: MachineId,
        update: MachineUpdate,
        parsed: Option<Arc<StateMachine>>,
    ) -> Result<Arc<Machine>, CatalogueError> {
        let record = self.catalogue.update_machine(id, update)?;
        Ok(self.remember(record, parsed))
    }

    /// Takes a machine away. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError`] when that can't be written.
    pub fn delete(&self, machine: &Machine) -> Result<(), CatalogueError> {
        match self.catalogue.delete_machine(machine.record.id) {
            // Somebody else was first, which is what the caller wanted.
            Ok(()) | Err(CatalogueError::NoSuchMachine(_)) => {}
            Err(error) => return Err(error),
        }
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name
            .get(&machine.record.name)
            .is_some_and(|known| known.record.id == machine.record.id)
        {
            by_name.remove(&machine.record.name);
        }
        Ok(())
    }

    fn remember(&self, record: MachineRecord, parsed: Option<Arc<StateMachine>>) -> Arc<Machine> {
        let cell = OnceLock::new();
        if let Some(parsed) = parsed {
            self.definitions.remember(&record.definition, &parsed);
            let _ = cell.set(parsed);
        }
        let machine = Arc::new(Machine { record, parsed: cell });
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(machine.record.name.clone(), Arc::clone(&machine));
        machine
    }
}

/// Parsed definitions by digest. Holds on to none of them: a definition lives as long as a machine or an
/// execution uses it, and is never in memory twice.
pub struct Definitions {
    catalogue: Arc<dyn Catalogue>,
    parsed: Mutex<HashMap<Digest, Weak<StateMachine>>>,
}

/// The table of parsed definitions is swept of unused ones whenever it has doubled beyond this.
const SWEEP_AT: usize = 64;

impl Definitions {
    /// The definition with this digest. Blocks while the store reads, unless it is in use already.
    ///
    /// # Errors
    /// [`CatalogueError`] when it isn't there, can't be read or no longer parses.
    pub fn get(&self, digest: &Digest) -> Result<Arc<StateMachine>, CatalogueError> {
        let known = self.table().get(digest).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Ok(known);
        }
        let text = self.text(digest)?;
        let (parsed, diagnostics) = definition::parse_within(&text, &Limits::OFF);
        let Some(parsed) = parsed else {
            let first = diagnostics.first().map_or("", |diagnostic| &diagnostic.message);
            return Err(unreadable(
                digest,
                &format!("does not pass this version's checks: {first}"),
            ));
        };
        let parsed = Arc::new(parsed);
        self.remember(digest, &parsed);
        Ok(parsed)
    }

    fn text(&self, digest: &Digest) -> Result<String, CatalogueError> {
        self.catalogue
            .definition(digest)?
            .ok_or_else(|| unreadable(digest, "is missing from the data directory"))
    }

    fn remember(&self, digest: &Digest, parsed: &Arc<StateMachine>) {
        let mut table = self.table();
        if table.len() >= SWEEP_AT && table.len() == table.capacity() {
            table.retain(|_, parsed| parsed.strong_count() > 0);
        }
        table.insert(digest.clone(), Arc::downgrade(parsed));
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Weak<StateMachine>>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreadable(digest: &Digest, why: &str) -> CatalogueError {
    CatalogueError::Store(StoreError(format!(
        "definition `{digest}` {why}; restore it from a backup"
    )))
}
