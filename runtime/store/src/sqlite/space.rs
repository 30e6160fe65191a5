//! The size of the database file, and giving back what it doesn't need.
//!
//! New databases keep a map of who refers to which page (SQLite's incremental auto-vacuum), so that pages can be moved from
//! the end into holes a few at a time. One that an earlier version made has no such map: it gets one when it is
//! rewritten as a whole, as [`compact`] and a backup do.

use std::path::Path;

use engine::ports::{Space, StoreError};
use rusqlite::Connection;

use super::database;
use super::error::Error;
use super::{DataDirectory, Store};

/// Pages given back in one step: some milliseconds of the writer.
const PAGES: u64 = 128;

/// SQLite's number for the auto-vacuum that is done in steps.
pub(super) const INCREMENTAL: i64 = 2;

impl Store {
    pub(super) fn used_space(&self) -> Result<Space, StoreError> {
        self.0.readers.read(
            || "read the size of the database".to_owned(),
            |connection| Ok(space(connection)?),
        )
    }

    pub(super) fn shrink_some(&self) -> Result<u64, StoreError> {
        self.0.writer.change("shrink the database", |connection| {
            let before = space(connection)?;
            if !before.shrinks || before.free == 0 {
                return Ok(0);
            }
            // One row for each page, and a page is moved when its row is asked for.
            let mut moving = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = moving.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            drop(moving);
            Ok(before.bytes.saturating_sub(space(connection)?.bytes))
        })
    }
}

fn space(connection: &Connection) -> rusqlite::Result<Space> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let page = number("page_size")?.cast_unsigned();
    Ok(Space {
        bytes: number("page_count")?.cast_unsigned() * page,
        free: number("freelist_count")?.cast_unsigned() * page,
        shrinks: number("auto_vacuum")? == INCREMENTAL,
    })
}

/// Rewrites the database of a data directory nobody uses, without its holes and in the order of its tables. Needs as much
/// free space on the disk as the database has; a crash leaves it as it was.
///
/// # Errors
/// [`Error`] when another process uses the directory, or the disk says no.
pub fn compact(path: &Path) -> Result<(), Error> {
    let directory = DataDirectory::open(path)?;
    let file = database::file_in(&directory.path);
    let connection = database::open_writer(&file)?;
    let rewritten = connection.execute_batch(&format!("PRAGMA auto_vacuum = {INCREMENTAL}; VACUUM"));
    rewritten.map_err(|source| Error::Database {
        attempted: "rewrite",
        file,
        source,
    })?;
    drop(connection);
    drop(directory.lock);
    Ok(())
}
