//! Map Runs: the child executions of distributed Map states.
//!
//! A run is as much a value as an open task is: the parent's journal says that it should be going on, the rows of its
//! children say how far it has come. What is here is what lies between: the items that were read ahead, and the
//! children that aren't closed. A run of a million items has a few thousand of either in memory.
//!
//! Children are started in the order of items and written in that order, so those on disk are always the first so
//! many: the last one says where a run goes on after a crash, and no item has two children or none.

mod children;
mod ending;
mod pump;
mod redrive;

pub(crate) use self::redrive::REDRIVE_PAGE;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use asl::execution::Execution;
use asl::expression::context::ExecutionContext;
use asl::{Failure, Payload, Status, Timestamp};

use self::redrive::Earlier;
use crate::Engine;
use crate::batch::Child;
use crate::ids::{ExecutionId, TaskId};
use crate::input::ItemsRead;
use crate::line::Line;
use crate::output::{MapRunRequest, Output};
use crate::ports::MapRunStanding;
use crate::resident::{Entry, Resident};

/// Children of one run at once, where its state sets no MaxConcurrency. Each waits in memory for a slot or for the
/// disk; more of them would make no disk faster, and leave no room on a small machine.
pub(crate) const CHILDREN_AT_ONCE: usize = 2_000;

/// What a child execution is called. Opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildName {
    /// `$$.Execution.Id`.
    pub id: String,
    /// `$$.StateMachine.Id`.
    pub machine_id: String,
    /// `$$.StateMachine.Name`.
    pub machine_name: String,
}

/// Names a child by its parent, the Map state's label and what [`ExecutionId::child_name`] says.
pub type ChildNames = fn(&ExecutionContext, &str, &str) -> ChildName;

/// Names for worlds without any of their own.
pub(crate) fn plain_names(parent: &ExecutionContext, label: &str, name: &str) -> ChildName {
    ChildName {
        id: format!("{}/{label}:{name}", parent.id),
        machine_id: format!("{}/{label}", parent.machine_id),
        machine_name: format!("{}/{label}", parent.machine_name),
    }
}

/// Every run that is going on.
#[derive(Debug, Default)]
pub(crate) struct MapRuns {
    runs: BTreeMap<TaskId, Run>,
    /// Runs that may have something to do, one turn each.
    line: Line<TaskId>,
    /// Runs of which a child was dropped before it was on disk.
    to_rewind: BTreeSet<TaskId>,
    /// Runs that start no children before a commit has made room.
    behind: BTreeSet<TaskId>,
}

/// A run that is going on.
#[derive(Debug)]
struct Run {
    phase: Phase,
    /// Children that aren't closed on disk, each with the number of its first item.
    children: BTreeMap<ExecutionId, u64>,
    /// Number of the first item without a child.
    next_item: u64,
    /// What the ItemSelector made of the items from `next_item` on, as far as they were read.
    buffer: VecDeque<Payload>,
    /// How many items there are, as soon as that is known.
    total: Option<u64>,
    /// Whether items are being read.
    reading: bool,
    /// Whether anything was ever read.
    has_read: bool,
    /// Items of children that failed or timed out.
    failed: u64,
    /// The parent has to be on disk up to here before the run goes on: its bounds were changed there.
    held_until: u64,
    /// The parent doesn't want it any more; it ends when the batch in flight is on disk.
    unwanted: bool,
    /// How often it was redriven.
    redrives: u32,
    /// Children of before its last redrive.
    earlier: Earlier,
}

/// Where a run stands.
#[derive(Debug)]
enum Phase {
    /// Its children were found on disk; whether their parent still wants them isn't known yet.
    Found,
    /// How far it has come is being read. Children that closed meanwhile, with their failed items: what is read may
    /// or may not have seen them.
    Loading(BTreeMap<ExecutionId, u64>),
    /// Children are being started.
    Running,
    /// Nothing is started any more, what is left is being stopped; then the parent is told, unless it wants no answer.
    Stopping {
        failure: Option<Failure>,
        left: Vec<ExecutionId>,
    },
    /// The results are being put together, of a run that failed too.
    Finishing,
    /// The parent has been told, of a failure where there was one; that isn't on disk yet.
    Told(Option<Failure>),
}

impl Phase {
    /// Of a run whose parent couldn't be told, or has forgotten it with a failed commit.
    fn untold(failure: Option<Failure>) -> Self {
        match failure {
            None => Phase::Running,
            failure => Phase::Stopping {
                failure,
                left: Vec::new(),
            },
        }
    }
}

impl Run {
    fn new(phase: Phase, redrives: u32) -> Self {
        Self {
            redrives,
            earlier: Earlier::default(),
            phase,
            children: BTreeMap::new(),
            next_item: 0,
            buffer: VecDeque::new(),
            total: None,
            reading: false,
            has_read: false,
            failed: 0,
            held_until: 0,
            unwanted: false,
        }
    }

