//! Pass.

use super::At;
use crate::definition::Pass;
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::Fault;
use crate::payload::Payload;

impl At<'_> {
    pub(super) fn pass(&self, pass: &Pass, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let result = match (&pass.result, &pass.parameters) {
            (Some(result), _) => result.clone(),
            (None, Some(template)) => Payload::from_value(template.evaluate(&self.bindings(input.value()))?),
            (None, None) => input,
        };
        self.leave(self.way(), None, &result, &pass.result_path, env)
    }
}
