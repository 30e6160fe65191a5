//! What is said of a definition, rule by rule, beside what stops it from being read.

use asl::definition::{self, Severity};
use serde_json::{Value, json};

fn machine(states: Value) -> String {
    json!({"StartAt": "A", "States": states}).to_string()
}

fn all(text: &str) -> Vec<String> {
    let (_, diagnostics) = definition::parse(text);
    diagnostics.iter().map(ToString::to_string).collect()
}

fn errors(states: Value) -> Vec<String> {
    let (_, diagnostics) = definition::parse(&machine(states));
    let errors = diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}

fn warnings(states: Value) -> Vec<String> {
    let (machine, diagnostics) = definition::parse(&machine(states));
    assert!(machine.is_some(), "{diagnostics:?}");
    diagnostics
        .iter()
        .map(|finding| {
            format!(
                "{} at {}",
                finding.code.as_str(),
                finding.location.as_deref().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn a_field_of_the_other_query_language_is_told_apart_from_an_unknown_one() {
    assert_eq!(
        errors(json!({"A": {"Type": "Pass", "End": true, "Output": 1, "Nonsense": 1}})),
        [
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A",
            "SCHEMA_VALIDATION_FAILED: Field 'Nonsense' is not supported at /States/A",
        ]
    );
    assert_eq!(
        errors(
            json!({"A": {"Type": "Task", "Resource": "wasm:a", "QueryLanguage": "JSONata", "Parameters": {}, "End": true,
            "Catch": [{"ErrorEquals": ["x"], "ResultPath": "$.x", "Next": "A"}]}})
        ),
        [
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'Parameters' is only supported for the 'JSONPath' QueryLanguage at /States/A",
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'ResultPath' is only supported for the 'JSONPath' QueryLanguage at /States/A/Catch[0]",
        ]
    );
    assert_eq!(
        errors(
            json!({"A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": true, "Condition": "{% true %}", "Next": "B"}]},
            "B": {"Type": "Succeed"}})
        ),
        [
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' QueryLanguage at /States/A/Choices[0]"
        ]
    );
}

#[test]
fn the_query_language_is_the_machines_or_the_states() {
    assert_eq!(
        errors(
            json!({"A": {"Type": "Map", "QueryLanguage": "JSONata", "End": true, "ItemProcessor": {"QueryLanguage": "JSONata",
            "StartAt": "B", "States": {"B": {"Type": "Pass", "Output": "{% 1 %}", "End": true}}}}})
        ),
        [
            "SCHEMA_VALIDATION_FAILED: Field 'QueryLanguage' is not supported at /States/A/ItemProcessor",
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A/ItemProcessor/States/B",
        ]
    );
    assert_eq!(
        errors(json!({"A": {"Type": "Pass", "QueryLanguage": "Other", "Output": 1, "End": true}})),
        [
            "SCHEMA_VALIDATION_FAILED: The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata] at /States/A/QueryLanguage"
        ]
    );
}

#[test]
fn states_all_stands_alone_and_last() {
    let task = |retry: Value, catch: Value| {
        errors(json!({"A": {"Type": "Task", "Resource": "wasm:a", "End": true, "Retry": retry, "Catch": catch}}))
    };
    assert_eq!(
        task(
            json!([{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["x"]}]),
            json!([{"ErrorEquals": ["x", "States.ALL"], "Next": "A"}])
        ),
        [
            "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals[0]",
            "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list at /States/A/Catch[0]/ErrorEquals[1]",
        ]
    );
    assert!(
        task(
            json!([{"ErrorEquals": ["x", "States.Timeout"]}, {"ErrorEquals": ["States.ALL"]}]),
            json!([])
        )
        .is_empty()
    );
}

#[test]
fn expressions_are_parsed_and_refer_to_what_is_there() {
    let jsonata = |fields: Value| {
        let mut state = json!({"Type": "Task", "Resource": "wasm:a", "QueryLanguage": "JSONata", "End": true});
        state
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        errors(json!({"A": state}))
    };
    assert_eq!(
        jsonata(json!({"Output": {"v": ["{% 1 + %}"]}, "TimeoutSeconds": "{% (1 %}"})),
        [
            "INVALID_JSONATA_EXPRESSION: Expected \")\" before end of expression at /States/A/TimeoutSeconds",
            "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/A/Output/v[0]",
        ]
    );
    assert_eq!(
        jsonata(json!({"Arguments": {"v": "{% phone & name.first & phone %}", "w": "{% $$ %}"}})),
        [
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/A/Arguments/v",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'name' at the top level is not supported. at /States/A/Arguments/v",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' at the top level is not supported. at /States/A/Arguments/w",
        ]
    );
    assert_eq!(
        jsonata(
            json!({"Arguments": "{% $states.result %}", "Output": "{% $states.errorOutput %}",
            "Assign": {"x": "{% $states.result %}"},
            "Catch": [{"ErrorEquals": ["x"], "Output": "{% $states.errorOutput.Error & $states.result %}", "Next": "A"}]})
        ),
        [
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$states.result' is not supported in this field. at /States/A/Arguments",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$states.result' is not supported in this field. at /States/A/Catch[0]/Output",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$states.errorOutput' is not supported in this field. at /States/A/Output",
        ]
    );
    assert!(
        jsonata(json!({"Arguments": "{% $string($states) & $states.context.State.Name & $states.input[a = 1].b %}"}))
            .is_empty()
    );
}

#[test]
fn variables_have_names_and_belong_to_one_scope() {
    let long = "v".repeat(81);
    let found = errors(json!({"A": {"Type": "Pass", "End": true,
        "Assign": {"states": 1, "1a": 1, "a.b": 1, "größe": 1, "x.$": "$", long.clone(): 1, "": 1}}}));
    assert_eq!(
        found,
        [
            "SCHEMA_VALIDATION_FAILED: Variable name 'states' is reserved at /States/A/Assign/states".to_owned(),
            "SCHEMA_VALIDATION_FAILED: Variable name '1a' is not a valid identifier at /States/A/Assign/1a".to_owned(),
            "SCHEMA_VALIDATION_FAILED: Variable name 'a.b' is not a valid identifier at /States/A/Assign/a.b"
                .to_owned(),
            format!(
                "SCHEMA_VALIDATION_FAILED: Variable name '{long}' is longer than 80 characters at /States/A/Assign/{long}"
            ),
            "SCHEMA_VALIDATION_FAILED: Variable name '' is not a valid identifier at /States/A/Assign/".to_owned(),
        ]
    );
    let branch = |name: &str, variable: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "Assign": {variable: 1}, "End": true}}});
    // the same name in two branches is two variables; one assigned outside, also by a later state, is refused,
    // but for what only a catcher assigns
    let found = errors(json!({
        "A": {"Type": "Parallel", "Branches": [branch("B", "x"), branch("C", "x"), branch("D", "y"), branch("F", "w")], "Next": "M"},
        "M": {"Type": "Map", "ItemProcessor": branch("E", "z"), "Next": "Z",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"z.$": "$.Error"}, "Next": "C2"}]},
        "C2": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Assign": {"w": 1}, "Next": "Z"}], "Default": "Z"},
        "Z": {"Type": "Pass", "Assign": {"y": 1}, "End": true},
    }));
    assert_eq!(
        found,
        [
            "SCHEMA_VALIDATION_FAILED: Variable 'y' is assigned in an outer scope and cannot be assigned here at /States/A/Branches[2]/States/D/Assign/y",
            "SCHEMA_VALIDATION_FAILED: Variable 'w' is assigned in an outer scope and cannot be assigned here at /States/A/Branches[3]/States/F/Assign/w",
        ]
    );
}

