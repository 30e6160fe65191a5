//! What a backup says of itself: a JSON file, written last.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use engine::ids::Digest;
use serde::{Deserialize, Serialize};

use super::{Copied, Error};

/// Its file in a backup.
pub(super) const FILE: &str = "backup.json";

/// The form backups are made in.
pub(super) const FORM: u32 = 1;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How it is laid out.
    pub form: u32,
    /// The program that made it, with its version.
    pub made_by: String,
    /// When.
    pub made_at: String,
    /// Size of the database in bytes.
    pub database_bytes: u64,
    /// SHA-256 of the database's file.
    pub database_digest: Digest,
    /// Executions in it, children of Map Runs among them.
    pub executions: u64,
    /// State machines that aren't deleted.
    pub state_machines: u64,
    /// Versions of modules.
    pub modules: u64,
    /// Definitions and components.
    pub content: Copied,
    /// The directory objects are in; absent where they weren't copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects_in: Option<String>,
    /// Objects.
    pub objects: Copied,
}

impl Manifest {
    pub(super) fn write(&self, backup: &Path) -> Result<(), Error> {
        let path = backup.join(FILE);
        let failed = |source| Error::File {
            attempted: "write",
            path: path.clone(),
            source,
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.write_all(b"\n").map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    pub(super) fn read(backup: &Path) -> Result<Self, Error> {
        let path = backup.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoBackup(backup.to_owned()));
            }
            Err(source) => {
                let attempted = "read";
                return Err(Error::File {
                    attempted,
                    path,
                    source,
                });
            }
        };
        let damaged = |error: serde_json::Error| Error::Damaged {
            path: path.clone(),
            what: error.to_string(),
        };
        let form = serde_json::from_str::<Form>(&text).map_err(damaged)?.form;
        if form > FORM {
            let path = backup.to_owned();
            return Err(Error::NewerForm { path, form });
        }
        let manifest: Self = serde_json::from_str(&text).map_err(damaged)?;
        // It is joined to paths.
        if manifest.objects_in.as_deref().is_some_and(|name| !is_plain(name)) {
            let what = "the directory of objects isn't one in the backup".to_owned();
            return Err(Error::Damaged { path, what });
        }
        Ok(manifest)
    }
}

/// What every form has.
#[derive(Deserialize)]
struct Form {
    form: u32,
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}
