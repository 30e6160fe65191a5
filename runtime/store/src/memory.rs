//! The backend in RAM: the same answers, nothing kept. For tests, and for running a workflow without a trace.
//!
//! It is also the reference the backend on disk is compared with, so it is written to be read, not to be fast.

mod catalogue;
mod upkeep;

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use asl::{Event, EventKind, Status};
use engine::batch::{Append, AppendOutcome, Batch, Child};
use engine::ids::{ExecutionId, MachineId, TaskId};
use engine::ports::{
    ChildCount, ChildQuery, CommitLog, CommitResult, ExecutionQuery, ExecutionRecord, MapRunStanding, Reader,
    StoreError, is_unsuccessful,
};

pub use crate::objects::Objects;
use crate::pending::Pending;

/// A store in RAM. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    kept: Arc<Mutex<Kept>>,
    catalogue: Mutex<catalogue::Kept>,
    /// `None` once dropping has begun.
    queue: Option<Sender<(Arc<Batch>, Pending)>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept {
    executions: BTreeMap<ExecutionId, (ExecutionRecord, Vec<Event>)>,
    /// The highest id of those that were deleted: ids are never given out twice.
    highest_deleted: Option<ExecutionId>,
}

impl Store {
    /// An empty store. Commits are answered from a thread of its own, as those on disk are.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new() -> Result<Self, StoreError> {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (queue, work) = channel::<(Arc<Batch>, Pending)>();
        let written = Arc::clone(&kept);
        let writer = thread::Builder::new()
            .name("store-memory".to_owned())
            .spawn(move || {
                for (batch, done) in work {
                    let result = lock(&written).commit(&batch);
                    done.answer(result);
                }
            })
            .map_err(|error| StoreError(format!("can't start a thread to write: {error}")))?;
        Ok(Self(Arc::new(Shared {
            kept,
            catalogue: Mutex::default(),
            queue: Some(queue),
            writer: Some(writer),
        })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }

    fn catalogue(&self) -> MutexGuard<'_, catalogue::Kept> {
        lock(&self.0.catalogue)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue = None;
        // The last clone may be dropped by a caller's `done`, on the thread itself.
        if let Some(writer) = self
            .writer
            .take()
            .filter(|writer| writer.thread().id() != thread::current().id())
        {
            drop(writer.join());
        }
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitLog for Store {
    fn commit(&self, batch: Arc<Batch>, done: Box<dyn FnOnce(CommitResult) + Send>) {
        let work = (batch, Pending::new(done));
        match &self.0.queue {
            // A failed send drops the work, and with it the Pending, which answers.
            Some(queue) => drop(queue.send(work)),
            None => drop(work),
        }
    }
}

impl Kept {
    fn commit(&mut self, batch: &Batch) -> CommitResult {
        if let Some(append) = batch.appends.iter().find(|append| append.events.is_empty()) {
            let execution = append.execution.0;
            return Err(StoreError(format!(
                "can't write events of execution `{execution}`: there are none"
            )));
        }
        Ok(batch.appends.iter().map(|append| self.append(append)).collect())
    }

    fn append(&mut self, append: &Append) -> AppendOutcome {
        let stopped = append
            .events
            .last()
            .filter(|_| append.status.is_closed())
            .map(|event| event.at);
        let Some(start) = &append.start else {
            return match self.executions.get_mut(&append.execution) {
                Some((record, journal)) if journal.len() as u64 == append.expected_position => {
                    journal.extend_from_slice(&append.events);
                    let mut rounds = append.events.iter().filter_map(|event| match event.kind {
                        EventKind::ExecutionRedriven { round, .. } => round,
                        _ => None,
                    });
                    if let (Some(child), Some(round)) = (&mut record.child, rounds.next_back()) {
                        child.round = round;
                    }
                    *record = ExecutionRecord {
                        status: append.status,
                        stopped,
                        wake_at: append.wake_at,
                        ..record.clone()
                    };
                    AppendOutcome::Appended
                }
                Some(_) | None => AppendOutcome::Conflict,
            };
        };
        if append.expected_position != 0 {
            return AppendOutcome::Conflict;
        }
        let has_name = |record: &ExecutionRecord| {
            record.child.is_none() && record.machine == start.machine && record.name == start.name
        };
        let holder = match start.child {
            None => self.executions.values().find(|(record, _)| has_name(record)),
            Some(_) => None,
        };
        if let Some((record, journal)) = holder.filter(|(record, _)| record.id != append.execution) {
            let same_input = input(journal).is_some() && input(journal) == input(&append.events);
            return AppendOutcome::NameTaken {
                execution: record.id,
                started: record.started,
                status: record.status,
                same_input,
            };
        }
        if self.executions.contains_key(&append.execution) {
            return AppendOutcome::Conflict;
        }
        let record = ExecutionRecord {
            id: append.execution,
            machine: start.machine,
            name: match start.child {
                None => start.name.clone(),
                Some(_) => append.execution.child_name(),
            },
            definition: start.definition.clone(),
            status: append.status,
            started: start.at,
            stopped,
            wake_at: append.wake_at,
            origin: start.origin.clone(),
            child: start.child,
        };
        self.executions
            .insert(append.execution, (record, append.events.clone()));
        AppendOutcome::Appended
    }
}

impl Kept {
    /// The children of a Map Run after one of them, in the order of their items.
    fn children(&self, run: TaskId, after: Option<ExecutionId>) -> impl Iterator<Item = (&ExecutionRecord, Child)> {
        let after = (Bound::Excluded(after.unwrap_or(run.execution)), Bound::Unbounded);
        self.executions.range(after).filter_map(move |(_, (record, _))| {
            let child = record.child.filter(|child| child.run == run)?;
            Some((record, child))
        })
    }
}

/// Counts one more child with so many items.
fn count(counts: &mut Vec<ChildCount>, status: Status, items: u64) {
    match counts.iter_mut().find(|count| count.status == status) {
        Some(count) => {
            count.executions += 1;
            count.items += items;
        }
        None => counts.push(ChildCount {
            status,
            executions: 1,
            items,
        }),
    }
}

fn input(journal: &[Event]) -> Option<&str> {
    let EventKind::ExecutionStarted { input, .. } = &journal.first()?.kind else {
        return None;
    };
    Some(input.text())
}

impl Reader for Store {
    fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        Ok(self.kept().executions.get(&id).map(|(record, _)| record.clone()))
    }

    fn execution_by_name(&self, machine: MachineId, name: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        let kept = self.kept();
        let mut records = kept.executions.values().map(|(record, _)| record);
        Ok(records
            .find(|record| record.child.is_none() && record.machine == machine && record.name == name)
            .cloned())
    }

    fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        let is_wanted = |record: &&ExecutionRecord| {
            let through = query.through.as_ref().filter(|_| query.machine.is_some());
            record.child.is_none()
                && query.machine.is_none_or(|machine| record.machine == machine)
                && through.is_none_or(|through| through.includes(record.origin.as_ref()))
                && query.status.is_none_or(|status| record.status == status)
                && query.before.is_none_or(|before| record.id < before)
        };
        let kept = self.kept();
        let newest_first = kept.executions.values().rev().map(|(record, _)| record);
        Ok(newest_first.filter(is_wanted).take(query.limit).cloned().collect())
    }

