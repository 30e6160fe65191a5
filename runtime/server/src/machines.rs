//! The state machines that may be started, in memory, in front of the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use asl::Timestamp;
use asl::definition::{self, StateMachine};
use engine::ids::{Digest, MachineId};
use engine::ports::{
    AliasRecord, Catalogue, CatalogueError, MachineRecord, MachineUpdate, NewAlias, NewMachine, NewVersion, StoreError,
    Tag, Tagged, VersionRecord,
};

/// A machine as it stands.
#[derive(Clone)]
pub struct Machine {
    /// What the catalogue says of it.
    pub record: MachineRecord,
    /// Its versions by number.
    pub versions: BTreeMap<u32, Arc<Version>>,
    /// Its aliases in the order they were created.
    pub aliases: Vec<Arc<AliasRecord>>,
    parsed: OnceLock<Arc<StateMachine>>,
}

/// A version as it was published.
pub struct Version {
    /// What the catalogue says of it.
    pub record: VersionRecord,
    parsed: OnceLock<Arc<StateMachine>>,
}

impl Machine {
    fn new(record: MachineRecord) -> Self {
        Self {
            record,
            versions: BTreeMap::new(),
            aliases: Vec::new(),
            parsed: OnceLock::new(),
        }
    }

    /// One that is gone but for the executions that run on.
    pub fn deleted(record: MachineRecord) -> Arc<Self> {
        Arc::new(Self::new(record))
    }

    /// The alias of this name.
    pub fn alias(&self, name: &str) -> Option<&Arc<AliasRecord>> {
        self.aliases.iter().find(|alias| alias.name == name)
    }

    /// The version that froze the revision the machine has now.
    pub fn version_of_revision(&self) -> Option<&Arc<Version>> {
        let is_current = |version: &&Arc<Version>| version.record.revision == self.record.revision;
        self.versions.values().rev().find(is_current)
    }

    /// The parsed definition, once somebody asked for it.
    pub fn parsed(&self) -> Option<&Arc<StateMachine>> {
        self.parsed.get()
    }

    fn add_version(&mut self, record: VersionRecord) -> Arc<Version> {
        // The revision just frozen is most often the one in use.
        let parsed = if record.definition == self.record.definition {
            self.parsed.clone()
        } else {
            OnceLock::new()
        };
        let version = Arc::new(Version { record, parsed });
        self.versions.insert(version.record.number, Arc::clone(&version));
        version
    }
}

impl Version {
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
        let machines = catalogue.machines()?.into_iter();
        let mut by_id: BTreeMap<MachineId, Machine> =
            machines.map(|record| (record.id, Machine::new(record))).collect();
        for version in catalogue.versions()? {
            if let Some(machine) = by_id.get_mut(&version.machine) {
                machine.add_version(version);
            }
        }
        for alias in catalogue.aliases()? {
            if let Some(machine) = by_id.get_mut(&alias.machine) {
                machine.aliases.push(Arc::new(alias));
            }
        }
        let by_name = by_id
            .into_values()
            .map(|machine| (machine.record.name.clone(), Arc::new(machine)))
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

