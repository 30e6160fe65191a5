//! Map Runs as they stand, read off their parents' journals and the rows of their children.

use std::ops::ControlFlow;

use asl::execution::Execution;
use asl::{Event, EventKind, Payload, ScopeId, Status, Timestamp};
use engine::ids::{ExecutionId, TaskId};
use engine::ports::{ExecutionRecord, MapRunStanding, is_unsuccessful};

use super::execution::status_word;
use crate::aws::errors::{Answer, ApiError};
use crate::handle::Inner;

/// A Map Run.
#[derive(Debug, Clone)]
pub struct MapRun {
    /// Which.
    pub run: TaskId,
    /// The parent's ARN.
    pub parent_arn: String,
    /// The name of the parent's machine.
    pub machine_name: String,
    /// The label of the Map state.
    pub label: String,
    /// How it stands: never [`Status::TimedOut`].
    pub status: Status,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// Child executions at once; 0 is no bound.
    pub max_concurrency: u32,
    /// Failed items it tolerates.
    pub tolerated_count: u64,
    /// The same as a percentage.
    pub tolerated_percentage: f64,
    /// How often it was redriven.
    pub redrives: u32,
    /// The last time.
    pub redriven: Option<Timestamp>,
    /// How many items there are, where they are part of the state's input.
    pub length: Option<u64>,
    /// Items of one child, where they are put together.
    pub items_a_child: Option<u64>,
    /// Whether its results are written somewhere.
    pub is_written: bool,
}

/// The status of a child that the redrive of its Map Run has yet to come to.
pub const PENDING_REDRIVE: &str = "PENDING_REDRIVE";

impl MapRun {
    /// Whether children may wait for a redrive that goes on.
    pub fn has_pending(&self) -> bool {
        self.status == Status::Running && self.redrives > 0
    }

    /// How a child stands, in AWS's words.
    pub fn word_of(&self, record: &ExecutionRecord) -> &'static str {
        let is_earlier = record.child.is_some_and(|child| child.round < self.redrives);
        if self.has_pending() && is_earlier && is_unsuccessful(record.status) {
            return PENDING_REDRIVE;
        }
        status_word(record.status)
    }
}

/// The Map Run of this ARN. Blocks while the store reads.
pub fn find(inner: &Inner, arn: &str) -> Answer<MapRun> {
    let parsed = inner.namespace.parse_map_run(arn)?;
    let missing = || ApiError::resource_not_found(arn);
    let parent = inner.reader.execution(parsed.run.execution)?.ok_or_else(missing)?;
    let runs = of(inner, &parent)?;
    runs.into_iter()
        .find(|run| run.run == parsed.run && self::arn(inner, run) == arn)
        .ok_or_else(missing)
}

/// A Map Run's ARN.
pub fn arn(inner: &Inner, run: &MapRun) -> String {
    inner.namespace.map_run(&run.machine_name, &run.label, run.run)
}

/// The ARN of the machine of a run's children.
pub fn machine_arn(inner: &Inner, run: &MapRun) -> String {
    let name = crate::aws::arn::unlabelled(&run.machine_name);
    inner.namespace.machine(&format!("{name}/{}", run.label))
}

/// How far it has come.
pub fn standing(inner: &Inner, run: &MapRun) -> Answer<MapRunStanding> {
    Ok(inner.reader.map_run(run.run, run.redrives)?)
}

/// Every Map Run of an execution, in the order they began. Blocks while the store reads.
pub fn of(inner: &Inner, parent: &ExecutionRecord) -> Answer<Vec<MapRun>> {
    let machine = inner.machines.definitions().get(&parent.definition)?;
    let mut fold = Fold {
        id: parent.id,
        execution: Execution::new(machine),
        arn: String::new(),
        machine_name: String::new(),
        started_maps: Vec::new(),
        runs: Vec::new(),
        refused: None,
    };
    inner
        .reader
        .visit_journal(parent.id, 0, &mut |event| fold.push(&event))?;
    match fold.refused {
        None => Ok(fold.runs.into_iter().map(|(_, run)| run).collect()),
        Some(reason) => Err(ApiError::fault(reason)),
    }
}

