//! The database file: creating it, its format, its connections.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::Error;

/// The database in the data directory.
const DATABASE_FILE: &str = "sandstep.db";

/// What brings a database from format n to format n + 1. Format 0 is an empty file.
const MIGRATIONS: [&str; 9] = [
    include_str!("../../migrations/0001_journal.sql"),
    include_str!("../../migrations/0002_catalogue.sql"),
    include_str!("../../migrations/0003_versions.sql"),
    include_str!("../../migrations/0004_activities.sql"),
    include_str!("../../migrations/0005_map_runs.sql"),
    include_str!("../../migrations/0006_redrives.sql"),
    include_str!("../../migrations/0007_retention.sql"),
    include_str!("../../migrations/0008_module_labels.sql"),
    include_str!("../../migrations/0009_map_run_redrives.sql"),
];

/// The newest format, the one written.
const FORMAT: i64 = MIGRATIONS.len() as i64;

/// Marks the file as ours (SQLite's `application_id`): `SStp`.
const APPLICATION_ID: i64 = 0x5353_7470;

/// Size of a page of a new database. A commit writes every page it touches whole, and a start touches several, one of
/// them at random (its name's): half of SQLite's 4,096 writes a third fewer bytes at the same CPU time.
const PAGE_BYTES: i64 = 2048;

/// Pages of write-ahead log after which they are moved into the database: 16 MiB. Pages that change often (the
/// ends of tables, the roots of indexes) are then moved once for many commits, and the pause stays short.
const WAL_PAGES: i64 = 8000;

/// The log file is cut back to this after it grew beyond, as behind a long read: 32 MiB.
const WAL_FILE_BYTES: i64 = 32 << 20;

/// Page cache of the writer. Grown on use: an idle server doesn't have it.
const WRITER_CACHE_KIB: i64 = 8 << 10;

/// Page cache of each reader; the system's own cache stands behind it.
const READER_CACHE_KIB: i64 = 512;

/// How long to wait for a program (`sqlite3`, a backup) that has the database locked before giving up.
const BUSY: Duration = Duration::from_secs(5);

/// Statements each connection keeps compiled: more than there are.
const STATEMENTS: usize = 64;

/// Where the database of a data directory is.
pub(crate) fn file_in(directory: &Path) -> PathBuf {
    directory.join(DATABASE_FILE)
}

/// The writing connection, to a database of the newest format, created or migrated where need be.
pub(crate) fn open_writer(file: &Path) -> Result<Connection, Error> {
    if !exists(file)? {
        let log = with_suffix(file, "-wal");
        if exists(&log)? {
            return Err(Error::DatabaseMissing { file: file.to_owned() });
        }
        create(file)?;
    }
    let mut connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |attempted| {
        move |source| Error::Database {
            attempted,
            file: file.to_owned(),
            source,
        }
    };
    let found = checked_format(&connection, file)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(failed("switch on the write-ahead log of"))?;
    if mode != "wal" {
        tracing::warn!(file = %file.display(), mode, "no write-ahead log on this file system: reads and commits wait for each other");
    }
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {WAL_PAGES}; \
             PRAGMA journal_size_limit = {WAL_FILE_BYTES}; PRAGMA cache_size = -{WRITER_CACHE_KIB}"
        ))
        .map_err(failed("configure"))?;
    if found < FORMAT {
        migrate(&mut connection, found).map_err(failed("migrate"))?;
        tracing::info!(file = %file.display(), from = found, to = FORMAT, "database migrated");
    }
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | FLAGS)?;
    configure(&connection)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// A new database is made under another name without a sync for each step, synced once and then renamed: there
/// is a whole database or none, and making it is what an empty directory's start waits for longest.
fn create(file: &Path) -> Result<(), Error> {
    let new = with_suffix(file, ".new");
    let file_failed = |attempted| {
        let path = new.clone();
        move |source| Error::File {
            attempted,
            path,
            source,
        }
    };
    for leftover in [new.clone(), with_suffix(&new, "-wal"), with_suffix(&new, "-shm")] {
        if exists(&leftover)? {
            std::fs::remove_file(&leftover).map_err(file_failed("remove incomplete"))?;
        }
    }
    let failed = |attempted| {
        move |source| Error::Database {
            attempted,
            file: file.to_owned(),
            source,
        }
    };
    let mut connection = open(&new, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"
        ))
        .map_err(failed("create"))?;
    migrate(&mut connection, 0).map_err(failed("create"))?;
    // The mode is a property of the file: set here, the rename brings it along.
    connection
        .execute_batch("PRAGMA journal_mode = WAL")
        .map_err(failed("create"))?;
    connection.close().map_err(|(_, source)| failed("create")(source))?;
    File::open(&new)
        .and_then(|file| file.sync_all())
        .map_err(file_failed("sync"))?;
    std::fs::rename(&new, file).map_err(file_failed("rename"))?;
    let directory = file.parent().unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(file_failed("sync the directory of"))
}

