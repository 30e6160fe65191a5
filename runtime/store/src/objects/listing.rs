//! The keys under a directory, in order.

use std::collections::{BinaryHeap, VecDeque};
use std::io;

use cap_std::fs::{Dir, Metadata};
use engine::ports::{ObjectError, ObjectHead};

use super::file_name;

/// Names of one directory in memory at a time. A larger directory is read once for each so many: a million names are read
/// some sixty times, which takes seconds and no more memory than a thousand do.
const NAMES_AT_ONCE: usize = 16_384;

/// Walks a bucket. Directories are read when it comes to them.
pub(super) struct Walk {
    bucket: Dir,
    prefix: String,
    after: String,
    /// From the bucket down to where it stands.
    levels: Vec<Level>,
    head: fn(String, &Metadata) -> ObjectHead,
    failed: Box<dyn Fn(io::Error) -> ObjectError + Send>,
}

struct Level {
    /// What keys in this directory begin with.
    key: String,
    /// Its path in the bucket; empty for the bucket itself.
    path: String,
    names: VecDeque<Name>,
    /// The last name taken from `names`.
    last: Option<Name>,
    /// There may be names behind those in `names`.
    more: bool,
}

/// In the order keys have: a directory's stands with the slash behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// What it adds to a key.
    part: String,
    /// As it is on disk.
    file: String,
}

impl Name {
    fn is_directory(&self) -> bool {
        self.part.ends_with('/')
    }
}

impl Level {
    fn new(key: String, path: String) -> Self {
        Self {
            key,
            path,
            names: VecDeque::new(),
            last: None,
            more: true,
        }
    }

    fn join(&self, file: &str) -> String {
        match self.path.as_str() {
            "" => file.to_owned(),
            path => format!("{path}/{file}"),
        }
    }
}

impl Walk {
    pub(super) fn new(
        bucket: Dir,
        prefix: &str,
        after: Option<&str>,
        head: fn(String, &Metadata) -> ObjectHead,
        failed: Box<dyn Fn(io::Error) -> ObjectError + Send>,
    ) -> Self {
        // What lies above the prefix's last slash has nothing else to show.
        let start = match prefix.rsplit_once('/') {
            None => Some(Level::new(String::new(), String::new())),
            Some((above, _)) => match file_name::path_of(above) {
                Ok(path) => Some(Level::new(format!("{above}/"), path)),
                Err(_) => None,
            },
        };
        Self {
            bucket,
            prefix: prefix.to_owned(),
            after: after.unwrap_or_default().to_owned(),
            levels: Vec::from_iter(start),
            head,
            failed,
        }
    }

    fn advance(&mut self) -> io::Result<Option<ObjectHead>> {
        loop {
            let Some(mut level) = self.levels.pop() else {
                return Ok(None);
            };
            if level.names.is_empty() && level.more {
                self.fill(&mut level)?;
            }
            let Some(name) = level.names.pop_front() else {
                continue;
            };
            let (path, key) = (level.join(&name.file), format!("{}{}", level.key, name.part));
            level.last = Some(name.clone());
            self.levels.push(level);
            if name.is_directory() {
                self.levels.push(Level::new(key, path));
                continue;
            }
            match self.bucket.symlink_metadata(&path) {
                Ok(metadata) => return Ok(Some((self.head)(key, &metadata))),
                // Deleted, or moved to make room for a directory, since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the next names of a directory.
    fn fill(&self, level: &mut Level) -> io::Result<()> {
        let path = if level.path.is_empty() { "." } else { &level.path };
        let entries = match self.bucket.read_dir(path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                level.more = false;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut smallest = BinaryHeap::with_capacity(64);
        level.more = false;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let file = entry.file_name();
            // Links and devices are no objects, nor is a name nothing here would give.
            let part = match file.to_str() {
                Some(file) if kind.is_dir() => file_name::decode(file).map(|part| part + "/"),
                Some(file) if kind.is_file() => file_name::decode_file(file),
                Some(_) | None => None,
            };
            let (Some(part), Some(file)) = (part, file.to_str()) else {
                continue;
            };
            let name = Name {
                part,
                file: file.to_owned(),
            };
            if level.last.as_ref().is_some_and(|last| name <= *last) || !self.wants(&level.key, &name) {
                continue;
            }
            smallest.push(name);
            if smallest.len() > NAMES_AT_ONCE {
                smallest.pop();
                level.more = true;
            }
        }
        level.names = smallest.into_sorted_vec().into();
        Ok(())
    }

    fn wants(&self, above: &str, name: &Name) -> bool {
        let key = format!("{above}{}", name.part);
        if name.is_directory() {
            let within = key.starts_with(&self.prefix) || self.prefix.starts_with(&key);
            return within && (key > self.after || self.after.starts_with(&key));
        }
        !key.is_empty() && key.starts_with(&self.prefix) && key > self.after
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectHead, ObjectError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(head) => head.map(Ok),
            Err(error) => {
                self.levels.clear();
                Some(Err((self.failed)(error)))
            }
        }
    }
}
