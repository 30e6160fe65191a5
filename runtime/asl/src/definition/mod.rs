//! Definitions: from the text of a state machine to a checked model, with every mistake listed.
//!
//! A [`StateMachine`] is built in one place, [`parse`], so whoever holds one holds a valid one.

mod check;
mod choice;
mod diagnostic;
mod field_table;
mod fields;
mod locate;
mod outcome;
mod reader;
mod references;
mod state_machine;

pub use diagnostic::{Code, Diagnostic, Position, Severity};
pub use state_machine::*;

use reader::Reader;

/// Largest definition, in bytes of UTF-8 (AWS's limit).
pub const MAX_DEFINITION_BYTES: usize = 1_048_576;

/// Reads a definition. The machine is there exactly when no diagnostic is an error; all mistakes are
/// listed, not the first.
pub fn parse(text: &str) -> (Option<StateMachine>, Vec<Diagnostic>) {
    let document = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(document) => document,
        Err(error) => return (None, vec![Diagnostic::not_json(text, &error)]),
    };
    let mut reader = Reader::default();
    let machine = reader.machine(&document);
    let mut diagnostics = reader.diagnostics;
    for path in locate::duplicate_keys(text) {
        diagnostics.push(Diagnostic::error(
            Code::SchemaValidationFailed,
            "Duplicate field name",
            &path,
        ));
    }
    let sound = !diagnostics.iter().any(is_error);
    check::transitions(&document, sound, &mut diagnostics);
    locate::fill_positions(text, &mut diagnostics);
    let failed = diagnostics.iter().any(is_error);
    (machine.filter(|_| !failed), diagnostics)
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}
