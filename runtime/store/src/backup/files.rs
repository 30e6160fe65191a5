//! Copying files so that they are on disk when it is said, and telling whether a copy is whole.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use engine::ids::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;
use crate::address::{digest_named, hex_digits};

/// Bytes read at once while a file is checked.
const READ_BYTES: usize = 256 << 10;

/// What may be in a backup that was broken off; whatever else is there is somebody's.
const OURS: [&str; 8] = [
    "sandstep.db",
    "sandstep.db-journal",
    "sandstep.db-wal",
    "sandstep.db-shm",
    "definitions",
    "components",
    "objects",
    "backup.json",
];

/// How many files, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Copied {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl AddAssign for Copied {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

fn failed<'a>(attempted: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::File {
        attempted,
        path: path.to_owned(),
        source,
    }
}

/// A path with something behind its last name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.components().as_path().as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn is_empty_or_absent(directory: &Path) -> Result<bool, Error> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed("look into", directory)(error)),
    }
}

/// What a backup was made in that was broken off.
pub(super) fn remove_incomplete(directory: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look into", directory)(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed("look into", directory))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Err(Error::Exists(directory.to_owned()));
        }
    }
    fs::remove_dir_all(directory).map_err(failed("remove", directory))
}

pub(super) fn remove(file: &Path) -> Result<(), Error> {
    fs::remove_file(file).map_err(failed("remove", file))
}

/// For its owner alone: a backup holds what workflows were given, and the key that signs task tokens.
pub(super) fn create_private(directory: &Path) -> Result<(), Error> {
    if let Some(parent) = directory.parent() {
        create_directory(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(failed("create directory", directory))
}

pub(super) fn create_directory(directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(failed("create directory", directory))
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync directory", directory))
}

/// Renames something that is complete to its own name, over an empty directory of that name.
pub(super) fn move_into_place(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(failed("rename", from))?;
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync_directory(parent),
        None => sync_directory(Path::new(".")),
    }
}

/// Copies a file and waits until it is on disk.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<u64, Error> {
    let bytes = fs::copy(from, to).map_err(failed("copy", from))?;
    File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync", to))?;
    Ok(bytes)
}

/// Files of a directory that have the digest of their content as their name.
pub(super) fn content_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in entries(directory)? {
        if address_of(&entry.path()).is_some() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<DirEntry>, Error> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(failed("list", directory)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("list", directory)(error)),
    }
}

fn address_of(file: &Path) -> Option<Digest> {
    let digest = digest_named(file.file_name()?.to_str()?);
    hex_digits(&digest).is_some().then_some(digest)
}

/// The name of a content-addressed file.
pub(super) fn name_of(digest: &Digest) -> &str {
    hex_digits(digest).unwrap_or_default()
}

/// Copies a file into a directory, unless it is there; one that was deleted meanwhile is left out.
pub(super) fn copy_content_file(file: &Path, to: &Path) -> Result<Copied, Error> {
    let target = to.join(file.file_name().unwrap_or_default());
    if target.exists() {
        return Ok(Copied::default());
    }
    match copy_file(file, &target) {
        Ok(bytes) => Ok(Copied { files: 1, bytes }),
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Copied::default()),
        Err(error) => Err(error),
    }
}

/// Whether a file's content has the digest it is named after.
pub(super) fn check_content(file: &Path) -> Result<(), Error> {
    let (_, found) = digest_of(file)?;
    if address_of(file).is_some_and(|digest| digest == found) {
        return Ok(());
    }
    Err(Error::Damaged {
        path: file.to_owned(),
        what: format!("its content has the digest `{found}`"),
    })
}

/// Size and digest of a file of any size.
pub(super) fn digest_of(file: &Path) -> Result<(u64, Digest), Error> {
    let mut open = File::open(file).map_err(failed("open", file))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; READ_BYTES]);
    loop {
        match open.read(&mut buffer).map_err(failed("read", file))? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, digest_named(&hex)))
}

/// Copies a directory of objects; what is only being written is left out, and so is what isn't a file.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<Copied, Error> {
    create_directory(to)?;
    let mut copied = Copied::default();
    for entry in objects(from)? {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let found = entry.file_type().map_err(failed("look at", &path))?;
        if found.is_dir() {
            copied += copy_tree(&path, &target)?;
        } else if found.is_file() {
            match copy_file(&path, &target) {
                Ok(bytes) => copied += Copied { files: 1, bytes },
                // Deleted since it was listed.
                Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    sync_directory(to)?;
    Ok(copied)
}

/// How many files a directory has, those of its directories included.
pub(super) fn measure_tree(directory: &Path) -> Result<Copied, Error> {
    let mut found = Copied::default();
    for entry in objects(directory)? {
        let path = entry.path();
        let kind = entry.file_type().map_err(failed("look at", &path))?;
        if kind.is_dir() {
            found += measure_tree(&path)?;
        } else if kind.is_file() {
            let bytes = entry.metadata().map_err(failed("look at", &path))?.len();
            found += Copied { files: 1, bytes };
        }
    }
    Ok(found)
}

fn objects(directory: &Path) -> Result<Vec<DirEntry>, Error> {
    let mut entries = entries(directory)?;
    entries.retain(|entry| entry.file_name() != crate::objects::STAGING);
    Ok(entries)
}
