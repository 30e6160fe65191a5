//! JSONata expressions, `{% $states.input.a %}`, with the functions AWS adds and the ones it takes away.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Map, Value, json};

use super::Fault;
use super::context::Bindings;
use super::intrinsics::{self, JavaRandom};

/// A parsed expression: its text without the `{% %}`, and the field it stands in as AWS's messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jsonata {
    text: String,
    field: String,
}

/// AWS's error name for an expression that fails.
pub const EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// An expression that hasn't ended after this long is stopped: a guard against endless recursion, far above
/// what a 256 KiB payload needs.
const MAX_MILLIS: u64 = 5_000;
/// Longest sequence an expression may build; `[1..n]` would otherwise take the host's memory.
const MAX_SEQUENCE: usize = 1_000_000;
/// Parsed expressions kept for each thread; syntax trees can't be shared between threads.
const MAX_CACHED: usize = 1_024;

thread_local! {
    static PARSED: RefCell<HashMap<String, Rc<AstNode>>> = RefCell::default();
}

impl Jsonata {
    /// Whether a text is meant as an expression.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with("{%") && text.ends_with("%}") && text.len() >= 4
    }

    /// Parses `{% ... %}`, standing in `field`.
    ///
    /// # Errors
    /// The parser's words.
    pub fn parse(text: &str, field: &str) -> Result<Self, String> {
        let inner = text
            .strip_prefix("{%")
            .and_then(|text| text.strip_suffix("%}"))
            .ok_or("an expression stands between {% and %}")?;
        let text = inner.trim().to_owned();
        parsed(&text)?;
        Ok(Self {
            text,
            field: field.to_owned(),
        })
    }

    /// The expression, without its `{% %}`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// A `States.QueryEvaluationError` when it throws or returns nothing.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, Fault> {
        let threw = |message: &str| {
            self.fault(format!(
                "threw an error during evaluation. {}",
                as_the_reference_says(message)
            ))
        };
        let ast = parsed(&self.text).map_err(|message| threw(&message))?;
        let mut context = Context::new();
        if self.text.contains("$states") {
            context.bind("states".into(), JValue::from(self.states(bindings)));
        }
        for (name, value) in bindings.variables() {
            if self.text.contains(name.as_str()) {
                context.bind(name.clone(), JValue::from(value.value().clone()));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(MAX_MILLIS),
            cancel: None,
            max_stack_depth: None,
            max_sequence_length: Some(MAX_SEQUENCE),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        register(&mut evaluator, bindings).map_err(|error| threw(error.message()))?;
        let result = evaluator
            .evaluate(&ast, &JValue::Undefined)
            .map_err(|error| threw(error.message()))?;
        match result.unwrap_sequence() {
            JValue::Undefined => Err(self.fault("returned nothing (undefined).")),
            value => Ok(to_json(&value)),
        }
    }

    /// Calls `visit` with the name of every variable the expression reads that a state must have assigned:
    /// no function's, no parameter's, none it binds itself and not `$states`.
    pub fn variables(&self, visit: &mut dyn FnMut(&str)) {
        let names = names(&self.text);
        let own: Vec<&str> = names
            .iter()
            .filter(|(_, rest)| rest.starts_with(":="))
            .map(|(name, _)| *name)
            .collect();
        for (name, rest) in &names {
            if !rest.starts_with('(') && *name != "states" && !own.contains(name) && !is_parameter(&self.text, name) {
                visit(name);
            }
        }
    }

    /// A fault of this expression, as AWS words it.
    pub fn fault(&self, what: impl AsRef<str>) -> Fault {
        Fault {
            error: EVALUATION_ERROR,
            cause: format!(
                "The JSONata expression '{}' specified for the field '{}' {}",
                self.text,
                self.field,
                what.as_ref()
            ),
            location: Some(self.field.clone()),
        }
    }

    /// A value of the wrong type.
    pub fn unexpected(&self, expected: &str, value: &Value) -> Fault {
        self.fault(format!(
            "returned an unexpected result type. Expected '{expected}', but was '{}' for value: {value}",
            type_name(value)
        ))
    }

    /// `$states`, with the context object only where the expression may read it.
    fn states(&self, bindings: &Bindings<'_>) -> Value {
        let whole = self.text.split("$states").skip(1).any(|rest| !rest.starts_with('.'));
        let mut states = Map::new();
        states.insert("input".into(), bindings.input.clone());
        if let Some(result) = bindings.result {
            states.insert("result".into(), result.clone());
        }
        if let Some(error) = bindings.error_output {
            states.insert("errorOutput".into(), error.clone());
        }
        if whole || self.text.contains("context") {
            states.insert("context".into(), bindings.context().clone());
        }
        Value::Object(states)
    }
}

/// Every `$name` outside quotes, with the text that follows it.
fn names(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '$') => {
                let rest = &text[at + 1..];
                let length = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                if length > 0 {
                    found.push((&rest[..length], rest[length..].trim_start()));
                }
            }
            (None, _) => {}
        }
    }
    found
}

