//! What tasks do: a fixed answer to the state, its parameters and the attempt's number, so that it is
//! the same however often a crash makes an attempt run again.

use asl::Payload;
use engine::ports::{Beginning, Resources};
use serde_json::{Value, json};

use crate::rng::hash;

/// What an attempt would come to if nothing stopped it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Returns(Value),
    /// An error name; the cause is the state's name.
    Fails(&'static str),
    /// Stops sending heartbeats.
    FallsSilent,
    /// Never ends.
    Hangs,
}

pub fn answer(seed: u64, resource: &str, state: &str, parameters: &Value, retry_count: u32) -> Answer {
    let key = format!("{state} {} {retry_count}", canonical(parameters));
    let roll = hash(seed, &key);
    match resource {
        "wasm:hang" => Answer::Hangs,
        "wasm:silent" => Answer::FallsSilent,
        "wasm:flaky" if roll % 100 < 20 => Answer::Fails("Boom"),
        "wasm:flaky" if roll % 100 < 33 => Answer::Fails("Crash"),
        _ => Answer::Returns(json!({"done": roll % 1_000, "by": state})),
    }
}

/// The resource whose attempts may change something outside, in some of its versions: a crash must not run one of those
/// a second time, whatever version there is after it.
pub const ONCE: &str = "wasm:once";

/// A world in which all resources are there.
#[derive(Debug)]
pub struct Everything {
    /// Today's version of [`ONCE`].
    pub version: u32,
}

/// Whether attempts of this version of [`ONCE`] may be repeated.
pub fn may_repeat(version: u32) -> bool {
    version.is_multiple_of(2)
}

impl Resources for Everything {
    fn refusal(&self, _resource: &str) -> Option<String> {
        None
    }

    fn beginning(&self, resource: &str, _parameters: &Payload) -> Beginning {
        match resource {
            ONCE => Beginning {
                version: Some(self.version),
                may_repeat: may_repeat(self.version),
            },
            _ => Beginning::REPEATABLE,
        }
    }
}

/// A text that doesn't depend on the order of keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", canonical(value)))
                .collect();
            fields.sort();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(canonical).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
