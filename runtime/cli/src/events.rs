//! History events as rows of a table.

use std::collections::BTreeMap;

use asl::Timestamp;
use serde_json::Value;

use crate::output::{Align, Style, Table};

/// Details longer than this are cut whatever the terminal's width: a row is a summary, JSON has it all.
const DETAILS_LENGTH: usize = 200;

/// What has to be known of an event to find the states of later ones.
#[derive(Debug)]
struct Event {
    before: u64,
    kind: String,
    state: String,
}

/// A table of events that grows while it is shown.
#[derive(Debug)]
pub struct EventTable {
    table: Table,
    /// Every event so far, by id: what happens inside a state names only the event before it.
    events: BTreeMap<u64, Event>,
    day: Option<String>,
    last: String,
}

impl EventTable {
    /// An empty one.
    pub fn new() -> Self {
        let columns = [
            ("ID", Align::Right),
            ("TIME", Align::Left),
            ("TYPE", Align::Left),
            ("STATE", Align::Left),
            ("FUEL", Align::Right),
            ("MEMORY", Align::Right),
            ("TOOK", Align::Right),
            ("DETAILS", Align::Left),
        ];
        Self {
            table: Table::new(&columns, 7),
            events: BTreeMap::new(),
            day: None,
            last: String::new(),
        }
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Value) {
        let id = event["id"].as_u64().unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or_default();
        let state = self.state(event, kind);
        let cost = cost(event);
        let row = [
            (id.to_string(), Style::Dim),
            (self.time(event), Style::Dim),
            (kind.to_owned(), Style::of(kind)),
            (state.clone(), Style::Bold),
            (cost.fuel.map_or_else(String::new, grouped), Style::Plain),
            (
                cost.peak_memory.map_or_else(String::new, super::commands::size),
                Style::Plain,
            ),
            (cost.micros.map_or_else(String::new, microseconds), Style::Plain),
            (details(event), Style::Plain),
        ];
        self.table.row(row);
        for line in log(event) {
            let mut row: [(String, Style); 8] = std::array::from_fn(|_| (String::new(), Style::Plain));
            row[2] = ("  log".to_owned(), Style::Dim);
            row[7] = (line, Style::Dim);
            self.table.row(row);
        }
        let before = event["previousEventId"].as_u64().unwrap_or_default();
        self.events.insert(
            id,
            Event {
                before,
                kind: kind.to_owned(),
                state,
            },
        );
        kind.clone_into(&mut self.last);
    }

