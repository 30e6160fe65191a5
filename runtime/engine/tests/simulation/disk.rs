//! A virtual disk: a journal for each execution, written batch by batch, all or nothing. It checks
//! everything that is written to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::definition::StateMachine;
use asl::execution::{Dice, Env, Execution, Limits};
use asl::{Event, EventKind, Payload, ScopeId, Status, Timestamp};
use engine::batch::{Append, AppendOutcome, Batch, Start};
use engine::ids::{ExecutionId, MachineId, TaskId};
use engine::ports::ExecutionRecord;

/// What is stored of one execution.
pub struct Stored {
    pub start: Start,
    pub machine: Arc<StateMachine>,
    pub events: Vec<Event>,
    pub wake_at: Option<Timestamp>,
    /// The fold over `events`: what a crash at this moment would find.
    pub fold: Execution,
    /// The attempt open in each scope, kept without asking the fold.
    attempts: BTreeMap<ScopeId, Attempt>,
}

struct Attempt {
    scheduled_at: u64,
    started: bool,
    deadline: Option<Timestamp>,
}

#[derive(Default)]
pub struct Disk {
    /// Of the data sets.
    pub seed: u64,
    /// Executions nobody moves until the next start of the process.
    pub put_away: BTreeSet<ExecutionId>,
    pub executions: BTreeMap<ExecutionId, Stored>,
    names: BTreeMap<(MachineId, String), ExecutionId>,
    pub machines: BTreeMap<MachineId, Arc<StateMachine>>,
    /// What each attempt has really come to, so that nothing else is recorded.
    pub legitimate: BTreeMap<TaskId, Vec<Payload>>,
}

impl Disk {
    /// An empty disk in a world with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Writes a batch.
    pub fn write(&mut self, batch: Batch, now: Timestamp) -> Vec<AppendOutcome> {
        let mut executions = BTreeSet::new();
        let mut names = BTreeSet::new();
        batch
            .appends
            .into_iter()
            .map(|append| {
                assert!(
                    executions.insert(append.execution),
                    "an execution stands in a batch twice"
                );
                if let Some(start) = append.start.as_ref().filter(|start| start.child.is_none()) {
                    assert!(
                        names.insert((start.machine, start.name.clone())),
                        "a name stands in a batch twice"
                    );
                }
                self.append(append, now)
            })
            .collect()
    }

    fn append(&mut self, append: Append, now: Timestamp) -> AppendOutcome {
        let id = append.execution;
        if let Some(start) = append.start {
            let name = (start.machine, start.name.clone());
            self.check_child(&start, &append.events[0].kind);
            if start.child.is_some() {
                assert_eq!(start.name, id.child_name());
            } else if let Some(taken) = self.names.get(&name) {
                let existing = &self.executions[taken];
                return AppendOutcome::NameTaken {
                    execution: *taken,
                    started: existing.start.at,
                    status: existing.fold.status(),
                    same_input: input(&existing.events) == input(&append.events),
                };
            }
            assert_eq!(append.expected_position, 0, "a first append begins the journal");
            assert!(self.executions.keys().all(|known| *known < id), "ids rise");
            if start.child.is_none() {
                self.names.insert(name, id);
            }
            let machine = Arc::clone(&self.machines[&start.machine]);
            self.executions.insert(id, Stored::new(start, machine));
        }
        let stored = self
            .executions
            .get_mut(&id)
            .expect("only a first append may be of an unknown execution");
        if append.expected_position != stored.events.len() as u64 {
            return AppendOutcome::Conflict;
        }
        assert!(!append.events.is_empty(), "an append without events");
        let mut ends = Vec::new();
        let mut rounds = Vec::new();
        for event in append.events {
            let position = stored.events.len();
            match &event.kind {
                EventKind::MapRunSucceeded { scope, result } => ends.push((position, *scope, Some(result.clone()))),
                EventKind::MapRunFailed { scope, .. } => ends.push((position, *scope, None)),
                _ => {}
            }
            rounds.extend(stored.redriven_with_its_run(&event));
            stored.push(id, event, &self.legitimate);
        }
        assert_eq!(append.status, stored.fold.status(), "the status is that of the journal");
        stored.wake_at = append.wake_at;
        stored.check_wake_at(now);
        for (run, round) in rounds {
            self.check_round(run, round);
        }
        for (position, scope, result) in ends {
            self.check_run_end(id, position, scope, result.as_ref());
        }
        AppendOutcome::Appended
    }

    pub fn running(&self) -> Vec<ExecutionRecord> {
        let open = self
            .executions
            .iter()
            .filter(|(_, stored)| stored.fold.status() == Status::Running);
        open.map(|(id, stored)| ExecutionRecord {
            id: *id,
            machine: stored.start.machine,
            name: stored.start.name.clone(),
            definition: stored.start.definition.clone(),
            status: Status::Running,
            started: stored.start.at,
            stopped: None,
            wake_at: stored.wake_at,
            origin: None,
            child: stored.as_child(),
        })
        .collect()
    }

    pub fn last(&self) -> ExecutionId {
        self.executions.keys().next_back().copied().unwrap_or(ExecutionId(0))
    }

