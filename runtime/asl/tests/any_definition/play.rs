//! Plays an execution in a world that decides by the tape, and checks after every step what must always hold.

use std::sync::Arc;

use asl::definition::StateMachine;
use asl::execution::Nothing;
use asl::payload::MAX_DEPTH;
use asl::{
    ChildOf, Dice, Env, Event, EventKind, Execution, Failure, Limits, MapItem, Mode, Payload, Status, TaskOutcome,
    TimeoutKind, Timestamp, Wakeup,
};
use serde_json::{Value, json};

use crate::Tally;
use crate::tape::Tape;
use crate::values::{input, value};

/// Events an execution may record for each entry of history it is allowed. Several kinds of event show as none, but each
/// of them follows or leads to one that shows.
const EVENTS_FOR_EACH_ENTRY: u64 = 6;
/// Retries after which an execution is left alone: a retry in itself is no entry.
const MAX_RETRIES: u64 = 60;
/// Children a Map Run starts before the rest of its items is left alone.
const MAX_CHILDREN: usize = 6;
/// Times an execution goes on after it was over.
const MAX_REDRIVES: u32 = 2;

/// The errors the language itself knows.
const STATES_ERRORS: [&str; 13] = [
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

#[derive(Clone)]
struct Numbers(u64);

impl Dice for Numbers {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        self.0
    }
}

/// The world around one execution.
pub struct World<'w> {
    pub machine: Arc<StateMachine>,
    pub tape: &'w mut Tape,
    pub tally: &'w mut Tally,
    pub limits: Limits,
    pub now: Timestamp,
}

/// An execution, its journal as it is stored, and the same execution read back from it.
struct Played {
    execution: Execution,
    stored: Vec<Event>,
    again: Option<Execution>,
    retries: u64,
}

