//! Redrive: what failed or was stopped runs again, what succeeded doesn't.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::definition::StateMachine;
use asl::execution::Nothing;
use asl::execution::map_run::over_tolerance;
use asl::{
    Attempt, ChildOf, Dice, Env, Event, EventKind, Execution, Failure, Limits, Mode, Payload, ScopeId, Status,
    TaskOutcome, Timestamp,
};
use serde_json::{Value, json};

struct NoDice;

impl Dice for NoDice {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

struct World {
    machine: Arc<StateMachine>,
    execution: Execution,
    journal: Vec<Event>,
    now: i64,
    /// How often each task ran, by its parameters.
    runs: BTreeMap<String, u32>,
    /// The most tasks that were open at once.
    most_open: usize,
}

impl World {
    fn start(definition: &Value, input: &Value) -> Self {
        Self::start_child(definition, input, None)
    }

    fn start_child(definition: &Value, input: &Value, child_of: Option<ChildOf>) -> Self {
        let (machine, diagnostics) = asl::definition::parse(&definition.to_string());
        let machine = Arc::new(machine.unwrap_or_else(|| panic!("{diagnostics:?}")));
        let mut world = Self {
            execution: Execution::new(Arc::clone(&machine)),
            machine,
            journal: Vec::new(),
            now: 0,
            runs: BTreeMap::new(),
            most_open: 0,
        };
        world.record(EventKind::ExecutionStarted {
            input: Payload::from_value(input.clone()),
            id: String::new(),
            name: String::new(),
            role: None,
            machine_id: String::new(),
            machine_name: String::new(),
            child_of: child_of.map(Box::new),
            trace_parent: None,
            starter: None,
            mode: Mode::Standard,
        });
        world
    }

    fn record(&mut self, kind: EventKind) {
        self.now += 1;
        let event = Event {
            at: Timestamp(self.now),
            kind,
        };
        self.execution.apply(&event).expect("fits");
        self.journal.push(event);
    }

    fn next(&mut self) -> bool {
        let event = self.execution.next(&mut Env {
            now: Timestamp(self.now),
            dice: &mut NoDice,
            outside: &Nothing,
            limits: Limits::default(),
        });
        event.map(|event| self.record(event.kind)).is_some()
    }

    /// Runs until nothing is left to do; tasks in `failing` fail, those in `hanging` stay open.
    fn run(&mut self, failing: &[&str], hanging: &[&str]) -> Status {
        loop {
            while self.next() {}
            self.most_open = self.most_open.max(self.execution.open_tasks().count());
            let open: Vec<(u64, String)> = self
                .execution
                .open_tasks()
                .map(|task| (task.scheduled_at, task.parameters.text().to_owned()))
                .filter(|(_, task)| !hanging.contains(&&**task))
                .collect();
            let Some((scheduled_at, task)) = open.into_iter().next() else {
                return self.execution.status();
            };
            *self.runs.entry(task.clone()).or_default() += 1;
            let outcome = if failing.contains(&&*task) {
                TaskOutcome::Failed(Failure::new("Boom", "on purpose"))
            } else {
                TaskOutcome::Succeeded(Payload::from_text(&*task).expect("JSON"))
            };
            let kind = self
                .execution
                .task_result(scheduled_at, outcome, Attempt::default(), Limits::default());
            self.record(kind.expect("the task is open"));
        }
    }

    fn redrive(&mut self) {
        assert!(self.execution.is_redrivable());
        let count = self.execution.redrive_count() + 1;
        self.record(EventKind::ExecutionRedriven {
            count,
            token: None,
            round: None,
            in_turn: true,
        });
        self.runs.clear();
    }

    /// The position of the Map Run that is open, how often it was redriven, and how many children it may have at once.
    fn open_run(&self) -> Option<(u64, u32, u32)> {
        let run = self.execution.open_map_runs().next()?;
        Some((run.position, run.redrives, run.max_concurrency))
    }

    fn end_run(&mut self, run: u64, result: Result<Payload, Failure>) {
        let kind = self.execution.map_run_result(run, result, Limits::default());
        self.record(kind.expect("the run is open"));
    }

    fn output(&self) -> &Value {
        self.execution.output().expect("an output").value()
    }