/// Whether `$name` is a parameter of a function the expression defines.
fn is_parameter(text: &str, name: &str) -> bool {
    text.match_indices("function")
        .chain(text.match_indices('λ'))
        .any(|(at, word)| {
            let rest = text[at + word.len()..].trim_start();
            let Some(parameters) = rest
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map(|(inside, _)| inside)
            else {
                return false;
            };
            parameters
                .split(',')
                .any(|parameter| parameter.trim().strip_prefix('$') == Some(name))
        })
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

/// The evaluator names the function that isn't one; the reference implementation, and so AWS, doesn't.
fn as_the_reference_says(message: &str) -> &str {
    const NOT_A_FUNCTION: &str = "T1006: Attempted to invoke a non-function";
    if message.starts_with(NOT_A_FUNCTION) {
        NOT_A_FUNCTION
    } else {
        message
    }
}

fn parsed(text: &str) -> Result<Rc<AstNode>, String> {
    if let Some(ast) = PARSED.with_borrow(|cache| cache.get(text).cloned()) {
        return Ok(ast);
    }
    let ast = Rc::new(parser::parse(text).map_err(|error| error.to_string())?);
    PARSED.with_borrow_mut(|cache| {
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(text.to_owned(), Rc::clone(&ast));
    });
    Ok(ast)
}

/// Numbers are doubles in JSONata; whole ones are written without a point.
fn to_json(value: &JValue) -> Value {
    /// Every whole number up to here is exact in a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        JValue::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT => json!(*number as i64),
        JValue::Array(items) => Value::Array(items.iter().map(to_json).collect()),
        JValue::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()),
        other => Value::from(other),
    }
}

/// AWS's functions on top of JSONata's; what would read the outside world reads the bindings instead.
fn register(evaluator: &mut Evaluator, bindings: &Bindings<'_>) -> Result<(), EvaluatorError> {
    let fail = |message: String| EvaluatorError::EvaluationError(message);
    let now = bindings.now();
    let state = Rc::new(Cell::new(bindings.random()));
    let random = move || {
        let (bits, next) = super::context::split_mix(state.get());
        state.set(next);
        bits
    };

    evaluator.register_fn("partition", move |arguments: &[JValue]| {
        let items = arguments
            .first()
            .and_then(JValue::as_array)
            .ok_or_else(|| fail("T0410: Argument 1 of function \"partition\" is not an array".into()))?;
        let size = arguments
            .get(1)
            .and_then(JValue::as_f64)
            .map(|size| size.trunc() as i64)
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size > 0);
        let size =
            size.ok_or_else(|| fail("T0410: Argument 2 of function \"partition\" is not a positive number".into()))?;
        Ok(JValue::array(
            items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect(),
        ))
    })?;
    evaluator.register_fn("range", move |arguments: &[JValue]| {
        let number = |index: usize| {
            arguments.get(index).and_then(JValue::as_f64).ok_or_else(|| {
                fail(format!(
                    "T0410: Argument {} of function \"range\" is not a number",
                    index + 1
                ))
            })
        };
        let (from, to, step) = (number(0)?, number(1)?, number(2)?);
        let count = ((to - from) / step).floor();
        if step == 0.0 || count.is_nan() || count >= MAX_SEQUENCE as f64 {
            return Err(fail(
                "D2014: The size of the sequence allocated by the range operator is too large".into(),
            ));
        }
        Ok(JValue::sequence(
            (0..=count.max(-1.0) as i64)
                .map(|index| JValue::from_f64(from + index as f64 * step))
                .collect(),
        ))
    })?;
    evaluator.register_fn("hash", move |arguments: &[JValue]| {
        let text = |index: usize| arguments.get(index).and_then(JValue::as_str);
        let data = text(0).ok_or_else(|| fail("T0410: Argument 1 of function \"hash\" is not a string".into()))?;
        intrinsics::hash(data, text(1).unwrap_or("MD5"))
            .map(JValue::from)
            .map_err(fail)
    })?;
    evaluator.register_fn("parse", move |arguments: &[JValue]| match arguments.first() {
        Some(JValue::String(text)) => JValue::from_json_str(text)
            .map_err(|error| fail(format!("D3200: the argument of $parse is not JSON: {error}"))),
        Some(JValue::Undefined) | None => Ok(JValue::Undefined),
        Some(_) => Err(fail("T0410: Argument 1 of function \"parse\" is not a string".into())),
    })?;
    let dice = random.clone();
    evaluator.register_fn("uuid", move |_: &[JValue]| {
        Ok(JValue::from(intrinsics::uuid(dice(), dice())))
    })?;
    let dice = random.clone();
    evaluator.register_fn_override("random", move |arguments: &[JValue]| {
        Ok(JValue::from_f64(match arguments.first().and_then(JValue::as_f64) {
            Some(seed) => JavaRandom::new(seed as i64).next_double(),
            None => (dice() >> 11) as f64 / (1_u64 << 53) as f64,
        }))
    })?;
    evaluator.register_fn_override("shuffle", move |arguments: &[JValue]| match arguments.first() {
        Some(JValue::Array(items)) => {
            let mut items = items.to_vec();
            for last in (1..items.len()).rev() {
                items.swap(last, (random() % (last as u64 + 1)) as usize);
            }
            Ok(JValue::array(items))
        }
        Some(other) => Ok(other.clone()),
        None => Ok(JValue::Undefined),
    })?;
    evaluator.register_fn_override("millis", move |_: &[JValue]| Ok(JValue::from_f64(now.0 as f64)))?;
    evaluator.register_fn_override("now", move |arguments: &[JValue]| {
        let names = ["picture", "timezone"];
        let mut context = Context::new();
        let mut call = format!("$fromMillis({}", now.0);
        for (name, argument) in names.iter().zip(arguments) {
            context.bind((*name).to_owned(), argument.clone());
            call.push_str(&format!(", ${name}"));
        }
        call.push(')');
        let ast = parsed(&call).map_err(fail)?;
        Evaluator::with_context(context).evaluate(&ast, &JValue::Undefined)
    })?;
    evaluator.register_fn_override("eval", move |_: &[JValue]| {
        Err(fail("T1006: Attempted to invoke a non-function".into()))
    })
}
