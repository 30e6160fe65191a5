//! From the driver to those who look on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use engine::batch::{Append, AppendOutcome, Batch};
use engine::ports::CommitResult;

use super::Followers;

/// Batches that wait to be observed. One holds as much as one commit writes, 16 MiB at most and most often a few
/// kilobytes; the payloads in it are shared with the executions they belong to.
const WAITING: usize = 64;

/// A batch that was written.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    batch: Arc<Batch>,
    /// For each of its appends, whether it is on disk.
    written: Arc<[bool]>,
}

impl Observed {
    /// The appends of a batch that are on disk.
    pub(crate) fn appends(&self) -> impl Iterator<Item = &Append> {
        let appends = self.batch.appends.iter().zip(&*self.written);
        appends.filter_map(|(append, written)| written.then_some(append))
    }
}

/// The driver's end. Cloning costs reference counts.
#[derive(Clone)]
pub(crate) struct Hook {
    queue: SyncSender<Observed>,
    lost: Arc<Lost>,
}

/// What wasn't observed.
#[derive(Default)]
struct Lost {
    /// Since the observer looked.
    lately: AtomicBool,
    batches: AtomicU64,
}

impl Hook {
    /// A commit has ended. Never waits.
    pub(crate) fn committed(&self, batch: &Arc<Batch>, result: &CommitResult) {
        let Ok(outcomes) = result else { return };
        let written = outcomes.iter().map(|outcome| *outcome == AppendOutcome::Appended);
        self.hand_over(Observed {
            batch: Arc::clone(batch),
            written: written.collect(),
        });
    }

    fn hand_over(&self, observed: Observed) {
        match self.queue.try_send(observed) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.lost.lately.store(true, Ordering::Relaxed);
                self.lost.batches.fetch_add(1, Ordering::Relaxed);
            }
            // The server stops.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// The thread that looks on.
pub(crate) struct Observer {
    queue: Receiver<Observed>,
    lost: Arc<Lost>,
    followers: Arc<Followers>,
}

impl Observer {
    /// With the hook that feeds it.
    pub(crate) fn new(followers: Arc<Followers>) -> (Self, Hook) {
        let (sender, queue) = sync_channel(WAITING);
        let lost = Arc::new(Lost::default());
        let hook = Hook {
            queue: sender,
            lost: Arc::clone(&lost),
        };
        (Self { queue, lost, followers }, hook)
    }

    /// Starts the thread; it ends when the last hook is gone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(self) -> io::Result<()> {
        let look_on = move || {
            while let Ok(observed) = self.queue.recv() {
                self.observe(&observed);
            }
        };
        std::thread::Builder::new()
            .name("observer".into())
            .spawn(look_on)
            .map(drop)
    }

    fn observe(&self, observed: &Observed) {
        if self.lost.lately.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                batches = self.lost.batches.load(Ordering::Relaxed),
                "commits came faster than they could be observed; logs, traces and metrics miss some"
            );
            self.followers.wake_all();
        }
        self.followers.wake(observed.appends().map(|append| append.execution));
    }
}
