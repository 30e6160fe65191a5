//! A state's failure: its retriers, its catchers, or the scope above.

use serde_json::{Map, Value};

use super::At;
use super::result::Way;
use crate::definition::{Kind, Retrier};
use crate::execution::env::{Dice, Env};
use crate::execution::event::{EventKind, Failure};
use crate::execution::scope::Failing;
use crate::expression::Fault;
use crate::payload::Payload;

/// Never retried and never caught: the definition or the input is at fault, and stays so.
const ALWAYS_FATAL: &str = Fault::RUNTIME;

impl At<'_> {
    pub(super) fn on_error(&self, failing: &Failing, env: &mut Env<'_>) -> EventKind {
        let failure = &failing.failure;
        let fields = self.state.outcome();
        let retriers = fields.map(|fields| &fields.retry[..]).unwrap_or_default();
        let retrier = self.retrier(failure);
        if let Some((index, retrier)) = retrier.and_then(|index| Some((index, retriers.get(index as usize)?))) {
            let used = self.active.retries.get(index as usize).copied().unwrap_or(0);
            if used < retrier.max_attempts {
                let until = env.now.plus_seconds(delay(retrier, used, env.dice));
                return EventKind::RetryScheduled {
                    scope: self.id,
                    retrier: index,
                    until,
                };
            }
        }
        if failing.to_say {
            let failure = failure.clone();
            return match self.state.kind {
                Kind::Map(_) => EventKind::MapFailed {
                    scope: self.id,
                    failure,
                },
                _ => EventKind::ParallelFailed {
                    scope: self.id,
                    failure,
                },
            };
        }
        let catchers = fields.map(|fields| &fields.catch[..]).unwrap_or_default();
        if let Some((index, catcher)) = (0_u32..)
            .zip(catchers)
            .find(|(_, catcher)| matches(&catcher.error_equals, failure))
        {
            let way = Way {
                next: Some(catcher.next.clone()),
                assign: catcher.assign.as_ref(),
                output: catcher.output.as_ref(),
                catcher: Some(index),
            };
            // a second failure on the way out isn't caught again: the state would go round for ever
            return match self.leave(way, None, &error_output(failure), &catcher.result_path, env) {
                Ok(EventKind::StateFailed { failure, .. }) => self.propagate(failure),
                Ok(exited) => exited,
                Err(fault) => self.propagate(self.failure_of(fault)),
            };
        }
        self.propagate(failure.clone())
    }

    /// Index of the retrier that takes a failure.
    pub(super) fn retrier(&self, failure: &Failure) -> Option<u32> {
        let retriers = &self.state.outcome()?.retry;
        let found = (0..)
            .zip(retriers)
            .find(|(_, retrier)| matches(&retrier.error_equals, failure));
        found.map(|(index, _)| index)
    }

    /// Nobody here deals with it: the iteration, the Parallel state or the execution fails.
    fn propagate(&self, failure: Failure) -> EventKind {
        let Some(parent) = self.scope.parent else {
            return EventKind::ExecutionFailed { failure };
        };
        let in_map = self
            .execution
            .scopes
            .get(&parent.scope)
            .is_some_and(|scope| scope.runs_iterations());
        if in_map {
            EventKind::IterationFailed {
                scope: parent.scope,
                index: parent.index,
                failure,
            }
        } else {
            EventKind::StateFailed {
                scope: parent.scope,
                failure,
                location: None,
            }
        }
    }
}

/// Whether a retrier's or catcher's ErrorEquals takes a failure.
fn matches(names: &[String], failure: &Failure) -> bool {
    let error = failure.error.as_deref();
    if error == Some(ALWAYS_FATAL) {
        return false;
    }
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => error != Some("States.DataLimitExceeded"),
        "States.TaskFailed" => !matches!(
            error,
            Some("States.Timeout" | "States.HeartbeatTimeout" | "States.DataLimitExceeded")
        ),
        "States.Timeout" => matches!(error, Some("States.Timeout" | "States.HeartbeatTimeout")),
        name => error == Some(name),
    })
}

/// What a catcher hands on.
fn error_output(failure: &Failure) -> Payload {
    let mut map = Map::new();
    for (name, text) in [("Error", &failure.error), ("Cause", &failure.cause)] {
        if let Some(text) = text {
            map.insert(name.into(), Value::String(text.clone()));
        }
    }
    Payload::from_value(Value::Object(map))
}

/// Seconds until the next attempt, after `used` retries by this retrier.
fn delay(retrier: &Retrier, used: u32, dice: &mut dyn Dice) -> f64 {
    let exponent = i32::try_from(used).unwrap_or(i32::MAX);
    let grown = retrier.interval_seconds * retrier.backoff_rate.powi(exponent);
    let bounded = grown.min(retrier.max_delay_seconds.unwrap_or(f64::INFINITY));
    if retrier.full_jitter {
        bounded * unit(dice)
    } else {
        bounded
    }
}

/// A number in 0..1 with 53 random bits.
fn unit(dice: &mut dyn Dice) -> f64 {
    (dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
