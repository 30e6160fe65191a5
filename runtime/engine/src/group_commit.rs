//! Group commit without a timer: while one batch is on its way to the disk, the next gathers.

use std::collections::BTreeSet;

use asl::{Event, EventKind, Payload};

use crate::Engine;
use crate::batch::{Append, Batch};
use crate::ids::{BatchId, ExecutionId, ReplyTo};
use crate::line::Line;
use crate::output::{Output, Reply};
use crate::quarantine::guarded;
use crate::resident::Entry;

/// Events after which a batch is full: about a tenth of a second's writing on a slow card, so that a
/// flood does not make everybody wait for one huge transaction.
const MAX_BATCH_EVENTS: usize = 10_000;

/// The same in bytes of payload.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// What an event costs beside its payloads: kind, times, scope and a state's name.
const EVENT_OVERHEAD: usize = 64;

/// The batch that gathers and the one in flight.
#[derive(Debug, Default)]
pub(crate) struct GroupCommit {
    /// Executions with events that are part of no batch.
    pub(crate) gathering: Line<ExecutionId>,
    /// The batch the disk is working on.
    pub(crate) in_flight: Option<InFlight>,
    last: u64,
}

/// A batch the disk is working on.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) id: BatchId,
    pub(crate) members: Vec<Member>,
}

/// One append of a batch in flight.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) execution: ExecutionId,
    /// How many events its journal will hold.
    pub(crate) end: u64,
    /// How many of them this append brings.
    pub(crate) count: u64,
    /// Whether this append creates the execution.
    pub(crate) first: bool,
    /// Answers due when it is on disk.
    pub(crate) replies: Vec<(ReplyTo, Reply)>,
}

impl Engine {
    /// Sends what has gathered, unless a batch is in flight.
    pub(crate) fn cut_batch(&mut self) {
        if self.commits.in_flight.is_some() {
            return;
        }
        let mut appends: Vec<Append> = Vec::new();
        let mut members = Vec::new();
        // A store checks names against what is on disk, so a name stands in a batch once.
        let mut names = BTreeSet::new();
        let mut next_time = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        while events < MAX_BATCH_EVENTS && bytes < MAX_BATCH_BYTES {
            let Some(id) = self.commits.gathering.pop_front() else {
                break;
            };
            let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
                continue;
            };
            if resident.events.is_empty() {
                continue;
            }
            if let Some(start) = &resident.start
                && !names.insert((start.machine, start.name.clone()))
            {
                next_time.push(id);
                continue;
            }
            self.map_runs.mark_unwanted(id, resident);
            let taken = guarded(|| {
                resident.mark_unwanted();
                resident.take_append(id)
            });
            let (append, replies, size) = match taken {
                Ok(taken) => taken,
                Err(panic) => {
                    self.quarantine(id, panic);
                    continue;
                }
            };
            events += append.events.len();
            bytes += size;
            members.push(Member {
                execution: id,
                end: append.expected_position + append.events.len() as u64,
                count: append.events.len() as u64,
                first: append.start.is_some(),
                replies,
            });
            appends.push(append);
        }
        for id in next_time {
            self.commits.gathering.push_back(id);
        }
        if appends.is_empty() {
            return;
        }
        self.commits.last += 1;
        let id = BatchId(self.commits.last);
        self.commits.in_flight = Some(InFlight { id, members });
        self.outputs.push_back(Output::Commit(Batch { id, appends }));
    }
}

/// About how many bytes an event takes in a journal, for bounds on batches and pages.
pub fn event_bytes(event: &Event) -> usize {
    let payload = |payload: &Payload| payload.len();
    let failure = |failure: &asl::Failure| {
        failure.error.as_ref().map_or(0, String::len) + failure.cause.as_ref().map_or(0, String::len)
    };
    let attempt = |attempt: &asl::Attempt| -> usize {
        attempt
            .log
            .iter()
            .map(|line| line.level.len() + line.message.len())
            .sum()
    };
    let content = match &event.kind {
        EventKind::ExecutionStarted { input, .. }
        | EventKind::StateEntered { input, .. }
        | EventKind::ParallelStarted { input, .. }
        | EventKind::IterationStarted { input, .. } => payload(input),
        EventKind::TaskScheduled {
            parameters,
            credentials,
            ..
        } => payload(parameters) + credentials.as_ref().map_or(0, payload),
        EventKind::TaskSucceeded {
            output, attempt: cost, ..
        } => payload(output) + attempt(cost),
        EventKind::TaskFailed {
            failure: error,
            attempt: cost,
            ..
        } => failure(error) + attempt(cost),
        EventKind::TaskTimedOut { attempt: cost, .. } => attempt(cost),
        EventKind::MapStarted { items, input, .. } => payload(items) + payload(input),
        EventKind::StateExited { output, assigned, .. } => {
            payload(output) + assigned.iter().map(|variable| variable.value.len()).sum::<usize>()
        }
        EventKind::TaskSubmitted { output, .. } | EventKind::ExecutionSucceeded { output } => payload(output),
        EventKind::ParallelFailed { failure: error, .. }
        | EventKind::IterationFailed { failure: error, .. }
        | EventKind::MapFailed { failure: error, .. }
        | EventKind::MapRunFailed { failure: error, .. }
        | EventKind::StateFailed { failure: error, .. }
        | EventKind::ExecutionFailed { failure: error }
        | EventKind::ExecutionAborted { failure: error }
        | EventKind::ExecutionTimedOut { failure: error } => failure(error),
        EventKind::MapRunStarted {
            reader,
            batches,
            writer,
            ..
        } => {
            let reader = reader
                .as_ref()
                .map_or(0, |reader| payload(&reader.parameters) + payload(&reader.config));
            let writer = writer
                .as_ref()
                .map_or(0, |writer| payload(&writer.parameters) + payload(&writer.config));
            let input = batches.as_ref().and_then(|batches| batches.input.as_ref());
            reader + writer + input.map_or(0, payload)
        }
        EventKind::MapRunSucceeded { result, .. } => payload(result),
        EventKind::ExecutionRedriven { token, .. } => token.as_ref().map_or(0, String::len),
        EventKind::TaskStarted { .. }
        | EventKind::MapRunUpdated { .. }
        | EventKind::MapRunRedriven { .. }
        | EventKind::WaitStarted { .. }
        | EventKind::RetryScheduled { .. }
        | EventKind::ParallelSucceeded { .. }
        | EventKind::IterationSucceeded { .. }
        | EventKind::IterationAborted { .. }
        | EventKind::IterationRedriven { .. }
        | EventKind::MapSucceeded { .. } => 0,
    };
    EVENT_OVERHEAD + content
}