/// The format of a database that is ours; 0 for an empty one.
pub(crate) fn checked_format(connection: &Connection, file: &Path) -> Result<i64, Error> {
    let read = || -> rusqlite::Result<(i64, i64, bool)> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let is_empty = connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, is_empty))
    };
    let (application, found, is_empty) = read().map_err(|source| Error::Database {
        attempted: "read",
        file: file.to_owned(),
        source,
    })?;
    let is_blank = application == 0 && found == 0 && is_empty;
    if application != APPLICATION_ID && !is_blank {
        return Err(Error::Foreign { file: file.to_owned() });
    }
    if found > FORMAT {
        return Err(Error::NewerFormat {
            file: file.to_owned(),
            found,
            known: FORMAT,
        });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Each connection belongs to one thread at a time, so SQLite needn't lock it; no URI parsing of paths.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

fn open(file: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let opened = Connection::open_with_flags(file, flags | FLAGS).and_then(|connection| {
        configure(&connection)?;
        Ok(connection)
    });
    opened.map_err(|source| Error::Database {
        attempted: "open",
        file: file.to_owned(),
        source,
    })
}

/// Memory mapping stays off: a disk's error would then be a signal that ends the process.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("PRAGMA temp_store = MEMORY")
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|source| Error::File {
        attempted: "look for",
        path: path.to_owned(),
        source,
    })
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn every_older_format_is_migrated() {
        for format in 0..FORMAT {
            let directory = directory();
            let file = file_in(directory.path());
            let old = Connection::open(&file).expect("opens");
            for migration in MIGRATIONS.iter().take(usize::try_from(format).expect("small")) {
                old.execute_batch(migration).expect("applies");
                old.pragma_update(None, "application_id", APPLICATION_ID).expect("sets");
            }
            old.pragma_update(None, "user_version", format).expect("sets");
            drop(old);

            let migrated = open_writer(&file).expect("migrates");
            assert_eq!(checked_format(&migrated, &file).expect("reads"), FORMAT);
            migrated
                .execute_batch("SELECT * FROM tags, aliases, versions, modules, machines, journal, executions")
                .expect("has every table");
            drop(migrated);
            open_writer(&file).expect("opens again");
        }
    }

    #[test]
    fn newer_and_foreign_databases_are_refused() {
        let directory = directory();
        let file = file_in(directory.path());
        open_writer(&file)
            .expect("creates")
            .pragma_update(None, "user_version", FORMAT + 1)
            .expect("sets");
        let refusal = open_writer(&file).expect_err("newer").to_string();
        assert!(refusal.contains(&format!("format `{}`", FORMAT + 1)), "{refusal}");

        std::fs::remove_file(&file).expect("removes");
        Connection::open(&file)
            .expect("opens")
            .execute_batch("CREATE TABLE theirs (a)")
            .expect("creates");
        assert!(matches!(open_writer(&file), Err(Error::Foreign { .. })));

        std::fs::write(
            &file,
            "anything but a database, and long enough to be looked at as one".repeat(20),
        )
        .expect("writes");
        let refusal = open_writer(&file).expect_err("no database").to_string();
        assert!(refusal.contains("backup"), "{refusal}");
    }

    #[test]
    fn a_log_without_its_database_is_refused() {
        let directory = directory();
        let file = file_in(directory.path());
        std::fs::write(with_suffix(&file, "-wal"), "frames").expect("writes");
        assert!(matches!(open_writer(&file), Err(Error::DatabaseMissing { .. })));
    }

    #[test]
    fn a_creation_cut_off_by_a_crash_starts_over() {
        let directory = directory();
        let file = file_in(directory.path());
        std::fs::write(with_suffix(&file, ".new"), "half a database").expect("writes");
        open_writer(&file).expect("creates");
        assert!(!exists(&with_suffix(&file, ".new")).expect("looks"));
    }

    #[test]
    fn commits_are_synced() {
        let directory = directory();
        let writer = open_writer(&file_in(directory.path())).expect("creates");
        let pragma = |name| {
            writer
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .expect("reads")
        };
        assert_eq!(pragma("synchronous"), 2.into(), "FULL");
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("mmap_size"), 0.into());
    }
}
