//! The thread that looks on.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use asl::{EventKind, Mode};
use engine::ids::ExecutionId;
use engine::ports::MachineType;

use super::hook::{Gain, Hook, Observed, Queue};
use super::{Chronicle, Followers, queue};
use crate::metrics::Metrics;

/// Tells those who follow, counts, and keeps the chronicle.
pub(crate) struct Observer {
    queue: Queue,
    followers: Arc<Followers>,
    metrics: Arc<Metrics>,
    chronicle: Chronicle,
    /// Executions of Express machines whose start is on disk and whose end isn't. Their events come beside the
    /// journal, so what the journal has of them isn't counted.
    express: HashSet<ExecutionId>,
}

impl Observer {
    /// With the hook that feeds it. `express` are the executions of Express machines that are going on.
    pub(crate) fn new(
        followers: Arc<Followers>,
        metrics: Arc<Metrics>,
        chronicle: Chronicle,
        express: impl IntoIterator<Item = ExecutionId>,
    ) -> (Self, Hook) {
        let (hook, queue) = queue(Arc::clone(&metrics.unobserved));
        let observer = Self {
            queue,
            followers,
            metrics,
            chronicle,
            express: express.into_iter().collect(),
        };
        (observer, hook)
    }

    /// Starts the thread; it ends when the last hook is gone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(mut self) -> io::Result<JoinHandle<()>> {
        let look_on = move || {
            while let Some(observed) = self.queue.next() {
                self.observe(&observed);
            }
            self.chronicle.end();
        };
        std::thread::Builder::new().name("observer".into()).spawn(look_on)
    }

    fn observe(&mut self, observed: &Observed) {
        if self.queue.lost_some() {
            tracing::warn!(
                batches = self.metrics.unobserved.get(),
                "commits came faster than they could be observed; logs, traces and metrics miss some"
            );
            self.followers.wake_all();
        }
        self.followers.wake(observed.gains().map(|gain| gain.execution));
        if let Observed::Committed { batch, written, took } = observed {
            let events = batch.appends.iter().map(|append| append.events.len()).sum();
            self.metrics.executions.committed(events, *took, !written.is_empty());
        }
        for gain in observed.gains() {
            self.take(&gain);
        }
    }

    fn take(&mut self, gain: &Gain<'_>) {
        let machine_type = match gain.from {
            None => MachineType::Express,
            Some(_) if self.is_express(gain) => return,
            Some(_) => MachineType::Standard,
        };
        for event in gain.events {
            self.metrics.executions.happened(machine_type, event);
        }
        self.chronicle.tell(gain);
    }

    fn is_express(&mut self, gain: &Gain<'_>) -> bool {
        let starts = gain.events.first().is_some_and(
            |event| matches!(&event.kind, EventKind::ExecutionStarted { mode, .. } if *mode != Mode::Standard),
        );
        let ends = gain.events.last().is_some_and(|event| event.kind.closes().is_some());
        match (starts, ends) {
            (true, false) => {
                self.express.insert(gain.execution);
                true
            }
            (true, true) => true,
            (false, true) => self.express.remove(&gain.execution),
            (false, false) => self.express.contains(&gain.execution),
        }
    }
}
