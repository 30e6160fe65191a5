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
}

impl Default for Limits {
    /// AWS's quotas: payloads of 256 KiB.
    fn default() -> Self {
        Self { payload_bytes: 262_144 }
    }
}
