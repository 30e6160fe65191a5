//! A Map Run that was redriven: its children that didn't succeed are redriven first, then items that had no child get
//! one.
//!
//! Which children those are is asked of the disk, a page at a time: each child's row says which redrive of the run it was
//! last part of, so a crash finds those that are left.

use std::collections::BTreeMap;

use asl::EventKind;

use super::Phase;
use crate::Engine;
use crate::batch::Child;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::ports::is_unsuccessful;
use crate::requests::redrive::can_be_redriven;
use crate::resident::{Entry, Loading};

/// Children asked for at once: a page is a few dozen kilobytes.
pub(crate) const REDRIVE_PAGE: usize = 1_000;

/// Children of before a run's last redrive that didn't succeed.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Those that were found and wait to be redriven.
    found: BTreeMap<ExecutionId, Child>,
    /// The last one that was read.
    last: Option<ExecutionId>,
    /// Whether more are being read.
    reading: bool,
    /// Whether there may be more to read.
    has_more: bool,
}

impl Earlier {
    /// Of a run that has some, or hasn't.
    pub(super) fn in_line(has_more: bool) -> Self {
        Self {
            has_more,
            ..Self::default()
        }
    }

    /// Whether each of them goes on again.
    pub(super) fn is_done(&self) -> bool {
        self.found.is_empty() && !self.has_more
    }

    /// The next one, if it was found.
    pub(super) fn next(&self) -> Option<(ExecutionId, Child)> {
        self.found.first_key_value().map(|(id, child)| (*id, *child))
    }

    /// Whether more of them are to be asked for.
    pub(super) fn wants_more(&self) -> bool {
        self.has_more && !self.reading && self.found.is_empty()
    }

    /// One that ended after the run was redriven, without having been part of that.
    pub(super) fn add(&mut self, id: ExecutionId, child: Child) {
        self.found.insert(id, child);
    }
}

impl Engine {
    /// Asks for more children to redrive.
    pub(super) fn find_children_to_redrive(&mut self, id: TaskId) {
        if let Some(run) = self.map_runs.runs.get_mut(&id) {
            run.earlier.reading = true;
            self.outputs.push_back(Output::FindChildrenToRedrive {
                run: id,
                redrives: run.redrives,
                after: run.earlier.last,
                limit: self.options.redrive_page,
            });
        }
    }

    /// A page of them, unless it isn't wanted any more.
    pub(crate) fn found_children_to_redrive(
        &mut self,
        id: TaskId,
        after: Option<ExecutionId>,
        children: Vec<(ExecutionId, Child)>,
    ) {
        let Some(run) = self.map_runs.runs.get_mut(&id) else {
            return;
        };
        if !run.earlier.reading || run.earlier.last != after {
            return;
        }
        run.earlier.reading = false;
        run.earlier.has_more = children.len() >= self.options.redrive_page;
        if let Some((last, _)) = children.last() {
            run.earlier.last = Some(*last);
        }
        let new = children.into_iter().filter(|(id, _)| !run.children.contains_key(id));
        run.earlier.found.extend(new);
        self.map_runs.line.push_back(id);
    }

    /// Lets a child go on again: it is read back for that.
    pub(super) fn redrive_child(&mut self, run_id: TaskId, id: ExecutionId, child: Child) {
        let Some(run) = self.map_runs.runs.get_mut(&run_id) else {
            return;
        };
        run.earlier.found.remove(&id);
        run.children.insert(id, child.item);
        match self.executions.get(&id) {
            None => self.load(id, Loading::default()),
            Some(Entry::Resident(_)) => self.go_on_with_run(id),
            // it is on its way, or left alone until the next start of the process
            Some(Entry::Loading(_) | Entry::Dormant(_) | Entry::Quarantined) => {}
        }
    }

    /// A child that didn't succeed is in memory, after its run was redriven, or again after a failed commit.
    pub(super) fn go_on_with_run(&mut self, id: ExecutionId) {
        let (now, most) = (self.now, self.options.limits.history_entries);
        let Some(Entry::Resident(resident)) = self.executions.get(&id) else {
            return;
        };
        let Some(child) = resident.child() else {
            return;
        };
        let Some(run) = self.map_runs.runs.get_mut(&child.run) else {
            return;
        };
        let is_earlier = child.round < run.redrives && is_unsuccessful(resident.execution.status());
        if !is_earlier || !matches!(run.phase, Phase::Running) || !run.children.contains_key(&id) {
            return;
        }
        if !can_be_redriven(&resident.execution, most) {
            // its history is full: it has failed in this redrive, too
            run.children.remove(&id);
            run.failed += child.items;
            self.map_runs.line.push_back(child.run);
            return;
        }
        let (count, round) = (resident.execution.redrive_count().saturating_add(1), run.redrives);
        self.change(id, |resident| {
            let redriven = EventKind::ExecutionRedriven {
                count,
                token: None,
                round: Some(round),
                in_turn: true,
            };
            resident.record(now, redriven)
        });
    }
}
