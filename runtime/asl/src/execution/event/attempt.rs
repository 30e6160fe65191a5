//! What is recorded of one attempt of a task.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What one attempt of a task cost and said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempt {
    /// The component that ran: `sha256:<hex>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<Arc<str>>,
    /// Which version of its module that was when the attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Units of fuel burnt. Absent where the runner can't tell (a guest killed by the clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Peak of all memories and tables summed, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// Wall-clock time in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
    /// Log lines and standard error, bounded by the runner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}

/// One line a guest wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `debug`, `info`, `warn`, `error`, or `stdout`/`stderr` for the standard streams.
    pub level: String,
    /// The text, without its line end.
    pub message: String,
}

/// Which of a task's clocks ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeoutKind {
    /// TimeoutSeconds: `States.Timeout`.
    Deadline,
    /// HeartbeatSeconds: `States.HeartbeatTimeout`.
    Heartbeat,
}
