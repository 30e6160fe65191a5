//! One state without the others: how TestState sees a definition.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::check;
use super::diagnostic::Diagnostic;
use super::state_machine::{Flow, FlowId, Kind, Map, State, StateMachine};
use crate::limits::Limits;

/// Reads the definition of one state as a machine that has only this state, under `name`. Its transitions may
/// lead anywhere; what is inside a Parallel or Map state is checked whole. Everything else is as [`super::parse`]
/// does it, and findings stand below `/States/<name>`.
pub fn parse_state(text: &str, name: &str, limits: &Limits) -> (Option<StateMachine>, Vec<Diagnostic>) {
    if let Some(finding) = super::too_long(text, limits) {
        return (None, vec![finding]);
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return (None, vec![Diagnostic::not_json(text, &error)]);
    }
    let name = Value::from(name);
    let before = format!("{{\"StartAt\":{name},\"States\":{{{name}:");
    let (machine, mut diagnostics) =
        super::parse_with(&format!("{before}{text}}}}}"), limits, check::inner_transitions);
    let shift = before.chars().count();
    for position in diagnostics.iter_mut().filter_map(|found| found.position.as_mut()) {
        if position.line == 1 {
            position.column = position.column.saturating_sub(shift).max(1);
        }
    }
    (machine, diagnostics)
}

impl StateMachine {
    /// A machine that has only the state `name` of this one, wherever it stands, under the name `renamed`. Names of
    /// states are unique in a machine, those inside Parallel and Map states included.
    pub fn single(&self, name: &str, renamed: &str) -> Option<StateMachine> {
        let mut state = self.flows.iter().find_map(|flow| flow.state(name))?.clone();
        state.name = renamed.to_owned();
        // the root's place is free for the copy: no state refers to the root, and what this one refers to stays
        let mut single = self.clone();
        single.timeout_seconds = None;
        single.flows[FlowId::ROOT.0] = Flow {
            start_at: renamed.to_owned(),
            states: vec![state],
            by_name: [(renamed.to_owned(), 0)].into(),
        };
        Some(single)
    }

    /// The Map state whose iterations run the state `name`: the innermost, through the branches of Parallel states.
    pub fn map_around(&self, name: &str) -> Option<&Map> {
        let mut inside = self.flows.iter().position(|flow| flow.state(name).is_some())?;
        loop {
            let (outside, state) = self
                .flows
                .iter()
                .enumerate()
                .find_map(|(index, flow)| Some((index, flow.states.iter().find(|state| state.runs(inside))?)))?;
            if let Kind::Map(map) = &state.kind {
                return Some(map);
            }
            inside = outside;
        }
    }
}

impl State {
    /// Whether the flow with this index is the state's own.
    fn runs(&self, flow: usize) -> bool {
        match &self.kind {
            Kind::Map(map) => map.processor.0 == flow,
            Kind::Parallel(parallel) => parallel.branches.iter().any(|branch| branch.0 == flow),
            Kind::Pass(_) | Kind::Task(_) | Kind::Choice(_) | Kind::Wait(_) | Kind::Succeed | Kind::Fail(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_state(text: &str, name: &str) -> (Option<StateMachine>, Vec<Diagnostic>) {
        super::parse_state(text, name, &Limits::default())
    }

    const MAP: &str = r#"{"Type": "Map", "Next": "Elsewhere", "ItemProcessor": {"StartAt": "In", "States": {
        "In": {"Type": "Pass", "Next": "Out"}}}}"#;

    #[test]
    fn a_lone_state_may_lead_anywhere_but_what_is_inside_it_may_not() {
        let (machine, found) = parse_state(r#"{"Type": "Pass", "Next": "Elsewhere"}"#, "S");
        assert!(machine.is_some(), "{found:?}");
        let (machine, found) = parse_state(MAP, "S");
        assert!(machine.is_none());
        let locations: Vec<_> = found.iter().filter_map(|finding| finding.location.as_deref()).collect();
        assert_eq!(locations, ["/States/S/ItemProcessor/States/In/Next"]);
    }

    #[test]
    fn findings_keep_their_place_in_the_authors_text() {
        let (_, found) = parse_state("{\"Type\": \"Wrong\"}", "A name");
        assert_eq!(found[0].location.as_deref(), Some("/States/A name/Type"));
        let position = found[0].position.expect("a place");
        assert_eq!((position.line, position.column), (1, 2));
        let (_, found) = parse_state("{\"Type\":", "S");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_state_is_taken_out_of_any_depth_with_what_it_holds() {
        let text = r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {
                "StartAt": "In", "States": {"In": {"Type": "Pass", "End": true}}}}}}]}}}"#;
        let (machine, found) = super::super::parse(text);
        let machine = machine.unwrap_or_else(|| panic!("{found:?}"));
        let single = machine.single("M", "Tested").expect("it is there");
        let state = single.flow(FlowId::ROOT).state("Tested").expect("under its new name");
        let super::super::Kind::Map(map) = &state.kind else {
            panic!("a Map state")
        };
        assert!(single.flow(map.processor).state("In").is_some());
        assert!(machine.single("Nowhere", "Tested").is_none());
    }

    #[test]
    fn the_map_state_around_a_state_is_the_innermost() {
        let text = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemProcessor": {
            "StartAt": "P", "States": {"P": {"Type": "Parallel", "Next": "N", "Branches": [
                {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": true}}}]},
            "N": {"Type": "Map", "MaxConcurrency": 2, "End": true, "ItemProcessor": {
                "StartAt": "Deep", "States": {"Deep": {"Type": "Pass", "End": true}}}}}}}}}"#;
        let (machine, found) = super::super::parse(text);
        let machine = machine.unwrap_or_else(|| panic!("{found:?}"));
        let around = |name: &str| machine.map_around(name).map(|map| map.processor);
        let holding = |name: &str| {
            machine
                .flows
                .iter()
                .position(|flow| flow.state(name).is_some())
                .map(FlowId)
        };
        assert_eq!(around("M"), None);
        assert_eq!(around("Nowhere"), None);
        assert_eq!(around("P"), holding("P"));
        assert_eq!(around("In"), holding("P"), "branches are of the iteration");
        assert_eq!(around("N"), holding("N"));
        assert_eq!(around("Deep"), holding("Deep"));
    }
}
