//! `loggingConfiguration`: histories as log lines.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use server::{Config, LogDestination};
use tempfile::TempDir;

use super::world::{FakeRunner, ROLE, World, task};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/vendedlogs/states/orders:*";
const FILE: &str = "%2Faws%2Fvendedlogs%2Fstates%2Forders.jsonl";

fn logging_to(directory: &Path) -> Config {
    Config {
        execution_logs: Some(LogDestination::Directory(directory.to_owned())),
        ..Config::default()
    }
}

fn logging(level: &str, data: bool) -> Value {
    json!({
        "level": level,
        "includeExecutionData": data,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}],
    })
}

async fn machine(world: &World, name: &str, kind: &str, definition: &Value, logging: &Value) -> String {
    let asked = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": kind,
        "loggingConfiguration": logging});
    let created = world.ok("CreateStateMachine", asked).await;
    created["stateMachineArn"].as_str().unwrap().to_owned()
}

/// Everything that was logged, once the server has stopped.
async fn logged(world: World, directory: &TempDir) -> Vec<Value> {
    world.server.close().await.unwrap();
    let text = std::fs::read_to_string(directory.path().join(FILE)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `id<previous Type redrives` of an execution's lines.
fn chain(lines: &[Value], execution: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_it = lines.iter().filter(|line| line["execution_arn"] == execution);
    of_it
        .map(|line| {
            let (id, previous) = (text(&line["id"]), text(&line["previous_event_id"]));
            format!(
                "{id}<{previous} {} {}",
                text(&line["type"]),
                text(&line["redrive_count"])
            )
        })
        .collect()
}

/// A history as such lines.
async fn history(world: &World, execution: &str) -> Vec<String> {
    let chain = world.chain(execution).await;
    chain.into_iter().map(|event| format!("{event} 0")).collect()
}

async fn ended(world: &World, execution: &str) {
    let asked = json!({"executionArn": execution});
    world
        .until("DescribeExecution", asked, |answer| answer["status"] != "RUNNING")
        .await;
}

fn parallel() -> Value {
    json!({"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Waits", "States": {"Waits": {"Type": "Wait", "Seconds": 3600, "End": true}}},
        {"StartAt": "Fails", "States": {"Fails": {"Type": "Fail", "Error": "E", "Cause": "c"}}},
    ]}}})
}

#[tokio::test]
async fn every_entry_of_a_history_is_a_line_with_the_same_details() {
    let directory = TempDir::new().unwrap();
    let world = World::configured(logging_to(directory.path())).await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let echo = machine(&world, "echo", "STANDARD", &task("wasm:echo"), &logging("ALL", true)).await;
    let execution = world.start(&echo, r#"{"secret": 1}"#).await;
    ended(&world, &execution).await;
    let asked = json!({"executionArn": execution});
    let events = world.ok("GetExecutionHistory", asked).await["events"].clone();
    let expected = history(&world, &execution).await;
    let lines = logged(world, &directory).await;
    assert_eq!(chain(&lines, &execution), expected);
    for (line, event) in lines.iter().zip(events.as_array().unwrap()) {
        let fields: Vec<_> = line.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "id",
                "type",
                "details",
                "redrive_count",
                "previous_event_id",
                "event_timestamp",
                "execution_arn"
            ]
        );
        let details = event
            .as_object()
            .unwrap()
            .iter()
            .find(|(key, _)| key.ends_with("Details"));
        assert_eq!(&line["details"], details.unwrap().1);
        let millis = (event["timestamp"].as_f64().unwrap() * 1000.0).round();
        assert_eq!(line["event_timestamp"], format!("{millis}"));
    }
    assert_eq!(lines[0]["details"]["input"], r#"{"secret": 1}"#);
}