    fn visit_journal(
        &self,
        id: ExecutionId,
        from: u64,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let kept = self.kept();
        let journal = kept.executions.get(&id).map_or(&[][..], |(_, journal)| journal);
        let mut wanted = journal.iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
        let _ = wanted.try_for_each(|event| visit(event.clone()));
        Ok(())
    }

    fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        let kept = self.kept();
        let journal = kept.executions.get(&id).map(|(_, journal)| journal);
        Ok(journal.and_then(|journal| journal.first().cloned().zip(journal.last().cloned())))
    }

    fn children_to_redrive(
        &self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Child)>, StoreError> {
        let kept = self.kept();
        let unsuccessful = kept
            .children(run, after)
            .filter(|(record, child)| is_unsuccessful(record.status) && child.round < redrives)
            .map(|(record, child)| (record.id, child));
        Ok(unsuccessful.take(limit).collect())
    }

    fn map_run(&self, run: TaskId, redrives: u32) -> Result<MapRunStanding, StoreError> {
        let kept = self.kept();
        let mut standing = MapRunStanding::default();
        for (record, child) in kept.children(run, None) {
            standing.next_item = child.item + child.items;
            count(&mut standing.counts, record.status, child.items);
            if is_unsuccessful(record.status) && child.round < redrives {
                count(&mut standing.pending_redrive, record.status, child.items);
            }
            if !record.status.is_closed() {
                standing.running.push(record.id);
            }
        }
        standing.counts.sort_by_key(|count| count.status as u8);
        standing.pending_redrive.sort_by_key(|count| count.status as u8);
        Ok(standing)
    }

    fn children(&self, query: &ChildQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        let kept = self.kept();
        let mut children: Vec<&ExecutionRecord> = kept
            .children(query.run, None)
            .map(|(record, _)| record)
            .filter(|record| query.status.is_none_or(|status| record.status == status))
            .filter(|record| query.before.is_none_or(|before| record.id < before))
            .collect();
        children.reverse();
        Ok(children.into_iter().take(query.limit).cloned().collect())
    }

    fn closed_children(
        &self,
        run: TaskId,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionRecord, Event, Event)>, StoreError> {
        let kept = self.kept();
        let closed = kept
            .children(run, after)
            .filter(|(record, _)| record.status.is_closed());
        let with_ends = closed.filter_map(|(record, _)| {
            let journal = &kept.executions.get(&record.id)?.1;
            Some((record.clone(), journal.first()?.clone(), journal.last()?.clone()))
        });
        Ok(with_ends.take(limit).collect())
    }

    fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError> {
        let kept = self.kept();
        let records = kept.executions.values().map(|(record, _)| record);
        Ok(records.filter(|record| !record.status.is_closed()).cloned().collect())
    }

    fn last_execution(&self) -> Result<ExecutionId, StoreError> {
        let kept = self.kept();
        let highest = kept.executions.keys().next_back().copied().max(kept.highest_deleted);
        Ok(highest.unwrap_or(ExecutionId(0)))
    }
}
