//! What happens at the edge of what an execution may use.

use std::sync::Arc;

use asl::{Dice, Env, Event, EventKind, Execution, Limits, Payload, Status, TaskOutcome, Timestamp};
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
                    kind: EventKind::TaskStarted { scope, worker: None },
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
}
