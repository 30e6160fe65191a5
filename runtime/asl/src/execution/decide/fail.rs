//! Fail.

use serde_json::Value;

use super::At;
use crate::definition::{DynamicText, Fail, QueryLanguage};
use crate::execution::event::{EventKind, Failure};
use crate::expression::{Bindings, Fault};

impl At<'_> {
    pub(super) fn fail(&self, fail: &Fail) -> Result<EventKind, Fault> {
        self.saw(QueryLanguage::JsonPath, |seen| {
            seen.after_input_path = Some(self.active.input.clone())
        });
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

fn text(field: &str, value: Option<&DynamicText>, bindings: &Bindings<'_>) -> Result<Option<String>, Fault> {
    match value {
        None => Ok(None),
        Some(DynamicText::Literal(text)) => Ok(Some(text.clone())),
        Some(DynamicText::Selector(selector)) => match selector.evaluate(field, bindings)? {
            Value::String(text) => Ok(Some(text)),
            other => Err(Fault::runtime(format!(
                "The {field} field must reference a string, but was: {other}"
            ))),
        },
        Some(DynamicText::Expression(expression)) => match expression.evaluate(bindings)? {
            Value::String(text) => Ok(Some(text)),
            other => Err(expression.unexpected("string", &other)),
        },
    }
}
