//! JSONata expressions, `{% $states.input.a %}`, with the functions AWS adds and the ones it takes away.

mod compiled;
mod functions;
mod messages;
pub(super) mod part;
mod reads;
mod top_level;

use std::rc::Rc;
use std::sync::Arc;

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::{JMap, JValue};
use serde_json::{Value, json};

use super::Fault;
use super::context::{Bindings, EXECUTION_INPUT};
use crate::payload::MAX_DEPTH;
use reads::Reads;
pub use reads::StatesField;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jsonata(Arc<Expression>);

/// What an expression is made of: its text without the `{% %}`, and the field it stands in as AWS's messages name it.
#[derive(Debug, PartialEq, Eq)]
struct Expression {
    text: String,
    field: String,
    reads: Reads,
}

/// AWS's error name for an expression that fails.
pub const EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// An expression that hasn't ended after this long is stopped: a guard against endless recursion, far above
/// what a 256 KiB payload needs.
const MAX_MILLIS: u64 = 5_000;
/// Longest sequence an expression may build; `[1..n]` would otherwise take the host's memory.
const MAX_SEQUENCE: usize = 1_000_000;
/// Deepest value an expression may return: what is deeper can't be read back.
const MAX_RESULT_DEPTH: usize = MAX_DEPTH;

impl Jsonata {
    /// Whether a text is meant as an expression.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with("{%") && text.ends_with("%}") && text.len() >= 4
    }

    /// Parses `{% ... %}`, standing in `field`.
    ///
    /// # Errors
    /// The parser's words, without their code, as AWS gives them.
    pub fn parse(text: &str, field: &str) -> Result<Self, String> {
        let inner = text
            .strip_prefix("{%")
            .and_then(|text| text.strip_suffix("%}"))
            .ok_or("an expression stands between {% and %}")?;
        let text = inner.trim().to_owned();
        let expression = Self(Arc::new(Expression {
            reads: Reads::of(&text),
            text,
            field: field.to_owned(),
        }));
        compiled::tree(&expression.0).map_err(|message| messages::syntax(&message))?;
        Ok(expression)
    }

    /// The expression, without its `{% %}`.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// A `States.QueryEvaluationError` when it throws or returns nothing.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, Fault> {
        let threw = |message: &str| {
            let thrown = messages::thrown(message, &self.0.reads.functions);
            self.fault(format!("threw an error during evaluation{thrown}"))
        };
        let tree = compiled::tree(&self.0).map_err(|message| threw(&message))?;
        let mut context = Context::new();
        let reads = &self.0.reads;
        if !reads.states.is_empty() {
            context.bind(reads::STATES.into(), self.states(bindings));
        }
        for (name, part) in &reads.names {
            if let Some(value) = bindings.variable(name) {
                context.bind(name.clone(), part.of(value, bindings));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(MAX_MILLIS),
            cancel: None,
            max_stack_depth: None,
            max_sequence_length: Some(MAX_SEQUENCE),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator, &reads.names, bindings).map_err(|error| threw(error.message()))?;
        let result = evaluator
            .evaluate(&tree, &JValue::Undefined)
            .map_err(|error| threw(error.message()))?;
        match result.unwrap_sequence() {
            JValue::Undefined => Err(self.fault("returned nothing (undefined).")),
            value => to_json(&value, MAX_RESULT_DEPTH).ok_or_else(|| {
                self.fault(format!(
                    "returned a value that is nested more than {MAX_RESULT_DEPTH} deep."
                ))
            }),
        }
    }

    /// Calls `visit` with the name of every variable the expression reads that a state must have assigned:
    /// no function's, no parameter's, none it binds itself and not `$states`.
    pub fn variables(&self, visit: &mut dyn FnMut(&str)) {
        self.0.reads.variables.iter().for_each(|name| visit(name));
    }

    /// What the expression refers to and can't: names without a context around them, and fields of `$states` that
    /// aren't among the `available` ones. In AWS's words where they are known.
    pub fn unsupported(&self, available: &[StatesField]) -> Vec<String> {
        let top_level = compiled::tree(&self.0)
            .map(|tree| top_level::references(&tree))
            .unwrap_or_default();
        let top_level = top_level
            .iter()
            .map(|name| format!("Reference to '{name}' at the top level is not supported."));
        let states = self
            .0
            .reads
            .named_states
            .iter()
            .filter(|field| !available.contains(field));
        let states = states.map(|field| {
            format!(
                "Reference to '$states.{}' is not supported in this field.",
                field.name()
            )
        });
        top_level.chain(states).collect()
    }

    /// A fault of this expression, as AWS words it.
    pub fn fault(&self, what: impl AsRef<str>) -> Fault {
        Fault {
            error: EVALUATION_ERROR,
            cause: format!(
                "The JSONata expression '{}' specified for the field '{}' {}",
                self.0.text,
                self.0.field,
                what.as_ref()
            ),
            location: Some(self.0.field.clone()),
        }
    }

    /// A value of the wrong type.
    pub fn unexpected(&self, expected: &str, value: &Value) -> Fault {
        self.fault(format!(
            "returned an unexpected result type. Expected '{expected}', but was '{}' for value: {value}",
            type_name(value)
        ))
    }

    /// A value that isn't a number, or a number that can't be used here: one that is no `wanted`.
    pub fn no_number(&self, wanted: &str, value: &Value) -> Fault {
        if value.is_number() {
            return self.fault(format!("must return {wanted}, but returned: {value}"));
        }
        self.unexpected("number", value)
    }

    /// As much of `$states` as the expression may read.
    fn states(&self, bindings: &Bindings<'_>) -> JValue {
        let fields = self.0.reads.states.iter().filter_map(|(field, part)| {
            let value = match field {
                StatesField::Input => Some(bindings.input),
                StatesField::Result => bindings.result,
                StatesField::ErrorOutput => bindings.error_output,
                StatesField::Context if part.at(&EXECUTION_INPUT).is_none() => Some(bindings.context_without_input()),
                StatesField::Context => Some(bindings.context()),
            };
            Some((field.name().to_owned(), part.of(value?, bindings)))
        });
        JValue::Object(Rc::new(fields.collect::<JMap>()))
    }
}

/// The name AWS's messages give a type.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A copy for the evaluator, whose values can't be shared between threads.
fn from_json(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(value) => JValue::Bool(*value),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => JValue::from(text.as_str()),
        Value::Array(items) => JValue::array(items.iter().map(from_json).collect()),
        Value::Object(map) => {
            let fields = map.iter().map(|(name, value)| (name.clone(), from_json(value)));
            JValue::Object(Rc::new(fields.collect::<JMap>()))
        }
    }
}

/// Numbers are doubles in JSONata; whole ones are written without a point. Nothing for a value nested deeper than
/// `depth`.
fn to_json(value: &JValue, depth: usize) -> Option<Value> {
    /// Every whole number up to here is exact in a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let below = || depth.checked_sub(1);
    Some(match value {
        JValue::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT => json!(*number as i64),
        JValue::Array(items) => {
            let depth = below()?;
            Value::Array(items.iter().map(|item| to_json(item, depth)).collect::<Option<_>>()?)
        }
        JValue::Object(map) => {
            let depth = below()?;
            let fields = map
                .iter()
                .map(|(name, value)| Some((name.clone(), to_json(value, depth)?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
        other => Value::from(other),
    })
}