    /// Number of the first item that wasn't read yet.
    fn read_up_to(&self) -> u64 {
        self.next_item + self.buffer.len() as u64
    }

    /// Whether there is nothing more to read.
    fn is_read(&self) -> bool {
        self.total.is_some_and(|total| self.read_up_to() >= total)
    }
}

impl MapRuns {
    /// A child that isn't closed was found on disk.
    pub(crate) fn found(&mut self, id: ExecutionId, child: Child) {
        let run = self.runs.entry(child.run).or_insert_with(|| Run::new(Phase::Found, 0));
        run.children.insert(id, child.item);
    }

    /// A commit is through: runs that waited for that may start children again.
    pub(crate) fn disk_answered(&mut self) {
        while let Some(id) = self.behind.pop_first() {
            self.line.push_back(id);
        }
    }

    /// Marks runs that aren't open any more. Called as a batch is cut, see [`Resident::mark_unwanted`].
    pub(crate) fn mark_unwanted(&mut self, parent: ExecutionId, resident: &Resident) {
        for (id, run) in self.runs.range_mut(of(parent)) {
            let open = resident.execution.open_map_run(id.scheduled_at);
            run.unwanted = open.is_none_or(|open| open.redrives != run.redrives);
        }
    }
}

/// What the shell is to know of an open run.
fn map_run_request(id: TaskId, parent: &Execution) -> Option<MapRunRequest> {
    let (open, context) = (parent.open_map_run(id.scheduled_at)?, parent.context()?);
    Some(MapRunRequest {
        run: id,
        state: open.state.to_owned(),
        label: open.label.to_owned(),
        machine_name: context.machine_name.clone(),
        writer: open.writer.cloned(),
        redrives: open.redrives,
    })
}

/// Every run an execution may have.
fn of(parent: ExecutionId) -> std::ops::RangeInclusive<TaskId> {
    let at = |scheduled_at| TaskId {
        execution: parent,
        scheduled_at,
    };
    at(0)..=at(u64::MAX)
}

impl Engine {
    /// The disk has been read: children whose parent wants nothing of them any more are stopped.
    pub(crate) fn map_runs_recovered(&mut self) {
        let orphaned: Vec<TaskId> = self
            .map_runs
            .runs
            .keys()
            .filter(|run| !matches!(self.executions.get(&run.execution), Some(Entry::Loading(_))))
            .copied()
            .collect();
        for run in orphaned {
            self.end_map_run(run);
        }
    }

    /// A parent is in memory again, all of it on disk: which of its runs go on, and which don't.
    pub(crate) fn map_runs_read_back(&mut self, parent: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get(&parent) else {
            return;
        };
        let open = resident.execution.open_map_runs();
        let open: BTreeMap<u64, u32> = open.map(|run| (run.position, run.redrives)).collect();
        let mut over = Vec::new();
        for (scheduled_at, redrives) in &open {
            let id = TaskId {
                execution: parent,
                scheduled_at: *scheduled_at,
            };
            let found = || Run::new(Phase::Found, *redrives);
            let run = self.map_runs.runs.entry(id).or_insert_with(found);
            if matches!(run.phase, Phase::Found) {
                run.redrives = *redrives;
            } else if run.redrives != *redrives {
                // it was redriven while its children were still being stopped
                over.push(id);
                continue;
            }
            run.unwanted = false;
            run.held_until = 0;
            match &mut run.phase {
                Phase::Found => {
                    run.phase = Phase::Loading(BTreeMap::new());
                    let request = map_run_request(id, &resident.execution);
                    self.outputs.extend(request.map(Output::LoadMapRun));
                }
                // what it was told was lost with the commit that carried it
                Phase::Told(failure) => run.phase = Phase::untold(failure.take()),
                Phase::Loading(_) | Phase::Running | Phase::Stopping { .. } | Phase::Finishing => {}
            }
            self.map_runs.line.push_back(id);
        }
        let known: Vec<TaskId> = self.map_runs.runs.range(of(parent)).map(|(id, _)| *id).collect();
        over.extend(known.into_iter().filter(|id| !open.contains_key(&id.scheduled_at)));
        for id in over {
            self.end_map_run(id);
        }
    }

    /// The durability line of a parent has moved on from `from`: runs that began there, and runs that ended.
    pub(crate) fn map_runs_moved(&mut self, parent: ExecutionId, from: u64) {
        let Some(Entry::Resident(resident)) = self.executions.get(&parent) else {
            return;
        };
        let durable = resident.durable;
        let began: Vec<TaskId> = resident
            .execution
            .open_map_runs()
            .filter(|run| (from..durable).contains(&run.since))
            .map(|run| TaskId {
                execution: parent,
                scheduled_at: run.position,
            })
            .collect();
        for id in began {
            self.begin_map_run(id);
        }
        let of_parent: Vec<(TaskId, bool)> = self
            .map_runs
            .runs
            .range(of(parent))
            .map(|(id, run)| (*id, run.unwanted))
            .collect();
        for (id, unwanted) in of_parent {
            if unwanted {
                self.end_map_run(id);
            } else {
                self.map_runs.line.push_back(id);
            }
        }
    }

