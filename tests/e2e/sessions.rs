//! One session through every operation, `tests/sessions/session.json`, by each client there is, signed and over TLS.
//!
//! Where a client isn't installed its session is skipped, and says so; `tests/run` installs them and names them in the
//! environment, and then they must be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::clients::{python, run, with_credentials};
use crate::closed::Closed;
use crate::guests;

/// Operations of the API, version 2016-11-23.
const OPERATIONS: usize = 37;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions")
}

/// What `npm ci` made of the package.json: SANDSTEP_NODE_MODULES, or a folder beside it.
fn node_modules() -> PathBuf {
    std::env::var_os("SANDSTEP_NODE_MODULES").map_or_else(|| folder().join("node_modules"), Into::into)
}

/// Whether a client can be started, or must be there because the environment names it.
pub fn is_there(variable: &str, mut probe: Command) -> bool {
    let found = probe.output().is_ok_and(|output| output.status.success());
    if !found && std::env::var_os(variable).is_none() {
        eprintln!("SKIPPED: `{probe:?}` fails, so this client's session was not played");
        eprintln!("SKIPPED: `./tests/run` installs what is missing; or say where it is with {variable}");
        return false;
    }
    true
}

fn is_there_in_python(module: &str) -> bool {
    let mut probe = Command::new(python());
    probe.args(["-c", &format!("import {module}")]);
    is_there("SANDSTEP_PYTHON", probe)
}

/// Plays the session on a server of its own.
fn play(mut client: Command) -> Result<()> {
    let closed = Closed::start()?;
    closed.push("echo", &guests::echo()?)?;
    closed.push("declined", &guests::declined()?)?;
    client.arg(closed.server.endpoint().replace("127.0.0.1", "localhost"));
    let mut client = with_credentials(client, &closed.admin.id, &closed.admin.secret);
    client
        .env("AWS_CA_BUNDLE", &closed.authority.file)
        .env("NODE_EXTRA_CA_CERTS", &closed.authority.file)
        .env("SANDSTEP_NODE_MODULES", node_modules());
    let said = run(client)?;
    ensure!(said.contains(&format!(": {OPERATIONS} operations in ")), "{said}");
    eprint!("{said}");
    Ok(())
}

#[test]
fn the_session_has_every_operation() -> Result<()> {
    let path = folder().join("session.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let steps: Vec<Value> = serde_json::from_str(&text)?;
    let called: BTreeSet<_> = steps.iter().filter_map(|step| step["call"].as_str()).collect();
    ensure!(called.len() == OPERATIONS, "{} operations: {called:?}", called.len());
    Ok(())
}

#[test]
fn boto3_plays_it() -> Result<()> {
    if !is_there_in_python("boto3") {
        return Ok(());
    }
    let mut client = Command::new(python());
    client.arg(folder().join("boto3_session.py"));
    play(client)
}

#[test]
fn the_aws_cli_plays_it() -> Result<()> {
    if !is_there_in_python("awscli") {
        return Ok(());
    }
    let mut client = Command::new(python());
    client.arg(folder().join("awscli_session.py"));
    play(client)
}

#[test]
fn client_sfn_plays_it() -> Result<()> {
    let mut probe = Command::new("node");
    probe.args(["-e", "require(process.argv[1] + '/@aws-sdk/client-sfn')"]);
    probe.arg(node_modules());
    if !is_there("SANDSTEP_NODE_MODULES", probe) {
        return Ok(());
    }
    let mut client = Command::new("node");
    client.arg(folder().join("client_sfn_session.mjs"));
    play(client)
}
