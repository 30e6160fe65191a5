//! Starting and ending: ports, directories, signals, and what a restart keeps.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::guests;
use crate::server::{Home, Server, binary, text};

#[test]
fn a_server_says_where_it_listens_and_that_it_is_well() -> Result<()> {
    let server = Server::start()?;
    ensure!(
        !server.endpoint().ends_with(":0"),
        "the port in {} isn't real",
        server.endpoint()
    );
    let (status, _) = server.http("GET", "/healthz", b"")?;
    assert_eq!(status, 200);
    Ok(())
}

#[test]
fn signals_end_a_server_in_order() -> Result<()> {
    for signal in ["TERM", "INT"] {
        let status = Server::start()?.signal(signal)?;
        assert_eq!(status.code(), Some(0), "after SIG{signal}");
    }
    Ok(())
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() -> Result<()> {
    let server = Server::start()?;
    let second = Command::new(binary()?)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.home().data())
        .output()
        .context("starting a second server")?;
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{stderr}");
    ensure!(second.stdout.is_empty(), "it claimed to listen");
    ensure!(
        stderr.contains(&server.home().data().display().to_string()),
        "the directory isn't named: {stderr}"
    );
    ensure!(stderr.contains("hint: "), "nothing says what to do: {stderr}");
    assert_eq!(server.http("GET", "/healthz", b"")?.0, 200, "the first server goes on");
    Ok(())
}

#[test]
fn a_port_in_use_is_said_so() -> Result<()> {
    let server = Server::start()?;
    let second = Command::new(binary()?)
        .args(["serve", "--listen", server.address(), "--data"])
        .arg(Home::new()?.data())
        .output()
        .context("starting a second server")?;
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{stderr}");
    ensure!(
        stderr.contains(server.address()) && stderr.contains("--listen"),
        "{stderr}"
    );
    Ok(())
}

#[test]
fn a_restart_keeps_modules_machines_histories_and_waiting_executions() -> Result<()> {
    let home = Home::new()?;
    let server = Server::start_on(&home)?;
    server.push("echo", &guests::echo()?)?;
    let machine = server.create("echoes", &guests::one_task("echo"))?;
    let waiting = server.start_execution(&server.create("waits", &guests::long_wait())?, &json!({}))?;
    let ended = server.start_execution(&machine, &json!({ "n": 1 }))?;
    assert_eq!(server.wait(&ended)?["output"], r#"{"n":1}"#);
    let before = (server.contents()?, server.history(&ended)?, server.history(&waiting)?);
    assert_eq!(server.signal("TERM")?.code(), Some(0));

    let server = Server::start_on(&home)?;
    let after = (server.contents()?, server.history(&ended)?, server.history(&waiting)?);
    assert_eq!(after, before);
    let again = server.start_execution(&machine, &json!({ "n": 2 }))?;
    assert_eq!(server.wait(&again)?["output"], r#"{"n":2}"#);
    let stopped = server.call("StopExecution", &json!({ "executionArn": waiting, "cause": "enough" }))?;
    ensure!(stopped["stopDate"].is_number(), "{stopped}");
    assert_eq!(text(&server.describe(&waiting)?, "status")?, "ABORTED");
    Ok(())
}

#[test]
fn a_task_killed_with_the_server_runs_again() -> Result<()> {
    let home = Home::new()?;
    let server = Server::start_on(&home)?;
    // Half a second of compiled code's time: nobody answers a start and is killed later than that.
    server.push("slow", &guests::slow(500_000_000)?)?;
    let machine = server.create("slow", &guests::one_task("slow"))?;
    let execution = server.start_execution(&machine, &json!({ "kept": true }))?;
    let home = server.kill()?;

    let server = Server::start_on(&home)?;
    let description = server.wait(&execution)?;
    assert_eq!(description["output"], r#"{"kept":true}"#, "{description}");
    let kinds: Vec<_> = server
        .history(&execution)?
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "ExecutionSucceeded").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| *kind == "TaskStateExited").count(), 1);
    Ok(())
}
