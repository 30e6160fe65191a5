//! What is thrown at the parsers. Each function takes any text, and fails only where something that must always
//! hold doesn't; `runtime/asl/tests/corpus.rs` runs them over the corpus with a stable compiler.

use std::collections::BTreeMap;

use asl::Timestamp;
use asl::definition::{self, Severity};
use asl::expression::context::{Chance, ExecutionContext, StateContext};
use asl::expression::{Bindings, Call, Fault, Jsonata, Path, ReferencePath};
use asl::payload::Payload;
use serde_json::{Value, json};

/// A definition: read, or every mistake told; a machine exactly where there is no error, each finding with its place.
pub fn definition(text: &str) {
    let (machine, diagnostics) = definition::parse(text);
    let failed = diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(machine.is_none(), failed);
    let lines = text.split('\n').count();
    for finding in &diagnostics {
        let position = finding.position.expect("every finding has a place");
        assert!(position.line >= 1 && position.line <= lines.max(1) + 1, "{finding:?}");
        assert!(!finding.message.is_empty());
    }
    if let Some(machine) = machine {
        let _ = machine.variable_references();
        let _ = machine.resources().count();
        let (again, _) = definition::parse(text);
        assert!(again.is_some(), "a definition that was accepted is accepted again");
    }
}

/// A path: what was parsed keeps its text, and evaluating it ends.
pub fn json_path(text: &str) {
    let Ok(path) = Path::parse(text) else {
        assert!(ReferencePath::parse(text).is_err(), "every reference path is a path");
        return;
    };
    assert_eq!(path.text(), text);
    let document = document();
    let found = path.select(&document);
    if let (true, Ok(found)) = (path.is_root(), &found) {
        assert_eq!(found, &document);
    }
    // several properties at once, which only commas can ask for, are put together in an object
    if !path.is_definite() && !text.contains(',') {
        assert!(
            found.is_ok_and(|found| found.is_array()),
            "an indefinite path finds a list"
        );
    }
    if let Ok(reference) = ReferencePath::parse(text) {
        assert!(path.is_definite());
        if let Ok(written) = reference.write(document.clone(), json!("written")) {
            assert_eq!(
                path.select(&written),
                Ok(json!("written")),
                "what is written is found again"
            );
        }
    }
}

/// An intrinsic function: parsed, and evaluated to a value or a named failure.
pub fn intrinsic(text: &str) {
    let Ok(call) = Call::parse(text) else { return };
    let _ = call.paths();
    evaluate(&mut |bindings| call.evaluate(bindings));
}

/// A JSONata expression, its braces around it.
pub fn jsonata(text: &str) {
    let Ok(expression) = Jsonata::parse(&format!("{{% {text} %}}"), "Output") else {
        return;
    };
    expression.variables(&mut |name| assert!(!name.is_empty()));
    evaluate(&mut |bindings| expression.evaluate(bindings));
}

fn evaluate(of: &mut dyn FnMut(&Bindings<'_>) -> Result<Value, Fault>) {
    let input = document();
    let variables = BTreeMap::from([("x".to_owned(), Payload::from_value(json!([1, {"y": "z"}])))]);
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
        retry_count: Some(0),
        item: None,
        task_token: None,
    };
    let bindings = Bindings::new(&input, &execution, state, &variables, &chance);
    match of(&bindings) {
        Ok(value) => drop(value.to_string()),
        Err(fault) => assert!(fault.error.starts_with("States.") && !fault.cause.is_empty()),
    }
}

fn document() -> Value {
    json!({
        "a": [1, 2.5, -3, "text", null, true, {"b": {"c": [[1], [2, 3]]}}],
        "b": {"a": "x", "n": 12, "list": [{"k": "v", "n": 1}, {"k": "w", "n": 2}]},
        "text": "eyJhIjoxfQ==",
        "json": "{\"a\": [1, 2]}",
        "empty": {},
        "none": [],
    })
}
