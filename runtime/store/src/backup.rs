//! Copies of a data directory: made while a server uses it, checked, and put back.
//!
//! A backup is laid out like the data directory, with a manifest that was written last: a directory without one isn't a
//! backup. The database is a snapshot of one moment. Content-addressed files are copied before it, and those that came
//! meanwhile after it, so whatever the snapshot names is there; a file is only gone where somebody deleted it meanwhile,
//! and then another snapshot is taken. Objects are copied after it: an execution's result is an object before the
//! event that says so.

mod files;
mod manifest;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use engine::ids::Digest;

pub use self::files::Copied;
pub use self::manifest::Manifest;
use crate::sqlite::{self, Error as StoreError, backup as snapshot};

/// Directories of content-addressed files, each with the query for what must be in it.
const CONTENT: [(&str, &str); 2] = [
    (sqlite::DEFINITIONS, "SELECT digest FROM definitions"),
    (sqlite::COMPONENTS, "SELECT DISTINCT digest FROM modules"),
];

/// Snapshots taken before giving up on a directory whose files keep being deleted while they are copied.
const SNAPSHOTS: usize = 5;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is there.
    #[error("`{}` is there already and isn't empty: name another directory, or move it away", .0.display())]
    Exists(PathBuf),
    /// A server's data is there.
    #[error("`{}` holds the data of a server: name an empty directory, or move that one away", .0.display())]
    HoldsData(PathBuf),
    /// There is no data directory.
    #[error("`{}` is no data directory: there is no database in it", .0.display())]
    NoData(PathBuf),
    /// It has no manifest.
    #[error("`{}` is no backup, or one that was broken off: it has no `{}`", .0.display(), manifest::FILE)]
    NoBackup(PathBuf),
    /// A newer version made it.
    #[error("`{}` was made in form `{form}`, which this version doesn't know: use a newer one", .path.display())]
    NewerForm {
        /// The backup.
        path: PathBuf,
        /// Its form.
        form: u32,
    },
    /// It isn't what was written.
    #[error("`{}` is damaged: {what}", .path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system said no.
    #[error("can't {attempted} `{}`: {source}", .path.display())]
    File {
        /// `copy`, `sync`, …
        attempted: &'static str,
        /// On which path.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub struct What<'a> {
    /// The directory of objects beside the database, where it is copied too.
    pub objects: Option<&'a str>,
    /// The program that makes the backup, with its version.
    pub made_by: &'a str,
    /// The moment, as the manifest shows it.
    pub made_at: &'a str,
}

/// Copies the data directory `data`, whether a server uses it or not, to the new directory `to`, and checks the copy.
/// What a failure leaves is deleted, what a crash leaves has another name.
///
/// # Errors
/// [`Error`] where there is nothing to copy, something in the way, or the disk says no.
pub fn back_up(data: &Path, to: &Path, what: What<'_>) -> Result<Manifest, Error> {
    let database = sqlite::database_in(data);
    if !database.is_file() {
        return Err(Error::NoData(data.to_owned()));
    }
    if !files::is_empty_or_absent(to)? {
        return Err(Error::Exists(to.to_owned()));
    }
    let incomplete = files::beside(to, ".incomplete");
    files::remove_incomplete(&incomplete)?;
    let made = copy(data, &incomplete, what).and_then(|manifest| {
        verify(&incomplete)?;
        files::move_into_place(&incomplete, to)?;
        Ok(manifest)
    });
    if made.is_err() {
        // Told of is why there is no backup, not what is left of it.
        let _ = files::remove_incomplete(&incomplete);
    }
    made
}

