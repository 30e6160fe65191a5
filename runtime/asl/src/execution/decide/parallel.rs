//! Parallel.

use super::At;
use crate::definition::Parallel;
use crate::execution::event::EventKind;
use crate::expression::Fault;
use crate::payload::Payload;

impl At<'_> {
    pub(super) fn start_parallel(&self, parallel: &Parallel) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let input = match &parallel.parameters {
            Some(template) => Payload::from_value(template.evaluate(&self.bindings(input.value()))?),
            None => input,
        };
        let branches = u32::try_from(parallel.branches.len()).map_err(|_| Fault::runtime("too many branches"))?;
        Ok(EventKind::ParallelStarted {
            scope: self.id,
            input,
            branches,
        })
    }
}
