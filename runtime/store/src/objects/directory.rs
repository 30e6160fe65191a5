//! Objects as files: `<bucket>/<key>` in one directory.

use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use asl::Timestamp;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions};
use engine::ports::{Listing, ObjectError, ObjectHead, ObjectStore, ObjectWriter, OpenObject, check_bucket, check_key};

use super::file_name;
use super::listing::Walk;
use crate::sqlite::Error;

/// Where objects are until they are complete. No bucket can have this name.
pub(crate) const STAGING: &str = ".incomplete";
/// Bytes gathered before they go to the system.
const BUFFER: usize = 64 << 10;
/// Looks for an object that is being moved to make room for a directory: it moves once.
const LOOKS: usize = 2;

/// A directory of objects. Clones share it; one process uses it at a time. Files that people put there are objects too,
/// symbolic links aren't.
#[derive(Clone)]
pub struct ObjectDirectory(Arc<Opened>);

struct Opened {
    root: Dir,
    staging: Dir,
    next: AtomicU64,
    /// Held while names change, so that a directory isn't taken away as empty when a file is about to come.
    names: Mutex<()>,
}

impl ObjectDirectory {
    /// Opens the directory at `path`, making it where there is none, and takes away what a crash left incomplete.
    ///
    /// # Errors
    /// [`Error::File`] when the disk says no.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |attempted: &'static str| {
            move |source| Error::File {
                attempted,
                path: path.to_owned(),
                source,
            }
        };
        std::fs::create_dir_all(path).map_err(failed("create directory of objects"))?;
        let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed("open directory of objects"))?;
        create_dir(&root, STAGING).map_err(failed("create a directory in"))?;
        let staging = root.open_dir(STAGING).map_err(failed("open a directory in"))?;
        for entry in staging.entries().map_err(failed("list a directory in"))? {
            let entry = entry.map_err(failed("list a directory in"))?;
            staging
                .remove_file(entry.file_name())
                .map_err(failed("clean up directory"))?;
        }
        Ok(Self(Arc::new(Opened {
            root,
            staging,
            next: AtomicU64::new(0),
            names: Mutex::new(()),
        })))
    }
}

/// What is being done with what, for the words of an error.
#[derive(Debug, Clone)]
struct Attempt {
    attempted: &'static str,
    bucket: String,
    key: String,
}

impl Attempt {
    fn new(attempted: &'static str, bucket: &str, key: &str) -> Self {
        Self {
            attempted,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }
    }

    fn failed(&self, error: &io::Error) -> ObjectError {
        let Self { attempted, bucket, key } = self.clone();
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let reason = format!("{error}; the data directory must belong to the server's user");
                return ObjectError::AccessDenied { bucket, key, reason };
            }
            io::ErrorKind::StorageFull => format!("{error}; free some space on the disk of the data directory"),
            _ => error.to_string(),
        };
        ObjectError::Failed {
            attempted,
            bucket,
            key,
            reason,
        }
    }

    fn no_such_key(&self) -> ObjectError {
        ObjectError::NoSuchKey {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
        }
    }

    /// The path of the key in its bucket.
    fn path(&self) -> Result<String, ObjectError> {
        check_key(&self.key)?;
        file_name::path_of(&self.key).map_err(|part| ObjectError::InvalidName {
            name: self.key.clone(),
            reason: format!(
                "can't be kept as a file: the {} bytes between two slashes are more than a file's name can have; \
                 use a shorter one",
                part.len()
            ),
        })
    }
}