#[test]
fn labels_are_names_of_their_own() {
    let map = |name: &str, label: &str, next: Value| {
        let inner = format!("In{name}");
        let mut state = json!({"Type": "Map", "Label": label, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": inner, "States": {inner.clone(): {"Type": "Pass", "End": true}}}});
        state
            .as_object_mut()
            .expect("an object")
            .extend(next.as_object().expect("an object").clone());
        state
    };
    let found = errors(json!({"A": map("A", "L", json!({"Next": "B"})), "B": map("B", "L", json!({"End": true}))}));
    assert_eq!(
        found,
        ["DUPLICATE_LABEL_NAME: Duplicate label name: L at /States/B/Label"]
    );
    let found = errors(json!({"A": map("A", "a b", json!({"End": true}))}));
    assert!(found[0].starts_with("INVALID_LABEL_NAME"), "{found:?}");
}

#[test]
fn a_machine_without_an_end_is_told_beside_its_dangling_transitions() {
    assert_eq!(
        errors(json!({"A": {"Type": "Pass", "Next": "NOPE"}})),
        [
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next",
            "MISSING_END_STATE: Workflow has no terminal state",
        ]
    );
    assert_eq!(
        errors(
            json!({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Pass", "Next": "A"}})
        ),
        ["MISSING_END_STATE: Workflow has no terminal state"]
    );
}

#[test]
fn what_is_probably_meant_otherwise_is_a_warning() {
    assert_eq!(
        warnings(json!({
            "A": {"Type": "Pass", "Parameters": {"p": "$.x", "c": "States.UUID()", "t": "States rights", "ok.$": "$.x"}, "Next": "B"},
            "B": {"Type": "Pass", "Result": "$.x", "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "StringEquals": "$.y", "Next": "T"}], "Default": "F"},
            "T": {"Type": "Task", "Resource": "wasm:a", "Retry": [{"ErrorEquals": ["States.Nope", "States.Timeout", "States.Http.StatusCode.404"]}], "Next": "F"},
            "F": {"Type": "Fail", "Error": "$.error", "Cause": "because"},
        })),
        [
            "NO_DOLLAR at /States/A/Parameters/p",
            "NO_DOLLAR at /States/A/Parameters/c",
            "PASS_RESULT_IS_STATIC at /States/B/Result",
            "NO_PATH at /States/C/Choices[0]/StringEquals",
            "UNKNOWN_ERROR_NAME at /States/T/Retry[0]/ErrorEquals[0]",
            "NO_PATH at /States/F/Error",
        ]
    );
}

#[test]
fn what_was_accepted_once_is_read_again() {
    let shadowing = machine(json!({"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
        "P": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"x": 2}, "End": true}}}]}}));
    assert!(definition::parse(&shadowing).0.is_none());
    assert!(definition::parse_accepted(&shadowing).is_ok());
    assert!(definition::parse_accepted("{}").is_err());
    assert!(!all("{}").is_empty());
}
