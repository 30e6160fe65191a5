//! Answers of the reference implementation of JSONata, and what the language's own entry makes of the same expressions.
//!
//! `jsonata/answers.json` holds what jsonata-js 2.2.2 answered, as the crate jsonata-core 2.2.13 recorded it for its own
//! tests (MIT, its notice beside it): built-in functions and operators over values of every type. Each expression stands
//! here as it would in a state, within a field of the state's input.

#![allow(clippy::disallowed_methods, reason = "the answers are a file")]

use std::collections::BTreeMap;

use asl::Timestamp;
use asl::expression::context::{Chance, ExecutionContext, StateContext};
use asl::expression::{Bindings, Jsonata};
use asl::payload::Payload;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Answers {
    datasets: BTreeMap<String, Value>,
    /// Data set, expression, answer.
    cases: Vec<(String, String, Answer)>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Answer {
    Value {
        value: Value,
    },
    Undefined,
    Error,
    /// Infinite or no number, which JSON can't say.
    Nonfinite,
}

/// What is answered otherwise on purpose, by what the expression holds, and in how many cases at most.
const OTHERWISE: [(&str, usize, &str); 4] = [
    ("$eval", 8, "AWS takes it away"),
    ("$random", 12, "AWS gives it a seed, so that an argument is no mistake"),
    ("$$", 11, "an expression of a state has no context"),
    (
        "$keys)",
        3,
        "no keys at all are no field here, and an empty list where they are the whole answer",
    ),
];

#[test]
fn expressions_are_answered_as_the_reference_answers_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jsonata/answers.json");
    let text = std::fs::read_to_string(path).expect("the answers are there");
    let answers: Answers = serde_json::from_str(&text).expect("the answers are JSON");
    let mut otherwise = Vec::new();
    assert!(
        answers.cases.len() > 5_000,
        "only {} cases were found",
        answers.cases.len()
    );
    for (dataset, expression, expected) in &answers.cases {
        let found = evaluated(expression, &answers.datasets[dataset]);
        let agrees = match (expected, &found) {
            (Answer::Value { value }, Ok(Some(found))) => same(value, found),
            (Answer::Undefined, Ok(None)) | (Answer::Error, Err(_)) => true,
            (Answer::Nonfinite, found) => !matches!(found, Ok(Some(Value::Number(_)))),
            _ => false,
        };
        if !agrees {
            otherwise.push(format!("{expression}: {found:?}, the reference {expected:?}"));
        }
    }
    let agree = answers.cases.len() - otherwise.len();
    println!("{agree} of {} agree", answers.cases.len());
    for (holds, most, why) in OTHERWISE {
        let mut found = 0;
        otherwise.retain(|case| {
            let is = case
                .split(": ")
                .next()
                .is_some_and(|expression| expression.contains(holds));
            found += usize::from(is);
            !is
        });
        assert!(
            found <= most,
            "{found} expressions with `{holds}` are answered otherwise ({why}), not {most}"
        );
    }
    assert!(
        otherwise.is_empty(),
        "{} without a reason:\n{}",
        otherwise.len(),
        otherwise.join("\n")
    );
}

/// What an expression gives with `input` as its context; nothing where it gives nothing.
fn evaluated(expression: &str, input: &Value) -> Result<Option<Value>, String> {
    let text = format!("{{% $states.input.{{\"it\": ({expression})}} %}}");
    let expression = Jsonata::parse(&text, "Output")?;
    let execution = ExecutionContext {
        id: "id".into(),
        name: "name".into(),
        role: None,
        input: Payload::empty_object(),
        started: Timestamp(0),
        machine_id: "machine".into(),
        machine_name: "machine".into(),
        redrivable: true,
        redrive_count: 0,
        redrive_time: None,
    };
    let chance = Chance::new(Timestamp(0), 7);
    let state = StateContext {
        name: "S",
        entered: Timestamp(0),
        retry_count: None,
        item: None,
        task_token: None,
    };
    let variables = BTreeMap::new();
    let bindings = Bindings::new(input, &execution, state, &variables, &chance);
    let mut found = expression.evaluate(&bindings).map_err(|fault| fault.cause)?;
    Ok(found.as_object_mut().and_then(|fields| fields.remove("it")))
}

/// Numbers are doubles in JSONata, however they are written.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}
