//! Deleting what nothing refers to: rows of machines and definitions, files of definitions and components.

use std::collections::HashSet;

use engine::ids::Digest;
use engine::ports::{StoreError, Sweep, Swept, Tally};
use rusqlite::Connection;

use super::Store;
use super::content::ContentFiles;
use super::error::ReadError;

/// Deleted machines without an execution. The youngest stays, deleted or not: ids are never given out twice.
const GONE_MACHINES: &str =
    "SELECT m.id, d.digest FROM machines AS m CROSS JOIN definitions AS d ON d.id = m.definition
     WHERE m.deleted = 1 AND m.id < (SELECT max(id) FROM machines)
     AND NOT EXISTS (SELECT 1 FROM executions AS e WHERE e.machine = m.id AND e.parent IS NULL)";

/// One of them, unless an execution of it was written since.
const DELETE_MACHINE: &str = "DELETE FROM machines WHERE id = ?1
     AND NOT EXISTS (SELECT 1 FROM executions WHERE machine = ?1 AND parent IS NULL)";

/// Definitions that no machine but a gone one, no version and no execution has.
const UNUSED_DEFINITIONS: &str = "SELECT id, digest FROM definitions WHERE id NOT IN (
     SELECT definition FROM machines WHERE id NOT IN (SELECT value FROM json_each(?1))
     UNION SELECT definition FROM versions UNION SELECT definition FROM executions)";

/// The same question once more of one definition and the executions that started since it was asked first.
const IS_USED_SINCE: &str = "SELECT EXISTS (SELECT 1 FROM executions WHERE id > ?2 AND definition = ?1)";

impl Store {
    pub(super) fn sweep_unnamed(&self, in_use: &dyn Fn(&Digest) -> bool, sweep: Sweep) -> Result<Swept, StoreError> {
        let _turn = self.catalogue_turn();
        // Before the look at the rows: who lets go of a definition after this has written its row by then.
        let attempted = "look for what nothing refers to";
        let names = self.0.readers.read(|| attempted.to_owned(), named_definitions)?;
        let held: HashSet<Digest> = names.into_iter().filter(|digest| in_use(digest)).collect();
        let unused = self
            .0
            .readers
            .read(|| attempted.to_owned(), |connection| unused(connection, &held))?;
        let components = self.0.readers.read(|| attempted.to_owned(), named_components)?;
        let mut swept = Swept {
            machines: unused.machines.len() as u64,
            ..Swept::default()
        };
        let mut definitions = self.0.readers.read(|| attempted.to_owned(), named_definitions)?;
        let gone = match sweep {
            Sweep::Count => unused.definitions.into_iter().map(|(_, digest)| digest).collect(),
            Sweep::Delete => self.delete_unused(unused)?,
        };
        definitions.retain(|digest| !gone.contains(digest));
        swept.definitions = self.remove_files(&self.0.definitions, &definitions, sweep)?;
        swept.components = self.remove_files(&self.0.components, &components, sweep)?;
        Ok(swept)
    }

    /// The rows first: a file without a row is found again, a row without its file is damage.
    fn delete_unused(&self, unused: Unused) -> Result<HashSet<Digest>, StoreError> {
        if unused.machines.is_empty() && unused.definitions.is_empty() {
            return Ok(HashSet::new());
        }
        let attempted = "delete what nothing refers to";
        self.0
            .writer
            .change_with_journals(attempted, move |connection, journals| {
                for machine in unused.machines {
                    connection.prepare_cached(DELETE_MACHINE)?.execute([machine])?;
                }
                let mut gone = HashSet::new();
                for (id, digest) in unused.definitions {
                    let is_used: bool = connection
                        .prepare_cached(IS_USED_SINCE)?
                        .query_row([id, unused.last_execution], |row| row.get(0))?;
                    if !is_used {
                        connection
                            .prepare_cached("DELETE FROM definitions WHERE id = ?1")?
                            .execute([id])?;
                        gone.insert(digest);
                    }
                }
                // It remembers the numbers of definitions.
                journals.forget();
                Ok(gone)
            })
    }

    fn remove_files(&self, files: &ContentFiles, kept: &HashSet<Digest>, sweep: Sweep) -> Result<Tally, StoreError> {
        let mut removed = Tally::default();
        for (digest, bytes) in files.list()? {
            if !kept.contains(&digest) {
                removed += Tally::of(bytes);
                if sweep == Sweep::Delete {
                    files.remove(&digest);
                }
            }
        }
        Ok(removed)
    }
}

/// What nothing referred to at one moment.
struct Unused {
    machines: Vec<i64>,
    definitions: Vec<(i64, Digest)>,
    /// The newest execution of that moment.
    last_execution: i64,
}

fn unused(connection: &Connection, held: &HashSet<Digest>) -> Result<Unused, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let machines: Vec<i64> = snapshot
        .prepare_cached(GONE_MACHINES)?
        .query_map([], |row| Ok((row.get(0)?, Digest(row.get(1)?))))?
        .filter(|gone| gone.as_ref().map_or(true, |(_, digest)| !held.contains(digest)))
        .map(|gone| gone.map(|(id, _)| id))
        .collect::<rusqlite::Result<_>>()?;
    let gone = serde_json::Value::from(machines.as_slice()).to_string();
    let definitions: Vec<(i64, Digest)> = snapshot
        .prepare_cached(UNUSED_DEFINITIONS)?
        .query_map([gone], |row| Ok((row.get(0)?, Digest(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let last_execution = snapshot.query_row("SELECT coalesce(max(id), 0) FROM executions", [], |row| row.get(0))?;
    snapshot.commit()?;
    Ok(Unused {
        machines,
        definitions: definitions
            .into_iter()
            .filter(|(_, digest)| !held.contains(digest))
            .collect(),
        last_execution,
    })
}

fn named_definitions(connection: &Connection) -> Result<HashSet<Digest>, ReadError> {
    digests(connection, "SELECT digest FROM definitions")
}

fn named_components(connection: &Connection) -> Result<HashSet<Digest>, ReadError> {
    digests(connection, "SELECT DISTINCT digest FROM modules")
}

pub(super) fn digests(connection: &Connection, sql: &str) -> Result<HashSet<Digest>, ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok(Digest(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
