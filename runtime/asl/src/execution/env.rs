//! What deciding needs of the outside: the time, the dice and the limits.

use crate::timestamp::Timestamp;

/// A source of random bits, for jitter.
pub trait Dice {
    /// 64 fresh bits.
    fn next_u64(&mut self) -> u64;
}

/// The surroundings of one decision.
pub struct Env<'a> {
    /// Now.
    pub now: Timestamp,
    /// Random bits.
    pub dice: &'a mut dyn Dice,
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
