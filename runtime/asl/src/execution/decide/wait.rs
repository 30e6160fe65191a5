//! Wait.

use serde_json::Value;

use super::At;
use crate::definition::Wait;
use crate::execution::env::Env;
use crate::execution::event::EventKind;
use crate::expression::jsonata::EVALUATION_ERROR;
use crate::expression::{Fault, Path};
use crate::timestamp::Timestamp;

/// The longest wait AWS starts: a signed 32-bit number of seconds, 24,855 days.
const MAX_WAIT_MILLIS: i64 = i32::MAX as i64 * 1000;

impl At<'_> {
    pub(super) fn start_wait(&self, wait: &Wait, env: &Env<'_>) -> Result<EventKind, Fault> {
        let until = match wait {
            Wait::Seconds(seconds) => env.now.plus_seconds(*seconds as f64),
            Wait::Timestamp(time) => *time,
            Wait::SecondsPath(path) => {
                let found = self.read("SecondsPath", path)?;
                env.now
                    .plus_seconds(whole_seconds("SecondsPath", path.text(), &found)? as f64)
            }
            Wait::TimestampPath(path) => {
                let found = self.read("TimestampPath", path)?;
                found.as_str().and_then(Timestamp::parse).ok_or_else(|| {
                    Fault::runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
                        path.text(),
                        as_text(&found)
                    ))
                })?
            }
            Wait::SecondsExpression(expression) => {
                let input = self.effective_input()?;
                let found = expression.evaluate(&self.bindings(input.value()))?;
                let seconds = found
                    .as_u64()
                    .ok_or_else(|| expression.no_number("a whole number of seconds that is not negative", &found))?;
                env.now.plus_seconds(seconds as f64)
            }
            Wait::TimestampExpression(expression) => {
                let input = self.effective_input()?;
                let found = expression.evaluate(&self.bindings(input.value()))?;
                let text = found.as_str().ok_or_else(|| expression.unexpected("string", &found))?;
                Timestamp::parse(text).ok_or_else(|| Fault {
                    error: EVALUATION_ERROR,
                    cause: format!("The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"),
                    location: Some("Timestamp".into()),
                })?
            }
        };
        if until.millis_since(env.now) > MAX_WAIT_MILLIS {
            return Err(Fault::runtime("Wait state delay is too long."));
        }
        Ok(EventKind::WaitStarted { scope: self.id, until })
    }

    fn read(&self, field: &str, path: &Path) -> Result<Value, Fault> {
        let input = self.effective_input()?;
        path.evaluate(&self.bindings(input.value())).map_err(|_| {
            Fault::runtime(format!(
                "The {field} parameter does not reference an input value: {}",
                path.text()
            ))
        })
    }
}

/// A number of seconds that isn't negative; a text of digits counts, as Java's parseLong takes it.
pub(super) fn whole_seconds(field: &str, path: &str, found: &Value) -> Result<u64, Fault> {
    let text = as_text(found);
    let number: i64 = text.parse().map_err(|_| {
        Fault::runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {path} == {text}"
        ))
    })?;
    u64::try_from(number).map_err(|_| {
        Fault::runtime(format!(
            "The {field} parameter references a negative value: {path} == {text}"
        ))
    })
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
