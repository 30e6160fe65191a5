//! The same work with nothing around it.

use std::hint::black_box;

use asl::Event;
use jsonata_core::evaluator::{Context, Evaluator};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Value, json};

/// What counting in a document can't do without: two look-ups, a comparison, a new document and its text, for
/// every two transitions.
pub fn documents(rounds: u64) -> u64 {
    let mut document = json!({"n": 0, "end": rounds});
    while document["n"].as_f64() < document["end"].as_f64() {
        let n = document["n"].as_i64().unwrap_or_default();
        document = json!({"n": n + 1, "end": document["end"].clone()});
        black_box(document.to_string());
    }
    2 * rounds
}

/// The evaluator alone, on values that are its own already.
pub fn expressions(rounds: u64) -> u64 {
    let [less, add, end] =
        ["input.n < input.end", "input.n + 1", "input.end"].map(|text| parser::parse(text).expect("JSONata"));
    let mut input = JValue::from(json!({"input": {"n": 0, "end": rounds}}));
    let mut transitions = 0;
    loop {
        let evaluate = |ast| Evaluator::with_context(Context::new()).evaluate(ast, &input);
        transitions += 2;
        if evaluate(&less).ok() != Some(JValue::Bool(true)) {
            return transitions;
        }
        let next = [("n", evaluate(&add)), ("end", evaluate(&end))];
        let fields = next.map(|(name, value)| (name, Value::from(&value.expect("a number"))));
        let document: Value = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        black_box(document.to_string());
        input = JValue::from(json!({"input": document}));
    }
}

/// Every event copied once.
pub fn copies(journal: &[Event]) -> u64 {
    for event in journal {
        black_box(event.clone());
    }
    journal.len() as u64
}

/// Every event's text read as JSON and nothing more.
pub fn values(text: &[String]) -> u64 {
    for event in text {
        black_box(serde_json::from_str::<Value>(event).expect("JSON"));
    }
    text.len() as u64
}
