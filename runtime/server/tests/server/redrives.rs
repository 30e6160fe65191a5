//! RedriveExecution: what didn't succeed goes on, across restarts too.

use serde_json::{Value, json};

use super::world::{World, pass, wait};

async fn status(world: &World, arn: &str, wanted: &str) -> Value {
    world
        .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
            answer["status"] == wanted
        })
        .await
}

/// A branch that ends well beside one that waits for a worker.
fn definition(activity: &str) -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "Result": 1, "End": true}}},
        {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": activity, "End": true}}}]}}})
}

async fn take(world: &World, activity: &str) -> Value {
    let taken = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
    taken["taskToken"].clone()
}

#[tokio::test]
async fn a_failed_branch_runs_again_and_the_history_says_so() {
    let world = World::new().await;
    let activity = world.ok("CreateActivity", json!({"name": "work"})).await["activityArn"].clone();
    let activity = activity.as_str().unwrap();
    let machine = world.machine("m", &definition(activity)).await;
    let execution = world.start(&machine, "{}").await;
    let token = take(&world, activity).await;
    world
        .ok("SendTaskFailure", json!({"taskToken": token, "error": "E"}))
        .await;
    let failed = status(&world, &execution, "FAILED").await;
    assert_eq!(
        (&failed["redriveStatus"], &failed["redriveCount"]),
        (&json!("REDRIVABLE"), &json!(0))
    );

    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    let asked = json!({"executionArn": execution, "clientToken": "once"});
    let first = world.ok("RedriveExecution", asked.clone()).await;
    assert_eq!(world.ok("RedriveExecution", asked).await, first, "the same call again");
    let token = take(&world, activity).await;
    let running = status(&world, &execution, "RUNNING").await;
    assert_eq!(
        (
            &running["redriveCount"],
            &running["redriveDate"],
            running.get("stopDate")
        ),
        (&json!(1), &first["redriveDate"], None)
    );
    let (error, message) = world
        .refused("RedriveExecution", json!({"executionArn": execution}))
        .await;
    assert_eq!(error, "ExecutionNotRedrivable");
    assert_eq!(message, "Execution is RUNNING and cannot be redriven");
    world
        .ok("SendTaskSuccess", json!({"taskToken": token, "output": "2"}))
        .await;
    let done = status(&world, &execution, "SUCCEEDED").await;
    assert_eq!(done["output"], "[1,2]");
    let chain = world.chain(&execution).await;
    assert_eq!(
        chain[9..],
        [
            "10<9 TaskStateAborted",
            "11<9 ParallelStateFailed",
            "12<11 ExecutionFailed",
            "13<12 ExecutionRedriven",
            "14<13 ActivityScheduled",
            "15<14 ActivityStarted",
            "16<15 ActivitySucceeded",
            "17<16 TaskStateExited",
            "18<17 ParallelStateSucceeded",
            "19<17 ParallelStateExited",
            "20<19 ExecutionSucceeded",
        ]
    );
    let (error, _) = world
        .refused("RedriveExecution", json!({"executionArn": execution}))
        .await;
    assert_eq!(error, "ExecutionNotRedrivable", "it succeeded");
    for (filter, found) in [("REDRIVEN", 1), ("NOT_REDRIVEN", 0)] {
        let listed = json!({"stateMachineArn": machine, "redriveFilter": filter});
        let listed = world.ok("ListExecutions", listed).await;
        assert_eq!(listed["executions"].as_array().unwrap().len(), found, "{filter}");
    }
}

#[tokio::test]
async fn a_stopped_wait_waits_again() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    let execution = world.start(&machine, "{}").await;
    world.ok("StopExecution", json!({"executionArn": execution})).await;
    world.ok("RedriveExecution", json!({"executionArn": execution})).await;
    status(&world, &execution, "RUNNING").await;
    world.ok("StopExecution", json!({"executionArn": execution})).await;
    world.ok("RedriveExecution", json!({"executionArn": execution})).await;
    assert_eq!(status(&world, &execution, "RUNNING").await["redriveCount"], 2);
    let machine = world.machine("p", &pass()).await;
    let missing = machine.replace("stateMachine:", "execution:") + ":none";
    let refused = world
        .refused("RedriveExecution", json!({"executionArn": missing}))
        .await;
    assert_eq!(refused.0, "ExecutionDoesNotExist");
}
