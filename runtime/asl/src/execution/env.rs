//! What deciding needs of the outside: the time, the dice and the limits.

use crate::limits::Limits;
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
