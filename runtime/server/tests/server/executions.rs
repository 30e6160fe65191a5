//! Executions: start, describe, list, stop, history.

use asl::Status;
use serde_json::{Value, json};

use super::world::{PREFIX, World, pass, task, wait};

#[tokio::test]
async fn an_execution_runs_its_task_and_is_described() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    world.machine("m", &task("wasm:echo")).await;
    let closed = world.run("m", "one", "{\"a\":  1}").await;
    assert_eq!(
        (closed.status, closed.output.unwrap().text()),
        (Status::Succeeded, "{\"a\":  1}")
    );

    let arn = format!("{PREFIX}execution:m:one");
    let described = world.ok("DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(
        (&described["input"], &described["output"]),
        (&json!("{\"a\":  1}"), &json!("{\"a\":  1}"))
    );
    assert_eq!(described["inputDetails"], json!({"included": true}));
    assert_eq!(described["stateMachineArn"], format!("{PREFIX}stateMachine:m"));
    assert_eq!(
        (&described["status"], &described["redriveCount"]),
        (&json!("SUCCEEDED"), &json!(0))
    );
    assert_eq!(described["redriveStatus"], "NOT_REDRIVABLE");
    assert_eq!(
        described["redriveStatusReason"],
        "Execution is SUCCEEDED and cannot be redriven"
    );
    assert!(described["stopDate"].as_f64() >= described["startDate"].as_f64());

    let bare = world
        .ok(
            "DescribeExecution",
            json!({"executionArn": arn, "includedData": "METADATA_ONLY"}),
        )
        .await;
    assert!(bare.get("input").is_none() && bare.get("output").is_none(), "{bare}");
    let machine = world
        .ok("DescribeStateMachineForExecution", json!({"executionArn": arn}))
        .await;
    assert_eq!(
        (&machine["name"], &machine["definition"]),
        (&json!("m"), &json!(task("wasm:echo").to_string()))
    );
}

#[tokio::test]
async fn history_shows_what_a_task_cost() {
    let world = World::new().await;
    let module = world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    world.machine("m", &task("wasm:echo@1")).await;
    world.run("m", "one", "{}").await;
    let arn = format!("{PREFIX}execution:m:one");
    assert_eq!(
        world.chain(&arn).await,
        [
            "1<0 ExecutionStarted",
            "2<0 TaskStateEntered",
            "3<2 TaskScheduled",
            "4<3 TaskStarted",
            "5<4 TaskSucceeded",
            "6<5 TaskStateExited",
            "7<6 ExecutionSucceeded"
        ]
    );
    let history = world.ok("GetExecutionHistory", json!({"executionArn": arn})).await;
    assert_eq!(
        history["events"][2]["taskScheduledEventDetails"],
        json!({"parameters": "{}", "region": "us-east-1", "resource": "echo@1", "resourceType": "wasm"})
    );
    assert_eq!(
        history["events"][4]["taskSucceededEventDetails"],
        json!({"output": "{}", "outputDetails": {"truncated": false}, "resource": "echo@1", "resourceType": "wasm",
            "sandstep": {"module": module.digest.0, "version": 1, "fuel": 42, "durationMicros": 7}})
    );
    let bare = world
        .ok(
            "GetExecutionHistory",
            json!({"executionArn": arn, "includeExecutionData": false}),
        )
        .await;
    assert_eq!(bare["events"][1]["stateEnteredEventDetails"], json!({"name": "T"}));
}