impl Opened {
    fn bucket(&self, attempt: &Attempt) -> Result<Dir, ObjectError> {
        let bucket = &attempt.bucket;
        check_bucket(bucket)?;
        match self.root.symlink_metadata(bucket) {
            Ok(metadata) if metadata.is_dir() => self.root.open_dir(bucket).map_err(|error| attempt.failed(&error)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(attempt.failed(&error)),
            Ok(_) | Err(_) => Err(ObjectError::NoSuchBucket { bucket: bucket.clone() }),
        }
    }

    fn find(&self, attempt: &Attempt) -> Result<File, ObjectError> {
        let path = attempt.path()?;
        let bucket = self.bucket(attempt)?;
        for _ in 0..LOOKS {
            for path in [&path, &file_name::beside_directory(&path)] {
                match object_at(&bucket, path) {
                    Ok(false) => {}
                    Ok(true) => match bucket.open(path) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        opened => return opened.map_err(|error| attempt.failed(&error)),
                    },
                    Err(error) => return Err(attempt.failed(&error)),
                }
            }
        }
        Err(attempt.no_such_key())
    }

    fn put_in_place(&self, attempt: &Attempt, staged: &str) -> Result<(), ObjectError> {
        let path = attempt.path()?;
        let bucket = self.bucket(attempt)?;
        let _turn = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        self.move_in(&bucket, &path, staged)
            .map_err(|error| attempt.failed(&error))
    }

    fn move_in(&self, bucket: &Dir, path: &str, staged: &str) -> io::Result<()> {
        for (end, _) in path.match_indices('/') {
            let directory = &path[..end];
            match kind(bucket, directory)? {
                Kind::Directory => continue,
                Kind::Nothing => {}
                Kind::File => bucket.rename(directory, bucket, file_name::beside_directory(directory))?,
                Kind::Other => return Err(not_ours(directory)),
            }
            create_dir(bucket, directory)?;
            sync(bucket, parent(directory))?;
        }
        let beside = file_name::beside_directory(path);
        let target = match kind(bucket, path)? {
            Kind::File => path,
            Kind::Directory => &beside,
            Kind::Nothing if kind(bucket, &beside)? == Kind::File => &beside,
            Kind::Nothing => path,
            Kind::Other => return Err(not_ours(path)),
        };
        self.staging.rename(staged, bucket, target)?;
        sync(bucket, parent(target))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    File,
    Directory,
    Other,
}

fn kind(bucket: &Dir, path: &str) -> io::Result<Kind> {
    match bucket.symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Kind::File),
        Ok(metadata) if metadata.is_dir() => Ok(Kind::Directory),
        Ok(_) => Ok(Kind::Other),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Kind::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Whether a file is there, and nothing on the way to it is a link.
fn object_at(bucket: &Dir, path: &str) -> io::Result<bool> {
    for (end, _) in path.match_indices('/') {
        if kind(bucket, &path[..end])? != Kind::Directory {
            return Ok(false);
        }
    }
    Ok(kind(bucket, path)? == Kind::File)
}

fn not_ours(path: &str) -> io::Error {
    io::Error::other(format!(
        "`{path}` is a link or a device, and no object goes there; take it away"
    ))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

/// Makes sure a directory is there.
fn create_dir(root: &Dir, name: &str) -> io::Result<()> {
    match root.create_dir(name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the names in a directory durable.
fn sync(root: &Dir, path: &str) -> io::Result<()> {
    root.open(path)?.sync_all()
}

fn head(key: String, metadata: &Metadata) -> ObjectHead {
    let written = metadata
        .modified()
        .ok()
        .and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let size = metadata.len();
    ObjectHead {
        key,
        size,
        // Two files written in one tick of the clock, and equally long, still are two files.
        etag: format!(
            "{:016x}{:016x}",
            written.as_nanos() as u64,
            metadata.ino() ^ size.rotate_left(32)
        ),
        modified: Timestamp(i64::try_from(written.as_millis()).unwrap_or(i64::MAX)),
        storage_class: "STANDARD".to_owned(),
    }
}

impl ObjectStore for ObjectDirectory {
    fn head(&self, bucket: &str, key: &str) -> Result<ObjectHead, ObjectError> {
        let attempt = Attempt::new("look at", bucket, key);
        let metadata = self.0.find(&attempt)?.metadata();
        Ok(head(key.to_owned(), &metadata.map_err(|error| attempt.failed(&error))?))
    }

    fn open(&self, bucket: &str, key: &str, offset: u64) -> Result<OpenObject, ObjectError> {
        let attempt = Attempt::new("read", bucket, key);
        let mut file = self.0.find(&attempt)?;
        let metadata = file.metadata().map_err(|error| attempt.failed(&error))?;
        file.seek(SeekFrom::Start(offset))
            .map_err(|error| attempt.failed(&error))?;
        Ok(OpenObject {
            head: head(key.to_owned(), &metadata),
            content: Box::new(file),
        })
    }

    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        let attempt = Attempt::new("write", bucket, key);
        attempt.path()?;
        self.0.bucket(&attempt)?;
        let staged = self.0.next.fetch_add(1, Ordering::Relaxed).to_string();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = self.0.staging.open_with(&staged, &options);
        let file = file.map_err(|error| attempt.failed(&error))?;
        Ok(Box::new(Writer {
            file: BufWriter::with_capacity(BUFFER, file),
            staged: Staged {
                directory: self.clone(),
                name: staged,
            },
            attempt,
        }))
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), ObjectError> {
        let attempt = Attempt::new("delete", bucket, key);
        let path = attempt.path()?;
        let bucket = self.0.bucket(&attempt)?;
        let _turn = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        remove(&bucket, &path).map_err(|error| attempt.failed(&error))
    }

    fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Listing, ObjectError> {
        let attempt = Attempt::new("list", bucket, prefix);
        let bucket = self.0.bucket(&attempt)?;
        let failed = move |error: io::Error| attempt.failed(&error);
        Ok(Box::new(Walk::new(bucket, prefix, after, head, Box::new(failed))))
    }

    fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        check_bucket(bucket)?;
        create_dir(&self.0.root, bucket)
            .and_then(|()| sync(&self.0.root, "."))
            .map_err(|error| Attempt::new("create", bucket, "").failed(&error))
    }

    fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let attempt = Attempt::new("delete", bucket, "");
        self.0.bucket(&attempt)?;
        let _turn = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        match self.0.root.remove_dir(bucket).and_then(|()| sync(&self.0.root, ".")) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(ObjectError::BucketNotEmpty {
                bucket: bucket.to_owned(),
            }),
            Err(error) => Err(attempt.failed(&error)),
        }
    }

