//! Who wants to know when an execution has moved.
//!
//! A follower is only woken; what it then sees it reads from the store. So nothing is kept for it, nothing can be
//! missed, and waking it once too often costs a read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::ids::ExecutionId;
use tokio::sync::watch;

/// Followers at once. Each is a connection of its own, and reads from the store after every commit of its execution.
const MOST: usize = 1024;

/// The followers of every execution that has any.
#[derive(Default)]
pub(crate) struct Followers {
    followed: Mutex<HashMap<ExecutionId, watch::Sender<()>>>,
    /// How many there are, so that nobody looks at the table while there are none.
    count: AtomicUsize,
}

/// Somebody who follows an execution, until dropped.
pub(crate) struct Following {
    followers: Arc<Followers>,
    execution: ExecutionId,
    moved: watch::Receiver<()>,
}

impl Followers {
    /// Follows an execution from now on; `None` where too many do.
    pub(crate) fn follow(self: &Arc<Self>, execution: ExecutionId) -> Option<Following> {
        let mut followed = self.followed();
        let count = self.count.load(Ordering::Relaxed);
        if count >= MOST {
            return None;
        }
        self.count.store(count + 1, Ordering::Relaxed);
        let sender = followed.entry(execution).or_insert_with(|| watch::Sender::new(()));
        Some(Following {
            followers: Arc::clone(self),
            execution,
            moved: sender.subscribe(),
        })
    }

    /// Wakes those who follow one of these.
    pub(crate) fn wake(&self, executions: impl Iterator<Item = ExecutionId>) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let followed = self.followed();
        for execution in executions {
            if let Some(sender) = followed.get(&execution) {
                sender.send_replace(());
            }
        }
    }

    /// Wakes everybody: it isn't known who has moved.
    pub(crate) fn wake_all(&self) {
        for sender in self.followed().values() {
            sender.send_replace(());
        }
    }

    /// Lets everybody go: the server stops.
    pub(crate) fn dismiss(&self) {
        self.followed().clear();
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<()>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// Waits until the execution has moved since the last look; `false` when the server stops.
    pub(crate) async fn moved(&mut self) -> bool {
        self.moved.changed().await.is_ok()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followed = self.followers.followed();
        let count = &self.followers.count;
        count.store(count.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        // This one still counts.
        if followed
            .get(&self.execution)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            followed.remove(&self.execution);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ExecutionId = ExecutionId(1);

    #[tokio::test]
    async fn followers_are_woken_once_for_any_number_of_moves_and_let_go_at_the_end() {
        let followers = Arc::new(Followers::default());
        let mut following = followers.follow(ONE).expect("room");
        followers.wake([ONE, ExecutionId(2)].into_iter());
        followers.wake([ONE].into_iter());
        assert!(following.moved().await);
        followers.wake_all();
        assert!(following.moved().await);
        followers.dismiss();
        assert!(!following.moved().await);
    }

    #[test]
    fn nobody_is_kept_who_has_gone() {
        let followers = Arc::new(Followers::default());
        let two = [
            followers.follow(ONE).expect("room"),
            followers.follow(ONE).expect("room"),
        ];
        drop(two);
        assert!(followers.followed().is_empty());
        assert_eq!(followers.count.load(Ordering::Relaxed), 0);
        let most: Vec<_> = (0..MOST as u64)
            .map(|id| followers.follow(ExecutionId(id)).expect("room"))
            .collect();
        assert!(followers.follow(ONE).is_none());
        drop(most);
        assert!(followers.follow(ONE).is_some());
    }
}
