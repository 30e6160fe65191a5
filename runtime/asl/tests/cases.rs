//! Runs every case below `tests/cases/`: a definition, an input, what its tasks do, and what must come of
//! it. A new behaviour is a new case. The clock jumps from wake-up to wake-up.

#![allow(clippy::disallowed_methods, reason = "the cases are files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use asl::definition::StateMachine;
use asl::execution::map_run::over_tolerance;
use asl::{
    ChildOf, Dice, Env, Event, EventKind, Execution, Failure, Limits, MapItem, Payload, ScopeId, Status, TaskOutcome,
    TimeoutKind, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    definition: Value,
    #[serde(default)]
    input: Option<Payload>,
    /// What an ItemReader reads.
    #[serde(default)]
    read_items: Option<Vec<Payload>>,
    /// For each state, what its attempts do, in order; the last one again and again.
    #[serde(default)]
    tasks: BTreeMap<String, Vec<Script>>,
    status: Status,
    #[serde(default)]
    output: Option<Payload>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    cause: Option<String>,
    /// Kinds of events, each with its state or index where it has one.
    #[serde(default)]
    events: Option<Vec<String>>,
    /// Seconds the whole execution takes.
    #[serde(default)]
    seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Script {
    Output(Payload),
    Fail {
        error: String,
        cause: Option<String>,
    },
    TimeOut(TimeoutKind),
    /// Returns its input.
    Echo,
    /// Never ends by itself.
    Hang,
}

struct Half;

impl Dice for Half {
    fn next_u64(&mut self) -> u64 {
        1 << 63
    }
}

const START: Timestamp = Timestamp(1_700_000_000_000);
/// A case that hasn't ended after this many events goes round for ever.
const MAX_EVENTS: u64 = 10_000;

/// Plays a case: its execution, and the child executions of its Map Runs.
struct Player<'c> {
    case: &'c Case,
    machine: Arc<StateMachine>,
    attempts: BTreeMap<String, usize>,
    now: Timestamp,
}

/// An execution and its journal.
type Played = (Execution, Vec<Event>);

fn run(case: &Case) -> Played {
    let (machine, diagnostics) = asl::definition::parse(&case.definition.to_string());
    let machine = Arc::new(machine.unwrap_or_else(|| panic!("{}: {diagnostics:?}", case.name)));
    let mut player = Player {
        case,
        machine,
        attempts: BTreeMap::new(),
        now: START,
    };
    player.play(case.input.clone().unwrap_or_else(Payload::empty_object), None)
}

impl Player<'_> {
    fn play(&mut self, input: Payload, child_of: Option<ChildOf>) -> Played {
        let case = self.case;
        let mut execution = Execution::new(Arc::clone(&self.machine));
        let mut journal = Vec::new();
        let mut record = |execution: &mut Execution, event: Event| {
            execution
                .apply(&event)
                .unwrap_or_else(|error| panic!("{}: {error}: {event:?}", case.name));
            journal.push(event);
            assert!(execution.position() < MAX_EVENTS, "{} goes round for ever", case.name);
        };
        let started = EventKind::ExecutionStarted {
            input,
            id: "execution:id".into(),
            name: "name".into(),
            role: Some("role".into()),
            machine_id: "machine:id".into(),
            machine_name: "machine".into(),
            child_of: child_of.map(Box::new),
            mode: asl::Mode::Standard,
            trace_parent: None,
            starter: None,
        };
        record(
            &mut execution,
            Event {
                at: self.now,
                kind: started,
            },
        );
        loop {
            let now = self.now;
            let mut env = Env {
                now,
                dice: &mut Half,
                outside: &asl::execution::Nothing,
                limits: Limits::default(),
            };
            if let Some(event) = execution.next(&mut env) {
                record(&mut execution, event);
                continue;
            }
            if let Some((scope, Some(kind))) = self.attempt(&execution) {
                let started = EventKind::TaskStarted {
                    scope,
                    worker: None,
                    version: None,
                };
                for kind in [started, kind] {
                    record(&mut execution, Event { at: now, kind });
                }
                continue;
            }
            let open = execution.open_map_runs().next().map(|run| run.position);
            if let Some(position) = open {
                let result = self.map_run(&execution, position);
                let kind = execution.map_run_result(position, result, Limits::default());
                let kind = kind.expect("the run is open");
                record(&mut execution, Event { at: self.now, kind });
                continue;
            }
            match execution.next_wakeup() {
                Some((time, _)) => self.now = time,
                None => return (execution, journal),
            }
        }
    }

    /// What the first open attempt comes to, unless it hangs.
    fn attempt(&mut self, execution: &Execution) -> Option<(ScopeId, Option<EventKind>)> {
        execution.open_tasks().find_map(|task| {
            let script = self
                .case
                .tasks
                .get(task.state)
                .unwrap_or_else(|| panic!("{}: no script for {}", self.case.name, task.state));
            let attempt = self.attempts.entry(task.state.to_owned()).or_insert(0);
            let step = &script[(*attempt).min(script.len() - 1)];
            if matches!(step, Script::Hang) {
                return None;
            }
            *attempt += 1;
            let outcome = match step {
                Script::Output(output) => TaskOutcome::Succeeded(output.clone()),
                Script::Fail { error, cause } => TaskOutcome::Failed(Failure {
                    error: Some(error.clone()),
                    cause: cause.clone(),
                }),
                Script::TimeOut(kind) => TaskOutcome::TimedOut(*kind),
                Script::Echo => TaskOutcome::Succeeded(task.parameters.clone()),
                Script::Hang => unreachable!("left out above"),
            };
            Some((
                task.scope,
                execution.task_result(task.scheduled_at, outcome, Default::default(), Limits::default()),
            ))
        })
    }

    /// Runs the children of a Map Run, one after the other.
    fn map_run(&mut self, execution: &Execution, position: u64) -> Result<Payload, Failure> {
        let run = execution.open_map_run(position).expect("it is open");
        let items = match (run.reader, &self.case.read_items) {
            (None, _) => execution.map_run_items(position, 0, usize::MAX),
            (Some(_), Some(values)) => values
                .iter()
                .map(|value| MapItem {
                    value: value.clone(),
                    key: None,
                    source: "S3://bucket/key".into(),
                })
                .collect(),
            (Some(reader), None) => panic!("{}: nothing to read from {reader:?}", self.case.name),
        };
        let mut env = Env {
            now: self.now,
            dice: &mut Half,
            outside: &asl::execution::Nothing,
            limits: Limits::default(),
        };
        let mut inputs = Vec::new();
        for (index, item) in (0..).zip(&items) {
            inputs.push(
                execution
                    .map_item_input(position, index, item, &mut env)
                    .expect("it is open")?,
            );
        }
        let (mut first, mut failed) = (0_usize, 0);
        let mut outputs = Vec::new();
        while let Some(next) = execution.next_child(position, inputs[first..].iter(), true, Limits::default()) {
            let (count, input) = next?;
            let child_of = ChildOf {
                execution: 1,
                position,
                state: run.state.to_owned(),
                item: first as u64,
                items: count,
                round: 0,
                express: run.express,
            };
            first += usize::try_from(count).expect("small");
            let (child, journal) = self.play(input, Some(child_of));
            replays(&self.case.name, &self.case.definition, &journal);
            match child.output() {
                Some(output) => outputs.push(output.clone()),
                None => failed += count,
            }
            if run.over_tolerance(failed, Some(items.len() as u64)) {
                return Err(over_tolerance());
            }
        }
        assert_eq!(first, items.len(), "{}: every item has a child", self.case.name);
        Ok(Payload::array_of(&outputs))
    }
}

