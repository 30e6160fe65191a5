//! Machines, versions, aliases, tags and modules in RAM.

use std::collections::BTreeMap;

use asl::Timestamp;
use engine::ids::{Digest, MachineId};
use engine::ports::{
    ActivityRecord, AliasRecord, Catalogue, CatalogueError, Expected, LABELS, LabelRecord, MachineRecord,
    MachineUpdate, ModuleDescription, ModuleRecord, NewAlias, NewMachine, NewVersion, Tag, Tagged, VersionRecord,
};

use engine::token::TokenKey;

use super::Store;
use crate::address::digest_of;

#[derive(Default)]
pub(super) struct Kept {
    pub(super) machines: BTreeMap<MachineId, (MachineRecord, Presence)>,
    pub(super) versions: BTreeMap<(MachineId, u32), VersionRecord>,
    /// In the order they were created.
    aliases: Vec<AliasRecord>,
    tags: BTreeMap<Tagged, Vec<Tag>>,
    pub(super) definitions: BTreeMap<Digest, String>,
    modules: BTreeMap<(String, u32), ModuleRecord>,
    labels: BTreeMap<(String, String), LabelRecord>,
    last_versions: BTreeMap<String, u32>,
    components: BTreeMap<Digest, Vec<u8>>,
    activities: Vec<ActivityRecord>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Listed,
    Deleted,
}

impl Kept {
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

    fn publish(&mut self, id: MachineId, new: NewVersion, at: Timestamp) -> Result<VersionRecord, CatalogueError> {
        let machine = &mut self.listed_machine(id)?.0;
        machine.last_version += 1;
        let version = VersionRecord::of(machine, new, at);
        self.versions.insert((id, version.number), version.clone());
        Ok(version)
    }

    /// The last of several tags with one key counts.
    fn set_tags(&mut self, tagged: Tagged, tags: Vec<Tag>) {
        let mut kept: Vec<Tag> = Vec::with_capacity(tags.len());
        for tag in tags {
            match kept.iter_mut().find(|earlier| earlier.key == tag.key) {
                Some(earlier) => earlier.value = tag.value,
                None => kept.push(tag),
            }
        }
        self.tags.insert(tagged, kept);
    }

    /// All versions of a module, or one, with what points at them.
    fn take_versions(&mut self, name: &str, version: Option<u32>, force: bool) -> Result<(), CatalogueError> {
        let is_meant = |number: u32| version.is_none_or(|version| version == number);
        let pointing = self
            .labels
            .values()
            .filter(|label| label.module == name && is_meant(label.version));
        let labels: Vec<String> = pointing.map(|label| label.label.clone()).collect();
        if !force && !labels.is_empty() {
            let module = name.to_owned();
            return Err(CatalogueError::ModuleLabelled { module, labels });
        }
        let Self {
            modules,
            components,
            labels,
            ..
        } = self;
        modules.retain(|_, module| module.name != name || !is_meant(module.version));
        labels.retain(|_, label| label.module != name || !is_meant(label.version));
        components.retain(|digest, _| modules.values().any(|module| module.digest == *digest));
        Ok(())
    }

    fn put_definition(&mut self, text: String) -> Digest {
        let digest = digest_of(text.as_bytes());
        self.definitions.insert(digest.clone(), text);
        digest
    }
}

