//! The ways in as module descriptions show them, and calls checked before they are made.

use engine::ports::{CallProblem, CallSketch, WayIn, WayKind};
use serde_json::{Value, json};

use super::command::CommandEntry;
use super::http::HttpEntry;
use super::{Entries, Way};
use crate::guest_output::cut;
use crate::values::Checked;

/// Ways shown in one description; it is stored and listed with every version.
const WAYS_SHOWN: usize = 200;

/// Bytes of a function's type shown.
const SIGNATURE_BYTES: usize = 2 << 10;

impl Entries {
    /// Every way in, the default first.
    pub(crate) fn described(&self) -> Vec<WayIn> {
        let default = self.default.map(|index| &self.ways[index]);
        let others = self.ways.iter().enumerate();
        let others = others.filter(|(index, _)| Some(*index) != self.default);
        let ways = default.into_iter().chain(others.map(|(_, way)| way));
        ways.take(WAYS_SHOWN).map(|(name, way)| way.described(name)).collect()
    }

    /// Why a call would fail.
    ///
    /// # Errors
    /// [`CallProblem`]
    pub(crate) fn check(&self, call: CallSketch<'_>) -> Result<(), CallProblem> {
        let way = self.way(call.function).map_err(CallProblem::NoSuchFunction)?;
        match (way, call.input) {
            (Way::Function(function), Some(input)) => {
                let unknown = call.unknown;
                function
                    .check(&Checked { input, unknown })
                    .map_err(CallProblem::WrongInput)
            }
            (Way::Http(_), Some(input)) => HttpEntry::check(input, call.unknown).map_err(CallProblem::WrongInput),
            (Way::Refused(why), _) => Err(CallProblem::NoSuchFunction(format!(
                "the function can't be called with JSON: {why}"
            ))),
            (Way::Function(_) | Way::Http(_), None) | (Way::Task(_) | Way::Command(_), _) => Ok(()),
        }
    }
}

impl Way {
    fn described(&self, name: &str) -> WayIn {
        let any = || json!({"description": "any JSON"});
        let (kind, signature, input, output, refused) = match self {
            Way::Task(_) => {
                let signature = "func(input: string) -> result<string, task-error>";
                (WayKind::Task, signature.to_owned(), any(), any(), None)
            }
            Way::Command(_) => (WayKind::Command, CommandEntry::SIGNATURE.to_owned(), any(), any(), None),
            Way::Http(_) => {
                let (input, output) = (HttpEntry::input_schema(), HttpEntry::output_schema());
                (WayKind::Http, HttpEntry::SIGNATURE.to_owned(), input, output, None)
            }
            Way::Function(function) => {
                let signature = function.signature();
                let shown = cut(&signature.to_string(), SIGNATURE_BYTES);
                let (input, output) = (signature.input_schema(), signature.output_schema());
                (WayKind::Function, shown, input, output, None)
            }
            Way::Refused(why) => {
                let nothing = Value::Bool(false);
                (
                    WayKind::Function,
                    String::new(),
                    nothing.clone(),
                    nothing,
                    Some(why.clone()),
                )
            }
        };
        WayIn {
            name: name.to_owned(),
            kind,
            signature,
            input,
            output,
            refused,
        }
    }
}
