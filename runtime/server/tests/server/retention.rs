//! Executions after their retention.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use server::{Config, Handle};

use super::http::{Listening, listen, request};
use super::world::{ROLE, World, pass, wait};

/// Retention counts in milliseconds: waits for the next one.
async fn a_millisecond() {
    let millis = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = millis();
    while millis() == now {
        tokio::task::yield_now().await;
    }
}

/// A server that keeps closed executions for so long.
struct Kept {
    handle: Handle,
    listening: Listening,
}

impl Kept {
    async fn keeping(retention: Option<Duration>) -> Self {
        let world = World::configured(Config {
            retention,
            ..Config::default()
        })
        .await;
        Self {
            handle: world.handle.clone(),
            listening: listen(world).await,
        }
    }

    /// What an operation answers, or the name of its error.
    async fn ask(&self, operation: &str, parameters: Value) -> Result<Value, String> {
        match self.handle.call(operation, parameters.to_string().as_bytes()).await {
            Ok(body) => Ok(serde_json::from_slice(&body).unwrap()),
            Err(error) => Err(error.kind.to_owned()),
        }
    }

    async fn machine(&self, name: &str, definition: &Value) -> String {
        let new = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
        let created = self.ask("CreateStateMachine", new).await.unwrap();
        created["stateMachineArn"].as_str().unwrap().to_owned()
    }

    async fn start(&self, machine: &str, name: &str) -> String {
        let started = self
            .ask("StartExecution", json!({"stateMachineArn": machine, "name": name}))
            .await;
        started.unwrap()["executionArn"].as_str().unwrap().to_owned()
    }

    /// Starts an execution of a machine that ends at once, and waits for that.
    async fn run(&self, machine: &str, name: &str) -> String {
        let machine_name = machine.rsplit(':').next().unwrap();
        let input = asl::Payload::from_text("{}".to_owned()).unwrap();
        let started = self
            .handle
            .start(machine_name, name.to_owned(), input, true)
            .await
            .unwrap();
        let arn = started.arn.clone();
        started.closed().await.unwrap();
        a_millisecond().await;
        arn
    }

    async fn collect(&self, method: &str) -> Value {
        let answer = request(self.listening.address, method, "/v1/gc", "", b"").await;
        assert_eq!(answer.status, 200);
        answer.json()
    }
}

#[tokio::test]
async fn what_closed_before_goes_with_its_name_and_what_runs_stays() {
    let world = Kept::keeping(Some(Duration::ZERO)).await;
    let machine = world.machine("m", &pass()).await;
    let waiting = world.machine("waiting", &wait()).await;
    let closed = world.run(&machine, "a").await;
    let running = world.start(&waiting, "b").await;
    let asked = json!({"executionArn": closed});
    let taken = json!({"stateMachineArn": machine, "name": "a", "input": "[1]"});
    assert_eq!(
        world.ask("StartExecution", taken.clone()).await,
        Err("ExecutionAlreadyExists".into())
    );
    assert_eq!(
        world.ask("RedriveExecution", asked.clone()).await,
        Err("ExecutionNotRedrivable".into()),
        "it leaves at any moment"
    );

    let counted = world.collect("GET").await;
    assert_eq!(
        (&counted["executions"], &counted["retentionDays"]),
        (&json!(1), &json!(0))
    );
    world.ask("DescribeExecution", asked.clone()).await.unwrap();
    let collected = world.collect("POST").await;
    assert_eq!(
        (&collected["executions"], &collected["done"]),
        (&json!(1), &json!(true))
    );
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution"] {
        assert_eq!(
            world.ask(operation, asked.clone()).await,
            Err("ExecutionDoesNotExist".into()),
            "{operation}"
        );
    }
    let listed = world
        .ask("ListExecutions", json!({"stateMachineArn": machine}))
        .await
        .unwrap();
    assert_eq!(listed["executions"], json!([]));
    let described = world
        .ask("DescribeExecution", json!({"executionArn": running}))
        .await
        .unwrap();
    assert_eq!(described["status"], "RUNNING");
    world.ask("StartExecution", taken).await.unwrap();
}

#[tokio::test]
async fn what_is_kept_for_ever_is_kept() {
    let world = Kept::keeping(None).await;
    let machine = world.machine("m", &pass()).await;
    let closed = world.run(&machine, "a").await;
    let asked = json!({"executionArn": closed});
    let collected = world.collect("POST").await;
    assert_eq!(
        (&collected["executions"], &collected["retentionDays"]),
        (&json!(0), &Value::Null)
    );
    world.ask("DescribeExecution", asked).await.unwrap();
}

#[tokio::test]
async fn a_deleted_machine_goes_with_its_last_execution_and_its_definition() {
    let world = Kept::keeping(Some(Duration::ZERO)).await;
    let machine = world.machine("m", &wait()).await;
    let running = world.start(&machine, "a").await;
    world.machine("other", &pass()).await;
    world
        .ask("DeleteStateMachine", json!({"stateMachineArn": machine}))
        .await
        .unwrap();
    let collected = world.collect("POST").await;
    assert_eq!(
        (&collected["stateMachines"], &collected["definitions"]["count"]),
        (&json!(0), &json!(0))
    );
    world
        .ask("StopExecution", json!({"executionArn": running}))
        .await
        .unwrap();
    a_millisecond().await;
    let collected = world.collect("POST").await;
    assert_eq!(
        (
            &collected["executions"],
            &collected["stateMachines"],
            &collected["definitions"]["count"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    // The same definition comes back as if it had never been.
    let again = world.machine("m", &wait()).await;
    let running = world.start(&again, "a").await;
    let described = world
        .ask("DescribeStateMachineForExecution", json!({"executionArn": running}))
        .await
        .unwrap();
    assert_eq!(described["definition"], wait().to_string());
}
