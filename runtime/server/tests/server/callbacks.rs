//! Tasks that are ended from outside: activities, task tokens, nested executions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::batch::Batch;
use engine::ports::{CommitLog, CommitResult, StoreError};
use serde_json::{Value, json};

use super::world::{PREFIX, World, pass, task, wait};

async fn activity(world: &World, name: &str) -> String {
    let created = world.ok("CreateActivity", json!({"name": name})).await;
    created["activityArn"].as_str().unwrap().to_owned()
}

async fn status(world: &World, arn: &str, wanted: &str) -> Value {
    world
        .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
            answer["status"] == wanted
        })
        .await
}

fn types(chain: &[String]) -> Vec<&str> {
    chain.iter().map(|event| event.split_once(' ').unwrap().1).collect()
}

#[tokio::test]
async fn a_worker_takes_a_task_and_its_token_outlives_the_server() {
    let world = World::new().await;
    let arn = activity(&world, "pack").await;
    let machine = world.machine("m", &task(&arn)).await;
    let execution = world.start(&machine, r#"{"order": 7}"#).await;
    let taken = world
        .ok("GetActivityTask", json!({"activityArn": arn, "workerName": "w"}))
        .await;
    assert_eq!(taken["input"], r#"{"order": 7}"#);
    let token = taken["taskToken"].clone();
    world.ok("SendTaskHeartbeat", json!({"taskToken": token})).await;

    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    world
        .ok("SendTaskSuccess", json!({"taskToken": token, "output": "[1, 2]"}))
        .await;
    assert_eq!(status(&world, &execution, "SUCCEEDED").await["output"], "[1, 2]");
    assert_eq!(
        types(&world.chain(&execution).await),
        [
            "\"ExecutionStarted\"",
            "\"TaskStateEntered\"",
            "\"ActivityScheduled\"",
            "\"ActivityStarted\"",
            "\"ActivitySucceeded\"",
            "\"TaskStateExited\"",
            "\"ExecutionSucceeded\""
        ]
        .map(|name| name.trim_matches('"'))
    );
    for operation in ["SendTaskSuccess", "SendTaskHeartbeat", "SendTaskFailure"] {
        let (error, message) = world
            .refused(operation, json!({"taskToken": token, "output": "1"}))
            .await;
        assert_eq!(error, "TaskTimedOut", "{operation}: {message}");
    }
}

#[tokio::test]
async fn a_task_that_waited_for_a_worker_waits_on_after_a_restart() {
    let world = World::new().await;
    let arn = activity(&world, "pack").await;
    let machine = world.machine("m", &task(&arn)).await;
    let execution = world.start(&machine, "1").await;
    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    let taken = world.ok("GetActivityTask", json!({"activityArn": arn})).await;
    let failed = json!({"taskToken": taken["taskToken"], "error": "Broken", "cause": "glass"});
    world.ok("SendTaskFailure", failed).await;
    let described = status(&world, &execution, "FAILED").await;
    assert_eq!(
        (&described["error"], &described["cause"]),
        (&json!("Broken"), &json!("glass"))
    );
}

#[tokio::test]
async fn what_is_no_token_or_no_output_is_refused() {
    let world = World::new().await;
    for token in ["nonsense", "AQAAAAAAAAABAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAAA"] {
        let refused = world
            .refused("SendTaskSuccess", json!({"taskToken": token, "output": "1"}))
            .await;
        assert_eq!(
            refused,
            ("InvalidToken".into(), "Invalid Token: 'Invalid token'".into())
        );
    }
    let refused = world
        .refused("SendTaskSuccess", json!({"taskToken": "x", "output": "not"}))
        .await;
    assert_eq!(refused.0, "InvalidOutput");
    let missing = format!("{PREFIX}activity:none");
    let refused = world.refused("GetActivityTask", json!({"activityArn": missing})).await;
    assert_eq!(
        refused,
        (
            "ActivityDoesNotExist".into(),
            format!("Activity Does Not Exist: '{missing}'")
        )
    );
    let machine = world.machine("m", &task(&missing)).await;
    let closed = world.run(machine.rsplit(':').next().unwrap(), "x", "1").await;
    let cause = closed.failure.unwrap().cause.unwrap();
    assert!(
        cause.ends_with(&format!("The activity {missing} does not exist.")),
        "{cause}"
    );
}

#[tokio::test]
async fn a_silent_worker_loses_its_task() {
    let world = World::new().await;
    let arn = activity(&world, "pack").await;
    let definition = json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": arn,
        "HeartbeatSeconds": 1, "TimeoutSeconds": 600, "End": true}}});
    world.machine("m", &definition).await;
    let handle = world.handle.clone();
    let worker = {
        let (handle, arn) = (handle.clone(), arn.clone());
        tokio::spawn(async move {
            let asked = json!({"activityArn": arn}).to_string();
            handle.call("GetActivityTask", asked.as_bytes()).await.unwrap()
        })
    };
    let closed = world.run("m", "x", "{}").await;
    assert_eq!(
        closed.failure.unwrap().error.as_deref(),
        Some("States.HeartbeatTimeout")
    );
    let taken: Value = serde_json::from_slice(&worker.await.unwrap()).unwrap();
    let late = json!({"taskToken": taken["taskToken"], "output": "1"});
    assert_eq!(world.refused("SendTaskSuccess", late).await.0, "TaskTimedOut");
}

