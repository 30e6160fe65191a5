//! Checks of a machine as a graph: every transition leads somewhere, every state is reached, every flow ends.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Code, Diagnostic, Step};
use super::state_machine::{Flow, Kind, State, StateMachine, Transition};

pub(super) fn transitions(machine: &StateMachine, findings: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for state in machine.flows.iter().flat_map(|flow| &flow.states) {
        let seen = names.entry(&state.name).or_insert(0);
        *seen += 1;
        if *seen == 2 {
            findings.push(Diagnostic::error(
                Code::DuplicateStateName,
                format!("Duplicate state name: {}", state.name),
                &state.path,
            ));
        }
    }
    for flow in &machine.flows {
        check_flow(flow, findings);
    }
}

fn check_flow(flow: &Flow, findings: &mut Vec<Diagnostic>) {
    let missing = |name: &str, path: &[Step]| {
        Diagnostic::error(
            Code::MissingTransitionTarget,
            format!("Missing 'Next' target: {name}"),
            path,
        )
    };
    if flow.state(&flow.start_at).is_none() {
        let mut path = flow_path(flow);
        path.push(Step::Field("StartAt".into()));
        findings.push(missing(&flow.start_at, &path));
    }
    for state in &flow.states {
        for (target, path) in targets(state) {
            if flow.state(target).is_none() {
                findings.push(missing(target, &path));
            }
        }
    }
    if !flow.states.iter().any(|state| state.transition == Transition::End) {
        findings.push(
            Diagnostic::error(
                Code::MissingEndState,
                "Workflow has no terminal state",
                &flow_path(flow),
            )
            .without_location(),
        );
        return;
    }
    let mut reached = BTreeSet::new();
    let mut open = vec![flow.start_at.as_str()];
    while let Some(name) = open.pop() {
        if let Some(state) = flow.state(name).filter(|state| reached.insert(state.name.as_str())) {
            open.extend(targets(state).into_iter().map(|(target, _)| target));
        }
    }
    for state in flow
        .states
        .iter()
        .filter(|state| !reached.contains(state.name.as_str()))
    {
        findings.push(Diagnostic::error(
            Code::MissingTransitionTarget,
            format!("State \"{}\" is not reachable.", state.name),
            &state.path,
        ));
    }
}

/// Where the flow itself stands: two steps (`States` and a name) above its states.
fn flow_path(flow: &Flow) -> Vec<Step> {
    flow.states
        .first()
        .map(|state| state.path[..state.path.len() - 2].to_vec())
        .unwrap_or_default()
}

/// Every state a state may lead to, with the place that says so.
fn targets(state: &State) -> Vec<(&str, Vec<Step>)> {
    let at = |steps: &[Step]| [&state.path[..], steps].concat();
    let field = |name: &str| Step::Field(name.to_owned());
    let mut found = Vec::new();
    if let Transition::Next(next) = &state.transition {
        found.push((next.as_str(), at(&[field("Next")])));
    }
    if let Kind::Choice(choice) = &state.kind {
        for (index, rule) in choice.rules.iter().enumerate() {
            found.push((&rule.next, at(&[field("Choices"), Step::Index(index), field("Next")])));
        }
        if let Some(default) = &choice.default {
            found.push((default, at(&[field("Default")])));
        }
    }
    for (index, catcher) in state
        .outcome()
        .into_iter()
        .flat_map(|outcome| outcome.catch.iter().enumerate())
    {
        found.push((&catcher.next, at(&[field("Catch"), Step::Index(index), field("Next")])));
    }
    found
}