    fn buckets(&self) -> Result<Vec<String>, ObjectError> {
        let names = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in self.0.root.entries()? {
                let entry = entry?;
                if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
                    names.extend(Some(name).filter(|name| check_bucket(name).is_ok()));
                }
            }
            names.sort();
            Ok(names)
        };
        names().map_err(|error| Attempt::new("list", "", "").failed(&error))
    }
}

/// Takes a file away, and the directories it leaves empty.
fn remove(bucket: &Dir, path: &str) -> io::Result<()> {
    let beside = file_name::beside_directory(path);
    for path in [path, &beside] {
        if !object_at(bucket, path)? {
            continue;
        }
        bucket.remove_file(path)?;
        let mut kept = parent(path);
        while kept != "." && bucket.remove_dir(kept).is_ok() {
            kept = parent(kept);
        }
        return sync(bucket, kept);
    }
    Ok(())
}

/// A file that isn't an object yet.
struct Staged {
    directory: ObjectDirectory,
    name: String,
}

impl Drop for Staged {
    /// After it was put in its place there is nothing left to take away.
    fn drop(&mut self) {
        match self.directory.0.staging.remove_file(&self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "can't remove an incomplete object; the next start does");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

struct Writer {
    file: BufWriter<File>,
    staged: Staged,
    attempt: Attempt,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ObjectWriter for Writer {
    fn finish(self: Box<Self>) -> Result<ObjectHead, ObjectError> {
        let Self { file, staged, attempt } = *self;
        let synced = || -> io::Result<Metadata> {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            file.metadata()
        };
        let metadata = synced().map_err(|error| attempt.failed(&error))?;
        staged.directory.0.put_in_place(&attempt, &staged.name)?;
        Ok(head(attempt.key, &metadata))
    }
}
