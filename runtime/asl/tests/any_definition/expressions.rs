//! Paths, intrinsic functions, conditions and JSONata, as definitions hold them.

use serde_json::{Map, Value, json};

use crate::tape::Tape;
use crate::values::value;

const PATHS: [&str; 26] = [
    "$",
    "$.a",
    "$.n",
    "$.items",
    "$.b.a",
    "$.t",
    "$.items[0]",
    "$.items[-1]",
    "$.items[*]",
    "$.items[0:2]",
    "$.items[0,1]",
    "$..n",
    "$.*",
    "$['a','b']",
    "$['x y']",
    "$.items[?(@.n > 0)]",
    "$.items[?(@ == $.n || !(@.a =~ /a.*/i))]",
    "$.items[?(@.a in [1, 'a'])]",
    "$$",
    "$$.Execution.Input.a",
    "$$.Execution.Name",
    "$$.State.RetryCount",
    "$$.Map.Item.Value",
    "$$.Map.Item.Index",
    "$$.Task.Token",
    "$.missing.entirely",
];

/// A path, or a variable.
pub fn path(tape: &mut Tape, variables: &[String]) -> String {
    if !variables.is_empty() && tape.percent(25) {
        let variable = &variables[tape.below(variables.len() as u64) as usize];
        return format!("${variable}{}", tape.pick(&["", ".a", "[0]", "[*].n"]));
    }
    // those that most inputs have come first
    if tape.percent(30) {
        tape.pick(&PATHS)
    } else {
        tape.pick(&PATHS[..6])
    }
    .to_owned()
}

/// A path that names one place.
pub fn reference_path(tape: &mut Tape) -> &'static str {
    tape.pick(&[
        "$",
        "$.r",
        "$.r",
        "$.r",
        "$.a",
        "$.b.a",
        "$.items[0]",
        "$.n.deeper",
        "$['x y'].z",
    ])
}

/// Names of functions, with the number of their arguments.
const CALLS: [(&str, u64); 19] = [
    ("Array", 2),
    ("MathAdd", 2),
    ("Format", 2),
    ("StringToJson", 1),
    ("JsonToString", 1),
    ("ArrayPartition", 2),
    ("ArrayContains", 2),
    ("ArrayRange", 3),
    ("ArrayGetItem", 2),
    ("ArrayLength", 1),
    ("ArrayUnique", 1),
    ("Base64Encode", 1),
    ("Base64Decode", 1),
    ("Hash", 2),
    ("JsonMerge", 3),
    ("MathRandom", 2),
    ("MathRandom", 3),
    ("StringSplit", 2),
    ("UUID", 0),
];

/// A call of an intrinsic function.
pub fn call(tape: &mut Tape, variables: &[String], depth: u32) -> String {
    let (name, count) = tape.pick(&CALLS);
    let arguments: Vec<String> = (0..count)
        .map(|index| match tape.below(if depth == 0 { 9 } else { 11 }) {
            0 | 1 => path(tape, variables),
            2 => tape.below(4).to_string(),
            3 => tape
                .pick(&["'{} {}'", "'{}'", "'SHA-1'", "'MD5'", "','", "'\\'{\\}'"])
                .to_owned(),
            4 => "false".to_owned(),
            5 => tape.pick(&["-1", "1.5", "9223372036854775807", "1e30"]).to_owned(),
            6 => "null".to_owned(),
            7 if index == 0 && name == "Format" => "'{}'".to_owned(),
            7 | 8 => "$.items".to_owned(),
            _ => call(tape, variables, depth - 1),
        })
        .collect();
    format!("States.{name}({})", arguments.join(", "))
}

/// What a field ending in `.$` may hold.
pub fn selector(tape: &mut Tape, variables: &[String]) -> String {
    if tape.percent(40) {
        return call(tape, variables, 2);
    }
    path(tape, variables)
}

