//! Journals as AWS's history. Definitions are run by the language's own fold; the chains expected of them
//! were recorded from the service (`recorded`), or follow the same rules where nothing is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::definition::parse;
use asl::{
    Attempt, Dice, Env, Event, EventKind, Execution, Failure, Limits, Payload, ScopeId, StateKind, TaskOutcome,
    TimeoutKind, Timestamp,
};
use engine::ids::ExecutionId;
use serde::Deserialize;
use serde_json::{Value, json};
use server::aws::arn::Namespace;
use server::aws::history::{Events, Origin, Timeline, render};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Whether the service itself answered this chain.
    #[serde(default)]
    recorded: bool,
    definition: Value,
    #[serde(default = "empty")]
    input: Value,
    /// What a state's attempts do, in order: `ok`, `fail`, `time out`; `hang` from then on.
    #[serde(default)]
    tasks: BTreeMap<String, Vec<String>>,
    /// How its Map Runs end, in order: `ok`, `fail`; from then on they go on.
    #[serde(default)]
    map_runs: Vec<String>,
    /// How often it is redriven.
    #[serde(default)]
    redrives: u32,
    /// Stop it when nothing moves any more.
    #[serde(default)]
    stop: bool,
    /// `id<previous Type name-or-index`.
    history: Vec<String>,
}

fn empty() -> Value {
    json!({})
}

struct NoDice;

impl Dice for NoDice {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn journal(case: &Case) -> Vec<Event> {
    let (machine, diagnostics) = parse(&case.definition.to_string());
    let machine = machine.unwrap_or_else(|| panic!("{}: {diagnostics:?}", case.name));
    let mut execution = Execution::new(Arc::new(machine));
    let mut events = Vec::new();
    let mut now = Timestamp(1_700_000_000_000);
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs = 0;
    let mut next = Some(EventKind::ExecutionStarted {
        input: Payload::from_value(case.input.clone()),
        id: "id".into(),
        name: "n".into(),
        role: None,
        machine_id: "m".into(),
        machine_name: "m".into(),
        child_of: None,
        trace_parent: None,
        starter: None,
        mode: asl::Mode::Standard,
    });
    loop {
        while let Some(kind) = next.take() {
            let event = Event { at: now, kind };
            execution.apply(&event).unwrap();
            events.push(event);
            let mut env = Env {
                now,
                dice: &mut NoDice,
                outside: &asl::execution::Nothing,
                limits: Limits::default(),
            };
            next = execution.next(&mut env).map(|event| event.kind);
        }
        if execution.is_redrivable() && execution.redrive_count() < case.redrives {
            next = Some(EventKind::ExecutionRedriven {
                count: execution.redrive_count() + 1,
                token: None,
                round: None,
                in_turn: true,
            });
            continue;
        }
        if execution.status().is_closed() {
            let mut timeline = Timeline::new();
            timeline.extend(&events);
            // the language numbers states and ends a full history by the same count
            assert_eq!(
                timeline.entries().len() as u64,
                execution.history_entries(),
                "{}",
                case.name
            );
            return events;
        }
        let open = execution.open_tasks().find_map(|task| {
            let count = used.get(task.state).copied().unwrap_or(0);
            let script = case.tasks.get(task.state)?.get(count)?.clone();
            Some((
                task.scheduled_at,
                task.state.to_owned(),
                task.scope,
                task.parameters.clone(),
                script,
            ))
        });
        next = if let Some((scheduled_at, state, scope, parameters, script)) = open {
            *used.entry(state).or_default() += 1;
            let started = Event {
                at: now,
                kind: EventKind::TaskStarted {
                    scope,
                    worker: None,
                    version: None,
                },
            };
            execution.apply(&started).unwrap();
            events.push(started);
            let outcome = match &*script {
                "ok" => TaskOutcome::Succeeded(parameters),
                "fail" => TaskOutcome::Failed(Failure::new("Exception", "on purpose")),
                "time out" => TaskOutcome::TimedOut(TimeoutKind::Deadline),
                other => panic!("{}: no outcome `{other}`", case.name),
            };
            execution.task_result(scheduled_at, outcome, Attempt::default(), Limits::default())
        } else if let (Some(run), Some(script)) = (execution.open_map_runs().next(), case.map_runs.get(runs)) {
            runs += 1;
            let result = match &**script {
                "ok" => Ok(Payload::from_value(json!([]))),
                "fail" => Err(asl::execution::map_run::over_tolerance()),
                other => panic!("{}: no outcome `{other}`", case.name),
            };
            execution.map_run_result(run.position, result, Limits::default())
        } else if case.stop {
            Some(EventKind::ExecutionAborted {
                failure: Failure::default(),
            })
        } else {
            let (at, _) = execution.next_wakeup().expect("something to wait for");
            now = at;
            let mut env = Env {
                now,
                dice: &mut NoDice,
                outside: &asl::execution::Nothing,
                limits: Limits::default(),
            };
            execution.next(&mut env).map(|event| event.kind)
        };
    }
}

fn namespace() -> Namespace {
    Namespace::new("aws", "us-east-1", "000000000000")
}

fn origin(namespace: &Namespace) -> Origin<'_> {
    Origin {
        namespace,
        machine: "m",
        execution: ExecutionId(1),
    }
}

