//! Express machines: synchronous and asynchronous executions, what refuses them, and what is remembered of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::http::{Listening, listen, request};
use super::world::{FakeRunner, PREFIX, ROLE, World, pass, task, wait};

/// A server that listens.
struct Served {
    handle: server::Handle,
    store: store::memory::Store,
    runner: Arc<FakeRunner>,
    listening: Listening,
}

impl Served {
    async fn new() -> Self {
        Self::of(World::new().await).await
    }

    async fn of(world: World) -> Self {
        Self {
            handle: world.handle.clone(),
            store: world.store.clone(),
            runner: Arc::clone(&world.runner),
            listening: listen(world).await,
        }
    }

    /// The same data under another server.
    async fn restarted(self) -> Self {
        self.listening.stop().await;
        Self::of(World::on(self.store, self.runner).await).await
    }

    async fn ok(&self, operation: &str, parameters: Value) -> Value {
        let answer = self.handle.call(operation, parameters.to_string().as_bytes()).await;
        serde_json::from_slice(&answer.expect("succeeds")).expect("is JSON")
    }

    async fn express(&self, name: &str, definition: &Value) -> String {
        let asked = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": "EXPRESS"});
        let created = self.ok("CreateStateMachine", asked).await;
        created["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = request(self.listening.address, "GET", path, "", b"").await;
        (answer.status, answer.json())
    }

    /// Asks until the answer is as wanted: the engine works beside the caller.
    async fn get_until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..10_000 {
            let (_, body) = self.get(path).await;
            if wanted(&body) {
                return body;
            }
        }
        panic!("{path} never answered as wanted");
    }

    async fn jobs(&self, count: usize) {
        for _ in 0..1_000_000 {
            if self.runner.jobs.lock().expect("whole").len() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{count} jobs never came");
    }
}

/// Where an execution is shown.
fn path_of(arn: &str) -> String {
    let named = arn
        .strip_prefix(&format!("{PREFIX}express:"))
        .expect("an Express execution's");
    let (machine, execution) = named.split_once(':').expect("a machine and an execution");
    format!("/v1/executions/{machine}:{execution}")
}

async fn express(world: &World, name: &str, definition: &Value) -> String {
    let asked = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    let created = world.ok("CreateStateMachine", asked).await;
    created["stateMachineArn"].as_str().expect("an ARN").to_owned()
}

#[tokio::test]
async fn a_synchronous_execution_answers_its_end_whatever_that_is() {
    let world = World::new().await;
    let good = express(&world, "good", &pass()).await;
    let asked = json!({"stateMachineArn": good, "name": "n", "input": "[1, 2]", "traceHeader": "Root=1"});
    let answer = world.ok("StartSyncExecution", asked.clone()).await;
    let arn = answer["executionArn"].as_str().expect("an ARN");
    assert!(arn.starts_with(&format!("{PREFIX}express:good:n:")), "{arn}");
    assert_eq!(
        (&answer["status"], &answer["input"], &answer["output"], &answer["name"]),
        (&json!("SUCCEEDED"), &json!("[1, 2]"), &json!("[1, 2]"), &json!("n"))
    );
    assert_eq!(answer["stateMachineArn"], good);
    assert_eq!(answer["inputDetails"], json!({"included": true}));
    assert_eq!(answer["outputDetails"], json!({"included": true}));
    assert_eq!(answer["traceHeader"], "Root=1");
    assert_eq!(
        answer["billingDetails"],
        json!({"billedDurationInMilliseconds": 100, "billedMemoryUsedInMB": 64})
    );
    let again = world.ok("StartSyncExecution", asked).await;
    assert_ne!(again["executionArn"], answer["executionArn"], "names may come again");

    let context =
        json!({"StartAt": "C", "States": {"C": {"Type": "Pass", "Parameters": {"c.$": "$$.Execution"}, "End": true}}});
    let context = express(&world, "context", &context).await;
    let answer = world
        .ok("StartSyncExecution", json!({"stateMachineArn": context}))
        .await;
    let output: Value = serde_json::from_str(answer["output"].as_str().expect("a text")).expect("is JSON");
    let fields: Vec<_> = output["c"].as_object().expect("an object").keys().collect();
    assert_eq!(
        fields,
        ["Id", "Input", "StartTime", "Name", "RoleArn"],
        "what can't be redriven has no RedriveCount"
    );

    let bad = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "No", "Cause": "because"}}});
    let bad = express(&world, "bad", &bad).await;
    let bare = json!({"stateMachineArn": bad, "includedData": "METADATA_ONLY"});
    let answer = world.ok("StartSyncExecution", bare).await;
    assert_eq!(
        (&answer["status"], &answer["error"], &answer["cause"]),
        (&json!("FAILED"), &json!("No"), &json!("because"))
    );
    assert_eq!((answer.get("input"), answer.get("output")), (None, None));
    assert_eq!(answer["inputDetails"], json!({"included": false}));

    let standard = world.machine("standard", &pass()).await;
    assert_eq!(
        world
            .refused("StartSyncExecution", json!({"stateMachineArn": standard}))
            .await,
        (
            "StateMachineTypeNotSupported".to_owned(),
            "This operation is not supported by this type of state machine".to_owned()
        )
    );
}

