//! What is known of executions that go on, bounded.

use std::collections::HashMap;

use engine::ids::ExecutionId;

/// Executions known at once, twice over: those that moved lately, and those that moved before them. One that sleeps for
/// a year is forgotten and learnt again from its journal when it wakes.
const LATELY: usize = 8192;

/// Something for each execution that moved lately.
pub(super) struct Ongoing<T> {
    young: HashMap<ExecutionId, T>,
    old: HashMap<ExecutionId, T>,
    most: usize,
}

impl<T> Ongoing<T> {
    pub(super) fn new() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            most: LATELY,
        }
    }

    /// Takes it out; whoever wants it kept puts it back.
    pub(super) fn take(&mut self, execution: ExecutionId) -> Option<T> {
        self.young.remove(&execution).or_else(|| self.old.remove(&execution))
    }

    /// Keeps it. Where there are too many, those that haven't moved for longest go, but for those `stay` names.
    pub(super) fn put(&mut self, execution: ExecutionId, known: T, stay: impl Fn(&T) -> bool) {
        self.young.insert(execution, known);
        if self.young.len() <= self.most {
            return;
        }
        let mut gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        gone.retain(|_, known| stay(known));
        self.old.extend(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_move_stay_and_those_that_sleep_go() {
        let mut ongoing = Ongoing::new();
        ongoing.most = 2;
        let stay = |known: &u64| *known == 1;
        for id in 1..=20 {
            ongoing.put(ExecutionId(id), id, stay);
            let second = ongoing.take(ExecutionId(2));
            assert_eq!(second, (id >= 2).then_some(2));
            if let Some(second) = second {
                ongoing.put(ExecutionId(2), second, stay);
            }
        }
        assert_eq!(ongoing.take(ExecutionId(1)), Some(1));
        assert_eq!(ongoing.take(ExecutionId(3)), None);
        assert_eq!(ongoing.take(ExecutionId(20)), Some(20));
        assert!(ongoing.young.len() + ongoing.old.len() <= 2 * 2 + 1);
    }
}