    /// Begins a run, or a redrive of it, if its parent says so on disk and nothing of it goes on.
    fn begin_map_run(&mut self, id: TaskId) {
        let Some(Entry::Resident(parent)) = self.executions.get(&id.execution) else {
            return;
        };
        let open = parent.execution.open_map_run(id.scheduled_at);
        let Some(open) = open.filter(|open| open.since < parent.durable) else {
            return;
        };
        if self.map_runs.runs.contains_key(&id) {
            return;
        }
        // one with results to write is asked after first: AWS notices before the first child that it can't
        let request = map_run_request(id, &parent.execution);
        let checked = request.filter(|request| request.writer.is_some() || request.redrives > 0);
        let phase = match checked {
            Some(_) => Phase::Loading(BTreeMap::new()),
            None => Phase::Running,
        };
        self.map_runs.runs.insert(id, Run::new(phase, open.redrives));
        self.map_runs.line.push_back(id);
        self.outputs.extend(checked.map(Output::LoadMapRun));
    }

    /// Whether a run may have something to do now.
    pub(crate) fn map_runs_ready(&self) -> bool {
        !self.map_runs.line.is_empty() && self.loads.paused_until(self.now).is_none()
    }

    /// When runs that wait for a disk which said no may go on.
    pub(crate) fn map_runs_resume_at(&self) -> Option<Timestamp> {
        if self.map_runs.line.is_empty() {
            return None;
        }
        self.loads.paused_until(self.now)
    }
}

/// Whether a child that ended like this counts as failed. One that somebody stopped doesn't.
fn is_failure(status: Status) -> bool {
    match status {
        Status::Failed | Status::TimedOut => true,
        Status::Running | Status::Succeeded | Status::Aborted => false,
    }
}

impl Engine {
    /// Whether an answer about a run that was redriven so often is still wanted.
    pub(crate) fn is_about(&self, id: TaskId, redrives: u32) -> bool {
        self.map_runs.runs.get(&id).is_some_and(|run| run.redrives == redrives)
    }

    /// The run waits until its parent is on disk up to here.
    pub(crate) fn hold_map_run(&mut self, id: TaskId, until: u64) {
        if let Some(run) = self.map_runs.runs.get_mut(&id) {
            run.held_until = until;
        }
    }

    /// Takes items, unless they aren't the ones wanted any more.
    pub(crate) fn map_run_items_read(&mut self, id: TaskId, from: u64, result: Result<ItemsRead, Failure>) {
        let Some(run) = self.map_runs.runs.get_mut(&id).filter(|run| run.reading) else {
            return;
        };
        run.reading = false;
        if !matches!(run.phase, Phase::Running) {
            return;
        }
        match result {
            // children were taken back meanwhile: reading begins again where they were
            Ok(_) if from != run.read_up_to() => self.map_runs.line.push_back(id),
            Ok(read) => self.take_items(id, read.items, read.last),
            Err(failure) => self.fail_map_run(id, failure),
        }
    }

    /// How far a run had come, at a moment since the process started; children that closed since then were noted.
    pub(crate) fn map_run_stands(&mut self, id: TaskId, standing: &MapRunStanding) {
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return;
        };
        let Phase::Loading(closed) = &run.phase else {
            return;
        };
        let seen_running: BTreeSet<ExecutionId> = standing.running.iter().copied().collect();
        let failed_since: u64 = closed
            .iter()
            .filter(|(child, _)| seen_running.contains(child))
            .map(|(_, failed)| failed)
            .sum();
        let failed = |status| standing.count_of_round(status).items;
        run.failed = failed(Status::Failed) + failed(Status::TimedOut) + failed_since;
        run.next_item = standing.next_item;
        run.earlier = Earlier::in_line(!standing.pending_redrive.is_empty());
        run.phase = Phase::Running;
        self.map_runs.line.push_back(id);
    }

    /// The results of a run can't be written, which was noticed before its first child, or after a restart.
    pub(crate) fn map_run_cannot_begin(&mut self, id: TaskId, failure: Failure) {
        let phase = self.map_runs.runs.get(&id).map(|run| &run.phase);
        if matches!(phase, Some(Phase::Loading(_))) {
            self.fail_map_run(id, failure);
        }
    }

    /// The results of a run, unless nobody waits for them any more.
    pub(crate) fn map_run_has_result(&mut self, id: TaskId, result: Result<Payload, Failure>) {
        let finishing = self.map_runs.runs.get(&id).map(|run| &run.phase);
        if matches!(finishing, Some(Phase::Finishing)) {
            self.tell_parent(id, result);
        }
    }
}
