//! Machines that count to a number, and what plays them.

use std::sync::Arc;

use asl::definition::{self, StateMachine};
use asl::execution::Nothing;
use asl::{Dice, Env, Event, EventKind, Execution, Limits, Mode, Payload, Status, Timestamp};

/// Counts in its payload.
pub const JSON_PATH: &str = r#"{
    "StartAt": "More",
    "States": {
        "More": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThanPath": "$.end", "Next": "Count"}], "Default": "Done"},
        "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "end.$": "$.end"}, "Next": "More"},
        "Done": {"Type": "Succeed"}
    }
}"#;

/// Counts in a variable; the payload passes by.
pub const VARIABLES: &str = r#"{
    "StartAt": "Begin",
    "States": {
        "Begin": {"Type": "Pass", "Assign": {"n": 0, "end.$": "$.end"}, "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{"Variable": "$n", "NumericLessThanPath": "$end", "Next": "Count"}], "Default": "Done"},
        "Count": {"Type": "Pass", "Assign": {"n.$": "States.MathAdd($n, 1)"}, "Next": "More"},
        "Done": {"Type": "Succeed"}
    }
}"#;

/// What [`JSON_PATH`] does, in the other language.
pub const JSONATA: &str = r#"{
    "QueryLanguage": "JSONata",
    "StartAt": "More",
    "States": {
        "More": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n < $states.input.end %}", "Next": "Count"}], "Default": "Done"},
        "Count": {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}", "end": "{% $states.input.end %}"}, "Next": "More"},
        "Done": {"Type": "Succeed"}
    }
}"#;

/// Counts in a variable, the payload passing by; it looks at one field of it.
pub const WIDE: &str = r#"{
    "QueryLanguage": "JSONata",
    "StartAt": "Begin",
    "States": {
        "Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{"Condition": "{% $n < $states.input.end %}", "Next": "Count"}], "Default": "Done"},
        "Count": {"Type": "Pass", "Assign": {"n": "{% $n + 1 %}"}, "Next": "More"},
        "Done": {"Type": "Succeed"}
    }
}"#;

/// Fields in the input of the machine that looks at one of them, and the bytes in each.
const FIELDS: usize = 100;
const FIELD: usize = 70;
/// Bytes of text in the input of the machine that doesn't look at it.
const BALLAST: usize = 4096;

/// A machine that goes round.
pub struct Loop {
    /// The machine.
    pub machine: Arc<StateMachine>,
    input: Payload,
    rounds: u64,
}

impl Loop {
    /// One of the machines above, and how often it goes round.
    pub fn new(text: &str, rounds: u64) -> Self {
        let (machine, findings) = definition::parse(text);
        let mut input = serde_json::json!({"n": 0, "end": rounds});
        if text == VARIABLES {
            input["ballast"] = "x".repeat(BALLAST).into();
        }
        if text == WIDE {
            for field in 0..FIELDS {
                input[format!("field{field}")] = serde_json::json!([{"text": "x".repeat(FIELD)}]);
            }
        }
        Self {
            machine: Arc::new(machine.unwrap_or_else(|| panic!("{findings:?}"))),
            input: Payload::from_text(input.to_string()).expect("JSON"),
            rounds,
        }
    }

    /// Runs it to its end, keeping no journal; answers how many states it passed through.
    pub fn transitions(&self) -> u64 {
        let mut entered = 0;
        self.play(|event| entered += u64::from(matches!(event.kind, EventKind::StateEntered { .. })));
        assert!(entered > 2 * self.rounds);
        entered
    }

    /// What it records.
    pub fn journal(&self) -> Vec<Event> {
        let mut journal = Vec::new();
        self.play(|event| journal.push(event));
        journal
    }

    fn play(&self, mut record: impl FnMut(Event)) {
        let mut execution = Execution::new(Arc::clone(&self.machine));
        let mut event = Event {
            at: Timestamp(0),
            kind: EventKind::ExecutionStarted {
                input: self.input.clone(),
                id: "arn".into(),
                name: "name".into(),
                role: None,
                machine_id: "arn".into(),
                machine_name: "name".into(),
                child_of: None,
                trace_parent: None,
                starter: None,
                mode: Mode::Standard,
            },
        };
        loop {
            execution.apply(&event).expect("decided for this execution");
            record(event);
            let mut env = Env {
                now: Timestamp(1_700_000_000_000),
                dice: &mut Sixes,
                outside: &Nothing,
                limits: Limits::OFF,
            };
            match execution.next(&mut env) {
                Some(next) => event = next,
                None => break,
            }
        }
        assert_eq!(execution.status(), Status::Succeeded, "{:?}", execution.failure());
    }
}

struct Sixes;

impl Dice for Sixes {
    fn next_u64(&mut self) -> u64 {
        6
    }
}
