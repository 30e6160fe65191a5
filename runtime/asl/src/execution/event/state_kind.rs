//! The kinds of state.

use serde::{Deserialize, Serialize};

/// The eight kinds of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StateKind {
    /// Hands its input on, or a fixed result.
    Pass,
    /// Runs a task.
    Task,
    /// Branches by rules.
    Choice,
    /// Waits for a time.
    Wait,
    /// Ends its scope well.
    Succeed,
    /// Ends its scope with an error.
    Fail,
    /// Runs branches at once.
    Parallel,
    /// Runs one processor for each item.
    Map,
}

impl StateKind {
    /// The word the `Type` field uses.
    pub fn as_str(self) -> &'static str {
        match self {
            StateKind::Pass => "Pass",
            StateKind::Task => "Task",
            StateKind::Choice => "Choice",
            StateKind::Wait => "Wait",
            StateKind::Succeed => "Succeed",
            StateKind::Fail => "Fail",
            StateKind::Parallel => "Parallel",
            StateKind::Map => "Map",
        }
    }
}