#[tokio::test]
async fn tasks_run_and_time_is_short() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.expect("stored");
    let machine = express(&world, "m", &task("wasm:echo")).await;
    let answer = world
        .ok(
            "StartSyncExecution",
            json!({"stateMachineArn": machine, "input": "{\"a\":1}"}),
        )
        .await;
    assert_eq!(answer["output"], "{\"a\":1}");
    let job = world.runner.jobs.lock().expect("whole")[0].clone();
    assert_eq!(*job.execution, *answer["executionArn"].as_str().expect("an ARN"));

    let hurry = json!({"StartAt": "W", "TimeoutSeconds": 1, "States": {
        "W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let machine = express(&world, "hurry", &hurry).await;
    let answer = world
        .ok("StartSyncExecution", json!({"stateMachineArn": machine}))
        .await;
    assert_eq!(answer["status"], "TIMED_OUT");
}

#[tokio::test]
async fn an_asynchronous_execution_is_started_and_shown_by_no_operation_of_aws() {
    let world = World::new().await;
    let machine = express(&world, "m", &pass()).await;
    let asked = json!({"stateMachineArn": machine, "name": "n"});
    let first = world.ok("StartExecution", asked.clone()).await;
    let arn = first["executionArn"].as_str().expect("an ARN").to_owned();
    assert!(arn.starts_with(&format!("{PREFIX}express:m:n:")), "{arn}");
    let second = world.ok("StartExecution", asked).await;
    assert_ne!(
        second["executionArn"], first["executionArn"],
        "a start is not idempotent"
    );

    let refusal = (
        "InvalidArn".to_owned(),
        "Invalid Arn: 'Resource type not valid in this context: express'".to_owned(),
    );
    for operation in [
        "DescribeExecution",
        "GetExecutionHistory",
        "StopExecution",
        "DescribeStateMachineForExecution",
    ] {
        let asked = json!({"executionArn": arn});
        assert_eq!(world.refused(operation, asked).await, refusal, "{operation}");
    }
    assert_eq!(
        world
            .refused("ListExecutions", json!({"stateMachineArn": machine}))
            .await
            .0,
        "StateMachineTypeNotSupported"
    );
}

#[tokio::test]
async fn the_latest_histories_are_remembered() {
    let world = Served::new().await;
    let machine = world.express("m", &pass()).await;
    let asked = json!({"stateMachineArn": machine, "name": "first"});
    let first = world.ok("StartSyncExecution", asked).await;
    let first = first["executionArn"].as_str().expect("an ARN");
    let asked = json!({"stateMachineArn": machine, "name": "second"});
    let second = world.ok("StartExecution", asked).await;
    let second = second["executionArn"].as_str().expect("an ARN");

    let path = path_of(second);
    let described = world.get_until(&path, |body| body["status"] == "SUCCEEDED").await;
    assert_eq!(
        (&described["name"], &described["stateMachine"], &described["arn"]),
        (&json!("second"), &json!("m"), &json!(second))
    );
    assert_eq!((&described["input"], &described["output"]), (&json!({}), &json!({})));
    let both = |listed: &Value| listed["executions"].as_array().is_some_and(|runs| runs.len() == 2);
    let listed = world.get_until("/v1/state-machines/m/executions", both).await;
    let names: Vec<_> = listed["executions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|run| run["name"].clone())
        .collect();
    assert_eq!(names, ["second", "first"]);
    let (_, listed) = world.get("/v1/state-machines/m/executions?status=FAILED").await;
    assert_eq!(listed, json!({"executions": []}));

    let (_, history) = world.get(&format!("{}/history", path_of(first))).await;
    let kinds = |history: &Value| -> Vec<String> {
        let events = history["events"].as_array().expect("events").iter();
        events
            .map(|event| format!("{} {}", event["id"], event["type"].as_str().expect("a type")))
            .collect()
    };
    assert_eq!(
        kinds(&history),
        [
            "1 ExecutionStarted",
            "2 PassStateEntered",
            "3 PassStateExited",
            "4 ExecutionSucceeded"
        ]
    );
    assert_eq!(history["complete"], true);
    let (_, rest) = world.get(&format!("{}/history?after=3", path_of(first))).await;
    assert_eq!(kinds(&rest), ["4 ExecutionSucceeded"]);
    let (_, page) = world
        .get(&format!("{}/history?limit=2&reverse=true&after=4", path_of(first)))
        .await;
    assert_eq!(
        (kinds(&page), &page["next"]),
        (
            vec!["3 PassStateExited".into(), "2 PassStateEntered".into()],
            &json!("2")
        )
    );

    // After a restart the outcome of what was asynchronous is on disk, and nothing of what was not.
    let world = world.restarted().await;
    let (_, history) = world.get(&format!("{}/history", path_of(second))).await;
    assert_eq!(kinds(&history), ["1 ExecutionStarted", "2 ExecutionSucceeded"]);
    assert_eq!(history["complete"], false);
    let (status, problem) = world.get(&path_of(first)).await;
    assert_eq!((status, &problem["code"]), (404, &json!("ExecutionDoesNotExist")));
}

#[tokio::test]
async fn plain_http_starts_and_waits() {
    let world = Served::new().await;
    world.express("m", &pass()).await;
    let started = request(
        world.listening.address,
        "POST",
        "/v1/state-machines/m/executions?name=n&wait=60",
        "",
        b"[1, 2]",
    )
    .await;
    let body = started.json();
    assert_eq!((started.status, &body["status"]), (200, &json!("SUCCEEDED")), "{body}");
    assert_eq!(body["output"], json!([1, 2]));
    let id = body["id"].as_str().expect("a name");
    assert!(id.starts_with("m:n:"), "{id}");
    assert!(
        started.head.contains(&format!("location: /v1/executions/{id}")),
        "{}",
        started.head
    );
    let (status, logs) = world.get(&format!("/v1/executions/{id}/logs")).await;
    assert_eq!((status, logs), (200, json!({"lines": []})));
    let (status, _) = world.get("/v1/executions/m:n:other/history").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_asynchronous_execution_begins_again_after_a_crash() {
    let world = Served::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.expect("stored");
    let machine = world.express("m", &task("wasm:hang")).await;
    let started = world.ok("StartExecution", json!({"stateMachineArn": machine})).await;
    let arn = started["executionArn"].as_str().expect("an ARN").to_owned();
    world.jobs(1).await;
    let world = world.restarted().await;
    world.jobs(2).await;
    {
        let jobs = world.runner.jobs.lock().expect("whole");
        assert_eq!(*jobs[1].execution, *arn, "the same execution");
        assert_ne!(
            jobs[0].task, jobs[1].task,
            "its tasks are others: they may do something else this time"
        );
    }
    assert_eq!(world.runner.release(&json!("done")), 1);
    let path = path_of(&arn);
    world.get_until(&path, |body| body["status"] == "SUCCEEDED").await;
}

#[tokio::test]
async fn versions_and_aliases_of_express_machines_run_too() {
    let world = World::new().await;
    let asked = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS", "publish": true,
    });
    let created = world.ok("CreateStateMachine", asked).await;
    let version = created["stateMachineVersionArn"].clone();
    let update = json!({"stateMachineArn": created["stateMachineArn"], "definition": wait().to_string()});
    world.ok("UpdateStateMachine", update).await;
    let answer = world
        .ok("StartSyncExecution", json!({"stateMachineArn": version}))
        .await;
    assert_eq!(
        answer["status"], "SUCCEEDED",
        "the version passes, the latest revision waits"
    );
}