    pub fn named(&self, machine: MachineId, name: &str) -> Option<ExecutionId> {
        self.names.get(&(machine, name.to_owned())).copied()
    }
}

impl Stored {
    pub fn new(start: Start, machine: Arc<StateMachine>) -> Self {
        Self {
            start,
            events: Vec::new(),
            wake_at: None,
            fold: Execution::new(Arc::clone(&machine)),
            machine,
            attempts: BTreeMap::new(),
        }
    }

    /// Adds an event that may follow.
    pub fn push(&mut self, id: ExecutionId, event: Event, legitimate: &BTreeMap<TaskId, Vec<Payload>>) {
        self.check_attempts(id, &event, legitimate);
        self.fold.apply(&event).expect("every journal replays");
        self.events.push(event);
    }

    pub fn was_redriven(&self) -> bool {
        self.fold.redrive_count() > 0
    }

    pub fn input(&self) -> Payload {
        input(&self.events).expect("every journal begins with ExecutionStarted")
    }

    /// Where the event redrives a child with its Map Run: which run, and its how manieth redrive.
    fn redriven_with_its_run(&self, event: &Event) -> Option<(TaskId, u32)> {
        let EventKind::ExecutionRedriven { round, .. } = &event.kind else {
            return None;
        };
        assert_eq!(
            round.is_some(),
            self.start.child.is_some(),
            "children are redriven with their run"
        );
        let child = self.as_child()?;
        let round = (*round)?;
        assert!(
            child.round < round,
            "a child is redriven twice by one redrive of its run"
        );
        Some((child.run, round))
    }

    /// Positions of the attempts that are open on disk.
    pub fn open(&self) -> BTreeSet<u64> {
        self.fold.open_tasks().map(|task| task.scheduled_at).collect()
    }

    /// Whether the interpreter would go on by itself at this time.
    pub fn is_restless(&self, now: Timestamp) -> bool {
        self.fold
            .next(&mut Env {
                now,
                dice: &mut NoDice,
                outside: &asl::execution::Nothing,
                limits: Limits::default(),
            })
            .is_some()
    }

    fn check_wake_at(&self, now: Timestamp) {
        if self.fold.status().is_closed() {
            assert_eq!(self.wake_at, None, "a closed execution needs no waking");
        } else if self.fold.open_tasks().next().is_some() || self.fold.open_map_runs().next().is_some() {
            assert_eq!(
                self.wake_at,
                Some(Append::AT_ONCE),
                "open tasks and Map Runs want looking at at once"
            );
        } else if self.wake_at != Some(Append::AT_ONCE) {
            assert_eq!(
                self.wake_at,
                self.fold.next_wakeup().map(|(at, _)| at),
                "wake_at is the next timer"
            );
        } else {
            assert!(self.is_restless(now), "at once, though it only waits");
        }
    }

    /// Every attempt is started and ended at most once, and ends as it really ended.
    fn check_attempts(&mut self, id: ExecutionId, event: &Event, legitimate: &BTreeMap<TaskId, Vec<Payload>>) {
        let position = self.events.len() as u64;
        let report = match &event.kind {
            EventKind::TaskScheduled {
                scope, timeout_seconds, ..
            } => {
                let deadline = timeout_seconds.map(|seconds| event.at.plus_seconds(seconds as f64));
                self.attempts.insert(
                    *scope,
                    Attempt {
                        scheduled_at: position,
                        started: false,
                        deadline,
                    },
                );
                return;
            }
            EventKind::TaskStarted { scope, .. } => {
                let attempt = self
                    .attempts
                    .get_mut(scope)
                    .expect("only what was scheduled is started");
                assert!(!attempt.started, "an attempt is started once");
                attempt.started = true;
                return;
            }
            EventKind::TaskSucceeded { scope, output, .. } => (scope, output.clone()),
            EventKind::TaskFailed { scope, failure, .. } => {
                (scope, Payload::from_value(serde_json::json!({"failed": failure.error})))
            }
            EventKind::TaskTimedOut { scope, timeout, .. } => {
                let text = format!("{timeout:?}");
                (scope, Payload::from_value(serde_json::json!({"timed out": text})))
            }
            _ => return,
        };
        let (scope, report) = report;
        let attempt = self
            .attempts
            .remove(scope)
            .expect("an attempt's result is recorded once");
        let task = TaskId {
            execution: id,
            scheduled_at: attempt.scheduled_at,
        };
        if let EventKind::TaskTimedOut { .. } = event.kind
            && attempt.deadline.is_some_and(|deadline| deadline <= event.at)
        {
            return;
        }
        assert!(attempt.started, "a result without a start");
        let real = legitimate.get(&task).map_or(&[][..], Vec::as_slice);
        assert!(
            real.contains(&report),
            "{task} is recorded as {report}, but really came to {real:?}"
        );
    }
}

fn input(events: &[Event]) -> Option<Payload> {
    match &events.first()?.kind {
        EventKind::ExecutionStarted { input, .. } => Some(input.clone()),
        _ => None,
    }
}

/// Asking whether something would happen must not use up anybody's luck.
struct NoDice;

impl Dice for NoDice {
    fn next_u64(&mut self) -> u64 {
        0
    }
}
