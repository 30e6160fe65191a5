//! How a run ends: with its results, with a failure, or because its parent doesn't want it any more.

use asl::{Failure, Payload};

use super::redrive::Earlier;
use super::{Phase, map_run_request};
use crate::Engine;
use crate::ids::TaskId;
use crate::output::Output;
use crate::resident::Entry;

/// Children stopped in one step: a batch of them, so that ten thousand hold up nobody.
const STOPS_A_STEP: usize = 100;

impl Engine {
    /// The run has failed: its children are stopped, then the parent is told.
    pub(super) fn fail_map_run(&mut self, id: TaskId, failure: Failure) {
        self.stop_map_run(id, Some(failure));
    }

    /// The parent doesn't want the run any more, and that is on disk: its children are stopped, and that is all.
    pub(super) fn end_map_run(&mut self, id: TaskId) {
        self.stop_map_run(id, None);
    }

    fn stop_map_run(&mut self, id: TaskId, failure: Option<Failure>) {
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return;
        };
        run.buffer.clear();
        run.earlier = Earlier::default();
        run.phase = Phase::Stopping {
            failure,
            left: run.children.keys().copied().collect(),
        };
        self.map_runs.line.push_back(id);
    }

    /// Stops some of the children that are left; whether there is more to do.
    pub(super) fn stop_some(&mut self, id: TaskId) -> bool {
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return false;
        };
        let Phase::Stopping { failure, left } = &mut run.phase else {
            return false;
        };
        if !left.is_empty() {
            let some = left.split_off(left.len().saturating_sub(STOPS_A_STEP));
            for child in some {
                // one that can't be stopped is not waited for
                if matches!(self.executions.get(&child), Some(Entry::Quarantined) | None)
                    && let Some(run) = self.map_runs.runs.get_mut(&id)
                {
                    run.children.remove(&child);
                }
                self.abort_child(child);
            }
            return true;
        }
        if !run.children.is_empty() {
            return false;
        }
        match failure.take() {
            Some(failure) => self.finish_map_run(id, Some(failure)),
            None => self.forget_map_run(id),
        }
        false
    }

    /// Asks for the results. Where the parent is being read back, the run goes on when it is there again.
    pub(super) fn finish_map_run(&mut self, id: TaskId, failure: Option<Failure>) {
        let request = match self.executions.get(&id.execution) {
            Some(Entry::Resident(parent)) => map_run_request(id, &parent.execution),
            _ => None,
        };
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return;
        };
        let Some(request) = request else {
            run.phase = Phase::untold(failure);
            return;
        };
        run.phase = Phase::Finishing;
        match failure {
            // nothing is read or written for it
            Some(failure) if request.writer.is_none() => self.tell_parent(id, Err(failure)),
            failure => self.outputs.push_back(Output::FinishMapRun {
                request,
                failure,
                result_bytes: self.options.limits.payload_bytes,
            }),
        }
    }

    /// Records what the run came to. Where the parent is being read back, the run goes on when it is there again.
    pub(super) fn tell_parent(&mut self, id: TaskId, result: Result<Payload, Failure>) {
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return;
        };
        let (now, limits) = (self.now, self.options.limits);
        let failure = result.as_ref().err().cloned();
        if !matches!(self.executions.get(&id.execution), Some(Entry::Resident(_))) {
            run.phase = Phase::untold(failure);
            return;
        }
        run.phase = Phase::Told(failure);
        self.change(id.execution, |parent| {
            match parent.execution.map_run_result(id.scheduled_at, result, limits) {
                Some(kind) => parent.record(now, kind),
                None => Ok(()),
            }
        });
    }

    fn forget_map_run(&mut self, id: TaskId) {
        if let Some(run) = self.map_runs.runs.remove(&id)
            && run.has_read
        {
            self.outputs.push_back(Output::MapRunOver(id));
        }
        // it may have been redriven while its children were still being stopped
        self.begin_map_run(id);
    }
}
