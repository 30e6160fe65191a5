//! Modules named by a task's parameters.

use asl::Status;
use engine::ports::TaskLimits;
use serde_json::{Value, json};

use super::world::World;

fn machine(resource: &str, parameters: Value) -> Value {
    json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": format!("arn:aws:states:::wasm:{resource}"), "Parameters": parameters, "End": true}}})
}

#[tokio::test]
async fn a_state_names_its_module_its_payload_and_its_limits() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let parameters = json!({"Module.$": "$.module", "Payload": {"n.$": "$.n"}, "Limits": {"Fuel": 5, "Memory": 65536}});
    world.machine("m", &machine("invoke", parameters)).await;
    let closed = world.run("m", "one", r#"{"module": "echo@1", "n": 7}"#).await;
    assert_eq!(closed.output.unwrap().text(), r#"{"n":7}"#);
    assert_eq!(
        world.runner.jobs.lock().unwrap()[0].limits,
        TaskLimits {
            fuel: 5,
            memory: 65_536,
            ..TaskLimits::default()
        }
    );
    let missing = world.run("m", "two", r#"{"module": "nothing", "n": 7}"#).await;
    assert_eq!(
        missing.failure.unwrap().error.as_deref(),
        Some("Sandbox.ModuleNotFound")
    );
}

#[tokio::test]
async fn histories_show_the_integration() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let machine = world.machine("m", &machine("invoke", json!({"Module": "echo"}))).await;
    let execution = world.start(&machine, "{}").await;
    let over = |answer: &Value| answer["status"] != "RUNNING";
    world
        .until("DescribeExecution", json!({"executionArn": execution}), over)
        .await;
    let history = world
        .ok("GetExecutionHistory", json!({"executionArn": execution}))
        .await;
    let events = history["events"].as_array().unwrap();
    let scheduled = events.iter().find(|event| event["type"] == "TaskScheduled").unwrap();
    let details = &scheduled["taskScheduledEventDetails"];
    assert_eq!(
        (&details["resourceType"], &details["resource"]),
        (&json!("wasm"), &json!("invoke"))
    );
}

#[tokio::test]
async fn a_module_hands_its_token_on_and_the_task_waits_for_it() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let parameters = json!({"Module": "echo", "Payload": {"token.$": "$$.Task.Token"}});
    world
        .machine("m", &machine("invoke.waitForTaskToken", parameters))
        .await;
    let started = world
        .handle
        .start("m", "e".into(), asl::Payload::empty_object(), true)
        .await
        .unwrap();
    let submitted = |answer: &Value| {
        let events = answer["events"].as_array().unwrap();
        events.iter().any(|event| event["type"] == "TaskSubmitted")
    };
    world
        .until("GetExecutionHistory", json!({"executionArn": started.arn}), submitted)
        .await;
    let token = world.runner.jobs.lock().unwrap()[0].input.value()["token"].clone();
    world
        .ok("SendTaskSuccess", json!({"taskToken": token, "output": "[1]"}))
        .await;
    let closed = started.closed().await.unwrap();
    assert_eq!(
        (closed.status, closed.output.unwrap().text()),
        (Status::Succeeded, "[1]")
    );
}

#[tokio::test]
async fn functions_are_named_in_resources_and_in_parameters() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let parameters = json!({"Module": "echo", "Function": "acme:shop/pricing.quote"});
    world.machine("m", &machine("invoke", parameters)).await;
    world.machine("n", &super::world::task("wasm:echo@1#quote")).await;
    for name in ["m", "n"] {
        let closed = world.run(name, "e", "{}").await;
        assert_eq!(closed.status, Status::Succeeded);
    }
    let jobs = world.runner.jobs.lock().unwrap();
    let functions: Vec<_> = jobs.iter().map(|job| job.function.as_deref()).collect();
    assert_eq!(functions, [Some("acme:shop/pricing.quote"), Some("quote")]);
}