    fn entered(&self, name: &str) -> usize {
        let is = |event: &&Event| matches!(&event.kind, EventKind::StateEntered { state, .. } if state == name);
        self.journal.iter().filter(is).count()
    }

    /// The journal says all of it.
    fn check_replay(&self) {
        let replayed = Execution::replay(Arc::clone(&self.machine), &self.journal).expect("replays");
        assert_eq!(
            (replayed.status(), replayed.output(), replayed.redrive_count()),
            (
                self.execution.status(),
                self.execution.output(),
                self.execution.redrive_count()
            )
        );
    }
}

fn task(parameters: &Value) -> Value {
    json!({"Type": "Task", "Resource": "wasm:t", "Parameters": parameters, "End": true})
}

fn ran(names: &[&str]) -> BTreeMap<String, u32> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

#[test]
fn a_failed_state_begins_again_and_what_was_before_it_does_not() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "wasm:t", "Parameters": {"a": 1}, "Next": "B"},
        "B": {"Type": "Task", "Resource": "wasm:t", "Parameters": {"b": 1}, "Next": "C",
              "Retry": [{"ErrorEquals": ["Boom"], "MaxAttempts": 1, "IntervalSeconds": 1}]},
        "C": {"Type": "Pass", "Parameters": {"count.$": "$$.Execution.RedriveCount", "b.$": "$.b"}, "End": true}}});
    let mut world = World::start(&definition, &json!({}));
    assert_eq!(
        world.run(&[r#"{"b":1}"#], &[]),
        Status::Running,
        "it waits for its retry"
    );
    world.now += 2_000;
    assert_eq!(world.run(&[r#"{"b":1}"#], &[]), Status::Failed);
    world.redrive();
    world.run(&[r#"{"b":1}"#], &[]);
    world.now += 2_000;
    assert_eq!(
        world.run(&[r#"{"b":1}"#], &[]),
        Status::Failed,
        "its retries count from the start"
    );
    assert_eq!(world.runs[r#"{"b":1}"#], 2);
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    assert_eq!(world.runs, ran(&[r#"{"b":1}"#]));
    assert_eq!((world.entered("A"), world.entered("B")), (1, 1));
    assert_eq!(*world.output(), json!({"count": 2, "b": 1}));
    assert!(!world.execution.is_redrivable());
    world.check_replay();
}

#[test]
fn branches_that_ended_well_are_left_alone() {
    let branch = |name: &str| {
        json!({"StartAt": name, "States": {
            name: {"Type": "Pass", "Assign": {"v": name}, "Next": format!("{name}T")},
            format!("{name}T"): {"Type": "Task", "Resource": "wasm:t", "Parameters": {"v.$": "$v"}, "End": true}}})
    };
    let inner = json!({"StartAt": "I", "States": {
        "I": {"Type": "Parallel", "Branches": [branch("X"), branch("Y")], "End": true}}});
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [branch("G"), branch("H"), inner], "End": true}}});
    let mut world = World::start(&definition, &json!({}));
    // G and X end well, Y fails, H is under way and is stopped
    let status = world.run(&[r#"{"v":"Y"}"#], &[r#"{"v":"H"}"#]);
    assert_eq!(status, Status::Failed);
    assert_eq!(world.execution.open_tasks().count(), 0);
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    assert_eq!(world.runs, ran(&[r#"{"v":"H"}"#, r#"{"v":"Y"}"#]));
    assert_eq!(world.entered("G"), 1);
    assert_eq!(world.entered("I"), 1);
    assert_eq!(
        *world.output(),
        json!([{"v": "G"}, {"v": "H"}, [{"v": "X"}, {"v": "Y"}]])
    );
    world.check_replay();
}

#[test]
fn iterations_that_ended_well_are_left_alone() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": {"StartAt": "T", "States": {
            "T": task(&json!({"i.$": "$"}))}}, "End": true}}});
    let mut world = World::start(&definition, &json!([1, 2, 3, 4]));
    assert_eq!(world.run(&[r#"{"i":3}"#], &[]), Status::Failed);
    let ran_before: Vec<String> = world.runs.keys().cloned().collect();
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    for task in &ran_before {
        assert_eq!(world.runs.contains_key(task), task == r#"{"i":3}"#, "{task}");
    }
    assert_eq!(*world.output(), json!([{"i": 1}, {"i": 2}, {"i": 3}, {"i": 4}]));
    world.check_replay();
}

#[test]
fn iterations_come_back_no_more_at_once_than_may_run() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "MaxConcurrency": 2, "ToleratedFailureCount": 3, "End": true,
              "ItemProcessor": {"StartAt": "P", "States": {
                  "P": {"Type": "Parallel", "End": true,
                        "Branches": [{"StartAt": "T", "States": {"T": task(&json!({"i.$": "$"}))}}]}}}}}});
    let mut world = World::start(&definition, &json!([1, 2, 3, 4, 5, 6]));
    let failing = [r#"{"i":1}"#, r#"{"i":2}"#, r#"{"i":3}"#, r#"{"i":5}"#];
    assert_eq!(world.run(&failing, &[]), Status::Failed);
    assert_eq!(world.most_open, 2);
    world.redrive();
    // somebody stops it while two run and the others wait for their turn
    assert_eq!(world.run(&[], &failing[..2]), Status::Running);
    assert_eq!(world.execution.open_tasks().count(), 2);
    world.record(EventKind::ExecutionAborted {
        failure: Failure::default(),
    });
    world.redrive();
    assert_eq!(world.run(&failing, &[]), Status::Failed);
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    assert_eq!(world.most_open, 2);
    assert_eq!(
        *world.output(),
        json!([[{"i": 1}], [{"i": 2}], [{"i": 3}], [{"i": 4}], [{"i": 5}], [{"i": 6}]])
    );
    world.check_replay();
}

#[test]
fn a_map_run_that_failed_or_was_stopped_is_redriven_itself() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "Label": "m", "MaxConcurrency": 3, "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "T", "States": {"T": task(&json!({"i.$": "$"}))}}}}});
    let mut world = World::start(&definition, &json!([1, 2]));
    world.run(&[], &[]);
    let run = world.open_run().expect("it began");
    let update = EventKind::MapRunUpdated {
        scope: ScopeId::ROOT,
        max_concurrency: Some(1),
        tolerated_count: None,
        tolerated_percentage: None,
    };
    world.record(update);
    world.end_run(run.0, Err(over_tolerance()));
    assert_eq!(world.run(&[], &[]), Status::Failed);
    assert_eq!(world.open_run(), None);

    world.redrive();
    assert_eq!(world.open_run(), None, "not before it says so");
    world.run(&[], &[]);
    let redriven = EventKind::MapRunRedriven {
        scope: ScopeId::ROOT,
        count: 1,
    };
    assert_eq!(world.journal.last().map(|event| &event.kind), Some(&redriven));
    assert_eq!(
        world.open_run(),
        Some((run.0, 1, 1)),
        "the same run, its bounds as they were"
    );
    world.check_replay();

    world.record(EventKind::ExecutionAborted {
        failure: Failure::default(),
    });
    world.redrive();
    world.run(&[], &[]);
    assert_eq!(world.open_run(), Some((run.0, 2, 1)));
    world.end_run(run.0, Ok(Payload::from_value(json!([1, 2]))));
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    assert_eq!(*world.output(), json!([1, 2]));
    world.check_replay();
}

#[test]
fn a_map_run_that_failed_for_good_is_begun_anew() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "T", "States": {"T": task(&json!({"i.$": "$"}))}}}}});
    for error in ["States.DataLimitExceeded", "States.Runtime"] {
        let mut world = World::start(&definition, &json!([1, 2]));
        world.run(&[], &[]);
        let (run, ..) = world.open_run().expect("it began");
        world.end_run(run, Err(Failure::new(error, "too much")));
        assert_eq!(world.run(&[], &[]), Status::Failed);
        world.redrive();
        world.run(&[], &[]);
        let (again, redrives, _) = world.open_run().expect("another began");
        assert!(again > run && redrives == 0, "{error}");
    }
    // nor does one that a catcher dealt with come back
    let mut caught = definition;
    caught["States"]["M"]["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": "F"}]);
    caught["States"]["F"] = json!({"Type": "Fail"});
    let mut world = World::start(&caught, &json!([1, 2]));
    world.run(&[], &[]);
    let (run, ..) = world.open_run().expect("it began");
    world.end_run(run, Err(over_tolerance()));
    assert_eq!(world.run(&[], &[]), Status::Failed);
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Failed);
    assert_eq!(world.entered("M"), 1);
    world.check_replay();
}