#[tokio::test]
async fn levels_choose_lines_and_data_stays_away_unless_it_is_asked_for() {
    let directory = TempDir::new().unwrap();
    let world = World::configured(logging_to(directory.path())).await;
    let mut executions = Vec::new();
    for level in ["ALL", "ERROR", "FATAL", "OFF"] {
        let arn = machine(&world, level, "STANDARD", &parallel(), &logging(level, false)).await;
        let execution = world.start(&arn, r#"{"secret": 1}"#).await;
        ended(&world, &execution).await;
        executions.push((history(&world, &execution).await, execution));
    }
    let lines = logged(world, &directory).await;
    let [all, error, fatal, off] = &executions[..] else {
        panic!()
    };
    assert_eq!(chain(&lines, &all.1), all.0);
    let kinds = |execution: &str| -> Vec<String> {
        let of_it = chain(&lines, execution).into_iter();
        of_it.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(
        kinds(&error.1),
        [
            "FailStateEntered",
            "WaitStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
    assert_eq!(kinds(&fatal.1), ["ExecutionFailed"]);
    assert_eq!(kinds(&off.1), [""; 0]);
    let texts = Value::from(lines).to_string();
    assert!(!texts.contains("secret"), "{texts}");
    assert!(texts.contains(r#""cause":"c""#), "{texts}");
}

#[tokio::test]
async fn express_machines_log_what_no_history_shows() {
    let directory = TempDir::new().unwrap();
    let world = World::configured(logging_to(directory.path())).await;
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    let quiet = machine(&world, "quiet", "EXPRESS", &definition, &logging("OFF", true)).await;
    world
        .ok("PublishStateMachineVersion", json!({"stateMachineArn": quiet}))
        .await;
    let update = json!({"stateMachineArn": quiet, "loggingConfiguration": logging("ALL", true)});
    world.ok("UpdateStateMachine", update).await;
    let sync = world
        .ok("StartSyncExecution", json!({"stateMachineArn": quiet, "input": "[1]"}))
        .await;
    let sync = sync["executionArn"].as_str().unwrap();
    let asynchronous = world.start(&quiet, "[2]").await;
    let version = format!("{quiet}:1");
    let unlogged = world.start(&version, "[3]").await;
    let sync_unlogged = world
        .ok("StartSyncExecution", json!({"stateMachineArn": version}))
        .await;
    let lines = logged(world, &directory).await;
    let expected = [
        "1<0 ExecutionStarted 0",
        "2<0 PassStateEntered 0",
        "3<2 PassStateExited 0",
        "4<3 ExecutionSucceeded 0",
    ];
    assert_eq!(chain(&lines, sync), expected);
    assert_eq!(chain(&lines, &asynchronous), expected);
    assert_eq!(chain(&lines, &unlogged), [""; 0]);
    let sync_unlogged = sync_unlogged["executionArn"].as_str().unwrap();
    assert_eq!(chain(&lines, sync_unlogged), [""; 0], "by the version's configuration");
    let last = lines.iter().rfind(|line| line["execution_arn"] == sync).unwrap();
    assert_eq!(
        last["details"],
        json!({"output": "[1]", "outputDetails": {"truncated": false}})
    );
}

#[tokio::test]
async fn lines_go_on_after_a_restart_and_a_redrive() {
    let directory = TempDir::new().unwrap();
    let world = World::configured(logging_to(directory.path())).await;
    let activity = world.ok("CreateActivity", json!({"name": "work"})).await["activityArn"].clone();
    let definition = json!({"StartAt": "First", "States": {
    "First": {"Type": "Pass", "Next": "Both"},
    "Both": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "End": true}}},
        {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": activity, "End": true}}},
    ]}}});
    let arn = machine(&world, "m", "STANDARD", &definition, &logging("ALL", false)).await;
    let execution = world.start(&arn, "{}").await;
    let taken = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
    let store = world.store.clone();
    assert!(!logged(world, &directory).await.is_empty());

    let again = |store| World::open(logging_to(directory.path()), store, Arc::new(FakeRunner::default()));
    let world = again(store).await.unwrap();
    let failure = json!({"taskToken": taken["taskToken"], "error": "E"});
    world.ok("SendTaskFailure", failure).await;
    ended(&world, &execution).await;
    let store = world.store.clone();
    assert!(!logged(world, &directory).await.is_empty());

    let world = again(store).await.unwrap();
    world.ok("RedriveExecution", json!({"executionArn": execution})).await;
    let taken = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
    let success = json!({"taskToken": taken["taskToken"], "output": "1"});
    world.ok("SendTaskSuccess", success).await;
    ended(&world, &execution).await;
    let expected = world.chain(&execution).await;
    let lines = logged(world, &directory).await;
    let (mut redrives, mut with_redrives) = (0, Vec::new());
    for event in expected {
        redrives += u32::from(event.ends_with("ExecutionRedriven"));
        with_redrives.push(format!("{event} {redrives}"));
    }
    assert_eq!(redrives, 1);
    assert_eq!(chain(&lines, &execution), with_redrives);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_said_at_the_start() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = World::try_configured(logging_to(&file.join("logs")))
        .await
        .err()
        .unwrap();
    assert!(
        refused
            .to_string()
            .starts_with("making the directory for execution logs: ")
    );
}
