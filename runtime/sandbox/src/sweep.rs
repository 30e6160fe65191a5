//! Deleting compiled code that nobody runs any more: it can always be made again.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use engine::ports::{Sweep, Tally};

use crate::module_cache::{CODE, ENGINE};

/// Deletes the files of a directory that aren't wanted, or counts them: modules by their code, bytes of all.
pub(crate) fn files(directory: &Dir, is_wanted: &dyn Fn(&str) -> bool, sweep: Sweep) -> io::Result<Tally> {
    let mut swept = Tally::default();
    for entry in directory.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if is_wanted(&shown) || !entry.file_type()?.is_file() {
            continue;
        }
        swept.count += u64::from(shown.ends_with(CODE));
        swept.bytes += entry.metadata()?.len();
        if sweep == Sweep::Delete {
            directory.remove_file(&name)?;
        }
    }
    Ok(swept)
}

/// The same of the directories that other engines' code is in.
pub(crate) fn other_directories(root: &Path, ours: &OsStr, sweep: Sweep) -> io::Result<Tally> {
    let root = Dir::open_ambient_dir(root, ambient_authority())?;
    let mut swept = Tally::default();
    for entry in root.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let is_engine = name.to_string_lossy().starts_with(ENGINE) && entry.file_type()?.is_dir();
        if is_engine && name != ours {
            swept += files(&entry.open_dir()?, &|_| false, sweep)?;
            if sweep == Sweep::Delete {
                root.remove_dir(&name)?;
            }
        }
    }
    Ok(swept)
}
