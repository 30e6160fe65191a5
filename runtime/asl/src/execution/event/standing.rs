//! How an execution stands, and how much of it is kept.

use serde::{Deserialize, Serialize};

/// How much of an execution reaches the disk, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Every event, each before its effects.
    #[default]
    Standard,
    /// Its start and its outcome: after a crash it begins again with its input.
    Express {
        /// It is timed out after this, whatever its definition says.
        seconds: u64,
    },
    /// Nothing: it ends with the process, and its caller learns that.
    Synchronous {
        /// See [`Mode::Express`].
        seconds: u64,
    },
}

impl Mode {
    /// Whether every event is on disk before its effects.
    pub fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }

    /// After how many seconds it is timed out, whatever its definition says.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::Standard => None,
            Self::Express { seconds } | Self::Synchronous { seconds } => Some(seconds),
        }
    }
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Not over.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Stopped from outside.
    Aborted,
    /// Ran out of its TimeoutSeconds.
    TimedOut,
}

impl Status {
    /// Whether nothing can happen any more.
    pub fn is_closed(self) -> bool {
        self != Status::Running
    }
}
