//! A queue in which everybody stands at most once.

use std::collections::{BTreeSet, VecDeque};

use crate::ids::ExecutionId;

/// Executions in the order they came. Whoever takes one out checks that it still wants its turn:
/// leaving early is never necessary.
#[derive(Debug, Default)]
pub(crate) struct Line {
    order: VecDeque<ExecutionId>,
    members: BTreeSet<ExecutionId>,
}

impl Line {
    /// Joins at the end; nothing changes for one who stands in the line already.
    pub(crate) fn push_back(&mut self, execution: ExecutionId) {
        if self.members.insert(execution) {
            self.order.push_back(execution);
        }
    }

    /// Joins at the front; nothing changes for one who stands in the line already.
    pub(crate) fn push_front(&mut self, execution: ExecutionId) {
        if self.members.insert(execution) {
            self.order.push_front(execution);
        }
    }

    /// Takes the first one out.
    pub(crate) fn pop_front(&mut self) -> Option<ExecutionId> {
        let execution = self.order.pop_front()?;
        self.members.remove(&execution);
        Some(execution)
    }

    /// Whether nobody stands here.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many stand here.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_stands_twice() {
        let mut line = Line::default();
        line.push_back(ExecutionId(1));
        line.push_back(ExecutionId(2));
        line.push_back(ExecutionId(1));
        line.push_front(ExecutionId(2));
        line.push_front(ExecutionId(3));
        assert_eq!(line.len(), 3);
        let order: Vec<u64> = std::iter::from_fn(|| line.pop_front()).map(|id| id.0).collect();
        assert_eq!(order, [3, 1, 2]);
        assert!(line.is_empty());
        line.push_back(ExecutionId(1));
        assert_eq!(line.pop_front(), Some(ExecutionId(1)));
    }
}