#[tokio::test]
async fn functions_show_as_lambdas_and_their_failures_too() {
    let world = World::new().await;
    world.handle.upload("bad", b"fail".to_vec()).await.unwrap();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:bad";
    world.machine("m", &task(function)).await;
    let closed = world.run("m", "one", "{}").await;
    assert_eq!(closed.failure.unwrap().error.as_deref(), Some("Refused"));
    let arn = format!("{PREFIX}execution:m:one");
    let history = world.ok("GetExecutionHistory", json!({"executionArn": arn})).await;
    let scheduled = &history["events"][2];
    assert_eq!(scheduled["type"], "LambdaFunctionScheduled");
    assert_eq!(
        scheduled["lambdaFunctionScheduledEventDetails"],
        json!({"input": "{}", "inputDetails": {"truncated": false}, "resource": function})
    );
    assert_eq!(
        history["events"][3].as_object().unwrap().len(),
        4,
        "LambdaFunctionStarted has no details"
    );
    let failed = &history["events"][4]["lambdaFunctionFailedEventDetails"];
    assert_eq!(
        (&failed["error"], &failed["cause"]),
        (&json!("Refused"), &json!("on purpose"))
    );
    let last = &history["events"][5];
    assert_eq!(
        last["executionFailedEventDetails"],
        json!({"error": "Refused", "cause": "on purpose"})
    );
    let described = world.ok("DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(
        (&described["status"], &described["redriveStatus"]),
        (&json!("FAILED"), &json!("REDRIVABLE"))
    );
    assert!(described.get("redriveStatusReason").is_none());
}

#[tokio::test]
async fn a_missing_module_fails_its_task_and_says_how_to_upload() {
    let world = World::new().await;
    world.machine("native", &task("wasm:gone")).await;
    let failure = world.run("native", "one", "{}").await.failure.unwrap();
    assert_eq!(failure.error.as_deref(), Some("Sandbox.ModuleNotFound"));
    assert!(failure.cause.unwrap().contains("sandstep modules push gone"));
    world
        .machine("function", &task("arn:aws:lambda:us-east-1:000000000000:function:gone"))
        .await;
    let failure = world.run("function", "one", "{}").await.failure.unwrap();
    assert_eq!(failure.error.as_deref(), Some("Lambda.ResourceNotFoundException"));
    world.handle.upload("gone", b"echo".to_vec()).await.unwrap();
    assert_eq!(world.run("native", "two", "{}").await.status, Status::Succeeded);
    world.machine("versioned", &task("wasm:gone@2")).await;
    let failure = world.run("versioned", "one", "{}").await.failure.unwrap();
    assert!(failure.cause.unwrap().contains("its newest is 1"));
}

#[tokio::test]
async fn starting_twice_under_one_name_is_one_execution() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    let asked = |input: &str| json!({"stateMachineArn": machine, "name": "n", "input": input});
    let first = world.ok("StartExecution", asked("{}")).await;
    assert_eq!(
        world.ok("StartExecution", asked("{}")).await,
        first,
        "equal and running: the same answer"
    );
    let (error, message) = world.refused("StartExecution", asked("[]")).await;
    assert_eq!(error, "ExecutionAlreadyExists");
    assert_eq!(message, format!("Execution Already Exists: '{PREFIX}execution:m:n'"));
    world
        .ok("StopExecution", json!({"executionArn": first["executionArn"]}))
        .await;
    assert_eq!(
        world.refused("StartExecution", asked("{}")).await.0,
        "ExecutionAlreadyExists",
        "closed"
    );
}

#[tokio::test]
async fn stopping_records_the_reason_and_cancels_the_task() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let machine = world.machine("m", &task("wasm:hang")).await;
    let arn = world.start(&machine, "{}").await;
    world.jobs(1).await;
    let stop = json!({"executionArn": arn, "error": "Enough", "cause": "of this"});
    let stopped = world.ok("StopExecution", stop.clone()).await;
    assert_eq!(
        world.ok("StopExecution", stop).await,
        stopped,
        "one that is over answers its stop date"
    );
    let described = world.ok("DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(
        (&described["status"], &described["error"]),
        (&json!("ABORTED"), &json!("Enough"))
    );
    assert_eq!(described["stopDate"], stopped["stopDate"]);
    let chain = world.chain(&arn).await;
    assert!(chain.last().unwrap().ends_with("<0 ExecutionAborted"), "{chain:?}");
    world.cancelled(1).await;
}

