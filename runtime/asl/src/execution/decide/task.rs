//! Task.

use serde_json::Value;

use super::{At, derived};
use crate::definition::{Dynamic, QueryLanguage, Task};
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::execution::open_work::too_large;
use crate::expression::{Bindings, Fault};

/// The integration pattern of tasks that end when somebody hands their token back.
const WAIT_FOR_TASK_TOKEN: &str = ".waitForTaskToken";

impl At<'_> {
    pub(super) fn schedule_task(&self, task: &Task, env: &Env<'_>) -> Result<EventKind, Fault> {
        if let Some(refusal) = env.outside.refusal(&task.resource) {
            return Err(Fault::runtime(refusal));
        }
        let input = self.effective_input()?;
        let token = task
            .resource
            .ends_with(WAIT_FOR_TASK_TOKEN)
            .then(|| env.outside.task_token(self.execution.position));
        let bindings = self.bindings_with_token(input.value(), token.as_deref());
        let timeout_seconds = seconds("TimeoutSecondsPath", task.timeout.as_ref(), &bindings)?;
        let heartbeat_seconds = seconds("HeartbeatSecondsPath", task.heartbeat.as_ref(), &bindings)?;
        let credentials = task
            .credentials
            .as_ref()
            .map(|template| template.evaluate(&bindings).and_then(derived))
            .transpose()?;
        let parameters = match &task.parameters {
            Some(template) => derived(template.evaluate(&bindings)?)?,
            None => input.clone(),
        };
        self.saw(QueryLanguage::JsonPath, |seen| {
            seen.after_parameters = Some(parameters.clone())
        });
        self.saw(QueryLanguage::JsonAta, |seen| {
            seen.after_arguments = Some(parameters.clone())
        });
        if parameters.len() > env.limits.payload_bytes {
            return Ok(EventKind::StateFailed {
                scope: self.id,
                failure: too_large(&self.active.state),
                location: None,
            });
        }
        Ok(EventKind::TaskScheduled {
            scope: self.id,
            resource: task.resource.clone(),
            parameters,
            timeout_seconds,
            heartbeat_seconds,
            credentials,
            retry_count: self.active.retry_count(),
        })
    }
}

fn seconds(field: &str, value: Option<&Dynamic<u64>>, bindings: &Bindings<'_>) -> Result<Option<u64>, Fault> {
    match value {
        None => Ok(None),
        Some(Dynamic::Literal(seconds)) => Ok(Some(*seconds)),
        Some(Dynamic::Path(path)) => {
            let found = path.find(bindings).map_err(|_| {
                Fault::runtime(format!(
                    "The {field} parameter does not reference an input value: {}",
                    path.text()
                ))
            })?;
            positive(field, path.text(), &found).map(Some)
        }
        Some(Dynamic::Expression(expression)) => {
            let found = expression.evaluate(bindings)?;
            match found.as_u64() {
                Some(seconds) if seconds > 0 => Ok(Some(seconds)),
                _ => Err(expression.no_number("a positive whole number of seconds", &found)),
            }
        }
    }
}

/// A whole number of seconds above zero, in AWS's words for one that isn't.
fn positive(field: &str, path: &str, found: &Value) -> Result<u64, Fault> {
    match super::wait::whole_seconds(field, path, found)? {
        0 => Err(Fault::runtime(format!(
            "The {field} parameter references a value that is not positive: {path} == 0"
        ))),
        seconds => Ok(seconds),
    }
}
