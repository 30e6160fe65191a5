//! Modules: immutable, numbered versions of components.

use asl::Timestamp;
use engine::ids::Digest;
use engine::ports::{CatalogueError, ModuleDescription, ModuleRecord, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use super::catalogue::json_in;
use super::encoding::column;
use super::error::store_error;
use crate::address::digest_of;

impl Store {
    pub(super) fn put_module_version(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        created: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError> {
        let attempted = format!("store module `{name}`");
        let digest = digest_of(component);
        let description_json = serde_json::to_string(&description).map_err(|error| store_error(&attempted, &error))?;
        let _turn = self.catalogue_turn();
        let newest = self.0.readers.read(
            || attempted.clone(),
            |connection| {
                let sql = format!("{MODULES} WHERE name = ?1 ORDER BY version DESC LIMIT 1");
                Ok(connection
                    .prepare_cached(&sql)?
                    .query_row([name], module_record)
                    .optional()?)
            },
        )?;
        // Also where nothing is new: an upload mends a damaged file.
        self.0.components.put(&digest, component)?;
        if let Some(newest) = newest.filter(|newest| newest.digest == digest && newest.description == description) {
            return Ok(newest);
        }
        let size = component.len() as u64;
        let mut module = ModuleRecord {
            name: name.to_owned(),
            version: 0,
            digest,
            size,
            created,
            description,
        };
        let row = module.clone();
        module.version = self.0.writer.change(&attempted, move |connection| {
            insert_module(connection, &row, &description_json)
        })?;
        Ok(module)
    }

    pub(super) fn every_module(&self) -> Result<Vec<ModuleRecord>, StoreError> {
        self.0.readers.read(
            || "list modules".to_owned(),
            |connection| {
                let mut statement = connection.prepare_cached(&format!("{MODULES} ORDER BY name, version"))?;
                let rows = statement.query_map([], module_record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(super) fn delete_every_version(&self, name: &str, force: bool) -> Result<(), CatalogueError> {
        let attempted = format!("delete module `{name}`");
        let _turn = self.catalogue_turn();
        let digests = self.0.readers.read(
            || attempted.clone(),
            |connection| strings(connection, "SELECT DISTINCT digest FROM modules WHERE name = ?1", name),
        )?;
        if digests.is_empty() {
            return Err(CatalogueError::NoSuchModule(name.to_owned()));
        }
        if !force {
            let machines = self
                .0
                .readers
                .read(|| attempted.clone(), |connection| strings(connection, USERS, name))?;
            if !machines.is_empty() {
                return Err(CatalogueError::ModuleInUse {
                    module: name.to_owned(),
                    machines,
                });
            }
        }
        let module = name.to_owned();
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("DELETE FROM modules WHERE name = ?1")?
                .execute([module])?;
            Ok(())
        })?;
        for digest in digests.into_iter().map(Digest) {
            if !self.is_component_named(&digest)? {
                self.0.components.remove(&digest);
            }
        }
        Ok(())
    }

    /// Whether a version of a module refers to the component.
    pub(super) fn is_component_named(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.0.readers.read(
            || format!("look for component `{digest}`"),
            |connection| {
                let sql = "SELECT EXISTS (SELECT 1 FROM modules WHERE digest = ?1)";
                Ok(connection
                    .prepare_cached(sql)?
                    .query_row([&digest.0], |row| row.get(0))?)
            },
        )
    }
}

/// Names of the machines that refer to a module, now or in a version.
const USERS: &str = "SELECT name FROM machines
     WHERE deleted = 0 AND (?1 IN (SELECT value FROM json_each(machines.modules))
         OR EXISTS (SELECT 1 FROM versions, json_each(versions.modules) AS module
                    WHERE versions.machine = machines.id AND module.value = ?1)) ORDER BY id";

fn strings(connection: &Connection, sql: &str, name: &str) -> Result<Vec<String>, super::error::ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([name], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The columns [`module_record`] reads.
const MODULES: &str = "SELECT name, version, digest, size, created, description FROM modules";

fn module_record(row: &Row<'_>) -> rusqlite::Result<ModuleRecord> {
    let size: i64 = row.get(3)?;
    Ok(ModuleRecord {
        name: row.get(0)?,
        version: row.get(1)?,
        digest: Digest(row.get(2)?),
        size: size.cast_unsigned(),
        created: Timestamp(row.get(4)?),
        description: json_in(row, 5)?,
    })
}

/// Gives the module its next number.
fn insert_module(connection: &Connection, module: &ModuleRecord, description: &str) -> rusqlite::Result<u32> {
    let version = connection
        .prepare_cached(
            "INSERT INTO module_names (name, last_version) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET last_version = last_version + 1 RETURNING last_version",
        )?
        .query_row([&module.name], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO modules (name, version, digest, size, created, description) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            module.name,
            version,
            module.digest.0,
            column(module.size),
            module.created.0,
            description
        ])?;
    Ok(version)
}
