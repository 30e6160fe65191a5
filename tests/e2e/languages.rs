//! A task in each language, made by `sandstep new` and that language's own build, does what its SDK promises: JSON in and
//! out, failures with names, lines of four levels, heartbeats, its place in the workflow; and the box holds it like any
//! other. Rust's is in `sdk.rs`.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::server::text;

/// Error name and beginning of the cause.
type Failure = (&'static str, &'static str);

struct Language {
    /// Of the folder under `tests/tasks`.
    name: &'static str,
    /// What becomes of the language's own kind of accident: an index that isn't there, item 7 of a short list.
    crash: Failure,
    /// What becomes of wanting more memory than there is: the host refuses, and some languages hear of it as an exception.
    memory: &'static [&'static str],
}

/// MiB of memory, far past a module's 64.
const TOO_MUCH: u32 = 200;

fn check(language: &Language) -> Result<()> {
    let name = format!("probe-{}", language.name);
    if !Probe::file(&name).is_file() && is_skipped(&name) {
        eprintln!("SKIPPED: `{name}` couldn't be built here");
        return Ok(());
    }
    let guest = Probe::start(&name)?;

    let value =
        json!({ "text": "grüße \u{1f980} \"\\\n", "numbers": [0, -1, 1.5, 12345678901_u64], "no": null, "yes": true });
    assert_eq!(guest.output(&json!({ "do": "echo", "value": value }))?.0, value);

    let failure = guest.failure(&json!({ "do": "fail", "error": "CardDeclined", "cause": "no money" }))?;
    assert_eq!(failure, ("CardDeclined".to_owned(), "no money".to_owned()));
    let (error, cause) = guest.failure(&json!({ "do": "crash", "number": 7 }))?;
    ensure!(
        error == language.crash.0 && cause.starts_with(language.crash.1),
        "a crash is {error}: {cause}"
    );

    let end = guest.run(&json!({ "do": "log", "message": "hello" }))?;
    let lines: Vec<_> = end.attempt["log"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| (line["level"].as_str(), line["message"].as_str()))
        .collect();
    let expected = ["debug", "info", "warn", "error"].map(|level| (Some(level), Some("hello")));
    assert_eq!(lines, expected);

    assert_eq!(guest.output(&json!({ "do": "beat", "number": 3 }))?.0, json!(3));
    check_context(&guest)?;

    let (error, _) = guest.failure(&json!({ "do": "spin" }))?;
    assert_eq!(error, "Sandbox.FuelExhausted");
    let (error, cause) = guest.failure(&json!({ "do": "allocate", "number": TOO_MUCH }))?;
    ensure!(
        language.memory.contains(&error.as_str()),
        "too much memory is {error}: {cause}"
    );
    // Nothing of that is left.
    assert_eq!(guest.output(&json!({ "do": "allocate", "number": 2 }))?.0, json!(2));
    Ok(())
}

fn check_context(probe: &Probe) -> Result<()> {
    let end = probe.run(&json!({ "do": "context" }))?.description;
    let context: Value = serde_json::from_str(&text(&end, "output")?)?;
    assert_eq!(context["executionId"], end["executionArn"]);
    assert_eq!(context["stateMachineId"], end["stateMachineArn"]);
    assert_eq!(
        (&context["stateName"], &context["retryCount"]),
        (&json!("Probe"), &json!(0))
    );
    ensure!(
        context["idempotencyKey"].as_str().is_some_and(|key| !key.is_empty()),
        "{context}"
    );
    ensure!(
        context["deadline"].as_u64().is_some_and(|deadline| deadline > 0),
        "{context}"
    );
    Ok(())
}

/// Whether `tests/run` couldn't build a task; it says so at its end.
pub fn is_skipped(name: &str) -> bool {
    let list = std::env::var_os("SANDSTEP_SKIPPED").and_then(|file| fs::read_to_string(file).ok());
    list.unwrap_or_default().lines().any(|line| line == name)
}

#[test]
fn go() -> Result<()> {
    check(&Language {
        name: "go",
        crash: (
            "Panic",
            "runtime error: index out of range [7] with length 1 at main.go:",
        ),
        memory: &["Sandbox.MemoryExceeded"],
    })
}

#[test]
fn c() -> Result<()> {
    check(&Language {
        name: "c",
        crash: ("Panic", "no item 7"),
        memory: &["Sandbox.MemoryExceeded"],
    })
}

#[test]
fn typescript() -> Result<()> {
    check(&Language {
        name: "typescript",
        crash: ("TypeError", "cannot read property"),
        memory: &["Sandbox.MemoryExceeded"],
    })
}

#[test]
fn python() -> Result<()> {
    check(&Language {
        name: "python",
        crash: ("IndexError", "list index out of range\n  at probe (/0/app.py:"),
        memory: &["Sandbox.MemoryExceeded"],
    })
}

#[test]
fn assemblyscript() -> Result<()> {
    check(&Language {
        name: "assemblyscript",
        crash: ("Panic", "Index out of range at ~lib/"),
        memory: &["Sandbox.MemoryExceeded"],
    })
}
