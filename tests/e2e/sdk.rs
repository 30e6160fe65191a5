//! What the Rust SDK promises its authors, kept by a component it built: `tests/tasks` does one deed at a time.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::probe::{End, Probe};

/// More than an instance starts with: a stack of 1 MiB, a reserve of 896 KiB and some data.
const UNGROWN_BYTES: u64 = 2 << 20;

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
    let probe = Probe::start("sdk-probe")?;
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
    let probe = Probe::start("sdk-probe")?;
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
    let probe = Probe::start("sdk-probe")?;
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
