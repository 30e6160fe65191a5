//! Content-addressed files: written once under the digest of their bytes, verified whenever they are read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use engine::ids::Digest;
use engine::ports::StoreError;

use super::error::{Error, store_error};
use crate::address::{digest_named, digest_of, hex_digits};

/// What the name of a file ends with until it is complete. One that is still there at start was cut off by a crash.
const INCOMPLETE: &str = ".incomplete";

/// A directory of such files. Callers take turns writing: two at once could meet in one incomplete file.
pub(crate) struct ContentFiles {
    directory: Dir,
    path: PathBuf,
}

impl ContentFiles {
    /// Opens or makes the directory `name` in `root`, whose path `root_path` is for messages only, and takes
    /// away what a crash left incomplete.
    pub(crate) fn open(root: &Dir, root_path: &Path, name: &str) -> Result<Self, Error> {
        let path = root_path.join(name);
        let failed = |attempted: &'static str| {
            let path = path.clone();
            move |source| Error::File {
                attempted,
                path,
                source,
            }
        };
        match root.create_dir(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create directory")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let directory = root.open_dir(name).map_err(failed("open directory"))?;
        for entry in directory.entries().map_err(failed("list directory"))? {
            let file = entry.map_err(failed("list directory"))?.file_name();
            if file.to_str().is_some_and(|file| file.ends_with(INCOMPLETE)) {
                directory.remove_file(&file).map_err(failed("clean up directory"))?;
            }
        }
        Ok(Self { directory, path })
    }

    /// Makes sure the bytes are on disk. A file that is there and whole is kept, a damaged one replaced.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let hex = hex_digits(digest).ok_or_else(|| store_error("write a file", &format!("`{digest}` is no digest")))?;
        self.write(hex, digest, bytes)
            .map_err(|error| store_error(&format!("write `{}`", self.path.join(hex).display()), &error))
    }

    fn write(&self, hex: &str, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let is_whole = match self.directory.read(hex) {
            Ok(present) => digest_of(&present) == *digest,
            Err(_) => false,
        };
        if !is_whole {
            let incomplete = format!("{hex}{INCOMPLETE}");
            let mut file = self.directory.create(&incomplete)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            self.directory.rename(&incomplete, &self.directory, hex)?;
        }
        // Also where the file was there: the sync after its rename may be what failed the last time.
        self.directory.open(".")?.sync_all()
    }

    /// The bytes, or `None` when there is no such file.
    pub(crate) fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(hex) = hex_digits(digest) else {
            return Ok(None);
        };
        let failed =
            |error: &dyn std::fmt::Display| store_error(&format!("read `{}`", self.path.join(hex).display()), error);
        let bytes = match self.directory.read(hex) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let found = digest_of(&bytes);
        if found != *digest {
            return Err(failed(&format!(
                "the file is damaged, its content has the digest `{found}`: upload it again or restore it from a backup"
            )));
        }
        Ok(Some(bytes))
    }

    /// Every file that is whole, by its digest, with its size in bytes.
    pub(crate) fn list(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let failed = |error: io::Error| store_error(&format!("list `{}`", self.path.display()), &error);
        let mut files = Vec::new();
        for entry in self.directory.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let digest = entry.file_name().to_str().map(digest_named);
            let Some(digest) = digest.filter(|digest| hex_digits(digest).is_some()) else {
                continue;
            };
            match entry.metadata() {
                Ok(found) => files.push((digest, found.len())),
                // Taken away since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(files)
    }

    /// Takes a file away. One that can't be costs disk space and nothing else.
    pub(crate) fn remove(&self, digest: &Digest) {
        let Some(hex) = hex_digits(digest) else {
            return;
        };
        match self.directory.remove_file(hex) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %self.path.join(hex).display(), %error, "can't remove a file nothing refers to");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