#[tokio::test]
async fn a_function_hands_its_token_on_and_the_task_waits_for_it() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let definition = json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}}, "End": true}}});
    let machine = world.machine("m", &definition).await;
    let execution = world.start(&machine, "{}").await;
    world
        .until("GetExecutionHistory", json!({"executionArn": execution}), |answer| {
            answer["events"]
                .as_array()
                .unwrap()
                .iter()
                .any(|event| event["type"] == "TaskSubmitted")
        })
        .await;
    let token = {
        let jobs = world.runner.jobs.lock().unwrap();
        jobs[0].input.value()["token"].clone()
    };
    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    world
        .ok("SendTaskSuccess", json!({"taskToken": token, "output": "{}"}))
        .await;
    status(&world, &execution, "SUCCEEDED").await;
    assert!(
        world.runner.jobs.lock().unwrap().is_empty(),
        "the function is not called again after the restart"
    );
}

fn nested(pattern: &str, machine: &str) -> Value {
    json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": format!("arn:aws:states:::states:startExecution{pattern}"),
        "Parameters": {"StateMachineArn": machine, "Input": {"a": [1, 2]}}, "End": true}}})
}

#[tokio::test]
async fn an_execution_waits_for_the_one_it_started() {
    let world = World::new().await;
    let inner = world.machine("inner", &pass()).await;
    world.machine("text", &nested(".sync", &inner)).await;
    world.machine("json", &nested(".sync:2", &inner)).await;
    let output = |closed: server::Closed| -> Value { closed.output.unwrap().value().clone() };
    let text = output(world.run("text", "x", "{}").await);
    assert_eq!(
        (&text["Status"], &text["Output"]),
        (&json!("SUCCEEDED"), &json!(r#"{"a":[1,2]}"#))
    );
    let json = output(world.run("json", "x", "{}").await);
    assert_eq!(json["Output"], json!({"a": [1, 2]}));
    let outer = world.start(&format!("{PREFIX}stateMachine:json"), "{}").await;
    let submitted = |answer: &Value| answer["events"][4]["taskSubmittedEventDetails"].is_object();
    let history = world
        .until("GetExecutionHistory", json!({"executionArn": outer}), submitted)
        .await;
    let scheduled = &history["events"][2]["taskScheduledEventDetails"];
    assert_eq!(
        (&scheduled["resourceType"], &scheduled["resource"]),
        (&json!("states"), &json!("startExecution.sync:2")),
        "the colon is the action's"
    );

    let broken = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}});
    let broken = world.machine("broken", &broken).await;
    world.machine("outer", &nested(".sync:2", &broken)).await;
    let failure = world.run("outer", "x", "{}").await.failure.unwrap();
    assert_eq!(failure.error.as_deref(), Some("States.TaskFailed"));
    let cause: Value = serde_json::from_str(&failure.cause.unwrap()).unwrap();
    assert_eq!((&cause["Status"], &cause["Error"]), (&json!("FAILED"), &json!("E")));
}

