//! Journals of earlier days. What is on disk stays readable: each of these was written by the language as it was at the
//! time, and comes to the same now, event by event.
//!
//! A file's first line is the definition and what the journal came to when it was written; the others are its events. A
//! new kind of event, or a new field that changes what an event means, gets a file of its own; a file is never changed.

use std::sync::Arc;

use asl::{Event, Execution};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Head {
    definition: Value,
    status: String,
    output: Value,
    error: Option<String>,
    open_tasks: Vec<u64>,
    history_entries: u64,
}

fn replay(name: &str, text: &str) {
    let mut lines = text.lines();
    let head: Head = serde_json::from_str(lines.next().expect("a head")).expect("a head");
    let (machine, diagnostics) = asl::definition::parse(&head.definition.to_string());
    let machine = machine.unwrap_or_else(|| panic!("{name}: {diagnostics:?}"));
    let mut execution = Execution::new(Arc::new(machine));
    for (line, text) in (2..).zip(lines) {
        let event: Event = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}:{line}: {error}"));
        if let Err(error) = execution.apply(&event) {
            panic!("{name}:{line}: {error}");
        }
        let written: Value = serde_json::from_str(text).expect("JSON");
        let again = serde_json::to_value(&event).expect("events have an encoding");
        assert_eq!(
            again, written,
            "{name}:{line}: a reader of then reads what is written now"
        );
    }
    assert_eq!(format!("{:?}", execution.status()), head.status, "{name}");
    let output = execution.output().map(|output| output.value().clone());
    assert_eq!(output.unwrap_or_default(), head.output, "{name}");
    let error = execution.failure().and_then(|failure| failure.error.clone());
    assert_eq!(error, head.error, "{name}");
    let open: Vec<u64> = execution.open_tasks().map(|task| task.scheduled_at).collect();
    assert_eq!(open, head.open_tasks, "{name}");
    assert_eq!(execution.history_entries(), head.history_entries, "{name}");
}

macro_rules! journals {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("journals/", $name, ".jsonl")))),*]
    };
}

#[test]
fn journals_of_earlier_days_come_to_what_they_came_to() {
    for (name, text) in journals![
        "a-task-under-way",
        "attempts-of-settled-versions",
        "every-kind-of-state",
        "iterations-redriven-in-turn",
        "map-run-redriven",
        "redriven-before-iterations-waited-their-turn",
        "redriven-before-map-runs-were",
        "timed-out",
    ] {
        replay(name, text);
    }
}
