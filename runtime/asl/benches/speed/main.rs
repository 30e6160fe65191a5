//! What the language costs on one core, with no disk, clock or socket near it, next to what the same work costs bare:
//! `cargo bench -p asl --bench speed`.
//!
//! Transitions are states entered and left: two events, each decided by `next` and folded in by `apply`. Replay is `apply`
//! alone over the journal of such a loop. Every row has its floor, measured in turns with it so that whatever else the
//! machine does hits both, and says how often it allocates.
//!
//! `TURNS` (5) is how often each is measured; the median counts.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod floor;
mod machines;

use std::sync::Arc;
use std::time::Instant;

use asl::{Event, Execution};

/// Rounds of a loop in one turn; long enough that starting it doesn't show.
const ROUNDS: u64 = 50_000;

/// What one row measures: does its work once, and says how many units that was.
type Work<'w> = Box<dyn FnMut() -> u64 + 'w>;

struct Row<'w> {
    name: &'static str,
    unit: &'static str,
    work: Work<'w>,
    floor: Work<'w>,
}

fn main() {
    let turns = std::env::var("TURNS").map_or(5, |text| text.parse().expect("TURNS is a number"));
    let paths = machines::Loop::new(machines::JSON_PATH, ROUNDS);
    let variables = machines::Loop::new(machines::VARIABLES, ROUNDS);
    let jsonata = machines::Loop::new(machines::JSONATA, ROUNDS);
    let wide = machines::Loop::new(machines::WIDE, ROUNDS / 5);
    let journal = paths.journal();
    let text: Vec<String> = journal
        .iter()
        .map(|event| serde_json::to_string(event).expect("events are serializable"))
        .collect();
    let machine = &paths.machine;
    let rows = [
        Row {
            name: "Choice and Pass, JSONPath",
            unit: "transition",
            work: Box::new(|| paths.transitions()),
            floor: Box::new(|| floor::documents(ROUNDS)),
        },
        Row {
            name: "the same with variables, 4 KiB passing by",
            unit: "transition",
            work: Box::new(|| variables.transitions()),
            floor: Box::new(|| floor::documents(ROUNDS)),
        },
        Row {
            name: "Choice and Pass, JSONata",
            unit: "transition",
            work: Box::new(|| jsonata.transitions()),
            floor: Box::new(|| floor::expressions(ROUNDS)),
        },
        Row {
            name: "the same with 100 fields beside, 8 KiB",
            unit: "transition",
            work: Box::new(|| wide.transitions()),
            floor: Box::new(|| floor::expressions(ROUNDS)),
        },
        Row {
            name: "replay",
            unit: "event",
            work: Box::new(|| replay(machine, &journal)),
            floor: Box::new(|| floor::copies(&journal)),
        },
        Row {
            name: "replay from the journal's text",
            unit: "event",
            work: Box::new(|| replay(machine, &read(&text))),
            floor: Box::new(|| floor::values(&text)),
        },
    ];
    println!(
        "{:44}{:>14}{:>14}{:>12}{:>14}",
        "on one core", "a second", "floor", "ratio", "allocations"
    );
    for mut row in rows {
        let (mut rates, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            rates.push(rate(&mut row.work));
            floors.push(rate(&mut row.floor));
        }
        let (rate, floor) = (median(&mut rates), median(&mut floors));
        let mut units = 0;
        let counted = allocation_counter::measure(|| units = (row.work)());
        println!(
            "{:44}{rate:>14.0}{floor:>14.0}{:>10.1} %{:>14}",
            row.name,
            rate / floor * 100.0,
            format!("{:.1}/{}", counted.count_total as f64 / units as f64, row.unit),
        );
    }
}

fn rate(work: &mut Work<'_>) -> f64 {
    let since = Instant::now();
    let units = work();
    units as f64 / since.elapsed().as_secs_f64()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn replay(machine: &Arc<asl::definition::StateMachine>, journal: &[Event]) -> u64 {
    let execution = Execution::replay(Arc::clone(machine), journal).expect("recorded by the same machine");
    assert!(execution.status().is_closed());
    execution.position()
}

fn read(text: &[String]) -> Vec<Event> {
    let events = text.iter().map(|event| serde_json::from_str(event));
    events.collect::<Result<_, _>>().expect("own encoding")
}