fn chain(events: Vec<Event>) -> Vec<String> {
    let mut timeline = Timeline::new();
    timeline.extend(&events);
    let events = Events::whole(events);
    (1..)
        .zip(timeline.entries())
        .map(|(id, entry)| {
            let event = serde_json::to_value(render(entry, id, &events, &origin(&namespace()), true)).unwrap();
            let details = event
                .as_object()
                .unwrap()
                .iter()
                .find(|(key, _)| key.ends_with("Details"));
            let told = details.map(
                |(_, details)| match (&details["name"], &details["index"], &details["error"]) {
                    (Value::String(name), Value::Null, _) => format!(" {name}"),
                    (_, index @ Value::Number(_), _) => format!(" {index}"),
                    (_, _, Value::String(error)) => format!(" {error}"),
                    _ => String::new(),
                },
            );
            format!(
                "{id}<{} {}{}",
                entry.previous,
                event["type"].as_str().unwrap(),
                told.unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn histories_are_chained_as_the_service_chains_them() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("histories.json")).unwrap();
    assert!(cases.iter().filter(|case| case.recorded).count() >= 8);
    let mut wrong = Vec::new();
    for case in cases {
        let got = chain(journal(&case));
        if got != case.history {
            wrong.push(format!("{}: {}", case.name, serde_json::to_string(&got).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every kind of details there is, whole.
#[test]
fn details_are_spelled_as_the_service_spells_them() {
    let scope = ScopeId::ROOT;
    let payload = |text: &str| Payload::from_text(text).unwrap();
    let entered = EventKind::StateEntered {
        scope,
        state: "S".into(),
        state_kind: StateKind::Task,
        input: payload("[1, 2]"),
    };
    let scheduled = |resource: &str| EventKind::TaskScheduled {
        scope,
        resource: resource.into(),
        parameters: payload("{}"),
        timeout_seconds: Some(5),
        heartbeat_seconds: Some(2),
        credentials: Some(payload("{\"RoleArn\": \"arn:r\"}")),
        retry_count: 0,
    };
    let kinds = vec![
        EventKind::ExecutionStarted {
            input: payload("[1, 2]"),
            id: String::new(),
            name: String::new(),
            role: Some("arn:role".into()),
            machine_id: String::new(),
            machine_name: String::new(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode: asl::Mode::Standard,
        },
        entered,
        scheduled("arn:aws:states:::lambda:invoke"),
        EventKind::TaskStarted {
            scope,
            worker: None,
            version: None,
        },
        EventKind::TaskTimedOut {
            scope,
            timeout: TimeoutKind::Heartbeat,
            attempt: Attempt::default(),
        },
        scheduled("arn:aws:lambda:us-east-1:000000000000:function:f"),
        EventKind::TaskTimedOut {
            scope,
            timeout: TimeoutKind::Deadline,
            attempt: Attempt::default(),
        },
        EventKind::StateFailed {
            scope,
            failure: Failure::new("States.QueryEvaluationError", "because"),
            location: Some("Arguments".into()),
        },
        EventKind::StateExited {
            scope,
            state: "S".into(),
            state_kind: StateKind::Task,
            output: payload("\"x\""),
            assigned: vec![asl::Assignment {
                name: "v".into(),
                value: payload("\"s\""),
            }],
            next: None,
            catcher: None,
        },
        EventKind::ExecutionFailed {
            failure: Failure::default(),
        },
    ];
    let mut timeline = Timeline::new();
    let events = kinds.into_iter().map(|kind| Event {
        at: Timestamp(1_500),
        kind,
    });
    let events: Vec<Event> = events.collect();
    timeline.extend(&events);
    let journal = Events::whole(events);
    let events: Vec<Value> = (1..)
        .zip(timeline.entries())
        .map(|(id, entry)| serde_json::to_value(render(entry, id, &journal, &origin(&namespace()), true)).unwrap())
        .collect();
    let whole = json!({"truncated": false});
    let expected = json!([
        {"timestamp": 1.5, "type": "ExecutionStarted", "id": 1, "previousEventId": 0, "executionStartedEventDetails":
            {"input": "[1, 2]", "inputDetails": whole, "roleArn": "arn:role"}},
        {"timestamp": 1.5, "type": "TaskStateEntered", "id": 2, "previousEventId": 0, "stateEnteredEventDetails":
            {"name": "S", "input": "[1, 2]", "inputDetails": whole}},
        {"timestamp": 1.5, "type": "TaskScheduled", "id": 3, "previousEventId": 2, "taskScheduledEventDetails":
            {"resource": "invoke", "resourceType": "lambda", "region": "us-east-1", "parameters": "{}",
             "timeoutInSeconds": 5, "heartbeatInSeconds": 2, "taskCredentials": {"roleArn": "arn:r"}}},
        {"timestamp": 1.5, "type": "TaskStarted", "id": 4, "previousEventId": 3, "taskStartedEventDetails":
            {"resource": "invoke", "resourceType": "lambda"}},
        {"timestamp": 1.5, "type": "TaskTimedOut", "id": 5, "previousEventId": 4, "taskTimedOutEventDetails":
            {"resource": "invoke", "resourceType": "lambda", "error": "States.HeartbeatTimeout"}},
        {"timestamp": 1.5, "type": "LambdaFunctionScheduled", "id": 6, "previousEventId": 5,
            "lambdaFunctionScheduledEventDetails":
            {"resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "input": "{}", "inputDetails": whole,
             "timeoutInSeconds": 5, "heartbeatInSeconds": 2, "taskCredentials": {"roleArn": "arn:r"}}},
        {"timestamp": 1.5, "type": "LambdaFunctionTimedOut", "id": 7, "previousEventId": 6,
            "lambdaFunctionTimedOutEventDetails": {"error": "States.Timeout"}},
        {"timestamp": 1.5, "type": "EvaluationFailed", "id": 8, "previousEventId": 7, "evaluationFailedEventDetails":
            {"error": "States.QueryEvaluationError", "cause": "because", "location": "Arguments", "state": "S"}},
        {"timestamp": 1.5, "type": "TaskStateExited", "id": 9, "previousEventId": 8, "stateExitedEventDetails":
            {"name": "S", "output": "\"x\"", "outputDetails": whole, "assignedVariables": {"v": "\"s\""},
             "assignedVariablesDetails": whole}},
        {"timestamp": 1.5, "type": "ExecutionFailed", "id": 10, "previousEventId": 9, "executionFailedEventDetails": {}}
    ]);
    assert_eq!(Value::Array(events), expected);
}

/// Twice the events may take about twice as long, not four times.
#[test]
fn folding_a_long_history_is_linear() {
    let fold = |iterations: u32| {
        let scope = ScopeId::ROOT;
        let mut kinds = vec![
            EventKind::StateEntered {
                scope,
                state: "M".into(),
                state_kind: StateKind::Map,
                input: Payload::null(),
            },
            EventKind::MapStarted {
                scope,
                items: Payload::null(),
                input: Payload::null(),
                max_concurrency: 0,
                tolerated_count: None,
                tolerated_percentage: None,
            },
        ];
        kinds.extend((0..iterations).map(|index| EventKind::IterationStarted {
            scope,
            index,
            input: Payload::null(),
        }));
        kinds.extend(
            (0..iterations)
                .rev()
                .map(|index| EventKind::IterationSucceeded { scope, index }),
        );
        let events: Vec<Event> = kinds.into_iter().map(|kind| Event { at: Timestamp(0), kind }).collect();
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            let mut timeline = Timeline::new();
            timeline.extend(&events);
            best = best.min(began.elapsed());
            assert_eq!(timeline.entries().len(), 2 * iterations as usize + 2);
        }
        best
    };
    let (short, long) = (fold(5_000), fold(40_000));
    assert!(
        long < short * 32,
        "8 times the events took {long:?} instead of {short:?}"
    );
}
