//! Fail.

use super::At;
use crate::definition::{Dynamic, Fail};
use crate::execution::event::{EventKind, Failure};
use crate::expression::{Bindings, Fault, template};

impl At<'_> {
    pub(super) fn fail(&self, fail: &Fail) -> Result<EventKind, Fault> {
        let bindings = self.bindings(self.active.input.value());
        let failure = Failure {
            error: text("ErrorPath", fail.error.as_ref(), &bindings)?,
            cause: text("CausePath", fail.cause.as_ref(), &bindings)?,
        };
        Ok(EventKind::StateFailed {
            scope: self.id,
            failure,
            location: None,
        })
    }
}

fn text(
    field: &str,
    value: Option<&Dynamic<String>>,
    bindings: &Bindings<'_>,
) -> Result<Option<String>, Fault> {
    match value {
        None => Ok(None),
        Some(Dynamic::Literal(text)) => Ok(Some(text.clone())),
        Some(Dynamic::Path(path)) => {
            let found = path
                .evaluate(bindings)
                .map_err(|_| template::not_found(path, field, bindings))?;
            match found {
                serde_json::Value::String(text) => Ok(Some(text)),
                other => Err(Fault::runtime(format!(
                    "The {field} field must reference a string, but {} is: {other}",
                    path.text()
                ))),
            }
        }
    }
}
