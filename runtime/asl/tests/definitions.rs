//! Broken definitions and everything that must be said of them, and properties of every text.

use asl::definition::{self, Severity};
use proptest::prelude::*;
use serde_json::json;

fn findings(text: &str) -> Vec<String> {
    let (machine, diagnostics) = definition::parse(text);
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(machine.is_none(), failed);
    diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn all_mistakes_of_a_definition_are_listed() {
    let definition = json!({
        "StartAt": "A",
        "Surprise": 1,
        "States": {
            "A": {"Type": "Pass", "Next": "B", "InputPath": "x"},
            "B": {"Type": "Task", "End": true, "TimeoutSeconds": 5, "HeartbeatSeconds": 5},
            "C": {"Type": "Wait", "Seconds": -1, "Next": "D"},
            "D": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": "1", "Next": "A"}]},
            "E": {"Type": "Parallel", "Branches": [], "End": true},
            "F": {"Type": "Nothing"},
            "G": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "H", "States": {"H": {"Type": "Pass"}}}},
            "I": {"Type": "Pass", "Catch": [], "Parameters": {"a.$": "States.Nope("}, "End": true}
        }
    });
    assert_eq!(
        findings(&definition.to_string()),
        [
            "SCHEMA_VALIDATION_FAILED: Field 'Surprise' is not supported at /",
            "SCHEMA_VALIDATION_FAILED: Value is not a valid JSONPath at /States/A/InputPath",
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/B",
            "SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/B/HeartbeatSeconds",
            "SCHEMA_VALIDATION_FAILED: Value must be between 0 and 99999999 at /States/C/Seconds",
            "SCHEMA_VALIDATION_FAILED: Expected value of type Number at /States/D/Choices[0]/NumericEquals",
            "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/E/Branches",
            "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/F/Type",
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] or [End] at /States/G/ItemProcessor/States/H",
            "SCHEMA_VALIDATION_FAILED: Field 'Catch' is not supported at /States/I",
            "SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/I/Parameters/a.$",
        ]
    );
}

#[test]
fn transitions_that_lead_nowhere_are_listed_beside_other_mistakes() {
    let definition = json!({
        "StartAt": "Nowhere",
        "States": {
            "A": {"Type": "Wait", "Seconds": -1, "Next": "B"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": 1, "Next": "D"}], "Default": "E"},
            "P": {"Type": "Parallel", "Next": "A", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true}}}]},
        }
    });
    assert_eq!(
        findings(&definition.to_string()),
        [
            "SCHEMA_VALIDATION_FAILED: Value must be between 0 and 99999999 at /States/A/Seconds",
            "SCHEMA_VALIDATION_FAILED: Expected value of type Boolean at /States/C/Choices[0]/IsNull",
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/P/Branches[0]/States/A",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /StartAt",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: D at /States/C/Choices[0]/Next",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: E at /States/C/Default",
            "DUPLICATE_STATE_NAME: Duplicate state name: A at /States/P/Branches[0]/States/A",
        ]
    );
}

#[test]
fn transitions_are_checked_as_aws_checks_them() {
    let of = |states: serde_json::Value| findings(&json!({"StartAt": "A", "States": states}).to_string());
    assert_eq!(
        of(json!({"A": {"Type": "Pass", "Next": "X"}, "B": {"Type": "Pass", "End": true}})),
        [
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Next",
            "MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B",
        ]
    );
    assert_eq!(
        of(json!({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}})),
        ["MISSING_END_STATE: Workflow has no terminal state"]
    );
    assert_eq!(
        of(json!({
            "A": {"Type": "Parallel", "End": true, "Branches": [
                {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}},
                {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}},
            ]}
        })),
        ["DUPLICATE_STATE_NAME: Duplicate state name: B at /States/A/Branches[1]/States/B"]
    );
    assert_eq!(
        findings("{}"),
        ["SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"]
    );
}

#[test]
fn a_finding_knows_its_line() {
    let text = "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\n      \"Type\": \"Pass\",\n      \"Next\": \"B\"\n    }\n  }\n}";
    let (_, diagnostics) = definition::parse(text);
    let position = diagnostics[0].position.expect("the text is known");
    assert_eq!((position.line, position.column), (6, 7));
    let (_, diagnostics) =
        definition::parse("{\"StartAt\": \"A\", \"StartAt\": \"A\", \"States\": {\"A\": {\"Type\": \"Succeed\"}}}");
    assert_eq!(
        diagnostics[0].to_string(),
        "SCHEMA_VALIDATION_FAILED: Duplicate field name at /StartAt"
    );
}

#[test]
fn a_text_that_is_not_json_is_answered_in_jacksons_words() {
    assert_eq!(
        findings("not a definition"),
        [
            "INVALID_JSON_DESCRIPTION: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]"
        ]
    );
    for text in ["", "{", "[1,", "\u{feff}{}", "{\"a\":}"] {
        assert!(findings(text)[0].starts_with("INVALID_JSON_DESCRIPTION"), "{text}");
    }
}

#[test]
fn references_are_variables_that_states_assigned() {
    let definition = json!({
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "InputPath": "$a.x", "Parameters": {"p.$": "States.Format('{}', $b)", "q": "$no"}, "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Not": {"Variable": "$c", "StringEqualsPath": "$d"}, "Next": "J"}]},
            "J": {
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": "{% ($own := $e; $map($own, function($v) { $v & '$no' & $uppercase($f) & $states.input }) ) %}",
                "End": true,
            },
        }
    });
    let (machine, _) = definition::parse(&definition.to_string());
    let machine = machine.expect("valid");
    let references = machine.variable_references();
    let of = |name: &str| {
        references[name]
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!([of("A"), of("C"), of("J")], ["a b", "c d", "e f"]);
}

#[test]
fn deep_nesting_is_a_finding_and_not_a_crash() {
    let mut machine = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    for depth in 0..27 {
        let name = format!("P{depth}");
        machine = json!({"StartAt": name, "States": {name.clone(): {"Type": "Parallel", "End": true, "Branches": [machine]}}});
    }
    assert!(findings(&machine.to_string())[0].starts_with("TOO_DEEPLY_NESTED"));
    assert!(findings(&"[".repeat(100_000))[0].starts_with("INVALID_JSON_DESCRIPTION"));
}

const WORDS: &[&str] = &[
    "StartAt",
    "States",
    "Type",
    "Pass",
    "Task",
    "Map",
    "Parallel",
    "Choice",
    "Wait",
    "Next",
    "End",
    "$.a",
    "$[?(@.a",
    "'",
    "[",
    "]",
    "(",
    ")",
    "..",
    "*",
    "-1",
    "Choices",
    "Variable",
    "Branches",
    "ItemProcessor",
    "Retry",
    "ErrorEquals",
    "Parameters",
    "a.$",
    "\u{1F600}",
];

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(WORDS).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        word.clone().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_reader_panic(value in json_value()) {
        findings(&value.to_string());
        findings(&json!({"StartAt": "A", "States": {"A": value}}).to_string());
    }

    #[test]
    fn no_text_makes_the_path_parser_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..12)) {
        let text = format!("${}", words.concat());
        if let Ok(path) = asl::expression::Path::parse(&text) {
            let _ = path.select(&json!({"a": [1, {"a": "x"}], "Next": {"a": null}}));
        }
    }
}
