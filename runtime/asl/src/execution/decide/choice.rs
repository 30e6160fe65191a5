//! Choice.

use serde_json::Value;

use super::At;
use super::result::Way;
use crate::definition::{Choice, Condition, ResultPath};
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::{Bindings, Fault};

impl At<'_> {
    pub(super) fn choose(&self, choice: &Choice, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let bindings = self.bindings(input.value());
        for rule in &choice.rules {
            if holds(&rule.condition, &bindings)? {
                let way = Way {
                    next: Some(rule.next.clone()),
                    assign: rule.assign.as_ref(),
                    output: rule.output.as_ref(),
                    catcher: None,
                };
                return self.leave(way, None, &input, &ResultPath::Replace, env);
            }
        }
        match &choice.default {
            Some(default) => {
                let way = Way {
                    next: Some(default.clone()),
                    ..self.way()
                };
                self.leave(way, None, &input, &ResultPath::Replace, env)
            }
            None => Err(Fault {
                error: "States.NoChoiceMatched",
                cause: "Failed to transition out of the state. The state does not point to a next state.".into(),
                location: None,
            }),
        }
    }
}

fn holds(condition: &Condition, bindings: &Bindings<'_>) -> Result<bool, Fault> {
    match condition {
        Condition::And(all) => {
            for condition in all {
                if !holds(condition, bindings)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(any) => {
            for condition in any {
                if holds(condition, bindings)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(condition) => holds(condition, bindings).map(|holds| !holds),
        Condition::Compare(comparison) => comparison.holds(bindings),
        Condition::Expression(expression) => match expression.evaluate(bindings)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(expression.unexpected("boolean", &other)),
        },
    }
}