/// A disk that fails once: with the first batch that records a request.
struct FailsOnce {
    store: store::memory::Store,
    failed: AtomicBool,
}

impl CommitLog for FailsOnce {
    fn commit(&self, batch: Arc<Batch>, done: Box<dyn FnOnce(CommitResult) + Send>) {
        let submits = |event: &asl::Event| matches!(event.kind, asl::EventKind::TaskSubmitted { .. });
        let mut events = batch.appends.iter().flat_map(|append| &append.events);
        if events.any(submits) && !self.failed.swap(true, Ordering::SeqCst) {
            done(Err(StoreError("the disk is full".into())));
            return;
        }
        self.store.commit(batch, done);
    }
}

#[tokio::test]
async fn a_named_execution_that_is_over_before_its_start_is_recorded_was_still_started_once() {
    let store = store::memory::Store::new().unwrap();
    let log = Arc::new(FailsOnce {
        store: store.clone(),
        failed: AtomicBool::new(false),
    });
    let world = World::logging(Default::default(), store, log.clone(), Default::default())
        .await
        .unwrap();
    let inner = world.machine("inner", &pass()).await;
    let mut definition = nested(".sync:2", &inner);
    definition["States"]["T"]["Parameters"]["Name.$"] = json!("$.name");
    world.machine("outer", &definition).await;
    let closed = world.run("outer", "x", r#"{"name": "one"}"#).await;
    assert!(log.failed.load(Ordering::SeqCst), "the request was made twice");
    assert!(closed.failure.is_none(), "{:?}", closed.failure);
    let listed = world.ok("ListExecutions", json!({"stateMachineArn": inner})).await;
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
    // what somebody else started is somebody else's
    let failure = world.run("outer", "y", r#"{"name": "one"}"#).await.failure.unwrap();
    assert_eq!(
        failure.error.as_deref(),
        Some("StepFunctions.ExecutionAlreadyExistsException")
    );
}

#[tokio::test]
async fn the_wait_for_a_nested_execution_goes_on_after_a_restart_and_ends_with_the_parent() {
    let world = World::new().await;
    let inner = world.machine("inner", &wait()).await;
    let outer = world.machine("outer", &nested(".sync:2", &inner)).await;
    let (first, second) = (world.start(&outer, "{}").await, world.start(&outer, "{}").await);
    let children = |answer: &Value| answer["executions"].as_array().unwrap().len() == 2;
    let listed = json!({"stateMachineArn": inner, "statusFilter": "RUNNING"});
    world.until("ListExecutions", listed.clone(), children).await;
    for parent in [&first, &second] {
        world
            .until("GetExecutionHistory", json!({"executionArn": parent}), |answer| {
                answer["events"].as_array().unwrap().len() == 5
            })
            .await;
    }
    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    let running = world.until("ListExecutions", listed.clone(), children).await;

    world.ok("StopExecution", json!({"executionArn": first})).await;
    let left = world
        .until("ListExecutions", listed.clone(), |answer| {
            answer["executions"].as_array().unwrap().len() == 1
        })
        .await;
    assert!(
        running["executions"]
            .as_array()
            .unwrap()
            .contains(&left["executions"][0])
    );
    world
        .ok(
            "StopExecution",
            json!({"executionArn": left["executions"][0]["executionArn"], "error": "E"}),
        )
        .await;
    let described = status(&world, &second, "FAILED").await;
    assert_eq!(described["error"], "States.TaskFailed");
}

#[tokio::test]
async fn a_task_calls_the_servers_own_operations() {
    let world = World::new().await;
    let definition = json!({"StartAt": "T", "States": {"T": {"Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeStateMachine",
        "Parameters": {"StateMachineArn.$": "$$.StateMachine.Id"}, "End": true}}});
    world.machine("m", &definition).await;
    let output = world.run("m", "x", "{}").await.output.unwrap();
    assert_eq!(
        (&output.value()["Name"], &output.value()["Status"]),
        (&json!("m"), &json!("ACTIVE"))
    );
}
