//! State machines and their definitions.
//!
//! A change takes its turn, decides from a snapshot whether it may, puts its files on disk and then writes its
//! rows: a change that is refused leaves nothing behind.

use asl::Timestamp;
use engine::ids::{Digest, MachineId};
use engine::ports::{
    ActivityRecord, AliasRecord, Catalogue, CatalogueError, Expected, LabelRecord, MachineRecord, MachineUpdate,
    ModuleDescription, ModuleRecord, NewAlias, NewMachine, NewVersion, StoreError, Tag, Tagged, VersionRecord,
};
use engine::token::TokenKey;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use super::encoding::{column, machine_type_code, machine_type_of};
use super::error::{ReadError, store_error};
use super::journal::definition_number;
use super::tags::{delete_tags, insert_tags};
use super::versions::insert_version;
use crate::address::digest_of;

impl Catalogue for Store {
    fn create_machine(&self, new: NewMachine) -> Result<MachineRecord, CatalogueError> {
        let attempted = format!("create state machine `{}`", new.name);
        let _turn = self.catalogue_turn();
        let is_taken = self.0.readers.read(
            || attempted.clone(),
            |connection| {
                let sql = "SELECT EXISTS (SELECT 1 FROM machines WHERE name = ?1 AND deleted = 0)";
                Ok(connection
                    .prepare_cached(sql)?
                    .query_row([&new.name], |row| row.get::<_, bool>(0))?)
            },
        )?;
        if is_taken {
            return Err(CatalogueError::MachineExists(new.name));
        }
        let definition = self.put_definition(&new.definition)?;
        let mut machine = MachineRecord {
            id: MachineId(0),
            name: new.name,
            machine_type: new.machine_type,
            definition,
            revision: new.revision,
            role: new.role,
            created: new.at,
            updated: new.at,
            configuration: new.configuration,
            modules: new.modules,
            last_version: u32::from(new.publish.is_some()),
        };
        let mut row = machine.clone();
        machine.id = self.0.writer.change(&attempted, move |connection| {
            row.id = insert_machine(connection, &row)?;
            if let Some(publish) = new.publish {
                insert_version(connection, &VersionRecord::of(&row, publish, new.at))?;
            }
            insert_tags(connection, &Tagged::Machine(row.id), &new.tags)?;
            Ok(row.id)
        })?;
        Ok(machine)
    }

    fn update_machine(&self, id: MachineId, update: MachineUpdate) -> Result<MachineRecord, CatalogueError> {
        let attempted = format!("update state machine `{}`", id.0);
        let _turn = self.catalogue_turn();
        let mut machine = self.machine_not_deleted(id)?;
        if let Some(definition) = &update.definition {
            machine.definition = self.put_definition(definition)?;
        }
        machine.role = update.role.unwrap_or(machine.role);
        machine.configuration = update.configuration.unwrap_or(machine.configuration);
        machine.modules = update.modules.unwrap_or(machine.modules);
        machine.revision = update.revision;
        machine.updated = update.at;
        machine.last_version += u32::from(update.publish.is_some());
        let row = machine.clone();
        self.0.writer.change(&attempted, move |connection| {
            rewrite_machine(connection, &row)?;
            match update.publish {
                Some(publish) => insert_version(connection, &VersionRecord::of(&row, publish, update.at)),
                None => Ok(()),
            }
        })?;
        Ok(machine)
    }

