//! Timelines kept between the pages of one history.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use asl::{Event, EventKind};
use engine::ids::ExecutionId;
use engine::ports::{Reader, StoreError};

use super::timeline::Timeline;

/// Bytes of journal kept for callers that page through long histories: a few of the largest histories AWS
/// allows. Heavier ones are folded anew for each page.
const KEPT_BYTES: usize = 64 << 20;
/// Rough size of an event without its payload, in bytes.
const EVENT_BYTES: usize = 160;

/// Makes reading a long history page by page linear: a page starts from the timeline the one before it
/// left behind, and reads only what the journal gained since.
#[derive(Default)]
pub struct Pages {
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    execution: ExecutionId,
    timeline: Timeline,
    bytes: usize,
}

impl Pages {
    /// The history of an execution as it stands now. Blocks while the store reads.
    ///
    /// # Errors
    /// [`StoreError`] when the journal can't be read.
    pub fn timeline(&self, execution: ExecutionId, reader: &dyn Reader) -> Result<Timeline, StoreError> {
        let mut timeline = self.take(execution).unwrap_or_default();
        if !timeline.is_closed() {
            timeline.extend(reader.journal(execution, timeline.events().len() as u64)?);
        }
        Ok(timeline)
    }

    /// Keeps a timeline for the next page.
    pub fn keep(&self, execution: ExecutionId, timeline: Timeline) {
        let bytes = timeline.events().iter().map(size).sum();
        if bytes > KEPT_BYTES {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.execution != execution);
        kept.push_back(Kept {
            execution,
            timeline,
            bytes,
        });
        while kept.iter().map(|one| one.bytes).sum::<usize>() > KEPT_BYTES {
            kept.pop_front();
        }
    }

    fn take(&self, execution: ExecutionId) -> Option<Timeline> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|one| one.execution == execution)?;
        kept.remove(index).map(|one| one.timeline)
    }
}

fn size(event: &Event) -> usize {
    let payload = match &event.kind {
        EventKind::ExecutionStarted { input, .. }
        | EventKind::StateEntered { input, .. }
        | EventKind::ParallelStarted { input, .. }
        | EventKind::IterationStarted { input, .. } => input.len(),
        EventKind::TaskScheduled { parameters, .. } => parameters.len(),
        EventKind::MapStarted { items, input, .. } => items.len() + input.len(),
        EventKind::TaskSucceeded { output, attempt, .. } => {
            output.len() + attempt.log.iter().map(|line| line.message.len()).sum::<usize>()
        }
        EventKind::TaskFailed { attempt, .. } | EventKind::TaskTimedOut { attempt, .. } => {
            attempt.log.iter().map(|line| line.message.len()).sum()
        }
        EventKind::StateExited { output, assigned, .. } => {
            output.len() + assigned.iter().map(|variable| variable.value.len()).sum::<usize>()
        }
        EventKind::TaskSubmitted { output, .. } | EventKind::ExecutionSucceeded { output } => output.len(),
        EventKind::MapRunSucceeded { result, .. } => result.len(),
        EventKind::TaskStarted { .. }
        | EventKind::MapRunStarted { .. }
        | EventKind::MapRunUpdated { .. }
        | EventKind::MapRunFailed { .. }
        | EventKind::WaitStarted { .. }
        | EventKind::RetryScheduled { .. }
        | EventKind::ParallelSucceeded { .. }
        | EventKind::ParallelFailed { .. }
        | EventKind::IterationSucceeded { .. }
        | EventKind::IterationFailed { .. }
        | EventKind::IterationAborted { .. }
        | EventKind::MapSucceeded { .. }
        | EventKind::MapFailed { .. }
        | EventKind::StateFailed { .. }
        | EventKind::ExecutionFailed { .. }
        | EventKind::ExecutionAborted { .. }
        | EventKind::ExecutionTimedOut { .. } => 0,
    };
    EVENT_BYTES + payload
}
