//! Modules: immutable, numbered versions of components.

use asl::Timestamp;
use engine::ids::Digest;
use engine::ports::{CatalogueError, ModuleDescription, ModuleRecord, StoreError};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::Store;
use super::catalogue::json_in;
use super::encoding::column;
use super::error::{ReadError, store_error};
use super::labels::labels_at;
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

    /// All versions of a module, or one. Who uses one version is for those to say who read definitions.
    pub(super) fn delete_versions(&self, name: &str, version: Option<u32>, force: bool) -> Result<(), CatalogueError> {
        let attempted = format!("delete module `{name}`");
        let module = || name.to_owned();
        let _turn = self.catalogue_turn();
        let (digests, machines, labels) = self.0.readers.read(
            || attempted.clone(),
            |connection| {
                Ok((
                    strings(connection, DIGESTS, params![name, version])?,
                    strings(connection, USERS, [name])?,
                    labels_at(connection, name, version)?,
                ))
            },
        )?;
        match version {
            _ if !digests.is_empty() => {}
            None => return Err(CatalogueError::NoSuchModule(module())),
            Some(version) => {
                let module = module();
                return Err(CatalogueError::NoSuchModuleVersion { module, version });
            }
        }
        if !force && version.is_none() && !machines.is_empty() {
            let module = module();
            return Err(CatalogueError::ModuleInUse { module, machines });
        }
        if !force && !labels.is_empty() {
            let module = module();
            return Err(CatalogueError::ModuleLabelled { module, labels });
        }
        let module = module();
        self.0.writer.change(&attempted, move |connection| {
            for table in [
                "DELETE FROM modules WHERE name = ?1 AND version = coalesce(?2, version)",
                "DELETE FROM module_labels WHERE module = ?1 AND version = coalesce(?2, version)",
            ] {
                connection.prepare_cached(table)?.execute(params![module, version])?;
            }
            Ok(())
        })?;
        for digest in digests.into_iter().map(|digest| Digest(digest.into())) {
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

/// The components of a module's versions, or of one.
const DIGESTS: &str = "SELECT DISTINCT digest FROM modules WHERE name = ?1 AND version = coalesce(?2, version)";

/// Names of the machines that refer to a module, now or in a version.
const USERS: &str = "SELECT name FROM machines
     WHERE deleted = 0 AND (?1 IN (SELECT value FROM json_each(machines.modules))
         OR EXISTS (SELECT 1 FROM versions, json_each(versions.modules) AS module
                    WHERE versions.machine = machines.id AND module.value = ?1)) ORDER BY id";

fn strings(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<String>, ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| row.get(0))?;
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
