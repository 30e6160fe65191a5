//! What state machines want logged of their executions (`loggingConfiguration`), written where the operator says.
//!
//! Lines are handed over and never waited for: a disk or a reader that is too slow costs lines, which are counted, and
//! delays no execution.

mod files;
mod logging;
mod writer;

use std::path::PathBuf;

pub(crate) use logging::Logging;
pub(crate) use writer::{Counts, Lines, Writer};

/// Where the log lines of executions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// A file for each log group in this directory, which is made when absent.
    Directory(PathBuf),
}
