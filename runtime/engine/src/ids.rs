//! Numbers that mean something, each its own type.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An execution. Given out by the engine in rising order, so that journals grow at their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub u64);

/// A state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(pub u64);

/// One attempt of one Task state: the position of its TaskScheduled event in its execution's journal.
/// The same after a crash, so it serves guests as idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// Whose task.
    pub execution: ExecutionId,
    /// Position of the event that asked for it.
    pub scheduled_at: u64,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.execution.0, self.scheduled_at)
    }
}

/// Bits of an execution's number that a UUID has room for, above those of a position.
const EXECUTION_BITS: u32 = 60;
/// Bits of a position that a UUID has room for.
const POSITION_BITS: u32 = 62;

impl TaskId {
    /// Both numbers as a UUID of version 8, whose free bits are the writer's: so Map Runs and child executions
    /// have names in AWS's shape that lead back to them without a table.
    pub fn to_uuid(self) -> String {
        let execution = self.execution.0 & ((1 << EXECUTION_BITS) - 1);
        let position = self.scheduled_at & ((1 << POSITION_BITS) - 1);
        format!(
            "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
            execution >> 28,
            execution >> 12 & 0xffff,
            execution & 0xfff,
            0x8000 | position >> 48,
            position & 0xffff_ffff_ffff
        )
    }

    /// The numbers in a UUID that [`TaskId::to_uuid`] wrote.
    pub fn from_uuid(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let [a, b, c, d, e] = groups[..] else { return None };
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let (c, d) = (number(c)?, number(d)?);
        let id = Self {
            execution: ExecutionId(number(a)? << 28 | number(b)? << 12 | c & 0xfff),
            scheduled_at: (d & 0x3fff) << 48 | number(e)?,
        };
        (id.to_uuid() == text).then_some(id)
    }
}

impl ExecutionId {
    /// Bit of the ids of runs: executions that aren't recorded step by step. What has to be told from an earlier run of
    /// the same execution, or must not be mistaken for another's after a restart, is named by these.
    const RUN: u64 = 1 << 59;

    /// The id before a process's first run, somewhere in a space so wide that two processes do not meet there.
    pub(crate) fn before_runs(random: u64) -> Self {
        Self(Self::RUN | random >> 6)
    }

    /// What a child execution of a Map Run is called: its number as a UUID.
    pub fn child_name(self) -> String {
        TaskId {
            execution: self,
            scheduled_at: 0,
        }
        .to_uuid()
    }

    /// The number in a name that [`ExecutionId::child_name`] wrote.
    pub fn from_child_name(name: &str) -> Option<Self> {
        let id = TaskId::from_uuid(name)?;
        (id.scheduled_at == 0).then_some(id.execution)
    }
}

/// A batch on its way to the disk. Rises by one with every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Whoever waits for an answer; the engine hands it back unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// SHA-256 of a content-addressed text or binary, `sha256:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub Arc<str>);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_uuids() {
        for (execution, scheduled_at) in [
            (1, 0),
            (42, 7),
            ((1 << 60) - 1, (1 << 62) - 1),
            (0x1234_5678_9abc, 25_000),
        ] {
            let id = TaskId {
                execution: ExecutionId(execution),
                scheduled_at,
            };
            let text = id.to_uuid();
            assert_eq!((text.len(), &text[14..15]), (36, "8"), "{text}");
            assert_eq!(TaskId::from_uuid(&text), Some(id));
        }
        let name = ExecutionId(42).child_name();
        assert_eq!(ExecutionId::from_child_name(&name), Some(ExecutionId(42)));
        let run = "00000000-0000-802a-8000-000000000007";
        assert_eq!(ExecutionId::from_child_name(run), None);
        for other in [
            "",
            "x",
            "00000000-0000-402a-8000-000000000007",
            "+0000000-0000-802a-8000-000000000007",
        ] {
            assert_eq!(TaskId::from_uuid(other), None, "{other}");
        }
    }
}