    /// The name a machine has or had. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read.
    pub fn name_of(&self, id: MachineId) -> Result<Option<String>, CatalogueError> {
        Ok(self.catalogue.machine(id)?.map(|machine| machine.name))
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

    /// The parsed definition of a version. Blocks while the store reads, the first time.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read or no longer parses.
    pub fn state_machine_of_version(&self, version: &Version) -> Result<Arc<StateMachine>, CatalogueError> {
        if let Some(parsed) = version.parsed.get() {
            return Ok(Arc::clone(parsed));
        }
        let parsed = self.definitions.get(&version.record.definition)?;
        Ok(Arc::clone(version.parsed.get_or_init(|| parsed)))
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
        let (publish, at) = (new.publish.clone(), new.at);
        let record = self.catalogue.create_machine(new)?;
        self.definitions.remember(&record.definition, &parsed);
        let mut machine = Machine::new(record);
        let _ = machine.parsed.set(parsed);
        if let Some(publish) = publish {
            let version = VersionRecord::of(&machine.record, publish, at);
            machine.add_version(version);
        }
        Ok(self.remember(machine))
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
        let (publish, at) = (update.publish.clone(), update.at);
        let record = self.catalogue.update_machine(id, update)?;
        let mut machine = match self.get(&record.name) {
            Some(known) if known.record.id == id => Machine::clone(&known),
            _ => Machine::new(record.clone()),
        };
        if machine.record.definition != record.definition {
            machine.parsed = OnceLock::new();
        }
        if let Some(parsed) = parsed {
            self.definitions.remember(&record.definition, &parsed);
            let _ = machine.parsed.set(parsed);
        }
        machine.record = record;
        if let Some(publish) = publish {
            let version = VersionRecord::of(&machine.record, publish, at);
            machine.add_version(version);
        }
        Ok(self.remember(machine))
    }

    /// Publishes a machine's current revision. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchMachine`] where it is gone.
    pub fn publish(&self, id: MachineId, new: NewVersion, at: Timestamp) -> Result<Arc<Version>, CatalogueError> {
        let record = self.catalogue.publish_version(id, new, at)?;
        let change = |machine: &mut Machine| {
            machine.record.last_version = record.number;
            machine.add_version(record.clone())
        };
        self.change(id, change).ok_or(CatalogueError::NoSuchMachine(id))
    }

    /// Takes a version away. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchVersion`] and [`CatalogueError::VersionInUse`].
    pub fn unpublish(&self, id: MachineId, number: u32) -> Result<(), CatalogueError> {
        self.catalogue.delete_version(id, number)?;
        self.change(id, |machine| machine.versions.remove(&number));
        Ok(())
    }

    /// Creates or changes an alias. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchVersion`] where a route leads nowhere.
    pub fn put_alias(&self, id: MachineId, new: NewAlias) -> Result<Arc<AliasRecord>, CatalogueError> {
        let alias = Arc::new(self.catalogue.put_alias(id, new)?);
        self.change(id, |machine| {
            match machine.aliases.iter_mut().find(|known| known.id == alias.id) {
                Some(known) => *known = Arc::clone(&alias),
                None => machine.aliases.push(Arc::clone(&alias)),
            }
        });
        Ok(alias)
    }

    /// Takes an alias away. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchAlias`].
    pub fn delete_alias(&self, id: MachineId, name: &str) -> Result<(), CatalogueError> {
        self.catalogue.delete_alias(id, name)?;
        self.change(id, |machine| machine.aliases.retain(|alias| alias.name != name));
        Ok(())
    }

    /// The tags of something. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be read.
    pub fn tags(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError> {
        self.catalogue.tags(tagged)
    }

    /// Replaces the tags of something. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be written.
    pub fn set_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError> {
        self.catalogue.set_tags(tagged, tags)
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

    fn remember(&self, machine: Machine) -> Arc<Machine> {
        let machine = Arc::new(machine);
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(machine.record.name.clone(), Arc::clone(&machine));
        machine
    }

    /// Changes what is remembered of a machine, after the catalogue did.
    fn change<T>(&self, id: MachineId, change: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let known = by_name.values_mut().find(|machine| machine.record.id == id)?;
        let mut machine = Machine::clone(known);
        let changed = change(&mut machine);
        *known = Arc::new(machine);
        Some(changed)
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
        let parsed = definition::parse_accepted(&text).map_err(|diagnostics| {
            let first = diagnostics.first().map_or("", |diagnostic| &diagnostic.message);
            unreadable(digest, &format!("can't be understood by this version: {first}"))
        })?;
        let parsed = Arc::new(parsed);
        self.remember(digest, &parsed);
        Ok(parsed)
    }

    /// Whether somebody uses the definition now, who may yet write a row that names it.
    pub fn is_held(&self, digest: &Digest) -> bool {
        self.table().get(digest).is_some_and(|parsed| parsed.strong_count() > 0)
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
