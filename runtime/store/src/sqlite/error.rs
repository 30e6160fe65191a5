//! What can go wrong, in words that say what to do next.

use std::io;
use std::path::PathBuf;

use engine::ports::StoreError;
use rusqlite::ErrorCode;

use super::encoding::EncodingError;

/// Why a data directory couldn't be opened. Each message names the directory or file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error(
        "data directory `{}` is used by another process: stop that one, or choose another directory",
        .directory.display()
    )]
    InUse {
        /// Which directory.
        directory: PathBuf,
    },
    /// A newer version wrote it.
    #[error(
        "`{}` has format `{found}` and this version reads up to `{known}`: start the version that wrote it, or a newer one",
        .file.display()
    )]
    NewerFormat {
        /// The database file.
        file: PathBuf,
        /// The format it has.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// Somebody else's database.
    #[error("`{}` is a database of another program: choose another data directory", .file.display())]
    Foreign {
        /// The database file.
        file: PathBuf,
    },
    /// The log of a database without the database; opening a new one beside it would mix the two.
    #[error(
        "`{}` is missing but its write-ahead log is there: put the database file back, or move the log out of the directory to start empty",
        .file.display()
    )]
    DatabaseMissing {
        /// The database file.
        file: PathBuf,
    },
    /// The file system said no.
    #[error("can't {attempted} `{}`: {source}", .path.display())]
    File {
        /// `create directory`, `open`, …
        attempted: &'static str,
        /// On which path.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// SQLite said no.
    #[error("can't {attempted} `{}`: {}", .file.display(), explained(.source))]
    Database {
        /// `open`, `migrate`, …
        attempted: &'static str,
        /// The database file.
        file: PathBuf,
        /// Its words.
        source: rusqlite::Error,
    },
}

/// Why a question to an open database wasn't answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{}", explained(.0))]
    Sqlite(#[from] rusqlite::Error),
    #[error("journal row `{row}` (execution `{execution}`, position `{position}`) is damaged: {reason}; {RESTORE}")]
    DamagedRow {
        row: i64,
        execution: u64,
        position: i64,
        reason: EncodingError,
    },
    #[error(
        "journal row `{row}` (execution `{execution}`) begins at position `{found}` instead of `{expected}`: \
         rows are missing or damaged; {RESTORE}"
    )]
    Gap {
        row: i64,
        execution: u64,
        expected: u64,
        found: i64,
    },
    #[error("journal row `{row}` (execution `{execution}`) holds `{found}` events instead of `{expected}`; {RESTORE}")]
    Miscounted {
        row: i64,
        execution: u64,
        expected: i64,
        found: usize,
    },
    #[error("the store is closed: start the server again")]
    Closed,
}

const RESTORE: &str = "restore the data directory from a backup";

/// A failed write or read as callers see it.
pub(crate) fn store_error(attempted: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError(format!("can't {attempted}: {error}"))
}

/// SQLite's words and what the operator can do about them.
pub(crate) fn explained(error: &rusqlite::Error) -> String {
    let next = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some space on the disk of the data directory",
        Some(ErrorCode::ReadOnly) => "make the data directory writable",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "check that the data directory exists and belongs to this user"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => RESTORE,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "close other programs that have the database open",
        Some(ErrorCode::SystemIoFailure) => "check the disk of the data directory",
        Some(_) | None => return error.to_string(),
    };
    format!("{error}; {next}")
}
