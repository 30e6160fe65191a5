//! Pass.

use super::{At, derived};
use crate::definition::{Pass, QueryLanguage};
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::Fault;

impl At<'_> {
    pub(super) fn pass(&self, pass: &Pass, env: &Env<'_>) -> Result<EventKind, Fault> {
        // a fixed result needs no input, so InputPath isn't read
        let result = match &pass.result {
            Some(result) => {
                self.saw(QueryLanguage::JsonPath, |seen| seen.result = Some(result.clone()));
                result.clone()
            }
            None => {
                let input = self.effective_input()?;
                let parameters = match &pass.parameters {
                    Some(template) => derived(template.evaluate(&self.bindings(input.value()))?)?,
                    None => input,
                };
                self.saw(QueryLanguage::JsonPath, |seen| {
                    seen.after_parameters = Some(parameters.clone())
                });
                parameters
            }
        };
        self.saw(QueryLanguage::JsonPath, |seen| {
            seen.after_result_selector = Some(result.clone())
        });
        self.leave(self.way(), None, &result, &pass.result_path, env)
    }
}
