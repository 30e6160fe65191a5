//! Map.

use serde_json::Value;

use super::{At, derived, fit_together};
use crate::definition::{Dynamic, Items, Kind, Map, QueryLanguage};
use crate::execution::env::Env;
use crate::execution::event::{EventKind, Failure, Percentage};
use crate::execution::scope::Iterations;
use crate::expression::context::Item;
use crate::expression::jsonata::EVALUATION_ERROR;
use crate::expression::{Bindings, Fault};
use crate::payload::Payload;

impl At<'_> {
    pub(super) fn start_map(&self, map: &Map, env: &Env<'_>) -> Result<EventKind, Fault> {
        let input = self.effective_input()?;
        let bindings = self.bindings(input.value());
        let has_reader = map
            .distributed
            .as_ref()
            .is_some_and(|distributed| distributed.reader.is_some());
        let items = match &map.items {
            // AWS shows a state whose items are read elsewhere with a length of 0
            _ if has_reader => Payload::from_value(Value::Array(Vec::new())),
            Items::Input => input.clone(),
            Items::Path(path) => path
                .evaluate(&bindings)
                .map(Payload::from_value)
                .map_err(|missing| Fault::runtime(format!("Invalid path '{}' : {}", path.text(), missing.0)))?,
            Items::Template(template) => {
                let found = template.evaluate(&bindings)?;
                if let (false, Some(expression)) = (found.is_array(), template.as_jsonata()) {
                    return Err(expression.unexpected("array", &found));
                }
                derived(found)?
            }
        };
        if !items.value().is_array() {
            let cause = format!("Map state input must be an array but was: {}", items.value());
            return Err(match self.state.language {
                QueryLanguage::JsonPath => Fault::runtime(cause),
                QueryLanguage::JsonAta => Fault {
                    error: EVALUATION_ERROR,
                    cause,
                    location: None,
                },
            });
        }
        let max_concurrency = self.max_concurrency(map, &bindings)?;
        // a tolerance that can't be read fails the state, but only after AWS has shown it as started
        let (tolerated_count, tolerated_percentage) = self.tolerance(map, &bindings).unwrap_or_default();
        let started = EventKind::MapStarted {
            scope: self.id,
            items: items.clone(),
            input: input.clone(),
            max_concurrency,
            tolerated_count,
            tolerated_percentage,
        };
        Ok(self.bounded(&items, env, started))
    }

    pub(super) fn continue_map(&self, iterations: &Iterations, env: &Env<'_>) -> Result<EventKind, Fault> {
        let Kind::Map(map) = &self.state.kind else {
            return Err(Fault::runtime("not a Map state"));
        };
        if iterations.next == 0 && iterations.failed == 0 {
            self.tolerance(map, &self.bindings(iterations.input.value()))?;
        }
        if iterations.over_tolerance() {
            if let Some(index) = iterations.open.keys().next() {
                return Ok(EventKind::IterationAborted {
                    scope: self.id,
                    index: *index,
                });
            }
            let tolerant = iterations.tolerated_count.is_some() || iterations.tolerated_percentage.is_some();
            let failure = match &iterations.last_failure {
                Some(failure) if !tolerant => failure.clone(),
                _ => Failure::new(
                    "States.ExceedToleratedFailureThreshold",
                    "The specified tolerated failure threshold was exceeded",
                ),
            };
            return Ok(EventKind::StateFailed {
                scope: self.id,
                failure,
                location: None,
            });
        }
        if iterations.may_redrive()
            && let Some(index) = iterations.waiting.keys().next()
        {
            return Ok(EventKind::IterationRedriven {
                scope: self.id,
                index: *index,
            });
        }
        if iterations.may_start() {
            let index = iterations.next;
            let input = self.iteration_input(map, &iterations.items, &iterations.input, index)?;
            let started = EventKind::IterationStarted {
                scope: self.id,
                index,
                input: input.clone(),
            };
            return Ok(self.bounded(&input, env, started));
        }
        fit_together(iterations.outputs.iter().flatten())?;
        Ok(EventKind::MapSucceeded { scope: self.id })
    }

    /// The item at `index`, as ItemSelector shapes it.
    pub(super) fn iteration_input(
        &self,
        map: &Map,
        items: &Payload,
        input: &Payload,
        index: u32,
    ) -> Result<Payload, Fault> {
        let item = items.value().get(index as usize).unwrap_or(&Value::Null);
        match &map.item_selector {
            None => Ok(Payload::from_value(item.clone())),
            Some(template) => {
                let bindings = self.bindings(input.value());
                template
                    .evaluate(&bindings.with_item(Item::of_iteration(index, item)))
                    .and_then(derived)
            }
        }
    }

    fn max_concurrency(&self, map: &Map, bindings: &Bindings<'_>) -> Result<u32, Fault> {
        let read = read(
            "MaxConcurrencyPath",
            map.max_concurrency.as_ref(),
            bindings,
            "integer",
            |value| whole_number(value).and_then(|number| u32::try_from(number).ok()),
        );
        read.map(Option::unwrap_or_default)
    }

    pub(super) fn tolerance(
        &self,
        map: &Map,
        bindings: &Bindings<'_>,
    ) -> Result<(Option<u64>, Option<Percentage>), Fault> {
        let count = read(
            "ToleratedFailureCountPath",
            map.tolerated_count.as_ref(),
            bindings,
            "integer",
            whole_number,
        )?;
        let number = map.tolerated_percentage.as_ref().map(as_number);
        let number = read(
            "ToleratedFailurePercentagePath",
            number.as_ref(),
            bindings,
            "float",
            |value| value.as_f64().or_else(|| value.as_str()?.parse().ok()),
        )?;
        let percentage = number
            .map(|number| {
                Percentage::from_number(number)
                    .ok_or_else(|| Fault::runtime("ToleratedFailurePercentage must be between 0 and 100."))
            })
            .transpose()?;
        Ok((count, percentage))
    }
}

/// A number, or the text of one: AWS takes both.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn as_number(percentage: &Dynamic<Percentage>) -> Dynamic<f64> {
    match percentage {
        Dynamic::Literal(percentage) => Dynamic::Literal(percentage.as_number()),
        Dynamic::Path(path) => Dynamic::Path(path.clone()),
        Dynamic::Expression(expression) => Dynamic::Expression(expression.clone()),
    }
}

pub(super) fn read<T: Copy>(
    field: &str,
    value: Option<&Dynamic<T>>,
    bindings: &Bindings<'_>,
    wanted: &str,
    take: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let path = match value {
        None => return Ok(None),
        Some(Dynamic::Literal(value)) => return Ok(Some(*value)),
        Some(Dynamic::Expression(expression)) => {
            let found = expression.evaluate(bindings)?;
            return take(&found)
                .map(Some)
                .ok_or_else(|| expression.no_number("a whole number that is not negative", &found));
        }
        Some(Dynamic::Path(path)) => path,
    };
    let found = path
        .find(bindings)
        .map_err(|missing| Fault::runtime(format!("Invalid path '{}' : {}", path.text(), missing.0)))?;
    take(&found).map(Some).ok_or_else(|| {
        let shown = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        Fault::runtime(format!(
            "The {field} field refers to value \"{shown}\" which is not a valid {wanted}: {}",
            path.text()
        ))
    })
}
