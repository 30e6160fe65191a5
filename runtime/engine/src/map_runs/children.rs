//! Child executions: how they begin and how they end.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::execution::Execution;
use asl::{ChildOf, Event, EventKind, Failure, Mode, Payload, Status};

use super::{Phase, Run, is_failure};
use crate::Engine;
use crate::batch::{Child, Start};
use crate::ids::{ExecutionId, TaskId};
use crate::ports::is_unsuccessful;
use crate::quarantine::guarded;
use crate::resident::{Entry, Loading, NewJournal, Pending, Resident};

impl Engine {
    /// Starts the next child of a run, with `items` items and this input. False where the parent isn't there, or
    /// could not be read.
    pub(super) fn start_child(&mut self, run_id: TaskId, items: u64, input: Payload) -> bool {
        let Some(Entry::Resident(parent)) = self.executions.get(&run_id.execution) else {
            return false;
        };
        let (Some(open), Some(context), Some(run)) = (
            parent.execution.open_map_run(run_id.scheduled_at),
            parent.execution.context(),
            self.map_runs.runs.get_mut(&run_id),
        ) else {
            return false;
        };
        let id = ExecutionId(self.last.0 + 1);
        let name = id.child_name();
        let names = (self.names)(context, open.label, &name);
        let child = Child {
            run: run_id,
            item: run.next_item,
            items,
            round: run.redrives,
        };
        let kind = EventKind::ExecutionStarted {
            input,
            id: names.id,
            name: name.clone(),
            role: context.role.clone(),
            machine_id: names.machine_id,
            machine_name: names.machine_name,
            child_of: Some(Box::new(ChildOf {
                execution: run_id.execution.0,
                position: run_id.scheduled_at,
                state: open.state.to_owned(),
                item: child.item,
                items,
                round: child.round,
                express: open.express,
            })),
            // an Express child is recorded like any other: its results must outlive a crash of its run
            mode: Mode::Standard,
            // its parent leads to the trace
            trace_parent: None,
            starter: None,
        };
        let pinned = parent.pinned.clone();
        let start = NewJournal {
            id,
            start: Start {
                machine: pinned.machine,
                name,
                definition: pinned.definition.clone(),
                at: self.now,
                origin: None,
                child: Some(child),
            },
        };
        let machine = Arc::clone(parent.execution.machine());
        let first = Event { at: self.now, kind };
        let shown = self.options.show_unrecorded;
        let resident =
            match guarded(|| Resident::start(Execution::new(machine), first, pinned, Some(start), None, shown)) {
                Ok(Ok(resident)) => resident,
                Ok(Err(error)) => {
                    self.quarantine(run_id.execution, format!("a child's first event was refused: {error}"));
                    return false;
                }
                Err(panic) => {
                    self.quarantine(run_id.execution, panic);
                    return false;
                }
            };
        self.last = id;
        run.next_item += items;
        run.children.insert(id, child.item);
        self.executions.insert(id, Entry::Resident(Box::new(resident)));
        self.change(id, |_| Ok(()));
        true
    }

    /// The end of a child is on disk.
    pub(crate) fn child_closed(&mut self, id: ExecutionId, child: Child, status: Status) {
        let Some(run) = self.map_runs.runs.get_mut(&child.run) else {
            return;
        };
        if run.children.remove(&id).is_none() {
            return;
        }
        // one that the run's last redrive has yet to come to counts when that is over
        let is_earlier = child.round < run.redrives;
        let failed = if is_failure(status) && !is_earlier {
            child.items
        } else {
            0
        };
        if is_earlier && is_unsuccessful(status) && matches!(run.phase, Phase::Running) {
            run.earlier.add(id, child);
        }
        match &mut run.phase {
            Phase::Loading(closed) => {
                closed.insert(id, failed);
            }
            Phase::Found | Phase::Running | Phase::Stopping { .. } | Phase::Finishing | Phase::Told(_) => {
                run.failed += failed;
            }
        }
        self.map_runs.line.push_back(child.run);
    }

    /// An execution is gone before anything of it was on disk. Where it was a child, its items have none any more,
    /// and its parent is answered.
    pub(crate) fn child_dropped(&mut self, id: ExecutionId) -> Option<ExecutionId> {
        // seldom, and there are few runs
        let has_it = |(_, run): &(&TaskId, &mut Run)| run.children.contains_key(&id);
        let (run_id, run) = self.map_runs.runs.iter_mut().find(has_it)?;
        let item = run.children.remove(&id)?;
        run.next_item = run.next_item.min(item);
        // what was read begins behind the items that are wanted again
        run.buffer.clear();
        self.map_runs.to_rewind.insert(*run_id);
        Some(run_id.execution)
    }

    /// A child is in memory again. Where its run is being stopped, the stop may have been lost with a commit.
    pub(crate) fn child_read_back(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get(&id) else {
            return;
        };
        let Some(child) = resident.child() else {
            return;
        };
        let is_over = match self.map_runs.runs.get(&child.run).map(|run| &run.phase) {
            Some(Phase::Stopping { .. }) | None => true,
            Some(Phase::Found | Phase::Loading(_) | Phase::Running | Phase::Finishing | Phase::Told(_)) => false,
        };
        if is_over {
            self.abort_child(id);
        } else {
            self.go_on_with_run(id);
        }
    }

    /// A child is left alone until the next start of the process. A run that is over doesn't wait for it.
    pub(crate) fn child_quarantined(&mut self, id: ExecutionId) {
        let has_it = |(_, run): &(&TaskId, &mut Run)| run.children.contains_key(&id);
        if let Some((run_id, run)) = self.map_runs.runs.iter_mut().find(has_it)
            && matches!(run.phase, Phase::Stopping { .. })
        {
            run.children.remove(&id);
            self.map_runs.line.push_back(*run_id);
        }
    }

    /// Takes back the later children of runs that lost one: those on disk must be the first so many, or a crash
    /// would find a hole.
    pub(crate) fn rewind_map_runs(&mut self) {
        while let Some(run_id) = self.map_runs.to_rewind.pop_first() {
            let Some(run) = self.map_runs.runs.get(&run_id) else {
                continue;
            };
            let unwritten: BTreeSet<ExecutionId> = run
                .children
                .keys()
                .filter(
                    |id| matches!(self.executions.get(id), Some(Entry::Resident(resident)) if resident.start.is_some()),
                )
                .copied()
                .collect();
            for id in unwritten {
                self.drop_unwritten(id);
            }
            self.map_runs.line.push_back(run_id);
        }
    }

    /// Stops a child whose run is over. One that can't be stopped now is left to the next start of the process.
    pub(crate) fn abort_child(&mut self, id: ExecutionId) {
        let now = self.now;
        match self.executions.get_mut(&id) {
            Some(Entry::Resident(resident)) if resident.execution.status().is_closed() => {}
            Some(Entry::Resident(_)) => {
                let failure = Failure::default();
                self.change(id, |resident| {
                    resident.record(now, EventKind::ExecutionAborted { failure })
                });
            }
            Some(Entry::Loading(loading)) => loading.pending.push(Pending::Abort),
            Some(Entry::Dormant(_)) => self.load(
                id,
                Loading {
                    pending: vec![Pending::Abort],
                    ..Loading::default()
                },
            ),
            Some(Entry::Quarantined) | None => {}
        }
    }
}
