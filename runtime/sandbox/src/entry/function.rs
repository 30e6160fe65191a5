//! An exported function of any type: JSON in, its arguments in WIT's types; its result, JSON out.

use wasmtime::Store;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, Instance, Val};

use super::{Answer, Room};
use crate::attempt::Guest;
use crate::guest_output::cut;
use crate::outcome;
use crate::values::{self, NotAnswered, Refused, Signature, Unsupported, WitType};

/// Bytes of a function's type quoted in a message.
const SIGNATURE_BYTES: usize = 400;

/// A function and its types.
#[derive(Debug)]
pub(crate) struct FunctionEntry {
    index: ComponentExportIndex,
    signature: Signature,
}

impl FunctionEntry {
    /// The function at `index`.
    ///
    /// # Errors
    /// [`Unsupported`] where JSON can't say its types.
    pub(super) fn new(index: ComponentExportIndex, function: &ComponentFunc) -> Result<Self, Unsupported> {
        Ok(Self {
            index,
            signature: Signature::of(function)?,
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
        let mut results = [const { Val::Bool(false) }; 1];
        let results = &mut results[..usize::from(self.signature.result.is_some())];
        function.call_async(store, &arguments, results).await?;
        drop(arguments);
        Ok(self.answer(results.first(), room.output))
    }

    fn answer(&self, result: Option<&Val>, bytes: usize) -> Answer {
        let output = match (&self.signature.result, result) {
            (None, _) | (Some(WitType::Result(None, _)), Some(Val::Result(Ok(_)))) => Ok("null".to_owned()),
            (Some(WitType::Result(Some(ok), _)), Some(Val::Result(Ok(Some(value))))) => {
                values::answer(ok, value, bytes)
            }
            (Some(WitType::Result(_, err)), Some(Val::Result(Err(value)))) => {
                let err = err.as_deref().zip(value.as_deref());
                match values::failure(err, bytes) {
                    Ok((error, cause)) => return Answer::Failure { error, cause },
                    Err(why) => Err(why),
                }
            }
            (Some(ty), Some(value)) => values::answer(ty, value, bytes),
            (Some(_), None) => Err(NotAnswered::OtherType),
        };
        match output {
            Ok(output) => Answer::Output(output),
            Err(NotAnswered::TooLarge) => Answer::Refused {
                error: outcome::OUTPUT_TOO_LARGE,
                cause: outcome::too_large(bytes),
            },
            Err(NotAnswered::OtherType) => Answer::Refused {
                error: outcome::INVALID_OUTPUT,
                cause: format!("the function answered something else than its type: {}", self.shown()),
            },
        }
    }

    fn refusal(&self, refused: Refused) -> (&'static str, String) {
        match refused {
            Refused::Mismatch(why) => (
                outcome::INVALID_INPUT,
                format!("the input doesn't fit `{}`: {why}", self.shown()),
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