    fn delete_machine(&self, id: MachineId) -> Result<(), CatalogueError> {
        let attempted = format!("delete state machine `{}`", id.0);
        let _turn = self.catalogue_turn();
        self.machine_not_deleted(id)?;
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("UPDATE machines SET deleted = 1 WHERE id = ?1")?
                .execute([column(id.0)])?;
            connection
                .prepare_cached("DELETE FROM aliases WHERE machine = ?1")?
                .execute([column(id.0)])?;
            connection
                .prepare_cached("DELETE FROM versions WHERE machine = ?1")?
                .execute([column(id.0)])?;
            delete_tags(connection, &Tagged::Machine(id))
        })?;
        Ok(())
    }

    fn machines(&self) -> Result<Vec<MachineRecord>, CatalogueError> {
        let listed = format!("{MACHINES} WHERE m.deleted = 0 ORDER BY m.id");
        Ok(self.0.readers.read(
            || "list state machines".to_owned(),
            |connection| machine_records(connection, &listed, []),
        )?)
    }

    fn machines_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        let named = format!("{MACHINES} WHERE m.name = ?1 ORDER BY m.id DESC");
        let attempted = || format!("look for state machine `{name}`");
        Ok(self
            .0
            .readers
            .read(attempted, |connection| machine_records(connection, &named, [name]))?)
    }

    fn machine(&self, id: MachineId) -> Result<Option<MachineRecord>, CatalogueError> {
        Ok(self.machine_or_deleted(id)?.map(|(machine, _)| machine))
    }

    fn publish_version(
        &self,
        machine: MachineId,
        new: NewVersion,
        at: Timestamp,
    ) -> Result<VersionRecord, CatalogueError> {
        self.publish(machine, new, at)
    }

    fn delete_version(&self, machine: MachineId, number: u32) -> Result<(), CatalogueError> {
        self.unpublish(machine, number)
    }

    fn versions(&self) -> Result<Vec<VersionRecord>, CatalogueError> {
        self.every_version()
    }

    fn put_alias(&self, machine: MachineId, new: NewAlias) -> Result<AliasRecord, CatalogueError> {
        self.create_or_change_alias(machine, new)
    }

    fn delete_alias(&self, machine: MachineId, name: &str) -> Result<(), CatalogueError> {
        self.remove_alias(machine, name)
    }

    fn aliases(&self) -> Result<Vec<AliasRecord>, CatalogueError> {
        self.every_alias()
    }

    fn tags(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError> {
        self.tags_of(tagged)
    }

    fn set_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError> {
        self.replace_tags(tagged, tags)
    }

    fn definition(&self, digest: &Digest) -> Result<Option<String>, CatalogueError> {
        let Some(bytes) = self.0.definitions.get(digest)? else {
            let is_named = self.0.readers.read(
                || format!("look for definition `{digest}`"),
                |connection| {
                    let sql = "SELECT EXISTS (SELECT 1 FROM definitions WHERE digest = ?1)";
                    Ok(connection
                        .prepare_cached(sql)?
                        .query_row([&digest.0], |row| row.get(0))?)
                },
            )?;
            return absent(is_named, "definition", digest);
        };
        let text =
            String::from_utf8(bytes).map_err(|error| store_error(&format!("read definition `{digest}`"), &error))?;
        Ok(Some(text))
    }

    fn create_activity(&self, name: &str, tags: Vec<Tag>, at: Timestamp) -> Result<ActivityRecord, CatalogueError> {
        self.put_activity(name, tags, at)
    }

    fn delete_activity(&self, name: &str) -> Result<(), CatalogueError> {
        self.take_activity(name)
    }

    fn activities(&self) -> Result<Vec<ActivityRecord>, CatalogueError> {
        Ok(self.every_activity()?)
    }

    fn token_key(&self) -> Result<TokenKey, StoreError> {
        self.kept_token_key()
    }

    fn put_module(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        at: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError> {
        self.put_module_version(name, component, description, at)
    }

    fn modules(&self) -> Result<Vec<ModuleRecord>, CatalogueError> {
        Ok(self.every_module()?)
    }

    fn delete_module(&self, name: &str, force: bool) -> Result<(), CatalogueError> {
        self.delete_versions(name, None, force)
    }

    fn delete_module_version(&self, name: &str, version: u32, force: bool) -> Result<(), CatalogueError> {
        self.delete_versions(name, Some(version), force)
    }

    fn put_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError> {
        self.set_label(module, label, version, expected, at)
    }

    fn delete_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError> {
        self.remove_label(module, label, expected)
    }

    fn labels(&self) -> Result<Vec<LabelRecord>, CatalogueError> {
        self.every_label()
    }

    fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        match self.0.components.get(digest)? {
            Some(bytes) => Ok(Some(bytes)),
            None => absent(self.is_component_named(digest)?, "component", digest),
        }
    }
}