fn copy(data: &Path, to: &Path, what: What<'_>) -> Result<Manifest, Error> {
    files::create_private(to)?;
    let database = sqlite::database_in(to);
    let mut contents = Copied::default();
    for attempt in 1.. {
        contents += copy_content(data, to)?;
        snapshot::take(&sqlite::database_in(data), &database)?;
        contents += copy_content(data, to)?;
        match missing(to, &database)? {
            None => break,
            Some(path) if attempt == SNAPSHOTS => {
                let what = "it is named and missing, in the data directory too".to_owned();
                return Err(Error::Damaged { path, what });
            }
            Some(_) => files::remove(&database)?,
        }
    }
    let objects = match what.objects {
        Some(name) => Some(files::copy_tree(&data.join(name), &to.join(name))?),
        None => None,
    };
    let (bytes, digest) = files::digest_of(&database)?;
    let counts = snapshot::counts(&database)?;
    let manifest = Manifest {
        form: manifest::FORM,
        made_by: what.made_by.to_owned(),
        made_at: what.made_at.to_owned(),
        database_bytes: bytes,
        database_digest: digest,
        executions: counts.executions,
        state_machines: counts.machines,
        modules: counts.modules,
        content: contents,
        objects_in: objects.and(what.objects).map(str::to_owned),
        objects: objects.unwrap_or_default(),
    };
    manifest.write(to)?;
    files::sync_directory(to)?;
    Ok(manifest)
}

/// Checks a backup: the database by its digest and SQLite's own check, every definition and component by its address,
/// objects by their number and size.
///
/// # Errors
/// [`Error::NoBackup`] and [`Error::Damaged`].
pub fn verify(backup: &Path) -> Result<Manifest, Error> {
    let manifest = Manifest::read(backup)?;
    let database = sqlite::database_in(backup);
    let (bytes, digest) = files::digest_of(&database)?;
    if (bytes, &digest) != (manifest.database_bytes, &manifest.database_digest) {
        let what = format!("its digest is `{digest}` and was `{}`", manifest.database_digest);
        return Err(Error::Damaged { path: database, what });
    }
    snapshot::check(&database).map_err(|what| Error::Damaged {
        path: database.clone(),
        what,
    })?;
    if let Some(path) = missing(backup, &database)? {
        let what = "it is missing".to_owned();
        return Err(Error::Damaged { path, what });
    }
    for (name, _) in CONTENT {
        for file in files::content_files(&backup.join(name))? {
            files::check_content(&file)?;
        }
    }
    if let Some(name) = &manifest.objects_in {
        let path = backup.join(name);
        let found = files::measure_tree(&path)?;
        if found != manifest.objects {
            let what = format!(
                "it has {} files of {} bytes, and had {} of {}",
                found.files, found.bytes, manifest.objects.files, manifest.objects.bytes
            );
            return Err(Error::Damaged { path, what });
        }
    }
    Ok(manifest)
}

/// Checks a backup and puts it into the data directory `data`, which must hold no server's data. The database comes last:
/// a restore that was broken off left no data directory, and can be done again.
///
/// # Errors
/// [`Error`] where the backup is damaged, something is in the way, or the disk says no.
pub fn restore(backup: &Path, data: &Path) -> Result<Manifest, Error> {
    let manifest = verify(backup)?;
    let database = sqlite::database_in(data);
    // Held to the end: no server starts on half of it.
    let directory = sqlite::DataDirectory::open(data)?;
    if database.exists() || files::beside(&database, "-wal").exists() {
        return Err(Error::HoldsData(data.to_owned()));
    }
    copy_content(backup, data)?;
    if let Some(name) = &manifest.objects_in {
        let objects = data.join(name);
        if !files::is_empty_or_absent(&objects)? {
            return Err(Error::Exists(objects));
        }
        files::copy_tree(&backup.join(name), &objects)?;
    }
    let incomplete = files::beside(&database, ".new");
    files::copy_file(&sqlite::database_in(backup), &incomplete)?;
    files::move_into_place(&incomplete, &database)?;
    drop(directory);
    Ok(manifest)
}

/// Copies what isn't there yet.
fn copy_content(from: &Path, to: &Path) -> Result<Copied, Error> {
    let mut copied = Copied::default();
    for (name, _) in CONTENT {
        let target = to.join(name);
        files::create_directory(&target)?;
        for file in files::content_files(&from.join(name))? {
            copied += files::copy_content_file(&file, &target)?;
        }
        files::sync_directory(&target)?;
    }
    Ok(copied)
}

/// A file that the database names and that isn't there.
fn missing(directory: &Path, database: &Path) -> Result<Option<PathBuf>, Error> {
    for (name, sql) in CONTENT {
        let named: BTreeSet<Digest> = snapshot::digests(database, sql)?;
        for digest in named {
            let path = directory.join(name).join(files::name_of(&digest));
            if !path.is_file() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