/// A payload template in JSONPath.
pub fn template(tape: &mut Tape, variables: &[String], depth: u32) -> Value {
    let mut fields = if tape.percent(40) { Map::new() } else { usual() };
    for _ in 0..1 + tape.below(3) {
        let name = tape.pick(&crate::values::FIELDS);
        let (name, value) = match tape.below(if depth == 0 { 3 } else { 5 }) {
            0 | 1 => (format!("{name}.$"), json!(selector(tape, variables))),
            2 => (name.to_owned(), value(tape, 1)),
            3 => (name.to_owned(), template(tape, variables, depth - 1)),
            _ => (name.to_owned(), json!([template(tape, variables, depth - 1), 1])),
        };
        fields.shift_remove(name.trim_end_matches(".$"));
        fields.insert(name, value);
    }
    Value::Object(fields)
}

/// What paths look for, so that the states behind have something to work with.
fn usual() -> Map<String, Value> {
    let fields = [
        ("a", json!([1, "a"])),
        ("b", json!({"a": true})),
        ("n", json!(2)),
        ("items", json!([3, {"n": 4}])),
        ("t", json!("x")),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

const TESTS: [&str; 6] = [
    "IsPresent",
    "IsNull",
    "IsNumeric",
    "IsString",
    "IsBoolean",
    "IsTimestamp",
];
const RELATIONS: [&str; 5] = [
    "Equals",
    "LessThan",
    "GreaterThan",
    "LessThanEquals",
    "GreaterThanEquals",
];

/// A condition of a rule in JSONPath.
pub fn condition(tape: &mut Tape, variables: &[String], depth: u32) -> Value {
    match tape.below(if depth == 0 { 6 } else { 9 }) {
        0 => json!({"Variable": path(tape, variables), tape.pick(&TESTS): tape.percent(50)}),
        1 => json!({"Variable": path(tape, variables), "StringMatches": tape.pick(&["*", "a*", "\\*", "*a*b"])}),
        2..=5 => comparison(tape, variables),
        6 => json!({"Not": condition(tape, variables, depth - 1)}),
        7 => json!({"And": [condition(tape, variables, depth - 1), condition(tape, variables, depth - 1)]}),
        _ => json!({"Or": [condition(tape, variables, depth - 1), condition(tape, variables, depth - 1)]}),
    }
}

fn comparison(tape: &mut Tape, variables: &[String]) -> Value {
    let kind = tape.pick(&["Numeric", "String", "Timestamp", "Boolean"]);
    let relation = if kind == "Boolean" {
        "Equals"
    } else {
        tape.pick(&RELATIONS)
    };
    let variable = path(tape, variables);
    if tape.percent(30) {
        return json!({"Variable": variable, format!("{kind}{relation}Path"): path(tape, variables)});
    }
    let operand = match kind {
        "Numeric" => json!(tape.below(4)),
        "String" => json!(tape.pick(&["a", "", "é😀"])),
        "Timestamp" => json!("2024-01-01T00:00:00Z"),
        _ => json!(tape.percent(50)),
    };
    json!({"Variable": variable, format!("{kind}{relation}"): operand})
}

const LEAVES: [&str; 22] = [
    "1",
    "$states.input",
    "$states.input.a",
    "$states.input.n",
    "$states.input.items",
    "$states.input.b.a",
    "$states.input.t",
    "true",
    "null",
    "'a'",
    "[1..4]",
    "$states.context.Execution.Input",
    "$states.context.Execution.Name",
    "$states.context.Map.Item.Value",
    "$states.input.items[0]",
    "$states.input.items[n > 0].a",
    "$states.input.*",
    "$states.input.**.n",
    "-1.5",
    "1e300",
    "{'k': $states.input.n}",
    "$states.input.a.%.n",
];

const OF_ONE: [&str; 34] = [
    "count",
    "string",
    "sum",
    "number",
    "keys",
    "length",
    "boolean",
    "not",
    "exists",
    "type",
    "reverse",
    "sort",
    "distinct",
    "shuffle",
    "merge",
    "max",
    "min",
    "average",
    "uppercase",
    "trim",
    "abs",
    "floor",
    "sqrt",
    "round",
    "parse",
    "hash",
    "base64encode",
    "base64decode",
    "toMillis",
    "fromMillis",
    "error",
    "spread",
    "eval",
    "flatten",
];
const OF_TWO: [&str; 18] = [
    "append",
    "partition",
    "split",
    "join",
    "contains",
    "lookup",
    "zip",
    "power",
    "formatNumber",
    "substring",
    "substringBefore",
    "hash",
    "random",
    "assert",
    "now",
    "formatBase",
    "pad",
    "match",
];

/// A JSONata expression, without its braces. `own` is what may be read besides the input.
pub fn jsonata(tape: &mut Tape, variables: &[String], own: &[&str], depth: u32) -> String {
    if depth == 0 || !tape.percent(75) {
        return leaf(tape, variables, own);
    }
    let part = |tape: &mut Tape| jsonata(tape, variables, own, depth - 1);
    let left = part(tape);
    match tape.below(15) {
        0 | 1 => format!(
            "({left}) {} ({})",
            tape.pick(&["+", "-", "*", "/", "%", "&"]),
            part(tape)
        ),
        2 | 3 => format!(
            "({left}) {} ({})",
            tape.pick(&["=", "!=", "<", ">=", "in", "and", "or"]),
            part(tape)
        ),
        4 => format!("({left}) ? ({}) : ({})", part(tape), part(tape)),
        5 | 6 => format!("${}({left})", tape.pick(&OF_ONE)),
        7 => format!("${}({left}, {})", tape.pick(&OF_TWO), part(tape)),
        8 => format!("[{left}, {}]", part(tape)),
        9 => format!("{{'a': {left}, 'n': {}}}", part(tape)),
        10 => format!("($x := {left}; [$x, $x])"),
        11 => format!("$map({left}, function($y) {{ $y & {} }})", part(tape)),
        12 => format!("$filter({left}, function($y, $i) {{ $y = {} }})", part(tape)),
        13 => format!("$range({left}, {}, {})", part(tape), tape.pick(&["1", "0", "-1"])),
        _ => format!("{left} ~> ${}", tape.pick(&OF_ONE)),
    }
}

fn leaf(tape: &mut Tape, variables: &[String], own: &[&str]) -> String {
    match tape.below(5) {
        0 if !own.is_empty() => tape.pick(own).to_owned(),
        1 if !variables.is_empty() => {
            let variable = &variables[tape.below(variables.len() as u64) as usize];
            format!("${variable}{}", tape.pick(&["", ".a", "[0]"]))
        }
        _ => tape.pick(&LEAVES).to_owned(),
    }
}

/// Expressions that always have a value, whatever the input.
const SAFE: [&str; 8] = [
    "$states.input",
    "1 + 1",
    "$exists($states.input.n) ? $states.input.n : 3",
    "[$states.input.items]",
    "{'a': [1], 'n': 2, 'items': [1..3], 't': 'x'}",
    "$string($states.input)",
    "$count($states.input.items)",
    "[$states.context.State.Name, $states.input.a]",
];

/// The same in braces.
pub fn braced(tape: &mut Tape, variables: &[String], own: &[&str]) -> Value {
    if !tape.percent(40) {
        return json!(format!("{{% {} %}}", tape.pick(&SAFE)));
    }
    json!(format!("{{% {} %}}", jsonata(tape, variables, own, 3)))
}

/// A document in which texts may be expressions.
pub fn document(tape: &mut Tape, variables: &[String], own: &[&str]) -> Value {
    match tape.below(8) {
        0 | 1 => braced(tape, variables, own),
        2..=5 => {
            json!({"a": braced(tape, variables, own), "n": tape.below(3), "items": [braced(tape, variables, own)]})
        }
        6 => value(tape, 2),
        _ => json!({"b": {"a": braced(tape, variables, own)}, "items": "{% $states.input.items %}"}),
    }
}