impl Catalogue for Store {
    fn create_machine(&self, new: NewMachine) -> Result<MachineRecord, CatalogueError> {
        let mut kept = self.catalogue();
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
            last_version: 0,
        };
        kept.machines.insert(id, (machine, Presence::Listed));
        if let Some(publish) = new.publish {
            kept.publish(id, publish, new.at)?;
        }
        kept.set_tags(Tagged::Machine(id), new.tags);
        Ok(kept.listed_machine(id)?.0.clone())
    }

    fn update_machine(&self, id: MachineId, update: MachineUpdate) -> Result<MachineRecord, CatalogueError> {
        let mut kept = self.catalogue();
        let mut machine = kept.listed_machine(id)?.0.clone();
        if let Some(definition) = update.definition {
            machine.definition = kept.put_definition(definition);
        }
        machine.role = update.role.unwrap_or(machine.role);
        machine.configuration = update.configuration.unwrap_or(machine.configuration);
        machine.modules = update.modules.unwrap_or(machine.modules);
        machine.revision = update.revision;
        machine.updated = update.at;
        kept.machines.insert(id, (machine, Presence::Listed));
        if let Some(publish) = update.publish {
            kept.publish(id, publish, update.at)?;
        }
        Ok(kept.listed_machine(id)?.0.clone())
    }

    fn delete_machine(&self, id: MachineId) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        kept.listed_machine(id)?.1 = Presence::Deleted;
        kept.versions.retain(|(machine, _), _| *machine != id);
        kept.aliases.retain(|alias| alias.machine != id);
        kept.tags.remove(&Tagged::Machine(id));
        Ok(())
    }

    fn machines(&self) -> Result<Vec<MachineRecord>, CatalogueError> {
        Ok(self.catalogue().listed_machines().cloned().collect())
    }

    fn machines_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        let kept = self.catalogue();
        let newest_first = kept.machines.values().rev().map(|(machine, _)| machine);
        Ok(newest_first.filter(|machine| machine.name == name).cloned().collect())
    }

    fn machine(&self, id: MachineId) -> Result<Option<MachineRecord>, CatalogueError> {
        Ok(self.catalogue().machines.get(&id).map(|(machine, _)| machine.clone()))
    }

    fn publish_version(
        &self,
        machine: MachineId,
        new: NewVersion,
        at: Timestamp,
    ) -> Result<VersionRecord, CatalogueError> {
        self.catalogue().publish(machine, new, at)
    }

    fn delete_version(&self, machine: MachineId, number: u32) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        kept.listed_machine(machine)?;
        if !kept.versions.contains_key(&(machine, number)) {
            return Err(CatalogueError::NoSuchVersion { machine, number });
        }
        let points_there =
            |alias: &&AliasRecord| alias.machine == machine && alias.routes.iter().any(|route| route.version == number);
        let aliases: Vec<String> = kept
            .aliases
            .iter()
            .filter(points_there)
            .map(|alias| alias.name.clone())
            .collect();
        if !aliases.is_empty() {
            return Err(CatalogueError::VersionInUse { number, aliases });
        }
        kept.versions.remove(&(machine, number));
        Ok(())
    }

    fn versions(&self) -> Result<Vec<VersionRecord>, CatalogueError> {
        Ok(self.catalogue().versions.values().cloned().collect())
    }

    fn put_alias(&self, machine: MachineId, new: NewAlias) -> Result<AliasRecord, CatalogueError> {
        let mut kept = self.catalogue();
        kept.listed_machine(machine)?;
        for route in &new.routes {
            let number = route.version;
            if !kept.versions.contains_key(&(machine, number)) {
                return Err(CatalogueError::NoSuchVersion { machine, number });
            }
        }
        let known = kept
            .aliases
            .iter()
            .position(|alias| alias.machine == machine && alias.name == new.name);
        let place = known.unwrap_or(kept.aliases.len());
        let first = kept.aliases.get(place).map(|alias| (alias.id, alias.created));
        let (id, created) = first.unwrap_or((kept.aliases.last().map_or(1, |last| last.id + 1), new.at));
        let alias = AliasRecord {
            id,
            machine,
            name: new.name,
            description: new.description,
            routes: new.routes,
            created,
            updated: new.at,
        };
        let end = kept.aliases.len().min(place + 1);
        kept.aliases.splice(place..end, [alias.clone()]);
        Ok(alias)
    }

    fn delete_alias(&self, machine: MachineId, name: &str) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        let before = kept.aliases.len();
        kept.aliases
            .retain(|alias| alias.machine != machine || alias.name != name);
        if kept.aliases.len() == before {
            let alias = name.to_owned();
            return Err(CatalogueError::NoSuchAlias { machine, alias });
        }
        Ok(())
    }

    fn aliases(&self) -> Result<Vec<AliasRecord>, CatalogueError> {
        Ok(self.catalogue().aliases.clone())
    }

    fn tags(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError> {
        Ok(self.catalogue().tags.get(tagged).cloned().unwrap_or_default())
    }

    fn set_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError> {
        self.catalogue().set_tags(tagged.clone(), tags);
        Ok(())
    }

    fn definition(&self, digest: &Digest) -> Result<Option<String>, CatalogueError> {
        Ok(self.catalogue().definitions.get(digest).cloned())
    }

    fn create_activity(&self, name: &str, tags: Vec<Tag>, at: Timestamp) -> Result<ActivityRecord, CatalogueError> {
        let mut kept = self.catalogue();
        if let Some(known) = kept.activities.iter().find(|activity| activity.name == name) {
            return Ok(known.clone());
        }
        let last = kept.activities.last().map_or(0, |activity| activity.id);
        let created = ActivityRecord {
            id: last + 1,
            name: name.to_owned(),
            created: at,
        };
        kept.activities.push(created.clone());
        kept.set_tags(Tagged::Activity(name.to_owned()), tags);
        Ok(created)
    }

    fn delete_activity(&self, name: &str) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        kept.activities.retain(|activity| activity.name != name);
        kept.tags.remove(&Tagged::Activity(name.to_owned()));
        Ok(())
    }

    fn activities(&self) -> Result<Vec<ActivityRecord>, CatalogueError> {
        Ok(self.catalogue().activities.clone())
    }

    fn token_key(&self) -> Result<TokenKey, engine::ports::StoreError> {
        // Nothing of this store outlives the process, its tokens neither.
        Ok(TokenKey([0; 32]))
    }

    fn put_module(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        at: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError> {
        let mut kept = self.catalogue();
        let digest = digest_of(component);
        let last = kept.last_versions.get(name).copied().unwrap_or(0);
        let newest = kept.modules.values().rfind(|module| module.name == name);
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
        Ok(self.catalogue().modules.values().cloned().collect())
    }

    fn delete_module(&self, name: &str, force: bool) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        if !kept.modules.values().any(|module| module.name == name) {
            return Err(CatalogueError::NoSuchModule(name.to_owned()));
        }
        let users = kept.listed_machines().filter(|machine| {
            let versions = kept.versions.values().filter(|version| version.machine == machine.id);
            let modules = versions.flat_map(|version| &version.modules);
            machine.modules.iter().chain(modules).any(|module| module == name)
        });
        let machines: Vec<String> = users.map(|machine| machine.name.clone()).collect();
        if !force && !machines.is_empty() {
            return Err(CatalogueError::ModuleInUse {
                module: name.to_owned(),
                machines,
            });
        }
        kept.take_versions(name, None, force)
    }

    fn delete_module_version(&self, name: &str, version: u32, force: bool) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        if !kept.modules.contains_key(&(name.to_owned(), version)) {
            let module = name.to_owned();
            return Err(CatalogueError::NoSuchModuleVersion { module, version });
        }
        kept.take_versions(name, Some(version), force)
    }

    fn put_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError> {
        let mut kept = self.catalogue();
        let key = (module.to_owned(), label.to_owned());
        expected.check(module, label, kept.labels.get(&key).map(|known| known.version))?;
        if !kept.modules.contains_key(&(module.to_owned(), version)) {
            let module = module.to_owned();
            return Err(CatalogueError::NoSuchModuleVersion { module, version });
        }
        let labels = kept.labels.keys().filter(|(named, _)| named == module).count();
        let record = match kept.labels.get(&key) {
            Some(known) if known.version == version => known.clone(),
            Some(known) => LabelRecord {
                version,
                moved: at,
                ..known.clone()
            },
            None if labels >= LABELS => return Err(CatalogueError::TooManyLabels(module.to_owned())),
            None => LabelRecord {
                module: module.to_owned(),
                label: label.to_owned(),
                version,
                created: at,
                moved: at,
            },
        };
        kept.labels.insert(key, record.clone());
        Ok(record)
    }

    fn delete_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError> {
        let mut kept = self.catalogue();
        let key = (module.to_owned(), label.to_owned());
        expected.check(module, label, kept.labels.get(&key).map(|known| known.version))?;
        match kept.labels.remove(&key) {
            Some(_) => Ok(()),
            None => Err(CatalogueError::NoSuchLabel {
                module: key.0,
                label: key.1,
            }),
        }
    }

    fn labels(&self) -> Result<Vec<LabelRecord>, CatalogueError> {
        Ok(self.catalogue().labels.values().cloned().collect())
    }

    fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        Ok(self.catalogue().components.get(digest).cloned())
    }
}
