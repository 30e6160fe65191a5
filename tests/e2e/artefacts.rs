//! Modules as artefacts: labels that move under running workflows and outlive a crash.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::guests;
use crate::server::{Server, until};

/// The version that ran in each state, as the history has it.
fn versions(server: &Server, execution: &str) -> Result<Vec<Value>> {
    let events = server.history(execution)?;
    let details = events
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|event| event.values());
    let costs = details.filter_map(|details| details.get("sandstep"));
    Ok(costs.map(|cost| cost["version"].clone()).collect())
}

fn put(server: &Server, path: &str, body: &[u8]) -> Result<Value> {
    let (status, answer) = server.http("PUT", path, body)?;
    ensure!(status < 300, "PUT {path} answered {status}: {answer}");
    Ok(answer)
}

#[test]
fn a_label_moves_under_a_running_workflow_and_outlives_a_crash() -> Result<()> {
    let server = Server::start()?;
    put(&server, "/v1/modules/pay?label=prod", &guests::slow(500_000_000)?)?;
    server.push("pay", &guests::echo()?)?;
    let definition = json!({ "StartAt": "First", "States": {
        "First": { "Type": "Task", "Resource": "wasm:pay@prod", "Next": "Second" },
        "Second": { "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:pay:prod", "End": true },
    } });
    let machine = server.create("pays", &definition)?;
    let running = |server: &Server| -> Result<String> {
        let execution = server.start_execution(&machine, &json!({ "n": 1 }))?;
        until("the first task", || {
            let events = server.history(&execution)?;
            Ok(events
                .iter()
                .any(|event| event["type"] == "TaskScheduled")
                .then_some(()))
        })?;
        Ok(execution)
    };
    let moved = running(&server)?;
    put(&server, "/v1/modules/pay/labels/prod?version=2", b"")?;
    assert_eq!(server.wait(&moved)?["status"], "SUCCEEDED");
    assert_eq!(versions(&server, &moved)?, [1, 2], "what has begun ends as it began");

    put(&server, "/v1/modules/pay/labels/prod?version=1", b"")?;
    let interrupted = running(&server)?;
    put(&server, "/v1/modules/pay/labels/prod?version=2", b"")?;
    let home = server.kill()?;
    let server = Server::start_on(&home)?;
    let (_, label) = server.http("GET", "/v1/modules/pay/labels/prod", b"")?;
    assert_eq!(label["version"], 2, "{label}");
    assert_eq!(server.wait(&interrupted)?["status"], "SUCCEEDED");
    assert_eq!(
        versions(&server, &interrupted)?,
        [2, 2],
        "an attempt that may be repeated begins again with what the label points at by then"
    );
    let (status, refused) = server.http("DELETE", "/v1/modules/pay?version=2", b"")?;
    assert_eq!((status, &refused["code"]), (409, &json!("ModuleInUse")), "{refused}");
    let (_, described) = server.http("GET", "/v1/modules/pay?version=prod", b"")?;
    let digest = described["digest"].as_str().context("it has one")?;
    let pinned = server.create("pinned", &guests::one_task(&format!("pay@{digest}")))?;
    put(&server, "/v1/modules/pay/labels/prod?version=1", b"")?;
    let execution = server.start_execution(&pinned, &json!({}))?;
    server.wait(&execution)?;
    assert_eq!(versions(&server, &execution)?, [2], "a digest stays where labels go");
    Ok(())
}
