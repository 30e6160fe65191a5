//! A queue in which everybody stands at most once.

use std::collections::{BTreeSet, VecDeque};

/// Executions, or Map Runs, in the order they came. Whoever takes one out checks that it still wants its turn:
/// leaving early is never necessary.
#[derive(Debug)]
pub(crate) struct Line<T> {
    order: VecDeque<T>,
    members: BTreeSet<T>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            members: BTreeSet::new(),
        }
    }
}

impl<T: Ord + Copy> Line<T> {
    /// Joins at the end; nothing changes for one who stands in the line already.
    pub(crate) fn push_back(&mut self, member: T) {
        if self.members.insert(member) {
            self.order.push_back(member);
        }
    }

    /// Joins at the front; nothing changes for one who stands in the line already.
    pub(crate) fn push_front(&mut self, member: T) {
        if self.members.insert(member) {
            self.order.push_front(member);
        }
    }

    /// Takes the first one out.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let member = self.order.pop_front()?;
        self.members.remove(&member);
        Some(member)
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
    use crate::ids::ExecutionId;

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
