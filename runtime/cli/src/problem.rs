//! Why a command couldn't do what was asked, and what to do next.

use std::io;
use std::process::ExitCode;

/// How a command ended when nothing stood in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Done: status 0.
    Good,
    /// The workflow failed, or the definition has errors: status 1.
    Bad,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Good => ExitCode::SUCCESS,
            Ending::Bad => ExitCode::from(1),
        }
    }
}

/// What stood in a command's way.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// What was typed can't be done: status 2.
    #[error("{message}")]
    Usage {
        /// What is wrong, with the value in backticks.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// The server, or this machine, can't or won't: status 3.
    #[error("{message}")]
    Refused {
        /// What was attempted and why it failed.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// Standard output can't be written: status 3, or 0 and silence where its reader has gone, as `head` does.
    #[error("can't write to standard output: {0}")]
    Stdout(#[from] io::Error),
}

impl Problem {
    /// What was typed can't be done.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The server, or this machine, can't or won't.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        match self {
            Self::Usage { hint, .. } | Self::Refused { hint, .. } => hint,
            Self::Stdout(_) => "",
        }
    }

    /// Whether there is nobody left to tell.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The status to exit with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. } => ExitCode::from(2),
            _ if self.is_broken_pipe() => ExitCode::SUCCESS,
            Self::Refused { .. } | Self::Stdout(_) => ExitCode::from(3),
        }
    }
}

/// What every command comes to.
pub type Result<T = Ending> = std::result::Result<T, Problem>;
