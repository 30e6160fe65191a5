//! Backups made beside a running server, put back and served; collecting garbage with a server and without one.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::{Home, Server, binary};

fn run(home: &Home, endpoint: &str, arguments: &[&str]) -> Result<Output> {
    Command::new(binary()?)
        .args(arguments)
        .current_dir(home.path(""))
        .env("SANDSTEP_ENDPOINT", endpoint)
        .output()
        .context("running sandstep")
}

fn ok(home: &Home, endpoint: &str, arguments: &[&str]) -> Result<Value> {
    let output = run(home, endpoint, &[arguments, &["--output", "json"]].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn shown(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

#[test]
fn a_backup_of_a_running_server_is_served_by_another() -> Result<()> {
    let server = Server::start()?;
    let waits = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let waiting = server.start_execution(&server.create("waits", &waits)?, &json!({}))?;
    let machine = server.create("pass", &pass)?;
    let closed = server.start_execution(&machine, &json!({"kept": true}))?;
    server.wait(&closed)?;

    let (home, endpoint) = (server.home(), server.endpoint());
    let (data, backup) = (home.data(), home.path("backup"));
    let (data, backup) = (shown(&data)?, shown(&backup)?);
    let made = ok(home, endpoint, &["backup", backup, "--data", data])?;
    ensure!(made["manifest"]["executions"] == 2, "{made}");
    let later = server.start_execution(&machine, &json!({}))?;
    ok(home, endpoint, &["restore", backup, "--dry-run"])?;
    let over = run(home, endpoint, &["restore", backup, "--data", data])?;
    ensure!(!over.status.success(), "{over:?}");

    let other = Home::new()?;
    let into = other.data();
    ok(&other, endpoint, &["restore", backup, "--data", shown(&into)?])?;
    let restored = Server::start_on(&other)?;
    ensure!(restored.describe(&waiting)?["status"] == "RUNNING");
    ensure!(restored.describe(&closed)?["output"] == r#"{"kept":true}"#);
    let unknown = restored.refused("DescribeExecution", &json!({"executionArn": later}))?;
    ensure!(unknown.0 == "ExecutionDoesNotExist", "{unknown:?}");
    restored.call("StopExecution", &json!({"executionArn": waiting}))?;
    ensure!(server.describe(&waiting)?["status"] == "RUNNING", "the two are two");
    Ok(())
}

#[test]
fn garbage_is_collected_with_a_server_and_without_one() -> Result<()> {
    let server = Server::start()?;
    let definition =
        |result: &str| json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": result, "End": true}}});
    let gone = server.create("gone", &definition("first"))?;
    server.create("kept", &definition("second"))?;
    server.call("DeleteStateMachine", &json!({"stateMachineArn": gone}))?;

    let (home, endpoint) = (server.home(), server.endpoint().to_owned());
    let counted = ok(home, &endpoint, &["gc", "--dry-run"])?;
    ensure!(
        counted["stateMachines"] == 1 && counted["definitions"]["count"] == 1,
        "{counted}"
    );
    let data = home.data();
    let used = run(home, &endpoint, &["gc", "--data", shown(&data)?])?;
    ensure!(used.status.code() == Some(3), "{used:?}");
    let collected = ok(home, &endpoint, &["gc"])?;
    ensure!(collected["definitions"] == counted["definitions"], "{collected}");

    let home = server.kill()?;
    let idle = ok(
        &home,
        &endpoint,
        &["gc", "--data", shown(&data)?, "--retention-days", "off"],
    )?;
    ensure!(idle["stateMachines"] == 0 && idle["done"] == true, "{idle}");
    Ok(())
}
