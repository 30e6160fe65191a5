//! What happens at the edge of what an execution may use.

use std::sync::Arc;

use asl::{Dice, Env, Event, EventKind, Execution, Limits, Mode, Payload, Status, TaskOutcome, Timestamp};
use serde_json::json;

struct NoDice;

impl Dice for NoDice {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Runs to the end; tasks return `result` at once.
fn run(definition: serde_json::Value, result: &Payload, limits: Limits) -> Execution {
    let (machine, diagnostics) = asl::definition::parse(&definition.to_string());
    let mut execution = Execution::new(Arc::new(machine.unwrap_or_else(|| panic!("{diagnostics:?}"))));
    let at = Timestamp(0);
    let started = EventKind::ExecutionStarted {
        input: Payload::empty_object(),
        id: String::new(),
        name: String::new(),
        role: None,
        machine_id: String::new(),
        machine_name: String::new(),
        child_of: None,
        trace_parent: None,
        starter: None,
        mode: asl::Mode::Standard,
    };
    execution.apply(&Event { at, kind: started }).expect("fits");
    while execution.status() == Status::Running {
        let event = execution.next(&mut Env {
            now: at,
            dice: &mut NoDice,
            outside: &asl::execution::Nothing,
            limits,
        });
        let event = event.unwrap_or_else(|| {
            let task = execution.open_tasks().next().expect("nothing else waits");
            let (scheduled_at, scope) = (task.scheduled_at, task.scope);
            execution
                .apply(&Event {
                    at,
                    kind: EventKind::TaskStarted {
                        scope,
                        worker: None,
                        version: None,
                    },
                })
                .expect("fits");
            let outcome = TaskOutcome::Succeeded(result.clone());
            let kind = execution.task_result(scheduled_at, outcome, Default::default(), limits);
            kind.map(|kind| Event { at, kind })
                .or_else(|| {
                    execution.next(&mut Env {
                        now: at,
                        dice: &mut NoDice,
                        outside: &asl::execution::Nothing,
                        limits,
                    })
                })
                .expect("a full history ends the execution")
        });
        execution.apply(&event).expect("fits");
    }
    execution
}

#[test]
fn the_last_entry_of_a_full_history_ends_the_execution() {
    let loops = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "wasm:a", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "S"}], "Default": "A"},
        "S": {"Type": "Succeed"},
    }});
    for history_entries in 3..40 {
        let limits = Limits {
            history_entries,
            ..Limits::default()
        };
        let execution = run(loops.clone(), &Payload::empty_object(), limits);
        assert_eq!(execution.status(), Status::Failed);
        assert_eq!(execution.history_entries(), history_entries);
        let cause = execution
            .failure()
            .and_then(|failure| failure.cause.clone())
            .unwrap_or_default();
        assert_eq!(
            cause,
            format!("The execution reached the maximum number of history events ({history_entries}).")
        );
    }
}

#[test]
fn an_execution_may_end_well_with_the_last_entry() {
    let short = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}});
    let limits = Limits {
        history_entries: 4,
        ..Limits::default()
    };
    assert_eq!(run(short, &Payload::null(), limits).status(), Status::Succeeded);
}

#[test]
fn a_result_over_the_limit_is_a_failure_of_the_task() {
    let one = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "wasm:a", "End": true}}});
    let exactly = Payload::from_value(json!("x".repeat(262_142)));
    assert_eq!(
        run(one.clone(), &exactly, Limits::default()).status(),
        Status::Succeeded
    );
    let over = Payload::from_value(json!("x".repeat(262_143)));
    let execution = run(one.clone(), &over, Limits::default());
    let failure = execution.failure().expect("failed");
    assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
    assert_eq!(
        failure.cause.as_deref(),
        Some(
            "The state/task 'wasm:a' returned a result with a size exceeding the maximum number of bytes service limit."
        )
    );
    assert_eq!(run(one, &over, Limits::OFF).status(), Status::Succeeded);

    let service = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}}});
    let execution = run(service, &over, Limits::default());
    let cause = execution.failure().and_then(|failure| failure.cause.as_deref());
    assert!(
        cause.is_some_and(|cause| cause.starts_with("The state/task 'aws-sdk:s3' returned")),
        "{cause:?}"
    );
}

/// A Pass state for each of `sizes`, assigning one variable of so many bytes; or all in one Assign.
fn assigning(sizes: &[usize], at_once: bool) -> serde_json::Value {
    let value = |size: &usize| json!("v".repeat(size - 2));
    let mut states = serde_json::Map::new();
    if at_once {
        let assign: serde_json::Map<_, _> = (0..)
            .zip(sizes)
            .map(|(index, size): (i32, _)| (format!("v{index}"), value(size)))
            .collect();
        states.insert("S0".into(), json!({"Type": "Pass", "Assign": assign, "End": true}));
    } else {
        for (index, size) in sizes.iter().enumerate() {
            let name = format!("v{index}");
            states.insert(
                format!("S{index}"),
                json!({"Type": "Pass", "Assign": {name: value(size)}, "Next": format!("S{}", index + 1)}),
            );
        }
        states.insert(format!("S{}", sizes.len()), json!({"Type": "Succeed"}));
    }
    json!({"StartAt": "S0", "States": states})
}

