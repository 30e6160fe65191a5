//! What a run does when something has changed: read ahead, start children, notice that it is over.

use asl::execution::Env;
use asl::execution::map_run::over_tolerance;
use asl::{Failure, MapItem, OpenMapRun, Payload};

use super::Phase;
use crate::Engine;
use crate::batch::Child;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::quarantine::guarded;
use crate::resident::Entry;
use crate::turn::World;

/// Items read at once: enough that a disk is asked seldom, few enough to be turned into inputs in one turn.
const READ_ITEMS: usize = 1_000;

/// Items in memory below which more are read, so that children don't wait for the reader.
const READ_AHEAD: usize = 1_000;

/// Executions in line for a batch above which no children are started: the disk is behind, and a child that waits in
/// line takes memory and is no sooner done.
const MAX_GATHERING: usize = 8_192;

/// What a run can do now.
enum Step {
    /// Nothing until something happens.
    Wait,
    /// Start children as soon as the disk isn't behind any more.
    WaitForDisk,
    /// Read items from this number on.
    Read(u64),
    /// Ask for children of before a redrive.
    FindEarlier,
    /// Let one of them go on.
    Redrive(ExecutionId, Child),
    /// Start a child with so many items and this input.
    Start(u64, Payload),
    /// Everything has a child, and every child is closed.
    Finish,
    /// The run has failed.
    Fail(Failure),
}

impl Engine {
    /// Moves runs on, each a step at a time, until none can do anything or the turn's steps are used up.
    pub(crate) fn pump_map_runs(&mut self) {
        if self.loads.paused_until(self.now).is_some() {
            return;
        }
        let mut left = self.options.step_budget.max(1);
        while left > 0 {
            let Some(id) = self.map_runs.line.pop_front() else {
                break;
            };
            left -= 1;
            if self.map_run_step(id) {
                self.map_runs.line.push_back(id);
            }
        }
    }

    /// Takes one step of a run; whether it may have another.
    fn map_run_step(&mut self, id: TaskId) -> bool {
        let Some(run) = self.map_runs.runs.get(&id) else {
            return false;
        };
        match &run.phase {
            Phase::Found | Phase::Loading(_) | Phase::Finishing | Phase::Told(_) => return false,
            Phase::Stopping { .. } => return self.stop_some(id),
            Phase::Running => {}
        }
        let step = match guarded(|| self.next_map_run_step(id)) {
            Ok(step) => step,
            Err(panic) => {
                self.quarantine(id.execution, panic);
                return false;
            }
        };
        match step {
            Step::Wait => false,
            Step::WaitForDisk => {
                self.map_runs.behind.insert(id);
                false
            }
            Step::Read(from) => self.read_items(id, from),
            Step::FindEarlier => {
                self.find_children_to_redrive(id);
                false
            }
            Step::Redrive(child_id, child) => {
                self.redrive_child(id, child_id, child);
                true
            }
            Step::Start(items, input) => {
                if !self.start_child(id, items, input) {
                    return false;
                }
                if let Some(run) = self.map_runs.runs.get_mut(&id) {
                    let started = usize::try_from(items).unwrap_or(usize::MAX).min(run.buffer.len());
                    run.buffer.drain(..started);
                }
                true
            }
            Step::Finish => {
                self.finish_map_run(id, None);
                false
            }
            Step::Fail(failure) => {
                self.fail_map_run(id, failure);
                true
            }
        }
    }