    /// The rows that weren't shown yet.
    pub fn shown(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Whether the last event wasn't an end.
    pub fn is_open(&self) -> bool {
        !self.last.is_empty() && (!self.last.starts_with("Execution") || self.last == "ExecutionStarted")
    }

    fn state(&self, event: &Value, kind: &str) -> String {
        if kind.starts_with("Execution") {
            return String::new();
        }
        if let Some(name) = event_details(event).and_then(|details| details["name"].as_str()) {
            return name.to_owned();
        }
        let before = event["previousEventId"].as_u64().unwrap_or_default();
        let holds_others = kind.starts_with("Parallel") || kind.starts_with("Map");
        let state = if holds_others {
            self.enclosing(before)
        } else {
            self.events.get(&before).map(|event| &*event.state)
        };
        state.unwrap_or_default().to_owned()
    }

    /// The Parallel or Map state around an event: the nearest one before it that has started and not ended.
    fn enclosing(&self, mut id: u64) -> Option<&str> {
        let mut ended = 0;
        loop {
            let event = self.events.get(&id)?;
            match event.kind.as_str() {
                "ParallelStateExited" | "MapStateExited" => ended += 1,
                "ParallelStateEntered" | "MapStateEntered" if ended == 0 => return Some(&event.state),
                "ParallelStateEntered" | "MapStateEntered" => ended -= 1,
                _ => {}
            }
            id = event.before;
        }
    }

    /// The time of day, with the day when it is another than the last event's.
    fn time(&mut self, event: &Value) -> String {
        let Some(seconds) = event["timestamp"].as_f64() else {
            return String::new();
        };
        let time = Timestamp((seconds * 1000.0).round() as i64).to_string();
        let Some((day, clock)) = time.split_once('T') else {
            return time;
        };
        let shown = if self.day.as_deref().is_none_or(|last| last == day) {
            clock.to_owned()
        } else {
            time.clone()
        };
        self.day = Some(day.to_owned());
        shown.trim_end_matches('Z').to_owned()
    }
}

/// What a task attempt used, where the event says so.
#[derive(Debug, Default)]
struct Cost {
    fuel: Option<u64>,
    peak_memory: Option<u64>,
    micros: Option<u64>,
}

fn cost(event: &Value) -> Cost {
    let Some(details) = event_details(event) else {
        return Cost::default();
    };
    let number = |key: &str| details["sandstep"][key].as_u64();
    Cost {
        fuel: number("fuel"),
        peak_memory: number("peakMemoryBytes"),
        micros: number("durationMicros"),
    }
}

/// What the guest wrote during the attempt.
fn log(event: &Value) -> Vec<String> {
    let lines = event_details(event).and_then(|details| details["sandstep"]["log"].as_array());
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().trim_end().to_owned();
    lines
        .into_iter()
        .flatten()
        .map(|line| format!("{}: {}", text(line, "level"), text(line, "message")))
        .collect()
}

fn event_details(event: &Value) -> Option<&Value> {
    event
        .as_object()?
        .iter()
        .find(|(key, value)| key.ends_with("EventDetails") && value.is_object())
        .map(|(_, value)| value)
}

/// The most telling of an event's fields, on one line.
fn details(event: &Value) -> String {
    let Some(details) = event_details(event) else {
        return String::new();
    };
    let text = |key: &str| details[key].as_str().filter(|text| !text.is_empty());
    let mut parts: Vec<String> = Vec::new();
    match (text("error"), text("cause")) {
        (Some(error), Some(cause)) => parts.push(format!("{error}: {cause}")),
        (Some(only), None) | (None, Some(only)) => parts.push(only.to_owned()),
        (None, None) => {}
    }
    if let Some(index) = details["index"].as_u64() {
        parts.push(format!("item {index}"));
    }
    if let Some(length) = details["length"].as_u64() {
        parts.push(format!("{length} items"));
    }
    // A task's resource is told once, where it is scheduled.
    let telling: &[&str] = match text("parameters").or(text("input")) {
        Some(_) => &["resource", "parameters", "input"],
        None => &["output"],
    };
    parts.extend(telling.iter().filter_map(|key| text(key)).map(str::to_owned));
    // Line ends and indents of a text that a person wrote say nothing on one line.
    let line: Vec<&str> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
    crate::output::cut(&line.join(" "), DETAILS_LENGTH)
}

/// `1234567` as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn microseconds(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parallel_states_own_events_bear_its_name_not_a_branchs() {
        let mut table = EventTable::new();
        let named = |id: u64, before: u64, kind: &str, key: &str, name: &str| json!({ "id": id, "previousEventId": before, "type": kind, key: { "name": name } });
        let bare = |id: u64, before: u64, kind: &str| json!({ "id": id, "previousEventId": before, "type": kind });
        let (entered, exited) = ("stateEnteredEventDetails", "stateExitedEventDetails");
        for event in [
            named(2, 0, "ParallelStateEntered", entered, "Outer"),
            bare(3, 2, "ParallelStateStarted"),
            named(4, 3, "ParallelStateEntered", entered, "Inner"),
            bare(5, 4, "ParallelStateStarted"),
            named(6, 5, "PassStateEntered", entered, "Leaf"),
            bare(7, 6, "ParallelStateStarted"),
            bare(8, 7, "ParallelStateSucceeded"),
            named(9, 7, "ParallelStateExited", exited, "Inner"),
            bare(10, 9, "ParallelStateSucceeded"),
        ] {
            table.push(&event);
        }
        let states: Vec<_> = table.events.values().map(|event| event.state.as_str()).collect();
        assert_eq!(
            states,
            [
                "Outer", "Outer", "Inner", "Inner", "Leaf", "Inner", "Inner", "Inner", "Outer"
            ]
        );
    }

    #[test]
    fn what_happens_inside_a_state_is_shown_with_its_name() {
        let mut table = EventTable::new();
        for event in [
            json!({"id": 1, "timestamp": 1_800_000_000.25, "type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}}),
            json!({"id": 2, "previousEventId": 0, "timestamp": 1_800_000_000.25, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Charge", "input": "{}"}}),
            json!({"id": 3, "previousEventId": 2, "timestamp": 1_800_086_400.5, "type": "LambdaFunctionFailed", "lambdaFunctionFailedEventDetails": {"error": "CardDeclined", "cause": "no money", "sandstep": {"fuel": 12345, "peakMemoryBytes": 65536, "durationMicros": 1500, "log": [{"level": "warn", "message": "declined\n"}]}}}),
        ] {
            table.push(&event);
        }
        assert!(table.is_open());
        let text = table.shown().take(160, false);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["1", "08:00:00.250", "ExecutionStarted", "{}"]);
        assert_eq!(lines[2], ["2", "08:00:00.250", "TaskStateEntered", "Charge", "{}"]);
        assert_eq!(
            lines[3],
            [
                "3",
                "2027-01-16T08:00:00.500",
                "LambdaFunctionFailed",
                "Charge",
                "12",
                "345",
                "64.0",
                "KiB",
                "1.5",
                "ms",
                "CardDeclined:",
                "no",
                "money"
            ]
        );
        assert_eq!(lines[4], ["log", "warn:", "declined"]);
    }
}
