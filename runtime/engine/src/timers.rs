//! When executions want to be looked at again.

use std::collections::{BTreeMap, BTreeSet};

use asl::Timestamp;

use crate::ids::ExecutionId;

/// One wake-up for each execution that has one. Kept as an exact index rather than a heap with stale
/// entries: tasks with an hour's deadline that end in a millisecond would fill a heap for that hour.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, ExecutionId)>,
    at: BTreeMap<ExecutionId, Timestamp>,
}

impl Timers {
    /// Sets, moves or (with `None`) clears an execution's wake-up.
    pub(crate) fn set(&mut self, execution: ExecutionId, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.at.insert(execution, at),
            None => self.at.remove(&execution),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, execution));
        }
        if let Some(at) = at {
            self.due.insert((at, execution));
        }
    }

    /// The earliest wake-up.
    pub(crate) fn first(&self) -> Option<(Timestamp, ExecutionId)> {
        self.due.first().copied()
    }

    /// Takes out the earliest wake-up if its time has come.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<ExecutionId> {
        let (at, execution) = self.first()?;
        if at > now {
            return None;
        }
        self.set(execution, None);
        Some(execution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_wake_up_comes_once_and_at_its_new_time() {
        let mut timers = Timers::default();
        let (one, two) = (ExecutionId(1), ExecutionId(2));
        timers.set(one, Some(Timestamp(10)));
        timers.set(two, Some(Timestamp(20)));
        timers.set(one, Some(Timestamp(30)));
        assert_eq!(timers.first(), Some((Timestamp(20), two)));
        assert_eq!(timers.pop_due(Timestamp(19)), None);
        assert_eq!(timers.pop_due(Timestamp(30)), Some(two));
        assert_eq!(timers.pop_due(Timestamp(30)), Some(one));
        assert_eq!(timers.pop_due(Timestamp(30)), None);
        assert_eq!(timers.first(), None);
    }

    #[test]
    fn a_cleared_wake_up_never_comes() {
        let mut timers = Timers::default();
        timers.set(ExecutionId(1), Some(Timestamp(10)));
        timers.set(ExecutionId(1), None);
        assert_eq!(timers.pop_due(Timestamp::NEVER), None);
    }
}