/// The parent's journal, as far as it was read.
struct Fold {
    id: ExecutionId,
    execution: Execution,
    arn: String,
    machine_name: String,
    /// The items of the Map state each scope is in.
    started_maps: Vec<(ScopeId, Payload)>,
    runs: Vec<(ScopeId, MapRun)>,
    refused: Option<String>,
}

impl Fold {
    fn push(&mut self, event: &Event) -> ControlFlow<()> {
        let position = self.execution.position();
        if let Err(error) = self.execution.apply(event) {
            self.refused = Some(format!("execution {} can't be read: {error}", self.id.0));
            return ControlFlow::Break(());
        }
        match &event.kind {
            EventKind::ExecutionStarted { id, machine_name, .. } => {
                self.arn.clone_from(id);
                self.machine_name.clone_from(machine_name);
            }
            EventKind::MapStarted { scope, items, .. } => {
                self.started_maps.retain(|(of, _)| of != scope);
                self.started_maps.push((*scope, items.clone()));
            }
            EventKind::MapRunStarted { scope, .. } => {
                let run = self.begun(position, *scope, event.at);
                self.runs.extend(run.map(|run| (*scope, run)));
            }
            EventKind::MapRunUpdated { .. } => self.refresh(),
            EventKind::MapRunRedriven { .. } => self.redriven(event.at),
            EventKind::MapRunSucceeded { scope, .. } => self.end(Some(*scope), Status::Succeeded, event.at),
            EventKind::MapRunFailed { scope, .. } => self.end(Some(*scope), Status::Failed, event.at),
            _ => self.end(None, Status::Aborted, event.at),
        }
        ControlFlow::Continue(())
    }

    fn begun(&self, position: u64, scope: ScopeId, at: Timestamp) -> Option<MapRun> {
        let open = self.execution.open_map_run(position)?;
        let items = self.started_maps.iter().find(|(of, _)| *of == scope);
        let length = items.and_then(|(_, items)| items.value().as_array()).map(Vec::len);
        Some(MapRun {
            run: TaskId {
                execution: self.id,
                scheduled_at: position,
            },
            parent_arn: self.arn.clone(),
            machine_name: self.machine_name.clone(),
            label: open.label.to_owned(),
            status: Status::Running,
            started: at,
            stopped: None,
            max_concurrency: open.max_concurrency,
            tolerated_count: open.tolerated_count.unwrap_or(0),
            tolerated_percentage: open.tolerated_percentage.map_or(0.0, asl::Percentage::as_number),
            redrives: 0,
            redriven: None,
            length: length.filter(|_| open.reader.is_none()).map(|length| length as u64),
            items_a_child: open.batches.map(|batches| batches.max_items.unwrap_or(1)),
            is_written: open.writer.is_some_and(|writer| writer.resource.is_some()),
        })
    }

    /// A run goes on.
    fn redriven(&mut self, at: Timestamp) {
        for (_, run) in &mut self.runs {
            if let Some(open) = self.execution.open_map_run(run.run.scheduled_at)
                && open.redrives > run.redrives
            {
                run.status = Status::Running;
                run.stopped = None;
                run.redrives = open.redrives;
                run.redriven = Some(at);
            }
        }
    }

    /// Somebody changed the bounds of a run.
    fn refresh(&mut self) {
        for (_, run) in &mut self.runs {
            if let Some(open) = self.execution.open_map_run(run.run.scheduled_at) {
                run.max_concurrency = open.max_concurrency;
                run.tolerated_count = open.tolerated_count.unwrap_or(0);
                run.tolerated_percentage = open.tolerated_percentage.map_or(0.0, asl::Percentage::as_number);
            }
        }
    }

    /// Runs that aren't open any more ended with this event: in this scope, or all that were torn down by it.
    fn end(&mut self, scope: Option<ScopeId>, status: Status, at: Timestamp) {
        for (of, run) in &mut self.runs {
            let concerned = run.status == Status::Running && scope.is_none_or(|scope| scope == *of);
            if concerned && self.execution.open_map_run(run.run.scheduled_at).is_none() {
                run.status = status;
                run.stopped = Some(at);
            }
        }
    }
}
