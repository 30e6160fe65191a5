//! Values of every kind, the awkward ones among them.

use serde_json::{Map, Value, json};

use crate::tape::Tape;

/// The fields that paths and expressions look for.
pub const FIELDS: [&str; 6] = ["a", "b", "n", "items", "t", "x y"];

const TEXTS: [&str; 14] = [
    "",
    "a",
    "5",
    "-1",
    "2024-02-29T00:00:00Z",
    "2024-02-29T00:00:00.123+05:30",
    "é😀\u{0}",
    "$.a",
    "{% $states.input %}",
    "{\"a\": [1]}",
    "Own.Text",
    "{}",
    "a,b;c",
    "eyJhIjoxfQ==",
];

/// A value nested at most `depth` deep.
pub fn value(tape: &mut Tape, depth: u32) -> Value {
    match tape.below(if depth == 0 { 12 } else { 18 }) {
        0 => json!(null),
        1 => json!(true),
        2 => json!(false),
        3 => json!(tape.below(4)),
        4 => json!(-1),
        5 => json!(1.5),
        6 => json!(9_007_199_254_740_993_u64),
        7 => json!(i64::MIN),
        8 => json!(1e300),
        9 => json!(u64::MAX),
        10 | 11 => json!(tape.pick(&TEXTS)),
        12..=14 => (0..tape.below(4)).map(|_| value(tape, depth - 1)).collect(),
        _ => object(tape, depth - 1),
    }
}

fn object(tape: &mut Tape, depth: u32) -> Value {
    let fields = (0..tape.below(4)).map(|_| (tape.pick(&FIELDS).to_owned(), value(tape, depth)));
    Value::Object(fields.collect())
}

/// An input as the generated paths like it, or any value.
pub fn input(tape: &mut Tape) -> Value {
    if tape.percent(25) {
        return value(tape, 3);
    }
    let mut fields = Map::new();
    fields.insert("a".into(), value(tape, 2));
    fields.insert("b".into(), object(tape, 1));
    fields.insert("n".into(), json!(tape.below(5)));
    let items = (0..tape.below(4)).map(|_| value(tape, 2)).collect();
    fields.insert("items".into(), Value::Array(items));
    fields.insert("t".into(), json!(tape.pick(&TEXTS)));
    Value::Object(fields)
}
