//! The data directory: one process at a time, everything below it reached through it.

use std::fs::{DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::content::ContentFiles;
use super::error::Error;

/// Locked while a process uses the directory. The lock is the process's, not the file's: what a crash leaves
/// behind is unlocked.
const LOCK_FILE: &str = "sandstep.lock";

/// Its directory of definitions.
pub(crate) const DEFINITIONS: &str = "definitions";
/// Its directory of components.
pub(crate) const COMPONENTS: &str = "components";

/// An opened data directory.
pub(crate) struct DataDirectory {
    /// Absolute: SQLite opens files by path, whatever the working directory becomes.
    pub(crate) path: PathBuf,
    /// Content-addressed definitions.
    pub(crate) definitions: ContentFiles,
    /// Content-addressed components.
    pub(crate) components: ContentFiles,
    /// Dropping it lets the next process in.
    pub(crate) lock: File,
}

impl DataDirectory {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |attempted: &'static str| {
            move |source| Error::File {
                attempted,
                path: path.to_owned(),
                source,
            }
        };
        create(path).map_err(failed("create data directory"))?;
        let path = path.canonicalize().map_err(failed("open data directory"))?;
        let root = Dir::open_ambient_dir(&path, ambient_authority()).map_err(failed("open data directory"))?;
        let lock = lock(&root, &path)?;
        let definitions = ContentFiles::open(&root, &path, DEFINITIONS)?;
        let components = ContentFiles::open(&root, &path, COMPONENTS)?;
        Ok(Self {
            path,
            definitions,
            components,
            lock,
        })
    }
}

/// Makes the directory where there is none, for this user alone: payloads are in it, and the key of task tokens. One that is
/// there stays as its owner wants it.
fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn lock(root: &Dir, path: &Path) -> Result<File, Error> {
    let failed = |attempted| {
        move |source| Error::File {
            attempted,
            path: path.join(LOCK_FILE),
            source,
        }
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    let file = root.open_with(LOCK_FILE, &options).map_err(failed("open"))?.into_std();
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            directory: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed("lock")(error)),
    }
}
