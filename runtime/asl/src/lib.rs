//! One execution of an Amazon States Language state machine, as data.
//!
//! This room owns the language: definitions and their diagnostics, expressions, and the fold that
//! turns a journal of events into an execution. It is pure: time and dice are arguments, and it must
//! know nothing of disks, sockets, threads or AWS's wire names.

pub mod definition;
pub mod execution;
pub mod expression;
pub mod json_syntax;
pub mod limits;
pub mod payload;
pub mod timestamp;

pub use execution::event::*;
pub use execution::map_run::{Batches, ChildOf, ItemSource, MapItem, OpenMapRun, ResultTarget};
pub use execution::trial;
pub use execution::{ApplyError, Dice, Env, Execution, OpenTask, TaskOutcome, Wakeup};
pub use limits::{Limit, Limits};
pub use payload::Payload;
pub use timestamp::Timestamp;
