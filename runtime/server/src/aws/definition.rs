//! A definition as the API sees it: the language's own findings, and those about what this server runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use asl::Limits;
use asl::definition::{self, Diagnostic, Severity, StateMachine};
use engine::ports::MachineType;
use serde::Serialize;
use serde_json::Value;

use super::errors::{Answer, ApiError};
use super::module_call;
use super::resource::{self, Asked};
use super::test_state;

/// What became of a definition.
pub struct Checked {
    /// The machine, where there is no error.
    pub state_machine: Option<Arc<StateMachine>>,
    /// Modules its tasks refer to.
    pub modules: Vec<String>,
    /// Everything found, errors and warnings.
    pub findings: Vec<Finding>,
}

/// One finding, in the shape of ValidateStateMachineDefinition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `ERROR` or `WARNING`.
    pub severity: &'static str,
    /// `SCHEMA_VALIDATION_FAILED`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Finding {
    /// Whether the definition is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == "ERROR"
    }
}

impl From<Diagnostic> for Finding {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
            },
            code: diagnostic.code.as_str(),
            message: diagnostic.message,
            location: diagnostic.location,
        }
    }
}

/// `CODE: message at /location`, as InvalidDefinition lists them.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.location {
            // A text that isn't JSON carries its location in its message.
            Some(location) if self.message.ends_with(&**location) => Ok(()),
            Some(location) => write!(f, " at {location}"),
            // as AWS writes it
            None => f.write_str(" at null"),
        }
    }
}

/// Checks a definition for a type of machine, within limits.
pub fn check(text: &str, machine_type: MachineType, limits: &Limits) -> Checked {
    let (state_machine, diagnostics) = definition::parse_within(text, limits);
    let mut findings: Vec<Finding> = diagnostics.into_iter().map(Finding::from).collect();
    let mut modules = BTreeSet::new();
    // The language knows no resources; they are looked up in the document for their places' sake.
    if let Ok(document) = serde_json::from_str::<Value>(text) {
        let mut refused = |message, location: &str| {
            findings.push(Finding {
                severity: "ERROR",
                code: "SCHEMA_VALIDATION_FAILED",
                message,
                location: Some(location.to_owned()),
            });
        };
        let mut look = |part: Part<'_>, location: &str| match part {
            Part::Resource(resource, machine_type) => {
                if let Some(message) = refusal(resource, machine_type) {
                    refused(message, location);
                }
            }
            Part::Task(state) => {
                let named = module_call::named(state);
                if let Some(Ok(Asked::Module(asked))) = named.as_deref().map(resource::parse) {
                    modules.insert(asked.module.name.to_owned());
                }
            }
            Part::DistributedMap(MachineType::Express) => {
                refused(
                    "Express state machine does not support Distributed Map".into(),
                    location,
                );
            }
            Part::DistributedMap(MachineType::Standard) => {}
        };
        parts(&document, machine_type, &mut String::new(), &mut look);
    }
    let sound = !findings.iter().any(Finding::is_error);
    Checked {
        state_machine: state_machine.filter(|_| sound).map(Arc::new),
        modules: modules.into_iter().collect(),
        findings,
    }
}

impl Checked {
    /// The machine.
    ///
    /// # Errors
    /// `InvalidDefinition` listing every error, the way AWS lists them.
    pub fn accepted(self) -> Answer<(Arc<StateMachine>, Vec<String>)> {
        match self.state_machine {
            Some(machine) => Ok((machine, self.modules)),
            None => {
                let errors: Vec<String> = self
                    .findings
                    .iter()
                    .filter(|finding| finding.is_error())
                    .map(Finding::to_string)
                    .collect();
                Err(ApiError::invalid_definition(&errors.join(", ")))
            }
        }
    }
}

/// Why a resource is refused. The texts about Express machines are AWS's; one ends in a space there too.
fn refusal(resource: &str, machine_type: MachineType) -> Option<String> {
    if machine_type == MachineType::Express {
        let unsupported = if resource.contains(":states:") && resource.contains(":activity:") {
            Some("Activity ARN")
        } else if resource.ends_with(".waitForTaskToken") {
            Some("'.waitForTaskToken' service integration ")
        } else if resource.ends_with(".sync") || resource.ends_with(".sync:2") {
            Some("'.sync' service integration ")
        } else {
            None
        };
        if let Some(unsupported) = unsupported {
            return Some(format!("Express state machine does not support {unsupported}"));
        }
    }
    // what AWS doesn't know either is refused in its words
    resource::parse(resource)
        .err()
        .map(|ours| test_state::unknown_integration(resource).unwrap_or(ours))
}

