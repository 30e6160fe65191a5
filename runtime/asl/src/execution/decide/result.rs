//! From a result to a state's output: ResultSelector, ResultPath, OutputPath.

use super::At;
use crate::definition::{ResultPath, Transition};
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::execution::open_work::too_large;
use crate::expression::Fault;
use crate::payload::Payload;

impl At<'_> {
    /// The exit of a state whose result is `result`, for Task, Parallel and Map.
    pub(super) fn exit_with_result(
        &self,
        result: &Payload,
        env: &Env<'_>,
    ) -> Result<EventKind, Fault> {
        let Some(fields) = self.state.outcome() else {
            return self.exit(result.clone(), env);
        };
        let selected = match &fields.result_selector {
            Some(template) => {
                Payload::from_value(template.evaluate(&self.bindings(result.value()))?)
            }
            None => result.clone(),
        };
        self.exit(self.combined(&fields.result_path, &selected)?, env)
    }

    /// The state's raw input with `result` where ResultPath wants it.
    pub(super) fn combined(&self, path: &ResultPath, result: &Payload) -> Result<Payload, Fault> {
        match path {
            ResultPath::Replace => Ok(result.clone()),
            ResultPath::Discard => Ok(self.active.input.clone()),
            ResultPath::Write(path) => path
                .write(self.active.input.value().clone(), result.value().clone())
                .map(Payload::from_value)
                .map_err(|_| Fault {
                    error: "States.ResultPathMatchFailure",
                    cause: format!(
                        "Unable to apply ReferencePath {} to input {}",
                        path.text(),
                        self.active.input
                    ),
                }),
        }
    }

    /// The exit of a state with `combined` as output before OutputPath.
    pub(super) fn exit(&self, combined: Payload, env: &Env<'_>) -> Result<EventKind, Fault> {
        let next = match &self.state.transition {
            Transition::Next(next) => Some(next.clone()),
            Transition::End | Transition::Rules => None,
        };
        self.exit_to(next, combined, env)
    }

    pub(super) fn exit_to(
        &self,
        next: Option<String>,
        combined: Payload,
        env: &Env<'_>,
    ) -> Result<EventKind, Fault> {
        let output = self.part(&self.state.output_path, &combined)?;
        Ok(self.exited(next, output, None, env))
    }

    /// The exit itself, or the failure of an output over the limit.
    pub(super) fn exited(
        &self,
        next: Option<String>,
        output: Payload,
        catcher: Option<u32>,
        env: &Env<'_>,
    ) -> EventKind {
        if output.len() > env.limits.payload_bytes {
            return EventKind::StateFailed {
                scope: self.id,
                failure: too_large(&self.active.state),
                location: None,
            };
        }
        EventKind::StateExited {
            scope: self.id,
            state: self.active.state.clone(),
            state_kind: self.state.state_kind(),
            output,
            assigned: Vec::new(),
            next,
            catcher,
        }
    }
}
