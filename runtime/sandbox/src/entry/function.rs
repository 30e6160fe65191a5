//! An exported function of any type: JSON in, its arguments in WIT's types; its result, JSON out.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, Instance};

use super::{Answer, Room};
use crate::attempt::Guest;
use crate::guest_output::cut;
use crate::outcome;
use crate::values::{self, Refused, Signature, Unsupported};

/// Bytes of a function's type quoted in a message.
const SIGNATURE_BYTES: usize = 400;

/// A function and its types.
#[derive(Debug)]
pub(crate) struct FunctionEntry {
    index: ComponentExportIndex,
    signature: Arc<Signature>,
}

impl FunctionEntry {
    /// The function at `index`.
    ///
    /// # Errors
    /// [`Unsupported`] where JSON can't say its types.
    pub(super) fn new(index: ComponentExportIndex, function: &ComponentFunc) -> Result<Self, Unsupported> {
        Ok(Self {
            index,
            signature: Arc::new(Signature::of(function)?),
        })
    }

    /// Its types.
    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Why an input that isn't all known can't be its arguments.
    pub(crate) fn check(&self, checked: &values::Checked<'_>) -> Result<(), String> {
        values::check(&self.signature, checked).map_err(|refused| self.refusal(refused).1)
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &str,
        room: Room,
    ) -> wasmtime::Result<Answer> {
        let arguments = match values::arguments(&self.signature, input, room.values) {
            Ok(arguments) => arguments,
            Err(refused) => {
                let (error, cause) = self.refusal(refused);
                return Ok(Answer::Refused { error, cause });
            }
        };
        let function = instance
            .get_func(&mut *store, self.index)
            .ok_or_else(|| wasmtime::format_err!("the function is gone from the component"))?;
        let answer = values::call(store, function, &self.signature, arguments, room.output).await?;
        Ok(match answer {
            values::Answer::Output(output) => Answer::Output(output),
            values::Answer::Failure { error, cause } => Answer::Failure { error, cause },
            values::Answer::TooLarge => Answer::Refused {
                error: outcome::OUTPUT_TOO_LARGE,
                cause: outcome::too_large(room.output),
            },
        })
    }

    fn refusal(&self, refused: Refused) -> (&'static str, String) {
        match refused {
            Refused::Mismatch(why) => (
                outcome::INVALID_INPUT,
                format!("the input doesn't fit: {why}; it is for `{}`", self.shown()),
            ),
            Refused::TooLarge(bytes) => (
                outcome::MEMORY_EXCEEDED,
                format!(
                    "the input's values need more than the `{bytes}` bytes of the module's memory limit; raise it or hand over less at a time"
                ),
            ),
        }
    }

    fn shown(&self) -> String {
        cut(&self.signature.to_string(), SIGNATURE_BYTES)
    }
}
