//! Checks of a definition as a graph: every transition leads somewhere, every state is reached, every flow
//! ends. Works on the document, so that it finds its mistakes beside those of the fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::diagnostic::{Code, Diagnostic, Step};
use super::variables::inner_flows;

/// States by name, with the place they stand at.
type States<'d> = &'d Map<String, Value>;

/// Adds what is wrong with the transitions of `document`. Where the fields have mistakes (`sound` is false)
/// only transitions that lead nowhere are told: which states are reached can't be known.
pub(super) fn transitions(document: &Value, sound: bool, findings: &mut Vec<Diagnostic>) {
    flows(document, sound, false, findings);
}

/// The same of the flows inside the states alone: a state that stands by itself may lead anywhere.
pub(super) fn inner_transitions(document: &Value, sound: bool, findings: &mut Vec<Diagnostic>) {
    flows(document, sound, true, findings);
}

fn flows(document: &Value, sound: bool, inner_only: bool, findings: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut labels: BTreeSet<&str> = BTreeSet::new();
    walk(document, &mut Vec::new(), &mut |flow, states, path| {
        for name in states.keys() {
            let seen = names.entry(name).or_insert(0);
            *seen += 1;
            if *seen == 2 {
                let place = below(path, &[field("States"), field(name)]);
                let message = format!("Duplicate state name: {name}");
                findings.push(Diagnostic::error(Code::DuplicateStateName, message, &place));
            }
        }
        for (name, state) in states {
            let label = state.get("Label").and_then(Value::as_str);
            if let Some(label) = label.filter(|label| !labels.insert(label)) {
                let place = below(path, &[field("States"), field(name), field("Label")]);
                let message = format!("Duplicate label name: {label}");
                findings.push(Diagnostic::error(Code::DuplicateLabelName, message, &place));
            }
        }
        if !(inner_only && path.is_empty()) {
            check_flow(flow, states, path, sound, findings);
        }
    });
}

/// Calls `visit` for the machine and for every branch and processor in it.
fn walk<'d>(flow: &'d Value, path: &mut Vec<Step>, visit: &mut dyn FnMut(&'d Value, States<'d>, &[Step])) {
    let Some(states) = flow.get("States").and_then(Value::as_object) else {
        return;
    };
    visit(flow, states, path);
    for (name, state) in states {
        for (steps, inner) in inner_flows(state) {
            let length = path.len();
            path.extend([field("States"), field(name)]);
            path.extend(steps);
            walk(inner, path, visit);
            path.truncate(length);
        }
    }
}

fn check_flow(flow: &Value, states: States<'_>, path: &[Step], sound: bool, findings: &mut Vec<Diagnostic>) {
    let missing = |name: &str, place: &[Step]| {
        Diagnostic::error(
            Code::MissingTransitionTarget,
            format!("Missing 'Next' target: {name}"),
            place,
        )
    };
    let start = flow.get("StartAt").and_then(Value::as_str);
    if let Some(name) = start.filter(|name| !states.contains_key(*name)) {
        findings.push(missing(name, &below(path, &[field("StartAt")])));
    }
    for (name, state) in states {
        for (target, steps) in targets(state) {
            if !states.contains_key(target) {
                let place = below(path, &[field("States"), field(name)]);
                findings.push(missing(target, &below(&place, &steps)));
            }
        }
    }
    if !sound {
        return;
    }
    if !states.values().any(ends) {
        let finding = Diagnostic::error(Code::MissingEndState, "Workflow has no terminal state", path);
        findings.push(finding.without_location());
        return;
    }
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = start.into_iter().collect();
    while let Some(name) = open.pop() {
        if let Some(state) = states.get(name).filter(|_| reached.insert(name)) {
            open.extend(targets(state).into_iter().map(|(target, _)| target));
        }
    }
    for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
        let place = below(path, &[field("States"), field(name)]);
        let message = format!("State \"{name}\" is not reachable.");
        findings.push(Diagnostic::error(Code::MissingTransitionTarget, message, &place));
    }
}

fn ends(state: &Value) -> bool {
    matches!(state.get("Type").and_then(Value::as_str), Some("Succeed" | "Fail"))
        || state.get("End").and_then(Value::as_bool) == Some(true)
}

/// Every state a state may lead to, with the place below it that says so.
fn targets(state: &Value) -> Vec<(&str, Vec<Step>)> {
    let mut found = vec![(state.get("Next"), vec![field("Next")])];
    for name in ["Choices", "Catch"] {
        let entries = state.get(name).and_then(Value::as_array).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            found.push((entry.get("Next"), vec![field(name), Step::Index(index), field("Next")]));
        }
    }
    found.push((state.get("Default"), vec![field("Default")]));
    found
        .into_iter()
        .filter_map(|(target, steps)| Some((target?.as_str()?, steps)))
        .collect()
}

fn field(name: &str) -> Step {
    Step::Field(name.to_owned())
}

fn below(path: &[Step], steps: &[Step]) -> Vec<Step> {
    [path, steps].concat()
}
