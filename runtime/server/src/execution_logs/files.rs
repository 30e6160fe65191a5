//! A file for each log group, none of them without end.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// A file that would get larger is put aside first, in bytes: small enough for editors and `grep`.
const LARGEST_FILE: u64 = 64 << 20;
/// Files put aside of each group; the oldest makes room.
const PUT_ASIDE: u32 = 8;
/// Files held open at once; a group that wasn't written to for long is opened again.
const OPEN: usize = 64;
/// Longest name made of a group's, in bytes: file systems take 255, and the endings need some.
const LONGEST_NAME: usize = 200;

/// The files of a directory.
pub(super) struct Files {
    directory: PathBuf,
    open: HashMap<Arc<str>, Open>,
    writes: u64,
    largest: u64,
}

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// When it was written to last, counted in writes.
    used: u64,
}

impl Files {
    /// In this directory, which is made when absent.
    ///
    /// # Errors
    /// When it can't be made.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            open: HashMap::new(),
            writes: 0,
            largest: LARGEST_FILE,
        })
    }

    /// Appends lines to a group's file.
    ///
    /// # Errors
    /// When they can't be written. The file is opened again the next time.
    pub(super) fn append(&mut self, group: &Arc<str>, lines: &str) -> io::Result<()> {
        let written = self.try_append(group, lines);
        if written.is_err() {
            self.open.remove(group);
        }
        written
    }

    fn try_append(&mut self, group: &Arc<str>, lines: &str) -> io::Result<()> {
        self.writes += 1;
        let full = |open: &Open| open.bytes > 0 && open.bytes + lines.len() as u64 > self.largest;
        if self.open.get(group).is_some_and(full)
            && let Some(open) = self.open.remove(group)
        {
            put_aside(&open.path)?;
        }
        if !self.open.contains_key(group) {
            self.make_room();
            let path = self.directory.join(file_name(group));
            let file = OpenOptions::new().append(true).create(true).open(&path)?;
            let bytes = file.metadata()?.len();
            let used = self.writes;
            let open = Open {
                path,
                file,
                bytes,
                used,
            };
            self.open.insert(Arc::clone(group), open);
        }
        if let Some(open) = self.open.get_mut(group) {
            open.used = self.writes;
            open.file.write_all(lines.as_bytes())?;
            open.bytes += lines.len() as u64;
        }
        Ok(())
    }

    fn make_room(&mut self) {
        if self.open.len() < OPEN {
            return;
        }
        let longest_unused = self.open.iter().min_by_key(|(_, open)| open.used);
        if let Some(group) = longest_unused.map(|(group, _)| Arc::clone(group)) {
            self.open.remove(&group);
        }
    }
}

/// `NAME.jsonl` becomes `NAME.jsonl.1`, that `NAME.jsonl.2`, and so on.
fn put_aside(path: &Path) -> io::Result<()> {
    let aside = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..PUT_ASIDE).rev() {
        match fs::rename(aside(number), aside(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, aside(1))
}

/// The name of a group's file: the group's own, with `%2F` for its slashes. Different groups have different files.
fn file_name(group: &str) -> String {
    let named = group.split_once(":log-group:").map_or(group, |(_, name)| name);
    let named = named.strip_suffix(":*").unwrap_or(named);
    let mut name = String::new();
    for byte in named.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            _ => {
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    if name.len() > LONGEST_NAME {
        let digest = Sha256::digest(named);
        name.truncate(LONGEST_NAME);
        for byte in &digest[..8] {
            let _ = write!(name, "{byte:02x}");
        }
    }
    if name.is_empty() {
        name.push_str("executions");
    }
    name.push_str(".jsonl");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_name_their_files_and_lead_nowhere_else() {
        for (group, name) in [
            (
                "arn:aws:logs:us-east-1:000000000000:log-group:/aws/vendedlogs/states/orders:*",
                "%2Faws%2Fvendedlogs%2Fstates%2Forders.jsonl",
            ),
            (
                "arn:aws:logs:us-east-1:000000000000:log-group:orders.v2:*",
                "orders.v2.jsonl",
            ),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.jsonl"),
            ("", "executions.jsonl"),
        ] {
            assert_eq!(file_name(group), name);
        }
        let long = |end: &str| file_name(&format!("{}{end}", "/".repeat(500)));
        assert!(long("a").len() < 255);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn no_file_grows_without_end_and_the_latest_lines_are_kept() {
        let directory = tempfile::tempdir().expect("works");
        let mut files = Files::open(directory.path()).expect("works");
        files.largest = 10;
        let group: Arc<str> = "g".into();
        for number in 0..20 {
            files.append(&group, &format!("line {number:02}\n")).expect("works");
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name));
        assert_eq!(read("g.jsonl").expect("works"), "line 19\n");
        assert_eq!(read("g.jsonl.1").expect("works"), "line 18\n");
        assert_eq!(read("g.jsonl.8").expect("works"), "line 11\n");
        assert!(read("g.jsonl.9").is_err());
    }

    #[test]
    fn few_files_are_open_and_none_is_cut() {
        let directory = tempfile::tempdir().expect("works");
        let mut files = Files::open(directory.path()).expect("works");
        for round in 0..2 {
            for number in 0..OPEN + 10 {
                let group: Arc<str> = format!("g{number}").into();
                files.append(&group, &format!("{round}\n")).expect("works");
            }
        }
        assert_eq!(files.open.len(), OPEN);
        assert_eq!(
            fs::read_to_string(directory.path().join("g0.jsonl")).expect("works"),
            "0\n1\n"
        );
    }
}