impl World<'_> {
    /// Plays from the start to an end, or until it waits for what never comes.
    pub fn play(&mut self, input: Payload, child_of: Option<ChildOf>) -> Execution {
        let modes = [
            Mode::Standard,
            Mode::Express { seconds: 300 },
            Mode::Synchronous { seconds: 300 },
        ];
        let mode = if self.tape.percent(80) {
            Mode::Standard
        } else {
            self.tape.pick(&modes)
        };
        let started = EventKind::ExecutionStarted {
            input,
            id: "execution:id".into(),
            name: "name".into(),
            role: None,
            machine_id: "machine:id".into(),
            machine_name: "machine".into(),
            child_of: child_of.map(Box::new),
            mode,
            trace_parent: None,
            starter: None,
        };
        let mut played = Played {
            execution: Execution::new(Arc::clone(&self.machine)),
            stored: Vec::new(),
            again: None,
            retries: 0,
        };
        self.record(&mut played, started);
        while played.retries <= MAX_RETRIES {
            if let Some(event) = self.decide(&played) {
                assert_eq!(event.at, self.now);
                self.record(&mut played, event.kind);
                continue;
            }
            let goes_on = if played.execution.status().is_closed() {
                self.redrive(&mut played)
            } else {
                self.outside(&mut played)
            };
            if !goes_on {
                break;
            }
        }
        self.ended(&played);
        played.execution
    }

    /// What happens next, as the execution says it, and as it says it when it was read back from its journal.
    fn decide(&mut self, played: &Played) -> Option<Event> {
        let seed = self.tape.below(1 << 32);
        let ask = |execution: &Execution| {
            let mut env = Env {
                now: self.now,
                dice: &mut Numbers(seed),
                outside: &Nothing,
                limits: self.limits,
            };
            execution.next(&mut env)
        };
        let event = ask(&played.execution);
        if let Some(again) = &played.again {
            assert_eq!(event, ask(again), "decided before and after the journal was read back");
            assert_eq!(played.execution.next_wakeup(), again.next_wakeup());
            let open = |execution: &Execution| {
                let tasks = execution
                    .open_tasks()
                    .map(|task| (task.scheduled_at, task.parameters.clone(), task.deadline));
                tasks.collect::<Vec<_>>()
            };
            assert_eq!(open(&played.execution), open(again));
        }
        if event.is_none() {
            match played.execution.next_wakeup() {
                Some((_, Wakeup::Ready)) => panic!("something is ready, and nothing is decided"),
                Some((at, why)) => assert!(at > self.now, "{why:?} is due, and nothing is decided"),
                None => {}
            }
        }
        event
    }

    fn record(&mut self, played: &mut Played, kind: EventKind) {
        let event = Event { at: self.now, kind };
        let stored = serde_json::to_string(&event).expect("events are serializable");
        let stored: Event = serde_json::from_str(&stored).expect("own encoding");
        assert_eq!(stored, event, "the event's stored form");
        let applied = played.execution.apply(&event);
        applied.unwrap_or_else(|error| panic!("{error}: {event:?}"));
        if let Some(again) = &mut played.again {
            again.apply(&stored).expect("applied before");
        }
        self.check(played, &event);
        played.stored.push(stored);
        if played.again.is_none() && self.tape.percent(8) {
            played.again = Some(self.read_back(played));
        }
    }

    fn read_back(&self, played: &Played) -> Execution {
        let again = Execution::replay(Arc::clone(&self.machine), &played.stored).expect("applied before");
        assert_eq!(
            format!("{again:?}"),
            format!("{:?}", played.execution),
            "the journal read back"
        );
        again
    }

    fn check(&mut self, played: &mut Played, event: &Event) {
        let execution = &played.execution;
        self.tally.events += 1;
        played.retries += u64::from(matches!(event.kind, EventKind::RetryScheduled { .. }));
        let most = EVENTS_FOR_EACH_ENTRY * self.limits.history_entries + 4 * MAX_RETRIES;
        assert!(
            execution.position() < most,
            "it goes round without an entry in its history"
        );
        event.kind.clone().payloads(&mut |payload| {
            let text: Value = serde_json::from_str(payload.text()).expect("a payload is JSON that can be read");
            assert_eq!(&text, payload.value(), "a payload's text and its value");
        });
        match &event.kind {
            EventKind::StateEntered { state_kind, .. } => self.tally.count(state_kind.as_str()),
            EventKind::StateExited { output, .. } => assert!(output.len() <= self.limits.payload_bytes),
            EventKind::RetryScheduled { .. } => self.tally.count("retried"),
            EventKind::MapRunSucceeded { .. } => self.tally.count("Map Run"),
            EventKind::StateFailed { failure, .. } => {
                if let Some(error) = failure.error.as_deref().filter(|error| STATES_ERRORS.contains(error)) {
                    self.tally.count(error);
                }
                let said = failure.cause.as_ref().is_some_and(|cause| !cause.is_empty());
                let ours = failure
                    .error
                    .as_deref()
                    .is_some_and(|error| error.starts_with("States."));
                // what a task or a Fail state says is its own affair
                let from_outside = failure
                    .error
                    .as_deref()
                    .is_none_or(|error| STATES_ERRORS.contains(&error));
                assert!(!ours || said || from_outside, "{failure:?}");
            }
            _ => {}
        }
    }

    /// Goes on from what didn't succeed, now and then.
    fn redrive(&mut self, played: &mut Played) -> bool {
        let execution = &played.execution;
        let count = execution.redrive_count() + 1;
        let has_room = execution.history_entries() + 2 < self.limits.history_entries;
        let may = execution.is_redrivable() && execution.child_of().is_none() && has_room && count <= MAX_REDRIVES;
        if !may || !self.tape.percent(25) {
            return false;
        }
        self.tally.count("redriven");
        self.record(
            played,
            EventKind::ExecutionRedriven {
                count,
                token: None,
                round: None,
                in_turn: true,
            },
        );
        true
    }

    /// Lets something happen outside, or time go by; false where nothing can.
    fn outside(&mut self, played: &mut Played) -> bool {
        if self.tape.percent(2) {
            let failure = Failure::new("Own.Stopped", "by somebody");
            self.record(played, EventKind::ExecutionAborted { failure });
            return true;
        }
        let wakeup = played.execution.next_wakeup();
        let runs: Vec<u64> = played.execution.open_map_runs().map(|run| run.position).collect();
        let tasks: Vec<u64> = played.execution.open_tasks().map(|task| task.scheduled_at).collect();
        let waits = u64::from(wakeup.is_some());
        let choice = self.tape.below((tasks.len() + runs.len()) as u64 * 4 + waits + 1) as usize;
        if let Some(task) = tasks.get(choice / 4) {
            return self.end_task(played, *task);
        }
        if let Some(run) = runs.get((choice / 4).saturating_sub(tasks.len())) {
            return self.end_map_run(played, *run);
        }
        match wakeup {
            Some((at, _)) => {
                self.now = at;
                true
            }
            None => {
                assert!(!tasks.is_empty() || !runs.is_empty(), "it waits, and for nothing");
                self.tally.count("waits");
                false
            }
        }
    }

    fn end_task(&mut self, played: &mut Played, position: u64) -> bool {
        let task = played.execution.open_task(position).expect("it is open");
        let (scope, submitted, started) = (task.scope, task.submitted, task.started);
        let outcome = match self.tape.below(12) {
            0..=2 => TaskOutcome::Succeeded(Payload::from_value(input(self.tape))),
            3 => TaskOutcome::Succeeded(Payload::from_value(value(self.tape, 3))),
            4 => TaskOutcome::Succeeded(task.parameters.clone()),
            5..=7 => TaskOutcome::Failed(self.failure()),
            8 => TaskOutcome::TimedOut(self.tape.pick(&[TimeoutKind::Deadline, TimeoutKind::Heartbeat])),
            _ => TaskOutcome::Succeeded(self.awkward()),
        };
        if !started {
            self.record(
                played,
                EventKind::TaskStarted {
                    scope,
                    worker: None,
                    version: None,
                },
            );
        }
        let room = played.execution.history_entries() + 1 < self.limits.history_entries;
        if !submitted && room && self.tape.percent(10) {
            let output = Payload::empty_object();
            self.record(played, EventKind::TaskSubmitted { scope, output });
        }
        // without room in the history for it, the execution ends instead
        let result = played
            .execution
            .task_result(position, outcome, Default::default(), self.limits);
        if let Some(kind) = result {
            self.record(played, kind);
        }
        true
    }

    fn failure(&mut self) -> Failure {
        let error = self.tape.pick(&[
            "Own.A",
            "Own.B",
            "Sandbox.Trapped",
            "States.TaskFailed",
            "States.Timeout",
            "",
        ]);
        let causes = [Some("why"), Some("{\"errorMessage\": \"x\"}"), Some(""), None];
        Failure {
            error: self.tape.percent(95).then(|| error.into()),
            cause: self.tape.pick(&causes).map(str::to_owned),
        }
    }

    /// What only somebody outside can return: white space, repeated keys, depth, length, numbers as nobody writes them.
    pub fn awkward(&mut self) -> Payload {
        let text = match self.tape.below(6) {
            0 => "[1, 2 ,{ \"a\" :1,\"a\":2}]\n".to_owned(),
            1 => format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)),
            2 => format!("\"{}\"", "x".repeat(400)),
            3 => "{\"n\":1.10000000000000000001,\"items\":[1E2,-0,-0.0,0.30000000000000004]}".to_owned(),
            4 => "\"\\u0000\\ud83d\\ude00\"".to_owned(),
            _ => json!({"items": [[[[]]], {"": {"": null}}], "$text": " "}).to_string(),
        };
        Payload::from_text(text).expect("JSON")
    }

    /// Runs some children of a Map Run, or fails it.
    fn end_map_run(&mut self, played: &mut Played, position: u64) -> bool {
        let result = match self.tape.below(8) {
            0 => Err(Failure::new("States.ItemReaderFailed", "no such object")),
            1 => Err(Failure::new("States.ResultWriterFailed", "no such bucket")),
            _ => self.children(&played.execution, position),
        };
        let kind = played.execution.map_run_result(position, result, self.limits);
        if let Some(kind) = kind {
            self.record(played, kind);
        }
        true
    }

    fn children(&mut self, execution: &Execution, position: u64) -> Result<Payload, Failure> {
        let run = execution.open_map_run(position).expect("it is open");
        let items: Vec<MapItem> = match run.reader {
            None => execution.map_run_items(position, 0, MAX_CHILDREN),
            Some(_) => (0..self.tape.below(4))
                .map(|_| MapItem {
                    value: Payload::from_value(value(self.tape, 2)),
                    key: None,
                    source: "S3://b/k".into(),
                })
                .collect(),
        };
        let (state, express) = (run.state.to_owned(), run.express);
        let mut inputs = Vec::new();
        for (index, item) in (0..).zip(&items) {
            let mut env = Env {
                now: self.now,
                dice: &mut Numbers(index),
                outside: &Nothing,
                limits: self.limits,
            };
            inputs.push(
                execution
                    .map_item_input(position, index, item, &mut env)
                    .expect("it is open")?,
            );
        }
        let (mut first, mut failed, mut outputs) = (0_usize, 0, Vec::new());
        while let Some(next) = execution.next_child(position, inputs[first..].iter(), true, self.limits) {
            let (items, input) = next?;
            assert!(items > 0, "a child has items");
            let child_of = ChildOf {
                execution: 1,
                position,
                state: state.clone(),
                item: first as u64,
                items,
                round: 0,
                express,
            };
            first += usize::try_from(items).expect("small");
            let now = self.now;
            let child = self.play(input, Some(child_of));
            self.now = now;
            match child.output() {
                Some(output) => outputs.push(output.clone()),
                None => failed += items,
            }
        }
        let run = execution.open_map_run(position).expect("it is open");
        if run.over_tolerance(failed, Some(inputs.len() as u64)) {
            return Err(asl::execution::map_run::over_tolerance());
        }
        Ok(Payload::array_of(&outputs))
    }

    /// How it ended, or that it waits.
    fn ended(&mut self, played: &Played) {
        let execution = &played.execution;
        self.read_back(played);
        self.tally.count(match execution.status() {
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
            Status::TimedOut => "timed out",
        });
        assert_eq!(execution.output().is_some(), execution.status() == Status::Succeeded);
        // a redriven execution had failed before
        let error = execution.failure().and_then(|failure| failure.error.as_deref());
        if let (Status::Failed, Some(error)) = (execution.status(), error) {
            let known =
                STATES_ERRORS.contains(&error) || error.starts_with("Sandbox.") || error.starts_with("States.Http.");
            assert!(
                known || !error.starts_with("States."),
                "no error of the language: {error}"
            );
        }
        assert!(
            execution.history_entries() <= self.limits.history_entries,
            "a history of {} entries",
            execution.history_entries()
        );
    }
}
