//! The files of compiled code: a directory for each engine, in it the code of each module and its checksum.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use engine::ids::Digest;
use engine::ports::{Sweep, Tally};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use super::LoadError;
use crate::{Error, sweep};

/// What the name of a file of code ends with.
pub(crate) const CODE: &str = ".cwasm";
/// What the name of its checksum's file ends with.
const CHECKSUM: &str = ".sha256";
/// What the name of an engine's directory begins with.
pub(crate) const ENGINE: &str = "engine-";

/// Bytes read at once while checking a file.
const READ_BYTES: usize = 64 << 10;

/// Those of one engine.
pub(super) struct CodeFiles {
    root: PathBuf,
    path: PathBuf,
    directory: Dir,
}

impl CodeFiles {
    /// In `root`, made where it doesn't exist.
    pub(super) fn open(root: &Path, engine: &Engine) -> Result<Self, Error> {
        let path = root.join(engine_key(engine));
        let directory = open_directory(&path).map_err(|source| Error::Cache {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            root: root.to_owned(),
            path,
            directory,
        })
    }

    /// Where they are. Engines that run each other's code have the same place.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the code of a module is.
    pub(super) fn code(&self, names: &FileNames) -> PathBuf {
        self.path.join(&names.code)
    }

    /// Whether the code of a module was written to its end.
    pub(super) fn is_complete(&self, names: &FileNames) -> bool {
        self.directory.exists(&names.checksum)
    }

    /// Whether the code is there and what was written.
    pub(super) fn is_intact(&self, names: &FileNames) -> io::Result<bool> {
        let found = |result: io::Result<_>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        };
        let Some(mut code) = found(self.directory.open(&names.code))? else {
            return Ok(false);
        };
        let Some(checksum) = found(self.directory.open(&names.checksum))? else {
            return Ok(false);
        };
        let mut recorded = Vec::new();
        checksum.take(READ_BYTES as u64).read_to_end(&mut recorded)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match code.read(&mut buffer)? {
                0 => {
                    // When it was loaded last. A disk that can't say it has the code deleted sooner than it might be.
                    let _ = code.into_std().set_modified(SystemTime::now());
                    return Ok(hash.finalize().as_slice() == recorded);
                }
                read => hash.update(&buffer[..read]),
            }
        }
    }

    /// Keeps the code of a module.
    pub(super) fn write(&self, names: &FileNames, code: &[u8]) -> io::Result<()> {
        self.replace(&names.code, code)?;
        self.replace(&names.checksum, &Sha256::digest(code))
    }

    /// Not synced: what a power cut tears is found by its checksum and compiled again.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = format!("{name}.{}.tmp", std::process::id());
        let mut file = self.directory.create(&fresh)?;
        file.write_all(bytes)?;
        drop(file);
        self.directory.rename(&fresh, &self.directory, name)
    }

    /// Deletes the code of a module, if it is there.
    pub(super) fn remove(&self, names: &FileNames) {
        let _ = self.directory.remove_file(&names.code);
        let _ = self.directory.remove_file(&names.checksum);
    }

    /// The code of every module.
    pub(super) fn list(&self) -> io::Result<Vec<OnDisk>> {
        let mut files = Vec::new();
        for entry in self.directory.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(digits) = name.to_str().and_then(|name| name.strip_suffix(CODE)) else {
                continue;
            };
            let metadata = entry.metadata()?;
            files.push(OnDisk {
                digits: digits.to_owned(),
                bytes: metadata.len(),
                used: metadata.modified()?.into_std(),
            });
        }
        Ok(files)
    }

    /// Deletes the code that was loaded longest ago where there is more than `bytes`. What is in memory counts as used
    /// now, and the newest stays.
    pub(super) fn make_room(&self, bytes: u64, newest: &FileNames, is_loaded: impl Fn(&str) -> bool) -> io::Result<()> {
        let mut files = self.list()?;
        let mut held: u64 = files.iter().map(|file| file.bytes).sum();
        if held <= bytes {
            return Ok(());
        }
        files.sort_by_key(|file| (is_loaded(&file.digits), file.used));
        for file in files {
            if held <= bytes {
                break;
            }
            let code = format!("{}{CODE}", file.digits);
            if code == newest.code {
                continue;
            }
            // Without its checksum it is no code any more, whatever happens in between.
            self.directory.remove_file(format!("{}{CHECKSUM}", file.digits))?;
            self.directory.remove_file(code)?;
            held = held.saturating_sub(file.bytes);
        }
        Ok(())
    }

    /// Deletes what is no code of these components for this engine, or counts it.
    pub(super) fn sweep(&self, keep: &HashSet<&Digest>, sweep: Sweep) -> io::Result<Tally> {
        let mut swept = sweep::files(&self.directory, &|name| is_code_of(name, keep), sweep)?;
        swept += sweep::other_directories(&self.root, self.path.file_name().unwrap_or_default(), sweep)?;
        Ok(swept)
    }
}

fn open_directory(path: &Path) -> io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    Dir::open_ambient_dir(path, ambient_authority())
}

/// One module's code on disk.
pub(super) struct OnDisk {
    digits: String,
    pub(super) bytes: u64,
    used: SystemTime,
}

/// What the files of a module are called.
pub(super) struct FileNames {
    code: String,
    checksum: String,
}

impl FileNames {
    /// Only a digest's own digits ever reach the file system.
    pub(super) fn of(digest: &Digest) -> Result<Self, LoadError> {
        let digits = digest.0.strip_prefix("sha256:").filter(|digits| {
            digits.len() == 64 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        });
        let Some(digits) = digits else {
            return Err(LoadError::Digest(digest.clone()));
        };
        Ok(Self {
            code: format!("{digits}{CODE}"),
            checksum: format!("{digits}{CHECKSUM}"),
        })
    }
}

/// Whether a file is whole and of one of these components.
fn is_code_of(name: &str, keep: &HashSet<&Digest>) -> bool {
    let digits = name.strip_suffix(CODE).or_else(|| name.strip_suffix(CHECKSUM));
    digits.is_some_and(|digits| keep.contains(&Digest(format!("sha256:{digits}").into())))
}

/// Names the directory of an engine's code. Hashed with SHA-256 because the standard library's hasher
/// may change between the compilers two releases are built with.
fn engine_key(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            digest
                .iter()
                .take(8)
                .fold(0, |number, byte| (number << 8) | u64::from(*byte))
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{ENGINE}{:016x}", hasher.finish())
}
