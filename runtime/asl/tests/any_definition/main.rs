//! Any definition that validates either ends, waits or fails with a named error; it never panics, and never goes round
//! without an event. What its journal says is what happened: read back at any position, it goes on as the recorded
//! execution did.
//!
//! `CASES=200000` plays more of them, `SEED=<seed>` plays one case again. A case is a pure function of its seed; one that
//! fails is made as small as can be before it is shown.

#![allow(
    clippy::disallowed_methods,
    reason = "the number of cases and the seed come from the environment"
)]

mod definitions;
mod expressions;
mod play;
mod slips;
mod tape;
mod values;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Arc;

use asl::definition::{self, Severity};
use asl::{Limits, Payload, Timestamp};
use serde_json::Value;

use crate::play::World;
use crate::tape::{Tape, shrink};

/// Cases of a run that isn't told otherwise.
const CASES: u64 = 1_500;
/// What a run of at least [`CASES`] has to meet, or the cases are worth little.
const MET: [&str; 26] = [
    "valid",
    "Pass",
    "Task",
    "Choice",
    "Wait",
    "Succeed",
    "Fail",
    "Parallel",
    "Map",
    "Map Run",
    "JSONPath alone",
    "JSONata alone",
    "both languages",
    "retried",
    "redriven",
    "waits",
    "succeeded",
    "failed",
    "aborted",
    "timed out",
    "States.Runtime",
    "States.QueryEvaluationError",
    "States.NoChoiceMatched",
    "States.ResultPathMatchFailure",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
];

/// What a run went through.
#[derive(Debug, Default)]
struct Tally {
    events: u64,
    met: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, what: &str) {
        *self.met.entry(what.to_owned()).or_default() += 1;
    }
}

#[test]
fn it_ends_or_waits_or_fails_with_a_named_error() {
    let number = |variable: &str| {
        std::env::var(variable)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let only = number("SEED");
    let cases = only.map_or(number("CASES").unwrap_or(CASES), |_| 1);
    let mut tally = Tally::default();
    let quiet = take_hook();
    set_hook(Box::new(|_| {}));
    for case in 0..cases {
        let seed = only.unwrap_or(case);
        let mut tape = Tape::random(seed);
        let Some(problem) = problem(&mut tape, &mut tally) else {
            continue;
        };
        let numbers = tape.into_numbers();
        let fails = |numbers: &[u64]| crate::problem(&mut Tape::written(numbers), &mut Tally::default()).is_some();
        let smallest = shrink(numbers, fails);
        let simple = crate::problem(&mut Tape::written(&smallest), &mut Tally::default());
        let mut tape = Tape::written(&smallest);
        let (text, input, _) = setting(&mut tape);
        set_hook(quiet);
        panic!(
            "SEED={seed}: {problem}\nin its smallest form: {}\ninput: {input}\ndefinition: {text}",
            simple.unwrap_or_default()
        );
    }
    set_hook(quiet);
    println!("{cases} cases, {} events", tally.events);
    tally.met.iter().for_each(|(what, times)| println!("{times:>9} {what}"));
    if cases >= CASES {
        let missed: Vec<_> = MET.iter().filter(|what| !tally.met.contains_key(**what)).collect();
        assert!(missed.is_empty(), "the cases never meet {missed:?}");
        assert!(tally.met["valid"] * 2 >= cases, "too few definitions are valid");
    }
}

/// A definition, an input and the limits it is played with.
fn setting(tape: &mut Tape) -> (String, Value, Limits) {
    let definition = definitions::definition(tape).to_string();
    let input = values::input(tape);
    let limits = Limits {
        history_entries: if tape.percent(40) { 5 + tape.below(25) } else { 200 },
        payload_bytes: tape.pick(&[262_144, 262_144, 262_144, 200]),
        variable_bytes: tape.pick(&[262_144, 262_144, 30]),
        ..Limits::default()
    };
    (definition, input, limits)
}

/// What is wrong with a case.
fn problem(tape: &mut Tape, tally: &mut Tally) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| case(tape, tally)));
    outcome.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic without a text".into())
    })
}

fn case(tape: &mut Tape, tally: &mut Tally) {
    let (text, input, limits) = setting(tape);
    let (machine, findings) = definition::parse(&text);
    let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(
        machine.is_none(),
        refused,
        "a machine exactly where no finding is an error"
    );
    for finding in &findings {
        tally.count(&format!("finding: {}", finding.code.as_str()));
        assert!(finding.position.is_some() && !finding.message.is_empty(), "{finding:?}");
    }
    let Some(machine) = machine else { return };
    tally.count("valid");
    let document: Value = serde_json::from_str(&text).expect("a definition is JSON");
    let jsonata = document["QueryLanguage"] == "JSONata";
    tally.count(match text.contains("\"QueryLanguage\"") {
        _ if jsonata => "JSONata alone",
        false => "JSONPath alone",
        true => "both languages",
    });
    let accepted = definition::parse_accepted(&text).expect("what was accepted once is accepted again");
    assert_eq!(format!("{accepted:?}"), format!("{machine:?}"));
    let mut world = World {
        machine: Arc::new(machine),
        tape,
        tally,
        limits,
        now: Timestamp(1_700_000_000_000),
    };
    let input = if world.tape.percent(5) {
        world.awkward()
    } else {
        Payload::from_value(input)
    };
    world.play(input, None);
}
