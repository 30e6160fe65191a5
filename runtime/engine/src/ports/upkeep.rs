//! Keeping a store from growing for ever.

use std::ops::AddAssign;

use asl::Timestamp;

use super::StoreError;
use crate::ids::{Digest, ExecutionId};

/// What a step of deleting executions came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// How many were deleted, children of Map Runs among them.
    pub executions: u64,
    /// Where the next step goes on; `None` when there is nothing left to do.
    pub next: Option<ExecutionId>,
}

/// How many files or rows, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Their bytes on disk.
    pub bytes: u64,
}

impl Tally {
    /// One of this size.
    pub fn of(bytes: u64) -> Self {
        Self { count: 1, bytes }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// Whether something is done, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// It is deleted.
    Delete,
    /// It would be.
    Count,
}

/// What nothing refers to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// State machines that were deleted and whose last execution is gone, too.
    pub machines: u64,
    /// Definitions that no state machine, version or execution has.
    pub definitions: Tally,
    /// Components that no version of a module has.
    pub components: Tally,
}

/// How much of the disk the journals and the catalogue take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// All of it, in bytes.
    pub bytes: u64,
    /// Of these, what deleted rows left: it is used again before the file grows.
    pub free: u64,
    /// Whether [`Upkeep::shrink`] can give free space back to the file system.
    pub shrinks: bool,
}

/// What keeps a store small. Every call is one small step or can be broken off anywhere: what was deleted stays
/// deleted, and what wasn't is found the next time. Calls block.
pub trait Upkeep: Send + Sync {
    /// A step of deleting the executions that closed before a moment, from one id on: with their journals, redrives and
    /// names, and with the children of their Map Runs, which stay as long as their parent does. What runs stays, and so
    /// does a parent with a child that runs. A pass is steps from id 0 until there is no next one.
    fn forget(&self, before: Timestamp, from: ExecutionId) -> Result<Forgotten, StoreError>;
    /// How many executions closed before a moment, without children of Map Runs.
    fn expired(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Deletes what nothing refers to. `in_use` says of a definition whether somebody holds it in memory who may yet write
    /// a row that names it.
    fn sweep(&self, in_use: &dyn Fn(&Digest) -> bool, sweep: Sweep) -> Result<Swept, StoreError>;
    /// How much of the disk is used.
    fn space(&self) -> Result<Space, StoreError>;
    /// A step of giving free space back to the file system: how many bytes, 0 when there is no more to give.
    fn shrink(&self) -> Result<u64, StoreError>;
}
