//! What deciding needs of the outside: the time, the dice and the limits.

use crate::timestamp::Timestamp;

/// A source of random bits, for jitter.
pub trait Dice {
    /// 64 fresh bits.
    fn next_u64(&mut self) -> u64;
}

/// What deciding may ask of the world around the execution. The answers go into events.
pub trait Outside {
    /// The task token of the attempt whose TaskScheduled event has this position.
    fn task_token(&self, scheduled_at: u64) -> String;
    /// Why a task with this `Resource` can't even be scheduled, where that is so: an activity that does not
    /// exist. The text is the cause of a `States.Runtime` failure.
    fn refusal(&self, resource: &str) -> Option<String>;
}

/// A world without task tokens and activities, for executions that are evaluated on their own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Outside for Nothing {
    fn task_token(&self, scheduled_at: u64) -> String {
        scheduled_at.to_string()
    }

    fn refusal(&self, _resource: &str) -> Option<String> {
        None
    }
}

/// The surroundings of one decision.
pub struct Env<'a> {
    /// Now.
    pub now: Timestamp,
    /// Random bits.
    pub dice: &'a mut dyn Dice,
    /// Task tokens and activities.
    pub outside: &'a dyn Outside,
    /// What an execution may use.
    pub limits: Limits,
}

/// Bounds on one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest input, output or result, in bytes of UTF-8.
    pub payload_bytes: usize,
    /// Entries of AWS's history. The last one allowed ends the execution.
    pub history_entries: u64,
}

impl Default for Limits {
    /// AWS's quotas: payloads of 256 KiB, 25,000 entries.
    fn default() -> Self {
        Self {
            payload_bytes: 262_144,
            history_entries: 25_000,
        }
    }
}

impl Limits {
    /// No bounds but the machine's.
    pub const OFF: Limits = Limits {
        payload_bytes: usize::MAX,
        history_entries: u64::MAX,
    };
}
