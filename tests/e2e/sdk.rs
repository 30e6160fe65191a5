//! What the Rust SDK promises its authors, kept by a component it built: `tests/tasks` does one deed at a time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::{Server, text};

/// More than an instance starts with: a stack of 1 MiB, a reserve of 896 KiB and some data.
const UNGROWN_BYTES: u64 = 2 << 20;

/// A server with the probe behind a state that has both clocks.
struct Probe {
    server: Server,
    machine: String,
}

/// How an execution of the probe ended.
struct End {
    description: Value,
    /// What its only attempt cost and said, as the history shows it.
    attempt: Value,
}

impl Probe {
    fn new() -> Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("modules/sdk-probe.wasm");
        let wasm = fs::read(&file)
            .with_context(|| format!("reading {}; `tools/build-tasks tests` builds it", file.display()))?;
        let server = Server::start()?;
        server.push("sdk-probe", &wasm)?;
        let definition = json!({
            "StartAt": "Probe",
            "States": {
                "Probe": {
                    "Type": "Task",
                    "Resource": "wasm:sdk-probe",
                    "TimeoutSeconds": 60,
                    "HeartbeatSeconds": 30,
                    "End": true,
                },
            },
        });
        let machine = server.create("probe", &definition)?;
        Ok(Self { server, machine })
    }

    fn run(&self, deed: &Value) -> Result<End> {
        let execution = self.server.start_execution(&self.machine, deed)?;
        let description = self.server.wait(&execution)?;
        let history = self.server.history(&execution)?;
        let attempt = history
            .iter()
            .filter_map(Value::as_object)
            .flat_map(|event| event.values())
            .find_map(|details| details.get("sandstep"))
            .with_context(|| format!("no event says what {deed} cost: {history:#?}"))?;
        Ok(End {
            description,
            attempt: attempt.clone(),
        })
    }

    fn failure(&self, deed: &Value) -> Result<(String, String)> {
        let end = self.run(deed)?;
        ensure!(
            end.description["status"] == "FAILED",
            "{deed} ended as {}",
            end.description
        );
        Ok((text(&end.description, "error")?, text(&end.description, "cause")?))
    }

    fn output(&self, deed: &Value) -> Result<(Value, End)> {
        let end = self.run(deed)?;
        let output =
            text(&end.description, "output").with_context(|| format!("{deed} ended as {}", end.description))?;
        Ok((serde_json::from_str(&output).context("the output isn't JSON")?, end))
    }
}

fn lines(attempt: &Value) -> Vec<(&str, &str)> {
    attempt["log"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| {
            (
                line["level"].as_str().unwrap_or_default(),
                line["message"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn failures_of_every_kind_have_a_name_and_a_cause() -> Result<()> {
    let probe = Probe::new()?;
    let (error, cause) = probe.failure(&json!({ "do": "panic", "message": "boom" }))?;
    assert_eq!(error, "Panic");
    ensure!(cause.starts_with("boom at src/lib.rs:"), "{cause}");

    let own = json!({ "do": "fail", "error": "CardDeclined", "cause": "no money" });
    assert_eq!(probe.failure(&own)?, ("CardDeclined".to_owned(), "no money".to_owned()));

    let (error, cause) = probe.failure(&json!({ "do": "parse", "text": "three" }))?;
    assert_eq!(
        (error.as_str(), cause.as_str()),
        ("ParseIntError", "invalid digit found in string")
    );

    let (error, cause) = probe.failure(&json!({ "do": "allocate", "bytes": "many" }))?;
    assert_eq!(error, "InvalidInput");
    ensure!(
        cause.contains("invalid type: string \"many\", expected usize"),
        "{cause}"
    );
    Ok(())
}

#[test]
fn a_task_hears_where_it_stands_and_is_heard() -> Result<()> {
    let probe = Probe::new()?;
    let (context, end) = probe.output(&json!({ "do": "context" }))?;
    assert_eq!(context["executionId"], end.description["executionArn"]);
    assert_eq!(
        (&context["stateName"], &context["retryCount"]),
        (&json!("Probe"), &json!(0))
    );
    ensure!(
        context["idempotencyKey"].as_str().is_some_and(|key| !key.is_empty()),
        "{context}"
    );
    ensure!(
        context["deadline"].is_u64(),
        "the state has a TimeoutSeconds: {context}"
    );

    let (_, end) = probe.output(&json!({ "do": "log", "message": "hello" }))?;
    let expected = ["debug", "info", "warn", "error"].map(|level| (level, "hello"));
    assert_eq!(lines(&end.attempt), expected);
    Ok(())
}

#[test]
fn memory_grows_only_past_the_reserve_and_is_all_usable() -> Result<()> {
    let probe = Probe::new()?;
    let peak = |end: &End| end.attempt["peakMemoryBytes"].as_u64().context("no peak memory");
    let (_, small) = probe.output(&json!({ "do": "allocate", "bytes": 100 }))?;
    let (_, medium) = probe.output(&json!({ "do": "allocate", "bytes": 600_000 }))?;
    assert_eq!(
        peak(&small)?,
        peak(&medium)?,
        "600 kB fit into what the instance starts with"
    );
    ensure!(peak(&small)? <= UNGROWN_BYTES, "it starts with {} bytes", peak(&small)?);

    let (_, large) = probe.output(&json!({ "do": "allocate", "bytes": 20_000_000 }))?;
    ensure!(peak(&large)? > 8 << 20, "20 MB don't fit into {} bytes", peak(&large)?);
    let (error, _) = probe.failure(&json!({ "do": "allocate", "bytes": 200_000_000 }))?;
    assert_eq!(error, "Sandbox.MemoryExceeded");
    Ok(())
}