    fn next_map_run_step(&self, id: TaskId) -> Step {
        let (Some(run), Some(Entry::Resident(parent))) =
            (self.map_runs.runs.get(&id), self.executions.get(&id.execution))
        else {
            return Step::Wait;
        };
        // where it isn't open any more, the parent's next commit says why
        let Some(open) = parent.execution.open_map_run(id.scheduled_at) else {
            return Step::Wait;
        };
        if run.held_until > parent.durable {
            return Step::Wait;
        }
        if open.over_tolerance(run.failed, run.total) {
            return Step::Fail(over_tolerance());
        }
        let limits = self.options.limits;
        let has_room = run.children.len() < self.children_at_once(&open);
        if !run.earlier.is_done() {
            return match run.earlier.next() {
                None if run.earlier.wants_more() => Step::FindEarlier,
                Some(_) if self.commits.gathering.len() >= MAX_GATHERING => Step::WaitForDisk,
                Some((child_id, child)) if has_room => Step::Redrive(child_id, child),
                Some(_) | None => Step::Wait,
            };
        }
        if !run.buffer.is_empty() && has_room {
            if self.commits.gathering.len() >= MAX_GATHERING {
                return Step::WaitForDisk;
            }
            let items = run.buffer.iter();
            match parent
                .execution
                .next_child(id.scheduled_at, items, run.is_read(), limits)
            {
                Some(Ok((items, input))) => return Step::Start(items, input),
                Some(Err(failure)) => return Step::Fail(failure),
                // a batch wants more than what was read ahead
                None if !run.reading && !run.is_read() => return Step::Read(run.read_up_to()),
                None => {}
            }
        }
        if !run.reading && !run.is_read() && run.buffer.len() < READ_AHEAD {
            return Step::Read(run.read_up_to());
        }
        if run.is_read() && run.buffer.is_empty() && run.children.is_empty() {
            return Step::Finish;
        }
        Step::Wait
    }

    fn children_at_once(&self, open: &OpenMapRun<'_>) -> usize {
        match open.max_concurrency {
            0 => self.options.map_run_children,
            bound => usize::try_from(bound).unwrap_or(usize::MAX).min(MOST_CHILDREN),
        }
    }

    /// Reads on from item `from`: at once where the items are part of the parent's journal.
    fn read_items(&mut self, id: TaskId, from: u64) -> bool {
        let (Some(run), Some(Entry::Resident(parent))) =
            (self.map_runs.runs.get_mut(&id), self.executions.get(&id.execution))
        else {
            return false;
        };
        let Some(open) = parent.execution.open_map_run(id.scheduled_at) else {
            return false;
        };
        if let Some(source) = open.reader {
            run.reading = true;
            run.has_read = true;
            self.outputs.push_back(Output::ReadItems {
                run: id,
                redrives: run.redrives,
                source: source.clone(),
                from,
                limit: READ_ITEMS,
            });
            return true;
        }
        let items = parent.execution.map_run_items(id.scheduled_at, from, READ_ITEMS);
        let last = items.len() < READ_ITEMS;
        self.take_items(id, items, last);
        true
    }

    /// Items were read: the ItemSelector makes inputs of them.
    pub(super) fn take_items(&mut self, id: TaskId, items: Vec<MapItem>, last: bool) {
        let (Some(run), Some(Entry::Resident(parent))) =
            (self.map_runs.runs.get_mut(&id), self.executions.get(&id.execution))
        else {
            return;
        };
        let world = World {
            execution: id.execution,
            key: &self.options.token_key,
            resources: &*self.resources,
        };
        let mut env = Env {
            now: self.now,
            dice: &mut self.dice,
            outside: &world,
            limits: self.options.limits,
        };
        let (execution, first) = (&parent.execution, run.read_up_to());
        let selected = guarded(|| {
            let mut selected = Vec::with_capacity(items.len());
            for (index, item) in (first..).zip(&items) {
                match execution.map_item_input(id.scheduled_at, index, item, &mut env) {
                    Some(Ok(input)) => selected.push(input),
                    Some(Err(failure)) => return Err(Some(failure)),
                    None => return Err(None),
                }
            }
            Ok(selected)
        });
        match selected {
            Ok(Ok(selected)) => {
                run.buffer.extend(selected);
                if last {
                    run.total = Some(run.read_up_to());
                }
                self.map_runs.line.push_back(id);
            }
            Ok(Err(Some(failure))) => self.fail_map_run(id, failure),
            // the run isn't open any more; the parent's next commit says why
            Ok(Err(None)) => {}
            Err(panic) => self.quarantine(id.execution, panic),
        }
    }
}

/// Children of one run at once, whatever its MaxConcurrency says (AWS's own bound).
const MOST_CHILDREN: usize = 10_000;