/// What a definition has that depends on the server, or on the type of workflow around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'d> {
    /// A Task state, whole.
    Task(&'d Value),
    /// A Task state's Resource.
    Resource(&'d str, MachineType),
    /// The Mode of a distributed Map state.
    DistributedMap(MachineType),
}

/// Every such part with its place. What a distributed Map state runs is a workflow of the type it says.
pub(super) fn parts(
    node: &Value,
    machine_type: MachineType,
    place: &mut String,
    found: &mut impl FnMut(Part<'_>, &str),
) {
    let Some(states) = node.get("States").and_then(Value::as_object) else {
        return;
    };
    let here = place.len();
    for (name, state) in states {
        place.truncate(here);
        place.push_str("/States/");
        place.push_str(name);
        let state_place = place.len();
        if state.get("Type").and_then(Value::as_str) == Some("Task") {
            found(Part::Task(state), place);
            if let Some(resource) = state.get("Resource").and_then(Value::as_str) {
                found(Part::Resource(resource, machine_type), &format!("{place}/Resource"));
            }
        }
        for field in ["Iterator", "ItemProcessor"] {
            if let Some(inner) = state.get(field) {
                place.push('/');
                place.push_str(field);
                let config = |name| inner["ProcessorConfig"][name].as_str();
                let inner_type = match (config("Mode"), config("ExecutionType")) {
                    (Some("DISTRIBUTED"), Some("EXPRESS")) => MachineType::Express,
                    (Some("DISTRIBUTED"), _) => MachineType::Standard,
                    _ => machine_type,
                };
                if config("Mode") == Some("DISTRIBUTED") {
                    let mode = format!("{place}/ProcessorConfig/Mode");
                    found(Part::DistributedMap(machine_type), &mode);
                }
                parts(inner, inner_type, place, found);
                place.truncate(state_place);
            }
        }
        for (index, branch) in state
            .get("Branches")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            place.push_str(&format!("/Branches[{index}]"));
            parts(branch, machine_type, place, found);
            place.truncate(state_place);
        }
    }
    place.truncate(here);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str, machine_type: MachineType) -> Vec<String> {
        check(text, machine_type, &Limits::default())
            .findings
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn an_express_workflow_has_no_distributed_map_and_one_in_it_keeps_to_its_rules() {
        let text = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
                "Resource": "arn:aws:states:us-east-1:000000000000:activity:a"}}}}}}"#;
        let activity = "SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN at \
                        /States/M/ItemProcessor/States/T/Resource";
        let map = "SCHEMA_VALIDATION_FAILED: Express state machine does not support Distributed Map at \
                   /States/M/ItemProcessor/ProcessorConfig/Mode";
        assert_eq!(findings(text, MachineType::Standard), [activity]);
        assert_eq!(findings(text, MachineType::Express), [map, activity]);
        let standard = text.replace("EXPRESS", "STANDARD");
        assert_eq!(findings(&standard, MachineType::Standard), [""; 0]);
    }

    #[test]
    fn resources_nobody_runs_are_refused_where_they_stand() {
        let text = r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [{
            "StartAt": "A", "States": {
                "A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Next": "M"},
                "M": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "T", "States": {
                    "T": {"Type": "Task", "Resource": "wasm:", "End": true}}}}}}]}}}"#;
        let found = findings(text, MachineType::Standard);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].ends_with(" at /States/P/Branches[0]/States/A/Resource"),
            "{found:?}"
        );
        assert!(
            found[1].ends_with(" at /States/P/Branches[0]/States/M/ItemProcessor/States/T/Resource"),
            "{found:?}"
        );
        assert!(
            check(text, MachineType::Standard, &Limits::default())
                .state_machine
                .is_none()
        );
    }

    #[test]
    fn express_machines_know_no_activities() {
        let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:us-east-1:000000000000:activity:a"}}}"#;
        assert_eq!(
            findings(text, MachineType::Express),
            ["SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN at /States/A/Resource"]
        );
    }

    #[test]
    fn modules_are_found_in_both_spellings() {
        let text = r#"{"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "wasm:ship@2", "Next": "B"},
            "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:charge", "Next": "C"},
            "C": {"Type": "Task", "Resource": "wasm:ship", "Next": "D"},
            "D": {"Type": "Task", "Resource": "arn:aws:states:::wasm:invoke", "Next": "E",
                "Parameters": {"Module": "pack@prod"}},
            "E": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "F",
                "Parameters": {"FunctionName": "bill:live"}},
            "F": {"Type": "Task", "Resource": "arn:aws:states:::wasm:invoke", "End": true,
                "Parameters": {"Module.$": "$.module"}}}}"#;
        assert_eq!(
            check(text, MachineType::Standard, &Limits::default()).modules,
            ["bill", "charge", "pack", "ship"]
        );
    }
}