#[test]
fn a_map_run_is_redriven_a_thousand_times_and_no_more() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "T", "States": {"T": task(&json!({"i.$": "$"}))}}}}});
    let mut world = World::start(&definition, &json!([1]));
    for redrives in 0..=1_000 {
        assert_eq!(world.run(&[], &[]), Status::Running);
        assert_eq!(world.open_run().map(|run| run.1), Some(redrives));
        world.record(EventKind::ExecutionAborted {
            failure: Failure::default(),
        });
        world.redrive();
    }
    assert_eq!(world.run(&[], &[]), Status::Failed);
    assert_eq!(
        world.execution.failure().and_then(|failure| failure.error.as_deref()),
        Some("States.Runtime")
    );
}

#[test]
fn a_child_goes_on_where_it_failed_and_an_express_one_begins_again() {
    let definition = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "A", "States": {
                "A": {"Type": "Task", "Resource": "wasm:t", "Parameters": {"a.$": "$.n"}, "Assign": {"v.$": "$.a"},
                      "ResultPath": "$.a", "Next": "B"},
                "B": {"Type": "Task", "Resource": "wasm:t", "Parameters": {"b.$": "$v"}, "End": true}}}}}});
    for express in [false, true] {
        let child_of = ChildOf {
            execution: 1,
            position: 3,
            state: "M".to_owned(),
            item: 0,
            items: 1,
            round: 0,
            express,
        };
        let mut world = World::start_child(&definition, &json!({"n": 5}), Some(child_of));
        assert_eq!(world.run(&[r#"{"b":5}"#], &[]), Status::Failed);
        assert_eq!(world.execution.child_of().map(|child| child.round), Some(0));
        world.record(EventKind::ExecutionRedriven {
            count: 1,
            token: None,
            round: Some(4),
            in_turn: true,
        });
        assert_eq!(world.execution.child_of().map(|child| child.round), Some(4));
        world.runs.clear();
        assert_eq!(world.run(&[], &[]), Status::Succeeded);
        let ran_again: Vec<&str> = world.runs.keys().map(String::as_str).collect();
        match express {
            false => assert_eq!(ran_again, [r#"{"b":5}"#]),
            true => assert_eq!(ran_again, [r#"{"a":5}"#, r#"{"b":5}"#]),
        }
        assert_eq!(*world.output(), json!({"b": 5}));
        world.check_replay();
    }
}

#[test]
fn a_stopped_execution_goes_on_where_it_stood() {
    let definition = json!({"TimeoutSeconds": 100, "StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}},
            {"StartAt": "T", "States": {"T": task(&json!({"t": 1}))}},
            {"StartAt": "U", "States": {"U": task(&json!({"u": 1}))}}], "End": true}}});
    let mut world = World::start(&definition, &json!({}));
    assert_eq!(world.run(&[], &[r#"{"t":1}"#]), Status::Running);
    world.record(EventKind::ExecutionAborted {
        failure: Failure::default(),
    });
    assert_eq!(world.execution.next_wakeup(), None);
    world.now += 500_000;
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Running, "its Wait state waits again");
    assert_eq!(world.runs, ran(&[r#"{"t":1}"#]));
    world.now += 60_000;
    assert_eq!(world.run(&[], &[]), Status::Succeeded, "its time began again too");
    world.check_replay();
}

#[test]
fn what_a_catcher_or_a_retrier_dealt_with_does_not_come_back() {
    let failing = json!({"Type": "Parallel", "Branches": [
        {"StartAt": "T", "States": {"T": task(&json!({"t": 1}))}}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Q"}], "Next": "Q"});
    let definition = json!({"StartAt": "P", "States": {
        "P": failing, "Q": task(&json!({"q": 1}))}});
    let mut world = World::start(&definition, &json!({}));
    assert_eq!(world.run(&[r#"{"t":1}"#, r#"{"q":1}"#], &[]), Status::Failed);
    world.redrive();
    assert_eq!(world.run(&[], &[]), Status::Succeeded);
    assert_eq!(world.runs, ran(&[r#"{"q":1}"#]));
    world.check_replay();
}