#[test]
fn variables_have_three_limits() {
    let limits = Limits {
        variable_bytes: 100,
        assign_bytes: 150,
        stored_variable_bytes: 400,
        ..Limits::default()
    };
    let fails = |sizes: &[usize], at_once| {
        let execution = run(assigning(sizes, at_once), &Payload::null(), limits);
        let failure = execution.failure().cloned().unwrap_or_default();
        assert_eq!(execution.status() == Status::Failed, failure.error.is_some());
        assert!(failure.error.is_none_or(|error| error == "States.DataLimitExceeded"));
        failure.cause
    };
    assert_eq!(fails(&[100], false), None);
    assert_eq!(
        fails(&[101], false).as_deref(),
        Some(
            "The state/task 'S0' assigned a variable with a size exceeding the maximum number of bytes service limit."
        )
    );
    assert_eq!(fails(&[75, 75], true), None);
    assert!(fails(&[75, 76], true).is_some_and(|cause| cause.contains("a combined size")));
    assert_eq!(fails(&[100, 100, 100, 100], false), None);
    assert!(fails(&[100, 100, 100, 100, 3], false).is_some_and(|cause| cause.contains("'S4'")));
}

#[test]
fn variables_that_are_replaced_or_out_of_scope_do_not_count() {
    let value = "v".repeat(98);
    let replaced = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": value}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": value}, "Next": "M"},
        "M": {"Type": "Map", "MaxConcurrency": 1, "ItemsPath": "$.items", "Next": "P", "ResultPath": null, "ItemProcessor": {
            "StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"y": value}, "Result": {}, "End": true}}}},
        "P": {"Type": "Parallel", "Next": "L", "Branches": [{
            "StartAt": "F", "States": {"F": {"Type": "Pass", "Assign": {"z": value}, "Next": "G"}, "G": {"Type": "Fail"}}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "L"}]},
        "L": {"Type": "Pass", "Assign": {"w": value}, "End": true},
    }});
    let mut machine = replaced;
    machine["States"]["A"]["Result"] = json!({"items": [1, 2, 3, 4]});
    let room_for = |variables: usize| Limits {
        stored_variable_bytes: variables * 100,
        ..Limits::default()
    };
    assert_eq!(
        run(machine.clone(), &Payload::null(), room_for(2)).status(),
        Status::Succeeded
    );
    assert_eq!(run(machine, &Payload::null(), room_for(1)).status(), Status::Failed);
}

#[test]
fn what_states_hand_to_their_branches_and_items_is_limited_too() {
    let limits = Limits {
        payload_bytes: 100,
        ..Limits::default()
    };
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let long = "v".repeat(100);
    for state in [
        json!({"Type": "Parallel", "End": true, "Parameters": {"a": long}, "Branches": [inner]}),
        json!({"Type": "Map", "End": true, "QueryLanguage": "JSONata", "Items": [long], "ItemProcessor": inner}),
        json!({"Type": "Map", "End": true, "QueryLanguage": "JSONata", "Items": [1], "ItemSelector": {"a": long}, "ItemProcessor": inner}),
    ] {
        let machine = json!({"StartAt": "S", "States": {"S": state}});
        let execution = run(machine.clone(), &Payload::null(), limits);
        let failure = execution.failure().cloned().unwrap_or_default();
        assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"), "{machine}");
        assert_eq!(
            run(machine, &Payload::null(), Limits::default()).status(),
            Status::Succeeded
        );
    }
}

#[test]
fn definitions_are_read_within_limits() {
    let name = "n".repeat(81);
    let text = json!({"StartAt": name, "States": {name.clone(): {"Type": "Succeed"}}}).to_string();
    let findings = |limits: &Limits| {
        let (_, diagnostics) = asl::definition::parse_within(&text, limits);
        diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(findings(&Limits::default())[0].starts_with("INVALID_STATE_NAME: State name is longer than 80 characters"));
    assert!(findings(&Limits::OFF).is_empty());
    let short = Limits {
        definition_characters: 20,
        ..Limits::OFF
    };
    assert_eq!(
        findings(&short),
        ["SCHEMA_VALIDATION_FAILED: The definition is longer than 20 characters at /"]
    );
}

#[test]
fn an_express_execution_has_the_shorter_of_its_two_times() {
    let wait = |timeout: Option<u64>| {
        let mut definition = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1000, "End": true}}});
        if let Some(seconds) = timeout {
            definition["TimeoutSeconds"] = json!(seconds);
        }
        definition
    };
    let express = Mode::Express { seconds: 300 };
    for (timeout, mode, expected) in [
        (None, Mode::Standard, None),
        (Some(500), Mode::Standard, Some(500)),
        (None, express, Some(300)),
        (Some(500), express, Some(300)),
        (Some(20), Mode::Synchronous { seconds: 300 }, Some(20)),
    ] {
        let (machine, _) = asl::definition::parse(&wait(timeout).to_string());
        let mut execution = Execution::new(Arc::new(machine.expect("valid")));
        let at = Timestamp(0);
        let started = EventKind::ExecutionStarted {
            input: Payload::empty_object(),
            id: String::new(),
            name: String::new(),
            role: None,
            machine_id: String::new(),
            machine_name: String::new(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode,
        };
        execution.apply(&Event { at, kind: started }).expect("fits");
        let mut next = |now: i64| {
            let mut env = Env {
                now: Timestamp(now),
                dice: &mut NoDice,
                outside: &asl::execution::Nothing,
                limits: Limits::default(),
            };
            while let Some(event) = execution.next(&mut env) {
                execution.apply(&event).expect("fits");
            }
            (execution.status(), execution.next_wakeup().map(|(at, _)| at.0 / 1000))
        };
        let deadline = expected.unwrap_or(1000);
        assert_eq!(next(0), (Status::Running, Some(deadline)), "{timeout:?} {mode:?}");
        let ended = if expected.is_some() {
            Status::TimedOut
        } else {
            Status::Succeeded
        };
        assert_eq!(next(deadline * 1000).0, ended, "{timeout:?} {mode:?}");
    }
}