fn label(event: &Event) -> String {
    let value = serde_json::to_value(&event.kind).expect("events are serializable");
    let (kind, fields) = value
        .as_object()
        .and_then(|map| map.iter().next())
        .expect("externally tagged");
    match (fields.get("state"), fields.get("index")) {
        (Some(Value::String(state)), _) => format!("{kind} {state}"),
        (_, Some(index)) => format!("{kind} {index}"),
        _ => kind.clone(),
    }
}

fn check(case: &Case) {
    let (execution, journal) = run(case);
    let name = &case.name;
    let failure = execution.failure().cloned().unwrap_or_default();
    assert_eq!(execution.status(), case.status, "{name}: {failure:?}");
    if case.status == Status::Succeeded {
        let output = case.output.as_ref().map(Payload::text);
        assert_eq!(execution.output().map(Payload::text), output, "{name}: output");
    }
    assert_eq!(failure.error, case.error, "{name}: error");
    if case.cause.is_some() {
        assert_eq!(failure.cause, case.cause, "{name}: cause");
    }
    if let Some(events) = &case.events {
        assert_eq!(&journal.iter().map(label).collect::<Vec<_>>(), events, "{name}: events");
    }
    if let Some(seconds) = case.seconds {
        let took = execution.stopped().expect("closed").millis_since(START);
        assert_eq!(took as f64 / 1000.0, seconds, "{name}: seconds");
    }
    replays(name, &case.definition, &journal);
}

/// Every prefix of the journal, read back from its stored form, leads to an execution that goes on as the
/// recorded one did.
fn replays(name: &str, definition: &Value, journal: &[Event]) {
    let text = serde_json::to_string(journal).expect("events are serializable");
    let stored: Vec<Event> = serde_json::from_str(&text).expect("own encoding");
    assert_eq!(stored, journal, "{name}: the journal's stored form");
    let machine = Arc::new(
        asl::definition::parse(&definition.to_string())
            .0
            .expect("parsed before"),
    );
    let mut live = Execution::new(Arc::clone(&machine));
    for (position, event) in stored.iter().enumerate() {
        live.apply(event).expect("applied before");
        let again = Execution::replay(Arc::clone(&machine), &stored[..=position]).expect("applied before");
        assert_eq!(
            format!("{again:?}"),
            format!("{live:?}"),
            "{name}: prefix of {position}"
        );
    }
}

#[test]
fn every_case_ends_as_it_says() {
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let text = fs::read_to_string(&path).expect("readable");
        let cases: Vec<Case> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in &cases {
            check(case);
            count += 1;
        }
    }
    assert!(count > 40, "only {count} cases were found");
}
