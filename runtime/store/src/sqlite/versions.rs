//! Versions of state machines and the aliases that point to them.

use asl::Timestamp;
use engine::ids::{Digest, MachineId};
use engine::ports::{AliasRecord, CatalogueError, NewAlias, NewVersion, VersionRecord};
use rusqlite::{Connection, Row, params};

use super::Store;
use super::catalogue::{json_in, names_json};
use super::encoding::column;
use super::error::ReadError;
use super::journal::definition_number;

impl Store {
    pub(super) fn publish(
        &self,
        machine: MachineId,
        new: NewVersion,
        at: Timestamp,
    ) -> Result<VersionRecord, CatalogueError> {
        let _turn = self.catalogue_turn();
        let mut machine = self.machine_not_deleted(machine)?;
        machine.last_version += 1;
        let version = VersionRecord::of(&machine, new, at);
        let row = version.clone();
        let attempted = format!("publish version `{}` of state machine `{}`", row.number, machine.name);
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("UPDATE machines SET last_version = ?2 WHERE id = ?1")?
                .execute(params![column(row.machine.0), row.number])?;
            insert_version(connection, &row)
        })?;
        Ok(version)
    }

    pub(super) fn unpublish(&self, machine: MachineId, number: u32) -> Result<(), CatalogueError> {
        let attempted = format!("delete version `{number}` of state machine `{}`", machine.0);
        let _turn = self.catalogue_turn();
        self.machine_not_deleted(machine)?;
        let (exists, aliases) = self.0.readers.read(
            || attempted.clone(),
            |connection| {
                let exists = has_version(connection, machine, number)?;
                Ok((exists, aliases_to(connection, machine, number)?))
            },
        )?;
        if !exists {
            return Err(CatalogueError::NoSuchVersion { machine, number });
        }
        if !aliases.is_empty() {
            return Err(CatalogueError::VersionInUse { number, aliases });
        }
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("DELETE FROM versions WHERE machine = ?1 AND number = ?2")?
                .execute(params![column(machine.0), number])?;
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn every_version(&self) -> Result<Vec<VersionRecord>, CatalogueError> {
        Ok(self.0.readers.read(
            || "list versions".to_owned(),
            |connection| {
                let mut statement = connection.prepare_cached(VERSIONS)?;
                let rows = statement.query_map([], version_record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )?)
    }

    pub(super) fn create_or_change_alias(
        &self,
        machine: MachineId,
        new: NewAlias,
    ) -> Result<AliasRecord, CatalogueError> {
        let attempted = format!("write alias `{}` of state machine `{}`", new.name, machine.0);
        let _turn = self.catalogue_turn();
        self.machine_not_deleted(machine)?;
        for route in &new.routes {
            let number = route.version;
            let exists = self.0.readers.read(
                || attempted.clone(),
                |connection| has_version(connection, machine, number),
            )?;
            if !exists {
                return Err(CatalogueError::NoSuchVersion { machine, number });
            }
        }
        let routes = serde_json::to_value(&new.routes).unwrap_or_default().to_string();
        let row = new.clone();
        let (id, created) = self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO aliases (machine, name, description, routes, created, updated)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                     ON CONFLICT (machine, name) DO UPDATE SET description = ?3, routes = ?4, updated = ?5
                     RETURNING id, created",
                )?
                .query_row(
                    params![column(machine.0), row.name, row.description, routes, row.at.0],
                    |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)),
                )
        })?;
        Ok(AliasRecord {
            id: id.cast_unsigned(),
            machine,
            name: new.name,
            description: new.description,
            routes: new.routes,
            created: Timestamp(created),
            updated: new.at,
        })
    }

    pub(super) fn remove_alias(&self, machine: MachineId, name: &str) -> Result<(), CatalogueError> {
        let attempted = format!("delete alias `{name}` of state machine `{}`", machine.0);
        let alias = name.to_owned();
        let _turn = self.catalogue_turn();
        let deleted = self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("DELETE FROM aliases WHERE machine = ?1 AND name = ?2")?
                .execute(params![column(machine.0), alias])
        })?;
        if deleted == 0 {
            let alias = name.to_owned();
            return Err(CatalogueError::NoSuchAlias { machine, alias });
        }
        Ok(())
    }

    pub(super) fn every_alias(&self) -> Result<Vec<AliasRecord>, CatalogueError> {
        Ok(self.0.readers.read(
            || "list aliases".to_owned(),
            |connection| {
                let mut statement = connection.prepare_cached(ALIASES)?;
                let rows = statement.query_map([], alias_record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )?)
    }
}

/// The columns [`version_record`] reads.
const VERSIONS: &str = "SELECT v.machine, v.number, v.description, v.created, v.revision, d.digest, v.role,
     v.configuration, v.modules FROM versions AS v CROSS JOIN definitions AS d ON d.id = v.definition
     ORDER BY v.machine, v.number";

/// The columns [`alias_record`] reads.
const ALIASES: &str = "SELECT id, machine, name, description, routes, created, updated FROM aliases ORDER BY id";

/// Where a version is about to be written, its machine's row is already.
pub(super) fn insert_version(connection: &Connection, version: &VersionRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO versions (machine, number, description, created, revision, definition, role, configuration, modules)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            column(version.machine.0),
            version.number,
            version.description,
            version.created.0,
            version.revision,
            definition_number(connection, &version.definition)?,
            version.role,
            version.configuration.to_string(),
            names_json(&version.modules),
        ])?;
    Ok(())
}

fn has_version(connection: &Connection, machine: MachineId, number: u32) -> Result<bool, ReadError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM versions WHERE machine = ?1 AND number = ?2)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![column(machine.0), number], |row| row.get(0))?)
}

fn aliases_to(connection: &Connection, machine: MachineId, number: u32) -> Result<Vec<String>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM aliases
         WHERE machine = ?1 AND ?2 IN (SELECT value ->> 'version' FROM json_each(aliases.routes)) ORDER BY id",
    )?;
    let rows = statement.query_map(params![column(machine.0), number], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn version_record(row: &Row<'_>) -> rusqlite::Result<VersionRecord> {
    let machine: i64 = row.get(0)?;
    Ok(VersionRecord {
        machine: MachineId(machine.cast_unsigned()),
        number: row.get(1)?,
        description: row.get(2)?,
        created: Timestamp(row.get(3)?),
        revision: row.get(4)?,
        definition: Digest(row.get(5)?),
        role: row.get(6)?,
        configuration: json_in(row, 7)?,
        modules: json_in(row, 8)?,
    })
}

fn alias_record(row: &Row<'_>) -> rusqlite::Result<AliasRecord> {
    let (id, machine): (i64, i64) = (row.get(0)?, row.get(1)?);
    Ok(AliasRecord {
        id: id.cast_unsigned(),
        machine: MachineId(machine.cast_unsigned()),
        name: row.get(2)?,
        description: row.get(3)?,
        routes: json_in(row, 4)?,
        created: Timestamp(row.get(5)?),
        updated: Timestamp(row.get(6)?),
    })
}