impl Store {
    /// On disk before any row names it.
    fn put_definition(&self, text: &str) -> Result<Digest, StoreError> {
        let digest = digest_of(text.as_bytes());
        self.0.definitions.put(&digest, text.as_bytes())?;
        Ok(digest)
    }

    pub(super) fn machine_not_deleted(&self, id: MachineId) -> Result<MachineRecord, CatalogueError> {
        match self.machine_or_deleted(id)? {
            Some((machine, false)) => Ok(machine),
            Some((_, true)) | None => Err(CatalogueError::NoSuchMachine(id)),
        }
    }

    fn machine_or_deleted(&self, id: MachineId) -> Result<Option<(MachineRecord, bool)>, StoreError> {
        self.0.readers.read(
            || format!("read state machine `{}`", id.0),
            |connection| {
                let mut statement = connection.prepare_cached(&format!("{MACHINES} WHERE m.id = ?1"))?;
                Ok(statement.query_row([column(id.0)], machine_record).optional()?)
            },
        )
    }
}

/// No file: that is an answer where nothing names it, and damage where something does.
fn absent<T>(is_named: bool, what: &str, digest: &Digest) -> Result<Option<T>, CatalogueError> {
    if is_named {
        let missing = "its file is missing: upload it again or restore the data directory from a backup";
        return Err(store_error(&format!("read {what} `{digest}`"), &missing).into());
    }
    Ok(None)
}

/// The columns [`machine_record`] reads.
const MACHINES: &str = "SELECT m.id, m.name, m.machine_type, d.digest, m.revision, m.role, m.created, m.updated,
     m.configuration, m.modules, m.last_version, m.deleted FROM machines AS m CROSS JOIN definitions AS d ON d.id = m.definition";

fn machine_records(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<MachineRecord>, ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| Ok(machine_record(row)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A machine, and whether it is deleted.
fn machine_record(row: &Row<'_>) -> rusqlite::Result<(MachineRecord, bool)> {
    let id: i64 = row.get(0)?;
    let machine_type = row.get(2)?;
    let machine = MachineRecord {
        id: MachineId(id.cast_unsigned()),
        name: row.get(1)?,
        machine_type: machine_type_of(machine_type).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, machine_type))?,
        definition: Digest(row.get(3)?),
        revision: row.get(4)?,
        role: row.get(5)?,
        created: Timestamp(row.get(6)?),
        updated: Timestamp(row.get(7)?),
        configuration: json_in(row, 8)?,
        modules: json_in(row, 9)?,
        last_version: row.get(10)?,
    };
    Ok((machine, row.get(11)?))
}

/// The value in a column that holds JSON text.
pub(super) fn json_in<T: for<'de> serde::Deserialize<'de>>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

fn insert_machine(connection: &Connection, machine: &MachineRecord) -> rusqlite::Result<MachineId> {
    connection
        .prepare_cached(
            "INSERT INTO machines (name, machine_type, definition, revision, role, created, updated, configuration, modules, last_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            machine.name,
            machine_type_code(machine.machine_type),
            definition_number(connection, &machine.definition)?,
            machine.revision,
            machine.role,
            machine.created.0,
            machine.updated.0,
            machine.configuration.to_string(),
            names_json(&machine.modules),
            machine.last_version,
        ])?;
    Ok(MachineId(connection.last_insert_rowid().cast_unsigned()))
}

fn rewrite_machine(connection: &Connection, machine: &MachineRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE machines SET definition = ?2, revision = ?3, role = ?4, updated = ?5, configuration = ?6,
                 modules = ?7, last_version = ?8 WHERE id = ?1",
        )?
        .execute(params![
            column(machine.id.0),
            definition_number(connection, &machine.definition)?,
            machine.revision,
            machine.role,
            machine.updated.0,
            machine.configuration.to_string(),
            names_json(&machine.modules),
            machine.last_version,
        ])?;
    Ok(())
}

pub(super) fn names_json(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}
