//! Labels of modules.

use asl::Timestamp;
use engine::ports::{CatalogueError, Expected, LABELS, LabelRecord};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use super::error::ReadError;

impl Store {
    pub(super) fn set_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError> {
        let attempted = format!("point label `{label}` of module `{module}` at version `{version}`");
        let _turn = self.catalogue_turn();
        let (exists, known, others) = self.0.readers.read(
            || attempted.clone(),
            |connection| {
                Ok((
                    has_version(connection, module, version)?,
                    label_of(connection, module, label)?,
                    count_of_labels(connection, module)?,
                ))
            },
        )?;
        expected.check(module, label, known.as_ref().map(|known| known.version))?;
        if !exists {
            let module = module.to_owned();
            return Err(CatalogueError::NoSuchModuleVersion { module, version });
        }
        let record = match known {
            Some(known) if known.version == version => return Ok(known),
            Some(known) => LabelRecord {
                version,
                moved: at,
                ..known
            },
            None if others >= LABELS => return Err(CatalogueError::TooManyLabels(module.to_owned())),
            None => LabelRecord {
                module: module.to_owned(),
                label: label.to_owned(),
                version,
                created: at,
                moved: at,
            },
        };
        let row = record.clone();
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO module_labels (module, label, version, created, moved) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (module, label) DO UPDATE SET version = ?3, moved = ?5",
                )?
                .execute(params![row.module, row.label, row.version, row.created.0, row.moved.0])?;
            Ok(())
        })?;
        Ok(record)
    }

    pub(super) fn remove_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError> {
        let attempted = format!("delete label `{label}` of module `{module}`");
        let _turn = self.catalogue_turn();
        let known = self
            .0
            .readers
            .read(|| attempted.clone(), |connection| label_of(connection, module, label))?;
        expected.check(module, label, known.as_ref().map(|known| known.version))?;
        if known.is_none() {
            let (module, label) = (module.to_owned(), label.to_owned());
            return Err(CatalogueError::NoSuchLabel { module, label });
        }
        let (module, label) = (module.to_owned(), label.to_owned());
        self.0.writer.change(&attempted, move |connection| {
            connection
                .prepare_cached("DELETE FROM module_labels WHERE module = ?1 AND label = ?2")?
                .execute([module, label])?;
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn every_label(&self) -> Result<Vec<LabelRecord>, CatalogueError> {
        Ok(self.0.readers.read(
            || "list labels of modules".to_owned(),
            |connection| {
                let mut statement = connection.prepare_cached(&format!("{LABELS_OF} ORDER BY module, label"))?;
                let rows = statement.query_map([], label_record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )?)
    }
}

/// The columns [`label_record`] reads.
const LABELS_OF: &str = "SELECT module, label, version, created, moved FROM module_labels";

fn label_record(row: &Row<'_>) -> rusqlite::Result<LabelRecord> {
    Ok(LabelRecord {
        module: row.get(0)?,
        label: row.get(1)?,
        version: row.get(2)?,
        created: Timestamp(row.get(3)?),
        moved: Timestamp(row.get(4)?),
    })
}

fn has_version(connection: &Connection, module: &str, version: u32) -> Result<bool, ReadError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM modules WHERE name = ?1 AND version = ?2)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![module, version], |row| row.get(0))?)
}

fn label_of(connection: &Connection, module: &str, label: &str) -> Result<Option<LabelRecord>, ReadError> {
    let sql = format!("{LABELS_OF} WHERE module = ?1 AND label = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([module, label], label_record)
        .optional()?)
}

fn count_of_labels(connection: &Connection, module: &str) -> Result<usize, ReadError> {
    let sql = "SELECT count(*) FROM module_labels WHERE module = ?1";
    let count: u32 = connection.prepare_cached(sql)?.query_row([module], |row| row.get(0))?;
    Ok(count as usize)
}

/// The labels of a module, or of one of its versions.
pub(super) fn labels_at(connection: &Connection, module: &str, version: Option<u32>) -> Result<Vec<String>, ReadError> {
    let sql = "SELECT label FROM module_labels WHERE module = ?1 AND version = coalesce(?2, version) ORDER BY label";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![module, version], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
