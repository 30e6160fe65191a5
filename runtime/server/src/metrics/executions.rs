//! What executions came to: counted from their events, once these are on disk.

use std::time::Duration;

use asl::{Attempt, Event, EventKind, StateKind, Status};
use engine::ports::MachineType;

use super::series::{Counter, Histogram, Page};

/// Seconds a task ran: a warm guest takes less than a millisecond, a poll of something outside minutes.
const TASK_SECONDS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0,
];
/// Units of fuel: decades up to the default limit and beyond.
const FUEL: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11];
/// Bytes at the peak: from one page of WebAssembly to gigabytes.
const MEMORY: &[f64] = &[
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];
/// Seconds a commit took: a sync of a good disk, of an SD card.
const COMMIT_SECONDS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// Events of a commit: a full batch has ten thousand.
const COMMIT_EVENTS: &[f64] = &[1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0];
/// Microseconds in a second.
const MICROS: f64 = 1e6;

const TYPES: [&str; 2] = ["standard", "express"];
const OUTCOMES: [(&str, Status); 4] = [
    ("succeeded", Status::Succeeded),
    ("failed", Status::Failed),
    ("timed_out", Status::TimedOut),
    ("aborted", Status::Aborted),
];
const STATES: [StateKind; 8] = [
    StateKind::Pass,
    StateKind::Task,
    StateKind::Choice,
    StateKind::Wait,
    StateKind::Succeed,
    StateKind::Fail,
    StateKind::Parallel,
    StateKind::Map,
];
const ENDS: [&str; 3] = ["succeeded", "failed", "timed_out"];
const COMMITS: [&str; 2] = ["written", "failed"];

/// Executions, their tasks, and what writing them took.
pub(crate) struct Executions {
    started: [Counter; 2],
    closed: [[Counter; 4]; 2],
    redriven: Counter,
    transitions: [Counter; 8],
    retries: Counter,
    attempts: [Counter; 3],
    task_seconds: Histogram,
    fuel: Histogram,
    memory: Histogram,
    commits: [Counter; 2],
    commit_seconds: Histogram,
    commit_events: Histogram,
}

impl Executions {
    pub(crate) fn new() -> Self {
        Self {
            started: Default::default(),
            closed: Default::default(),
            redriven: Counter::default(),
            transitions: Default::default(),
            retries: Counter::default(),
            attempts: Default::default(),
            task_seconds: Histogram::new(TASK_SECONDS, MICROS),
            fuel: Histogram::new(FUEL, 1.0),
            memory: Histogram::new(MEMORY, 1.0),
            commits: Default::default(),
            commit_seconds: Histogram::new(COMMIT_SECONDS, MICROS),
            commit_events: Histogram::new(COMMIT_EVENTS, 1.0),
        }
    }

    /// A commit has ended.
    pub(crate) fn committed(&self, events: usize, took: Duration, written: bool) {
        self.commits[usize::from(!written)].add(1);
        self.commit_seconds
            .observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.commit_events.observe(events as u64);
    }

    /// Something happened to an execution of a machine of this type.
    pub(crate) fn happened(&self, machine_type: MachineType, event: &Event) {
        let machine_type = match machine_type {
            MachineType::Standard => 0,
            MachineType::Express => 1,
        };
        match &event.kind {
            EventKind::ExecutionStarted { .. } => self.started[machine_type].add(1),
            EventKind::ExecutionRedriven { .. } => self.redriven.add(1),
            EventKind::StateEntered { state_kind, .. } => {
                let place = STATES.iter().position(|kind| kind == state_kind);
                self.transitions[place.unwrap_or_default()].add(1);
            }
            EventKind::RetryScheduled { .. } => self.retries.add(1),
            EventKind::TaskSucceeded { attempt, .. } => self.ended(0, attempt),
            EventKind::TaskFailed { attempt, .. } => self.ended(1, attempt),
            EventKind::TaskTimedOut { attempt, .. } => self.ended(2, attempt),
            kind => {
                let place = kind
                    .closes()
                    .and_then(|closed| OUTCOMES.iter().position(|(_, status)| *status == closed));
                if let Some(place) = place {
                    self.closed[machine_type][place].add(1);
                }
            }
        }
    }

    fn ended(&self, end: usize, attempt: &Attempt) {
        self.attempts[end].add(1);
        for (histogram, measured) in [
            (&self.task_seconds, attempt.micros),
            (&self.fuel, attempt.fuel),
            (&self.memory, attempt.peak_memory),
        ] {
            if let Some(measured) = measured {
                histogram.observe(measured);
            }
        }
    }

    pub(super) fn write(&self, page: &mut Page) {
        let name = "sandstep_executions_started_total";
        page.metric(name, "counter", "Executions started, by type of state machine.");
        for (machine_type, counter) in TYPES.iter().zip(&self.started) {
            page.series(name, &[("type", machine_type)], counter.get());
        }
        let name = "sandstep_executions_closed_total";
        page.metric(
            name,
            "counter",
            "Executions closed, by type of state machine and by outcome.",
        );
        for (machine_type, counters) in TYPES.iter().zip(&self.closed) {
            for ((outcome, _), counter) in OUTCOMES.iter().zip(counters) {
                page.series(name, &[("type", machine_type), ("outcome", outcome)], counter.get());
            }
        }
        let name = "sandstep_executions_redriven_total";
        page.single(name, "counter", "Executions opened again.", self.redriven.get());
        let name = "sandstep_state_transitions_total";
        page.metric(name, "counter", "States entered, by their type.");
        for (state, counter) in STATES.iter().zip(&self.transitions) {
            page.series(name, &[("state", state.as_str())], counter.get());
        }
        let name = "sandstep_retries_total";
        page.single(name, "counter", "States that are tried again.", self.retries.get());
        let name = "sandstep_task_attempts_total";
        page.metric(name, "counter", "Attempts of tasks, by how they ended.");
        for (end, counter) in ENDS.iter().zip(&self.attempts) {
            page.series(name, &[("outcome", end)], counter.get());
        }
        for (name, help, histogram) in [
            (
                "sandstep_task_seconds",
                "Time attempts ran in the sandbox.",
                &self.task_seconds,
            ),
            ("sandstep_task_fuel", "Units of fuel attempts burnt.", &self.fuel),
            (
                "sandstep_task_peak_memory_bytes",
                "Memory attempts had at their peak.",
                &self.memory,
            ),
        ] {
            page.metric(name, "histogram", help);
            page.histogram(name, &[], histogram);
        }
        let name = "sandstep_commits_total";
        page.metric(name, "counter", "Commits, by what became of them.");
        for (result, counter) in COMMITS.iter().zip(&self.commits) {
            page.series(name, &[("result", result)], counter.get());
        }
        for (name, help, histogram) in [
            (
                "sandstep_commit_seconds",
                "Time from handing a commit to the disk to its answer.",
                &self.commit_seconds,
            ),
            ("sandstep_commit_events", "Events of a commit.", &self.commit_events),
        ] {
            page.metric(name, "histogram", help);
            page.histogram(name, &[], histogram);
        }
    }
}
