//! Clients other people wrote: boto3 and the AWS CLI, told nothing but the endpoint.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::guests;
use crate::server::{Server, text, until};

const HOW_TO_INSTALL: &str =
    "`./tests/run` installs what is missing; or name a Python that has boto3 and awscli with SANDSTEP_PYTHON";

/// A Python with boto3 and awscli: SANDSTEP_PYTHON, which `tests/run` sets, or the system's.
pub fn python() -> OsString {
    std::env::var_os("SANDSTEP_PYTHON").unwrap_or_else(|| "python3".into())
}

/// A command that finds no other settings than these.
fn with_dummy_credentials(command: Command) -> Command {
    with_credentials(command, "test", "test")
}

/// A command that finds this access key and no other settings.
pub fn with_credentials(mut command: Command, id: &str, secret: &str) -> Command {
    let settings = [
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_PAGER", ""),
    ];
    command
        .envs(settings)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ENDPOINT_URL");
    command
}

/// What a command that succeeds prints.
pub fn run(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}; {HOW_TO_INSTALL}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(!stderr.contains("No module named"), "{stderr}\n{HOW_TO_INSTALL}");
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout).context("it wrote no UTF-8")
}

#[test]
fn boto3_creates_starts_describes_and_reads_history() -> Result<()> {
    let server = Server::start()?;
    server.push("echo", &guests::echo()?)?;
    server.push("declined", &guests::declined()?)?;
    let mut command = Command::new(python());
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/boto3_client.py"))
        .arg(server.endpoint());
    let said = run(with_dummy_credentials(command))?;
    ensure!(said.ends_with("all good\n"), "{said}");
    Ok(())
}

#[test]
fn the_aws_cli_works_with_nothing_but_an_endpoint() -> Result<()> {
    let server = Server::start()?;
    server.push("echo", &guests::echo()?)?;
    let machine = server.create("echoes", &guests::one_task("echo"))?;
    let aws = |arguments: &[&str]| -> Result<Value> {
        let mut command = Command::new(python());
        command
            .args(["-m", "awscli", "stepfunctions", "--endpoint-url", server.endpoint()])
            .args(arguments);
        let said = run(with_dummy_credentials(command))?;
        serde_json::from_str(&said).with_context(|| format!("{arguments:?} printed {said}"))
    };
    let started = aws(&[
        "start-execution",
        "--state-machine-arn",
        &machine,
        "--name",
        "by-cli",
        "--input",
        r#"{"n": 1}"#,
    ])?;
    let execution = text(&started, "executionArn")?;
    assert_eq!(
        execution,
        "arn:aws:states:us-east-1:000000000000:execution:echoes:by-cli"
    );
    let described = until("the end of the execution", || {
        let described = aws(&["describe-execution", "--execution-arn", &execution])?;
        Ok((described["status"] != "RUNNING").then_some(described))
    })?;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(
        (&described["input"], &described["output"]),
        (&json!(r#"{"n": 1}"#), &json!(r#"{"n": 1}"#))
    );
    let history = aws(&["get-execution-history", "--execution-arn", &execution])?;
    let kinds: Vec<_> = history["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(kinds.first(), Some(&json!("ExecutionStarted")));
    assert_eq!(kinds.last(), Some(&json!("ExecutionSucceeded")));
    Ok(())
}