#[tokio::test]
async fn executions_are_listed_by_status_in_pages() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    for _ in 0..3 {
        let arn = world.start(&machine, "{}").await;
        world.ok("StopExecution", json!({"executionArn": arn})).await;
    }
    let running = world.start(&machine, "{}").await;
    let list = |more: Value| {
        let mut asked = json!({"stateMachineArn": machine});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.ok("ListExecutions", asked)
    };
    let found = list(json!({"statusFilter": "RUNNING"})).await;
    assert_eq!(
        (
            found["executions"].as_array().unwrap().len(),
            &found["executions"][0]["executionArn"]
        ),
        (1, &json!(running))
    );
    let first = list(json!({"statusFilter": "ABORTED", "maxResults": 2})).await;
    assert_eq!(first["executions"].as_array().unwrap().len(), 2);
    let token = first["nextToken"].as_str().unwrap();
    let second = list(json!({"statusFilter": "ABORTED", "maxResults": 2, "nextToken": token})).await;
    assert_eq!(
        (second["executions"].as_array().unwrap().len(), second.get("nextToken")),
        (1, None)
    );
    let misused = json!({"stateMachineArn": machine, "nextToken": token});
    assert_eq!(world.refused("ListExecutions", misused).await.0, "InvalidToken");
    assert_eq!(
        list(json!({"redriveFilter": "REDRIVEN"})).await["executions"],
        json!([])
    );
}

#[tokio::test]
async fn history_pages_join_up_in_both_directions() {
    let world = World::new().await;
    let chain: serde_json::Map<String, Value> = (0..40)
        .map(|index| {
            let next = if index == 39 {
                json!({"Type": "Pass", "End": true})
            } else {
                json!({"Type": "Pass", "Next": format!("S{}", index + 1)})
            };
            (format!("S{index}"), next)
        })
        .collect();
    world.machine("m", &json!({"StartAt": "S0", "States": chain})).await;
    world.run("m", "one", "{}").await;
    let arn = format!("{PREFIX}execution:m:one");
    let mut whole = Vec::new();
    for reverse in [false, true] {
        let (mut ids, mut token) = (Vec::new(), json!(null));
        loop {
            let asked = json!({"executionArn": arn, "maxResults": 7, "reverseOrder": reverse, "nextToken": token});
            let page = world.ok("GetExecutionHistory", asked).await;
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 7);
            ids.extend(events.iter().map(|event| event["id"].as_u64().unwrap()));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        if reverse {
            ids.reverse();
        }
        assert_eq!(ids, (1..=82).collect::<Vec<u64>>());
        whole.push(ids);
    }
    let other = world
        .ok("GetExecutionHistory", json!({"executionArn": arn, "maxResults": 7}))
        .await;
    let misused = json!({"executionArn": arn, "reverseOrder": true, "nextToken": other["nextToken"]});
    assert_eq!(world.refused("GetExecutionHistory", misused).await.0, "InvalidToken");
}

#[tokio::test]
async fn executions_of_a_deleted_machine_stay_readable_as_long_as_the_store_knows_it() {
    let world = World::new().await;
    let machine = world.machine("m", &pass()).await;
    world.run("m", "one", "[1, 2]").await;
    world
        .ok("DeleteStateMachine", json!({"stateMachineArn": machine}))
        .await;
    let arn = format!("{PREFIX}execution:m:one");
    let described = world.ok("DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(described["output"], "[1, 2]");
    assert_eq!(
        world
            .refused("StartExecution", json!({"stateMachineArn": machine}))
            .await
            .0,
        "StateMachineDoesNotExist"
    );
    world.machine("m", &wait()).await;
    assert_eq!(
        world.ok("DescribeExecution", json!({"executionArn": arn})).await["status"],
        "SUCCEEDED"
    );
}
