//! `sandstep backup` and `sandstep restore`: a data directory copied, checked and put back. Both work on this machine's
//! files, so whoever may read those needs no key of the server.

use std::time::{SystemTime, UNIX_EPOCH};

use asl::Timestamp;
use serde_json::json;
use store::backup::{Error, Manifest, What, back_up, restore as put_back, verify};

use super::size;
use crate::args::{Backup, Restore};
use crate::config;
use crate::output::Output;
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;
use crate::serve::OBJECTS;

/// What the manifest says made the backup.
const MADE_BY: &str = concat!("sandstep ", env!("CARGO_PKG_VERSION"));

/// Makes a backup.
pub fn backup(asked: &Backup, output: &Output) -> Result {
    let data = config::data_directory(asked.data.clone())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let made_at = Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)).to_string();
    let what = What {
        objects: (!asked.without_objects).then_some(OBJECTS),
        made_by: MADE_BY,
        made_at: &made_at,
    };
    let manifest = {
        let _progress = Progress::start("copying and checking");
        back_up(&data, &asked.to, what).map_err(problem)?
    };
    show(&manifest, ("backup", asked.to.display().to_string()), output)
}

/// Puts one back, or only looks whether it could be.
pub fn restore(asked: &Restore, output: &Output) -> Result {
    if asked.dry_run {
        let manifest = {
            let _progress = Progress::start("checking");
            verify(&asked.backup).map_err(problem)?
        };
        return show(
            &manifest,
            ("backup is whole", asked.backup.display().to_string()),
            output,
        );
    }
    let data = config::data_directory(asked.data.clone())?;
    let manifest = {
        let _progress = Progress::start("checking and copying");
        put_back(&asked.backup, &data).map_err(problem)?
    };
    show(&manifest, ("restored to", data.display().to_string()), output)
}

fn show(manifest: &Manifest, (what, place): (&str, String), output: &Output) -> Result {
    if output.is_json() {
        let key = what.replace(' ', "-");
        output.json(&json!({ key: place, "manifest": manifest }))?;
        return Ok(Ending::Good);
    }
    let objects = match &manifest.objects_in {
        Some(_) => format!("{} ({})", manifest.objects.files, size(manifest.objects.bytes)),
        None => "left out".to_owned(),
    };
    output.pairs(&[
        (what, place),
        ("made", manifest.made_at.clone()),
        ("database", size(manifest.database_bytes)),
        ("executions", manifest.executions.to_string()),
        ("state machines", manifest.state_machines.to_string()),
        ("module versions", manifest.modules.to_string()),
        ("objects", objects),
    ])?;
    Ok(Ending::Good)
}

fn problem(error: Error) -> Problem {
    let message = error.to_string();
    match error {
        Error::Exists(_) | Error::HoldsData(_) => Problem::usage(message, "nothing was copied"),
        Error::NoData(_) => Problem::usage(message, "--data or SANDSTEP_DATA names the directory `serve` was given"),
        Error::NoBackup(_) | Error::NewerForm { .. } => {
            Problem::usage(message, "name a directory that `sandstep backup` made")
        }
        Error::Damaged { .. } => Problem::refused(message, "use another backup: this one can't be trusted"),
        Error::Store(store::Error::InUse { .. }) => Problem::usage(message, "nothing was copied"),
        Error::File { .. } | Error::Store(_) => Problem::refused(
            message,
            "check that the disk has room and that the directories belong to this user",
        ),
    }
}
