//! Choice.

use super::At;
use crate::definition::{Choice, Condition};
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::{Bindings, Fault};

impl At<'_> {
    pub(super) fn choose(&self, choice: &Choice, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let bindings = self.bindings(input.value());
        for rule in &choice.rules {
            if holds(&rule.condition, &bindings)? {
                return self.exit_to(Some(rule.next.clone()), input.clone(), env);
            }
        }
        match &choice.default {
            Some(default) => self.exit_to(Some(default.clone()), input.clone(), env),
            None => Err(Fault {
                error: "States.NoChoiceMatched",
                cause: "Failed to transition out of the state. The state's choice rules did not match, and no default was defined.".into(),
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
    }
}
