//! A server on what an earlier one left.

use serde_json::json;

use super::world::{World, task, wait};

#[tokio::test]
async fn a_task_under_way_at_the_end_runs_again_at_the_next_start() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let machine = world.machine("m", &task("wasm:hang")).await;
    let arn = world.start(&machine, "{}").await;
    world.jobs(1).await;
    let World { server, store, .. } = world;
    server.close().await.unwrap();

    let again = World::on(store, Default::default()).await;
    again.jobs(1).await;
    assert_eq!(again.runner.release(&json!({"done": true})), 1);
    let described = again
        .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
            answer["status"] != "RUNNING"
        })
        .await;
    assert_eq!(
        (&described["status"], &described["output"]),
        (&json!("SUCCEEDED"), &json!("{\"done\":true}"))
    );
}

#[tokio::test]
async fn tasks_wait_for_their_module_to_be_compiled() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let machine = world.machine("m", &task("wasm:hang")).await;
    let (kept, stopped) = (world.start(&machine, "{}").await, world.start(&machine, "{}").await);
    world.jobs(2).await;
    let World { server, store, .. } = world;
    server.close().await.unwrap();

    let runner = std::sync::Arc::<super::world::FakeRunner>::default();
    let (compiling, compiled) = std::sync::mpsc::channel();
    *runner.compiling.lock().unwrap() = Some(compiled);
    let again = World::on(store, std::sync::Arc::clone(&runner)).await;
    // One is stopped while it waits for the compiler: it never runs.
    again.ok("StopExecution", json!({"executionArn": stopped})).await;
    assert!(
        runner.jobs.lock().unwrap().is_empty(),
        "nothing runs before its module is compiled"
    );
    drop(compiling);
    again.jobs(1).await;
    assert_eq!(runner.release(&json!(1)), 1);
    again
        .until("DescribeExecution", json!({"executionArn": kept}), |answer| {
            answer["status"] == "SUCCEEDED"
        })
        .await;
    assert_eq!(runner.jobs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn machines_names_and_page_tokens_survive_a_restart() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    for _ in 0..3 {
        world.start(&machine, "{}").await;
    }
    let page = world
        .ok("ListExecutions", json!({"stateMachineArn": machine, "maxResults": 2}))
        .await;
    let World { server, store, .. } = world;
    server.close().await.unwrap();

    let again = World::on(store, Default::default()).await;
    let asked = json!({"stateMachineArn": machine, "maxResults": 2, "nextToken": page["nextToken"]});
    assert_eq!(
        again.ok("ListExecutions", asked).await["executions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let started = again
        .ok("StartExecution", json!({"stateMachineArn": machine, "name": "after"}))
        .await;
    let stopped = again
        .ok("StopExecution", json!({"executionArn": started["executionArn"]}))
        .await;
    assert!(stopped["stopDate"].as_f64() >= started["startDate"].as_f64());
}

#[tokio::test]
async fn calls_after_the_end_are_told_so() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    let World { server, handle, .. } = world;
    server.close().await.unwrap();
    let asked = json!({"stateMachineArn": machine}).to_string();
    let error = handle
        .call("StartExecution", asked.as_bytes())
        .await
        .expect_err("the server is gone");
    assert_eq!((error.kind, error.status), ("ServiceUnavailable", 503));
}

#[tokio::test]
async fn code_that_made_room_for_other_code_is_compiled_again_when_its_module_is_called() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let machine = world.machine("m", &task("wasm:echo")).await;
    for _ in 0..2 {
        world.runner.lose_code();
        let arn = world.start(&machine, "{}").await;
        world
            .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
                answer["status"] == "SUCCEEDED"
            })
            .await;
    }
}
