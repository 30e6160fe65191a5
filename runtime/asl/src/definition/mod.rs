//! Definitions: from the text of a state machine to a checked model, with every mistake listed.
//!
//! A [`StateMachine`] is built in one place, [`parse`], so whoever holds one holds a valid one.

mod check;
mod choice;
mod diagnostic;
mod field_table;
mod fields;
mod locate;
mod map;
mod outcome;
mod reader;
mod references;
mod single;
mod state_machine;
mod variables;

pub use diagnostic::{Code, Diagnostic, Position, Severity};
pub use single::parse_state;
pub use state_machine::*;

use crate::limits::Limits;
use reader::Reader;

/// Reads a definition within AWS's quotas. See [`parse_within`].
pub fn parse(text: &str) -> (Option<StateMachine>, Vec<Diagnostic>) {
    parse_within(text, &Limits::default())
}

/// Reads a definition. The machine is there exactly when no diagnostic is an error; all mistakes are
/// listed, not the first.
pub fn parse_within(text: &str, limits: &Limits) -> (Option<StateMachine>, Vec<Diagnostic>) {
    if let Some(finding) = too_long(text, limits) {
        return (None, vec![finding]);
    }
    parse_with(text, limits, check::transitions)
}

/// Reads a definition that was accepted once, for what runs with it. Limits set later and rules that this version
/// has and the accepting one hadn't are no reason to lose it: only what can't be understood is refused.
///
/// # Errors
/// The findings, where the text is no definition.
pub fn parse_accepted(text: &str) -> Result<StateMachine, Vec<Diagnostic>> {
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|error| vec![Diagnostic::not_json(text, &error)])?;
    let mut reader = Reader::new(&Limits::OFF);
    reader.machine(&document).ok_or(reader.diagnostics)
}

fn too_long(text: &str, limits: &Limits) -> Option<Diagnostic> {
    let most = limits.definition_characters;
    (text.len() > most && text.chars().count() > most).then(|| Diagnostic::too_long(most))
}

type CheckTransitions = fn(&serde_json::Value, bool, &mut Vec<Diagnostic>);

fn parse_with(text: &str, limits: &Limits, transitions: CheckTransitions) -> (Option<StateMachine>, Vec<Diagnostic>) {
    let document = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(document) => document,
        Err(error) => return (None, vec![Diagnostic::not_json(text, &error)]),
    };
    let mut reader = Reader::new(limits);
    let machine = reader.machine(&document);
    let mut diagnostics = reader.diagnostics;
    for path in locate::duplicate_keys(text) {
        diagnostics.push(Diagnostic::error(
            Code::SchemaValidationFailed,
            "Duplicate field name",
            &path,
        ));
    }
    variables::names(&document, limits, &mut diagnostics);
    let sound = !diagnostics.iter().any(is_error);
    transitions(&document, sound, &mut diagnostics);
    locate::fill_positions(text, &mut diagnostics);
    let failed = diagnostics.iter().any(is_error);
    (machine.filter(|_| !failed), diagnostics)
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}
