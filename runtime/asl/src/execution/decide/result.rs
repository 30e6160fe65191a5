//! From a result to a state's output: ResultSelector, ResultPath and OutputPath, or Output, and Assign.

use super::{At, derived};
use crate::definition::{PayloadPath, QueryLanguage, ResultPath, Transition};
use crate::execution::env::Env;
use crate::execution::event::{Assignment, EventKind, Failure};
use crate::execution::open_work::too_large;
use crate::expression::{Bindings, Fault, Template};
use crate::payload::Payload;

/// The way out of a state.
pub(super) struct Way<'w> {
    pub next: Option<String>,
    pub assign: Option<&'w Template>,
    pub output: Option<&'w Template>,
    pub catcher: Option<u32>,
}

impl At<'_> {
    /// The exit of a state that only hands its input on: Succeed and Wait.
    pub(super) fn exit(&self, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        self.leave(self.way(), None, &input, &ResultPath::Replace, env)
    }

    /// The exit of a Task, Parallel or Map state with what it returned.
    pub(super) fn exit_with_result(&self, result: &Payload, env: &Env<'_>) -> Result<EventKind, Fault> {
        let Some(fields) = self.state.outcome() else {
            return self.exit(env);
        };
        let selected = match &fields.result_selector {
            Some(template) => derived(template.evaluate(&self.bindings(result.value()))?)?,
            None => result.clone(),
        };
        self.saw(QueryLanguage::JsonPath, |seen| {
            seen.after_result_selector = Some(selected.clone())
        });
        self.leave(self.way(), Some(&selected), &selected, &fields.result_path, env)
    }

    /// The state's own way out, by Next or End.
    pub(super) fn way(&self) -> Way<'_> {
        let next = match &self.state.transition {
            Transition::Next(next) => Some(next.clone()),
            Transition::End | Transition::Rules => None,
        };
        Way {
            next,
            assign: self.state.assign.as_ref(),
            output: self.state.output.as_ref(),
            catcher: None,
        }
    }

    /// Leaves the state on `way`. `returned` is `$states.result`; `result` is what ResultPath places and,
    /// in JSONPath, what Assign reads.
    pub(super) fn leave(
        &self,
        way: Way<'_>,
        returned: Option<&Payload>,
        result: &Payload,
        path: &ResultPath,
        env: &Env<'_>,
    ) -> Result<EventKind, Fault> {
        match self.state.language {
            QueryLanguage::JsonPath => {
                let assigned = assigned(way.assign, &self.bindings(result.value()))?;
                let combined = self.combined(path, result)?;
                if way.catcher.is_none() && self.state.has_result() {
                    self.saw(QueryLanguage::JsonPath, |seen| {
                        seen.after_result_path = Some(combined.clone())
                    });
                }
                let path = if way.catcher.is_some() {
                    &PayloadPath::Whole
                } else {
                    &self.state.output_path
                };
                let output = self.part(path, &combined)?;
                Ok(self.exited(way, output, assigned, env))
            }
            QueryLanguage::JsonAta => {
                let mut bindings = self.bindings(self.active.input.value());
                if way.catcher.is_some() {
                    bindings.error_output = Some(result.value());
                } else {
                    bindings.result = returned.map(Payload::value);
                }
                let output = match way.output {
                    Some(template) => derived(template.evaluate(&bindings)?)?,
                    None => result.clone(),
                };
                let assigned = assigned(way.assign, &bindings)?;
                Ok(self.exited(way, output, assigned, env))
            }
        }
    }

    /// The state's raw input with `result` where ResultPath wants it.
    fn combined(&self, path: &ResultPath, result: &Payload) -> Result<Payload, Fault> {
        match path {
            ResultPath::Replace => Ok(result.clone()),
            ResultPath::Discard => Ok(self.active.input.clone()),
            ResultPath::Write(path) => path
                .write(self.active.input.value().clone(), result.value().clone())
                .map_err(|_| Fault {
                    error: "States.ResultPathMatchFailure",
                    cause: format!(
                        "Unable to apply ReferencePath {} to input {}",
                        path.text(),
                        self.active.input
                    ),
                    location: None,
                })
                .and_then(derived),
        }
    }

    /// The exit itself, or the failure of an output over the limit.
    fn exited(&self, way: Way<'_>, output: Payload, assigned: Vec<Assignment>, env: &Env<'_>) -> EventKind {
        if output.len() > env.limits.payload_bytes {
            return self.over_limit(too_large(&self.active.state));
        }
        if let Some(what) = self.over_variable_limit(&assigned, env) {
            return self.over_limit(too_much_assigned(&self.active.state, what));
        }
        EventKind::StateExited {
            scope: self.id,
            state: self.active.state.clone(),
            state_kind: self.state.state_kind(),
            output,
            assigned,
            next: way.next,
            catcher: way.catcher,
        }
    }

    /// Which of the limits on variables these assignments break.
    fn over_variable_limit(&self, assigned: &[Assignment], env: &Env<'_>) -> Option<&'static str> {
        let limits = &env.limits;
        if assigned
            .iter()
            .any(|variable| variable.value.len() > limits.variable_bytes)
        {
            return Some("a variable with a size");
        }
        let taken: usize = assigned.iter().map(|variable| variable.value.len()).sum();
        if taken > limits.assign_bytes {
            return Some("variables with a combined size");
        }
        let replaced = |variable: &Assignment| self.scope.variables.get(&variable.name).map_or(0, Payload::len);
        let freed: usize = assigned.iter().map(replaced).sum();
        let stored = (self.execution.variable_bytes + taken).saturating_sub(freed);
        (stored > limits.stored_variable_bytes)
            .then_some("variables that bring all variables of the execution to a size")
    }
}

/// AWS names the limits and not what breaking them says; the name and the sentence are those of too large an output.
fn too_much_assigned(state: &str, what: &str) -> Failure {
    Failure::new(
        "States.DataLimitExceeded",
        format!("The state/task '{state}' assigned {what} exceeding the maximum number of bytes service limit."),
    )
}

fn assigned(template: Option<&Template>, bindings: &Bindings<'_>) -> Result<Vec<Assignment>, Fault> {
    let Some(template) = template else {
        return Ok(Vec::new());
    };
    let fields = template.evaluate_fields(bindings)?.into_iter();
    fields
        .map(|(name, value)| {
            Ok(Assignment {
                name,
                value: derived(value)?,
            })
        })
        .collect()
}
