//! Parallel.

use super::{At, derived};
use crate::definition::Parallel;
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::Fault;

impl At<'_> {
    pub(super) fn start_parallel(&self, parallel: &Parallel, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let input = match &parallel.parameters {
            Some(template) => derived(template.evaluate(&self.bindings(input.value()))?)?,
            None => input,
        };
        let branches = u32::try_from(parallel.branches.len()).map_err(|_| Fault::runtime("too many branches"))?;
        let started = EventKind::ParallelStarted {
            scope: self.id,
            input: input.clone(),
            branches,
        };
        Ok(self.bounded(&input, env, started))
    }
}
