//! What the shell says of a Map Run, and what callers want of one.

use asl::{EventKind, Failure, Payload};

use crate::Engine;
use crate::batch::Child;
use crate::ids::{ExecutionId, ReplyTo, TaskId};
use crate::input::{ItemsRead, MapRunBounds};
use crate::output::Reply;
use crate::ports::{MapRunStanding, StoreError};
use crate::resident::{Entry, Pending};

impl Engine {
    /// Changes the bounds of a run that is going on. The answer waits until that is on disk, and so does the run.
    pub(crate) fn update_map_run(&mut self, run: TaskId, bounds: MapRunBounds, reply: ReplyTo) {
        match self.executions.get_mut(&run.execution) {
            Some(Entry::Resident(parent)) => {
                let Some(open) = parent.execution.open_map_run(run.scheduled_at) else {
                    self.reply_when_durable(run.execution, reply, Reply::NotRunning);
                    return;
                };
                let kind = EventKind::MapRunUpdated {
                    scope: open.scope,
                    max_concurrency: bounds.max_concurrency,
                    tolerated_count: bounds.tolerated_count,
                    tolerated_percentage: bounds.tolerated_percentage,
                };
                parent.replies.push((reply, Reply::MapRunUpdated));
                let until = parent.execution.position() + 1;
                self.hold_map_run(run, until);
                let now = self.now;
                self.change(run.execution, |parent| parent.record(now, kind));
            }
            Some(Entry::Loading(loading)) => loading.pending.push(Pending::UpdateMapRun { run, bounds, reply }),
            Some(Entry::Quarantined) => {
                let text = format!(
                    "execution {} is quarantined, so its Map Runs can't be changed; restart the server to try it again",
                    run.execution.0
                );
                self.reply(reply, Reply::Fault(text));
            }
            // one with an open run is in memory
            Some(Entry::Dormant(_)) | None => self.reply(reply, Reply::NotRunning),
        }
    }

    /// Items were read, or can't be.
    pub(crate) fn items_read(&mut self, run: TaskId, from: u64, result: Result<ItemsRead, Failure>) {
        self.map_run_items_read(run, from, result);
    }

    /// How far a run had come, unless its results have nowhere to go.
    pub(crate) fn map_run_loaded(&mut self, run: TaskId, result: Result<Result<MapRunStanding, Failure>, StoreError>) {
        match result {
            Ok(Ok(standing)) => self.map_run_stands(run, &standing),
            Ok(Err(failure)) => self.map_run_cannot_begin(run, failure),
            Err(error) => self.quarantine_parent(run, &error),
        }
    }

    /// A page of the children that are redriven with their run.
    pub(crate) fn children_to_redrive(
        &mut self,
        run: TaskId,
        after: Option<ExecutionId>,
        result: Result<Vec<(ExecutionId, Child)>, StoreError>,
    ) {
        match result {
            Ok(children) => self.found_children_to_redrive(run, after, children),
            Err(error) => self.quarantine_parent(run, &error),
        }
    }

    /// The results are where they belong, or can't get there.
    pub(crate) fn map_run_finished(&mut self, run: TaskId, result: Result<Result<Payload, Failure>, StoreError>) {
        match result {
            Ok(result) => self.map_run_has_result(run, result),
            Err(error) => self.quarantine_parent(run, &error),
        }
    }

    /// Nothing can be said of a run whose children can't be read.
    fn quarantine_parent(&mut self, run: TaskId, error: &StoreError) {
        if self.executions.contains_key(&run.execution) {
            self.quarantine(run.execution, error.to_string());
        }
    }
}
