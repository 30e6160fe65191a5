//! What a guest is given of the machine: variables and directories, and what it asked for and wasn't given.

use std::path::{Path, PathBuf};

use asl::Failure;
use engine::ports::{Granted, GrantedDirectory};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::guest_output::{GuestOutput, Source};
use crate::guest_threads::OpenAttempt;

/// A module's manifest grants what isn't there, or what the policy doesn't allow any more.
pub(crate) const NOT_GRANTED: &str = "Sandbox.NotGranted";

/// What an attempt is given; nothing of the machine where absent.
pub(crate) fn of(attempt: &OpenAttempt) -> Option<&Granted> {
    attempt.job().granted.as_deref()
}

/// Makes sure that what is granted is there before the guest runs.
///
/// # Errors
/// The attempt's failure.
pub(crate) fn check(attempt: &OpenAttempt) -> Result<(), Failure> {
    let Some(granted) = of(attempt) else { return Ok(()) };
    for name in &granted.unset {
        let message =
            format!("the variable `{name}` is granted, and the server's own environment has none of this name");
        attempt.output().log(Source::Warn, &message);
    }
    granted
        .dirs
        .iter()
        .try_for_each(|directory| place_of(directory).map(drop))
        .map_err(|cause| Failure::new(NOT_GRANTED, cause))
}

/// Puts what is granted into a guest's WASI.
pub(crate) fn give(context: &mut WasiCtxBuilder, attempt: &OpenAttempt) {
    let Some(granted) = of(attempt) else { return };
    for (name, value) in &granted.env {
        context.env(name, value.reveal());
    }
    for granted in &granted.dirs {
        let directory = &granted.directory;
        let permissions = if directory.write {
            FsPerms::ReadWrite
        } else {
            FsPerms::ReadOnly
        };
        let opened = place_of(granted).and_then(|place| {
            let opened = context.preopened_dir(place, &directory.guest, permissions);
            opened.map(drop).map_err(|error| format!("{error:#}"))
        });
        if let Err(why) = opened {
            // It was there when the attempt began.
            attempt.output().log(Source::Warn, &why);
        }
    }
}

/// Where a directory really is: links in its path may lead elsewhere, and must not lead out of what the policy allows.
fn place_of(granted: &GrantedDirectory) -> Result<PathBuf, String> {
    let real = |path: &Path| {
        path.canonicalize()
            .map_err(|error| format!("the granted directory `{}` can't be opened: {error}", path.display()))
    };
    let (place, root) = (real(&granted.directory.path)?, real(&granted.root)?);
    if !place.starts_with(&root) {
        return Err(format!(
            "the granted directory `{}` leads out of `{}`, which is what the policy allows",
            granted.directory.path.display(),
            granted.root.display()
        ));
    }
    Ok(place)
}

/// What a guest looked for and wasn't given. Looking at an empty list is no denial by itself, many a language does it
/// whenever it starts; it is told where the attempt then failed.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    told: Vec<String>,
    looked_for_directories: bool,
    looked_for_variables: bool,
}

/// Denials told of one attempt; a guest may try the same thing a million times.
const DENIALS: usize = 16;

impl Denials {
    /// Something was refused: tells what, and the line of the manifest that would allow it.
    pub(crate) fn tell(&mut self, attempt: &OpenAttempt, what: &str, line: &str) {
        self.tell_as(Source::Warn, attempt, what, line);
    }

    /// A request that was granted came to nothing: the guest's language may keep the reason to itself.
    pub(crate) fn tell_failure(&mut self, attempt: &OpenAttempt, message: &str) {
        self.tell_once(Source::Warn, attempt, message.to_owned());
    }

    fn tell_as(&mut self, level: Source, attempt: &OpenAttempt, what: &str, line: &str) {
        self.tell_once(level, attempt, format!("denied: {what}; {line}"));
    }

    fn tell_once(&mut self, level: Source, attempt: &OpenAttempt, message: String) {
        if self.told.len() < DENIALS && !self.told.contains(&message) {
            attempt.output().log(level, &message);
            self.told.push(message);
        }
    }

    /// The guest looked at its directories.
    pub(crate) fn looked_for_directories(&mut self) {
        self.looked_for_directories = true;
    }

    /// The guest looked at its environment.
    pub(crate) fn looked_for_variables(&mut self) {
        self.looked_for_variables = true;
    }

    /// What may have to do with a failure, or may not: many a language looks whenever it starts.
    pub(crate) fn tell_at_failure(&mut self, attempt: &OpenAttempt) {
        let granted = of(attempt);
        if self.looked_for_directories && granted.is_none_or(|granted| granted.dirs.is_empty()) {
            self.tell_as(
                Source::Debug,
                attempt,
                "the task looked for files and has no directory",
                "`[grants]` `dirs = [{ path = \"/DIRECTORY\", guest = \"/data\" }]` in module.toml gives it one",
            );
        }
        if self.looked_for_variables && granted.is_none_or(|granted| granted.env.is_empty()) {
            self.tell_as(
                Source::Debug,
                attempt,
                "the task looked at its environment, and no variable is granted",
                "`[grants]` `env = [\"NAME\"]` in module.toml gives it a variable of the server's",
            );
        }
    }
}

/// Takes secrets out of what a guest said, and out of how it failed: it may have them, others may not see them.
pub(crate) fn redact(attempt: &OpenAttempt, text: String) -> String {
    let Some(granted) = of(attempt) else { return text };
    granted.secrets.iter().fold(text, |text, (name, value)| {
        let value = value.reveal();
        if value.is_empty() || !text.contains(value) {
            return text;
        }
        text.replace(value, &format!("[secret {name}]"))
    })
}

/// The same for the log lines of an attempt.
pub(crate) fn redact_output(attempt: &OpenAttempt, output: &mut GuestOutput) {
    if of(attempt).is_some_and(|granted| !granted.secrets.is_empty()) {
        output.rewrite(|line| redact(attempt, line));
    }
}
