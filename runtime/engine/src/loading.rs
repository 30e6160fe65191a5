//! Reading executions back: after a start of the process, for a timer that came due, for a stop, and
//! after a failed commit. A few at a time.

use std::collections::BTreeSet;

use asl::Timestamp;

use crate::Engine;
use crate::ids::ExecutionId;
use crate::line::Line;
use crate::output::Output;
use crate::resident::{Entry, Loading};

/// Executions read back at once: enough to keep a disk busy, and at most this many journals are in
/// memory twice.
const MAX_LOADS: usize = 64;

/// Pause after a failed commit before its executions are read back. A full disk would otherwise run the
/// same tasks over and over as fast as it can say no.
const FIRST_PAUSE_MILLIS: i64 = 100;

/// The pause doubles with every further failure, up to this.
const LONGEST_PAUSE_MILLIS: i64 = 10_000;

/// What is being read back and what waits for that.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    line: Line<ExecutionId>,
    under_way: BTreeSet<ExecutionId>,
    paused_until: Option<Timestamp>,
    pause_millis: i64,
}

impl Loads {
    /// The disk said no: nothing is read back for a while.
    pub(crate) fn pause(&mut self, now: Timestamp) {
        self.pause_millis = (self.pause_millis * 2).clamp(FIRST_PAUSE_MILLIS, LONGEST_PAUSE_MILLIS);
        self.paused_until = Some(Timestamp(now.0.saturating_add(self.pause_millis)));
    }

    /// The disk said yes.
    pub(crate) fn resume(&mut self) {
        self.pause_millis = 0;
        self.paused_until = None;
    }

    /// Whether this execution was asked for and has not come yet; it counts as come from now on.
    pub(crate) fn arrived(&mut self, id: ExecutionId) -> bool {
        self.under_way.remove(&id)
    }

    /// When the pause ends, if somebody waits for that.
    pub(crate) fn resumes_at(&self) -> Option<Timestamp> {
        if self.line.is_empty() { None } else { self.paused_until }
    }

    /// The end of a pause that is going on.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }
}

impl Engine {
    /// Queues an execution to be read back; a stop goes before timers and recovery.
    pub(crate) fn load(&mut self, id: ExecutionId, mut loading: Loading) {
        self.timers.set(id, None);
        if loading.pending.is_empty() {
            self.loads.line.push_back(id);
        } else {
            self.loads.line.push_front(id);
        }
        if let Some(Entry::Dormant(parked)) = self.executions.remove(&id) {
            loading.parked = parked;
        }
        self.executions.insert(id, Entry::Loading(loading));
    }

    /// Asks for as many of them as may be under way.
    pub(crate) fn request_loads(&mut self) {
        if self.loads.paused_until.is_some_and(|until| until > self.now) {
            return;
        }
        self.loads.paused_until = None;
        while self.loads.under_way.len() < MAX_LOADS {
            let Some(id) = self.loads.line.pop_front() else {
                break;
            };
            if matches!(self.executions.get(&id), Some(Entry::Loading(_))) && self.loads.under_way.insert(id) {
                self.outputs.push_back(Output::Load(id));
            }
        }
    }
}
