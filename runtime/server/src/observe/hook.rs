//! From the driver to those who look on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use asl::Event;
use engine::batch::{AppendOutcome, Batch, Start};
use engine::ids::ExecutionId;
use engine::ports::CommitResult;

use crate::metrics::Counter;

/// Batches that wait to be observed. One holds as much as one commit writes, 16 MiB at most and most often a few
/// kilobytes; the payloads in it are shared with the executions they belong to.
const WAITING: usize = 64;

/// Something that can't be undone any more. Cloning costs reference counts.
#[derive(Debug, Clone)]
pub(crate) enum Observed {
    /// A commit has ended.
    Committed {
        batch: Arc<Batch>,
        /// For each of its appends, whether it is on disk.
        written: Arc<[bool]>,
        /// From handing it over to the answer.
        took: Duration,
    },
    /// Events of an execution that isn't recorded step by step.
    Unrecorded {
        execution: ExecutionId,
        /// The version it was started through, if any.
        version: Option<u32>,
        events: Arc<[Event]>,
    },
}

/// What one execution gained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gain<'a> {
    pub(crate) execution: ExecutionId,
    /// How many events its journal had before; nothing for one that has none.
    pub(crate) from: Option<u64>,
    /// With the first events of a journal.
    pub(crate) start: Option<&'a Start>,
    /// The version it was started through, where that is known and there is one.
    pub(crate) version: Option<u32>,
    pub(crate) events: &'a [Event],
}

impl Observed {
    /// What is on disk or past its line now.
    pub(crate) fn gains(&self) -> impl Iterator<Item = Gain<'_>> {
        let (appends, written) = match self {
            Observed::Committed { batch, written, .. } => (&*batch.appends, &**written),
            Observed::Unrecorded { .. } => (&[][..], &[][..]),
        };
        let unrecorded = match self {
            Observed::Unrecorded {
                execution,
                version,
                events,
            } => Some(Gain {
                execution: *execution,
                from: None,
                start: None,
                version: *version,
                events,
            }),
            Observed::Committed { .. } => None,
        };
        let appends = appends.iter().zip(written).filter(|(_, written)| **written);
        let recorded = appends.map(|(append, _)| Gain {
            execution: append.execution,
            from: Some(append.expected_position),
            start: append.start.as_ref(),
            version: append
                .start
                .as_ref()
                .and_then(|start| Some(start.origin.as_ref()?.version)),
            events: &append.events,
        });
        recorded.chain(unrecorded)
    }
}

/// The end where things are handed over. Never waits.
#[derive(Clone)]
pub(crate) struct Hook {
    queue: SyncSender<Observed>,
    lost: Arc<Lost>,
}

/// The other end.
pub(crate) struct Queue {
    queue: Receiver<Observed>,
    lost: Arc<Lost>,
}

/// What wasn't taken.
struct Lost {
    /// Since somebody asked.
    lately: AtomicBool,
    count: Arc<Counter>,
}

/// Both ends; `lost` counts what doesn't fit between them.
pub(crate) fn queue(lost: Arc<Counter>) -> (Hook, Queue) {
    let (sender, receiver) = sync_channel(WAITING);
    let lost = Arc::new(Lost {
        lately: AtomicBool::new(false),
        count: lost,
    });
    let hook = Hook {
        queue: sender,
        lost: Arc::clone(&lost),
    };
    (hook, Queue { queue: receiver, lost })
}

impl Hook {
    /// A commit that was handed over at `since` has ended.
    pub(crate) fn committed(&self, batch: &Arc<Batch>, result: &CommitResult, since: Instant) {
        let written = match result {
            Ok(outcomes) => {
                let written = outcomes.iter().map(|outcome| *outcome == AppendOutcome::Appended);
                written.collect()
            }
            Err(_) => Arc::default(),
        };
        self.hand_over(Observed::Committed {
            batch: Arc::clone(batch),
            written,
            took: since.elapsed(),
        });
    }

    /// Events that no commit carries have happened.
    pub(crate) fn unrecorded(&self, execution: ExecutionId, version: Option<u32>, events: Arc<[Event]>) {
        self.hand_over(Observed::Unrecorded {
            execution,
            version,
            events,
        });
    }

    pub(super) fn hand_over(&self, observed: Observed) {
        match self.queue.try_send(observed) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.lost.lately.store(true, Ordering::Relaxed);
                self.lost.count.add(1);
            }
            // The server stops.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Queue {
    /// Waits for the next; nothing once every hook is gone.
    pub(super) fn next(&self) -> Option<Observed> {
        self.queue.recv().ok()
    }

    /// Whether something was lost since this was asked last.
    pub(super) fn lost_some(&self) -> bool {
        self.lost.lately.swap(false, Ordering::Relaxed)
    }
}
