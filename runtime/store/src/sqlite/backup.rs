//! Snapshots of the database, taken beside whoever uses it.

use std::collections::BTreeSet;
use std::path::Path;

use engine::ids::Digest;
use rusqlite::{Connection, OpenFlags};

use super::database;
use super::error::{Error, explained};
use super::space::INCREMENTAL;

/// How many there are of what.
pub(crate) struct Counts {
    pub(crate) executions: u64,
    pub(crate) machines: u64,
    pub(crate) modules: u64,
}

/// Writes the database as it is at this moment to a new file, without its holes, and waits until it is on disk. Commits go
/// on meanwhile; their log isn't cut back until this has ended.
pub(crate) fn take(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |source| Error::Database {
        attempted: "copy",
        file: from.to_owned(),
        source,
    };
    let connection = database::open_reader(from).map_err(failed)?;
    database::checked_format(&connection, from)?;
    let vacuums: i64 = connection
        .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
        .map_err(failed)?;
    if vacuums != INCREMENTAL {
        // Of the copy: an existing database doesn't change. Where it is set already, setting it would write.
        connection
            .pragma_update(None, "auto_vacuum", INCREMENTAL)
            .map_err(failed)?;
    }
    connection
        .execute("VACUUM INTO ?1", [to.to_string_lossy()])
        .map_err(failed)?;
    std::fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|source| Error::File {
            attempted: "sync",
            path: to.to_owned(),
            source,
        })
}

/// SQLite's own check of every page and index.
pub(crate) fn check(file: &Path) -> Result<(), String> {
    let checked = open(file).and_then(|connection| {
        let mut check = connection.prepare("PRAGMA integrity_check(1)")?;
        check.query_row([], |row| row.get::<_, String>(0))
    });
    match checked {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(answer),
        Err(error) => Err(explained(&error)),
    }
}

/// What a snapshot names.
pub(crate) fn digests(file: &Path, sql: &str) -> Result<BTreeSet<Digest>, Error> {
    read(file, |connection| {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok(Digest(row.get(0)?)))?;
        rows.collect()
    })
}

/// What is in a snapshot.
pub(crate) fn counts(file: &Path) -> Result<Counts, Error> {
    read(file, |connection| {
        let count = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        };
        Ok(Counts {
            executions: count("SELECT count(*) FROM executions")?,
            machines: count("SELECT count(*) FROM machines WHERE deleted = 0")?,
            modules: count("SELECT count(*) FROM modules")?,
        })
    })
}

fn read<T>(file: &Path, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
    open(file)
        .and_then(|connection| read(&connection))
        .map_err(|source| Error::Database {
            attempted: "read",
            file: file.to_owned(),
            source,
        })
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}
