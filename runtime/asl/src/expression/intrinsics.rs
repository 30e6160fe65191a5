//! Intrinsic functions: `States.Format('{}', $.a)` and its seventeen siblings.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::Digest as _;

use super::Fault;
use super::call_parser::Parser;
use super::context::Bindings;
use super::json_path::{NoResult, Path};

/// A parsed call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub(super) text: String,
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Literal(Value),
    /// A quoted text in which the braces at these bytes were escaped: States.Format leaves them alone.
    Text(String, Vec<usize>),
    /// A quoted text with a backslash that escapes nothing.
    OpenEscape,
    Path(Path),
    Call(Call),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

/// Names, with the least and the greatest number of arguments.
pub(super) const FUNCTIONS: [(&str, Function, usize, usize); 18] = [
    ("States.Format", Function::Format, 1, usize::MAX),
    ("States.StringToJson", Function::StringToJson, 1, 1),
    ("States.JsonToString", Function::JsonToString, 1, 1),
    ("States.Array", Function::Array, 0, usize::MAX),
    ("States.ArrayPartition", Function::ArrayPartition, 2, 2),
    ("States.ArrayContains", Function::ArrayContains, 2, 2),
    ("States.ArrayRange", Function::ArrayRange, 3, 3),
    ("States.ArrayGetItem", Function::ArrayGetItem, 2, 2),
    ("States.ArrayLength", Function::ArrayLength, 1, 1),
    ("States.ArrayUnique", Function::ArrayUnique, 1, 1),
    ("States.Base64Encode", Function::Base64Encode, 1, 1),
    ("States.Base64Decode", Function::Base64Decode, 1, 1),
    ("States.Hash", Function::Hash, 2, 2),
    ("States.JsonMerge", Function::JsonMerge, 3, 3),
    ("States.MathRandom", Function::MathRandom, 2, 3),
    ("States.MathAdd", Function::MathAdd, 2, 2),
    ("States.StringSplit", Function::StringSplit, 2, 2),
    ("States.UUID", Function::Uuid, 0, 0),
];

impl Function {
    fn name(self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|(_, function, ..)| *function == self)
            .map_or("", |(name, ..)| name)
    }
}

/// AWS's bound on what Base64 and Hash take, in characters.
const MAX_TEXT_CHARS: usize = 10_000;
/// AWS's bound on the length of an array States.ArrayRange makes.
const MAX_RANGE: i64 = 1000;

/// Whether a text is meant as an intrinsic function.
pub fn looks_like_call(text: &str) -> bool {
    text.starts_with("States.")
}

impl Call {
    /// Parses a call with everything in it.
    ///
    /// # Errors
    /// What is wrong, for the definition's author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let call = parser.call(0)?;
        parser.spaces();
        if parser.at < text.len() {
            return Err(format!("unexpected text after the call at position {}", parser.at));
        }
        Ok(call)
    }

    /// Evaluates the call.
    ///
    /// # Errors
    /// A fault that names the call. AWS documents `States.IntrinsicFailure`, but what its users see is `States.Runtime`.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, Fault> {
        self.value(bindings).map_err(|reason| {
            Fault::runtime(format!(
                "The function '{}' had the following error: {reason}",
                self.text
            ))
        })
    }

    fn value(&self, bindings: &Bindings<'_>) -> Result<Value, String> {
        let arguments = self
            .arguments
            .iter()
            .map(|argument| match argument {
                Argument::Literal(value) => Ok(Cow::Borrowed(value)),
                Argument::Text(text, _) => Ok(Cow::Owned(json!(text))),
                Argument::OpenEscape => {
                    Err("An open escape backslash \\ is found in the intrinsic invocation string".into())
                }
                Argument::Path(path) => path.find(bindings).map_err(|NoResult(_)| {
                    format!(
                        "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                        path.text(),
                        path.searched(bindings)
                    )
                }),
                Argument::Call(call) => call.value(bindings).map(Cow::Owned),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let result = match (self.function, &*self.arguments, &*arguments) {
            (Function::Format, [Argument::Text(template, escaped), ..], [_, values @ ..]) => {
                return format_text(template, escaped, values);
            }
            (Function::Format, _, [template, values @ ..]) => match text(template) {
                Ok(template) => return format_text(template, &[], values),
                Err(reason) => Err(reason),
            },
            (function, _, arguments) => apply(function, arguments, bindings),
        };
        result.map_err(|reason| {
            let separator = if reason.is_empty() { "" } else { ": " };
            format!("Invalid arguments in {}{separator}{reason}", self.function.name())
        })
    }

    /// The paths the call reads, nested calls included.
    pub fn paths(&self) -> Vec<&Path> {
        self.arguments
            .iter()
            .flat_map(|argument| match argument {
                Argument::Literal(_) | Argument::Text(..) | Argument::OpenEscape => Vec::new(),
                Argument::Path(path) => vec![path],
                Argument::Call(call) => call.paths(),
            })
            .collect()
    }
}

/// The error is what doesn't fit about the arguments, or nothing where it is their type: AWS says no more then.
fn apply(function: Function, arguments: &[Cow<'_, Value>], bindings: &Bindings<'_>) -> Result<Value, String> {
    match (function, arguments) {
        (Function::StringToJson, [value]) => match text(value)?.trim() {
            "" => Ok(Value::Null),
            json => serde_json::from_str(json).map_err(|_| format!("Invalid JSON: {json}")),
        },
        (Function::JsonToString, [value]) => Ok(json!(value.to_string())),
        (Function::Array, items) => Ok(items.iter().map(|item| Value::clone(item)).collect()),
        (Function::ArrayPartition, [items, size]) => {
            let size = usize::try_from(rounded(size)?)
                .ok()
                .filter(|size| *size > 0)
                .ok_or("The chunk size must be a positive integer")?;
            Ok(array(items)?
                .chunks(size)
                .map(|chunk| Value::Array(chunk.to_vec()))
                .collect())
        }
        (Function::ArrayContains, [items, wanted]) => Ok(json!(array(items)?.contains(wanted))),
        (Function::ArrayRange, [from, to, step]) => range(rounded(from)?, rounded(to)?, rounded(step)?),
        (Function::ArrayGetItem, [items, index]) => {
            let (items, index) = (array(items)?, rounded(index)?);
            usize::try_from(index)
                .ok()
                .and_then(|index| items.get(index))
                .cloned()
                .ok_or(format!(
                    "Index {index} is out of bounds for an array of length {}",
                    items.len()
                ))
        }
        (Function::ArrayLength, [items]) => Ok(json!(array(items)?.len())),
        (Function::ArrayUnique, [items]) => {
            let mut unique: Vec<Value> = Vec::new();
            for item in array(items)? {
                if !unique.contains(item) {
                    unique.push(item.clone());
                }
            }
            Ok(Value::Array(unique))
        }
        (Function::Base64Encode, [value]) => Ok(json!(STANDARD.encode(bounded(text(value)?)?))),
        (Function::Base64Decode, [value]) => {
            let bytes = STANDARD
                .decode(bounded(text(value)?)?)
                .map_err(|_| "Invalid Base64 text".to_owned())?;
            Ok(json!(String::from_utf8_lossy(&bytes)))
        }
        (Function::Hash, [value, algorithm]) => {
            let data = match &**value {
                Value::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(other.to_string()),
            };
            hash(bounded(&data)?, text(algorithm)?).map(|hash| json!(hash))
        }
        (Function::JsonMerge, [first, second, deep]) => {
            if **deep != Value::Bool(false) {
                return Err("Only shallow merging is supported: the third argument must be false".into());
            }
            let mut merged: Map<String, Value> = object(first)?.clone();
            merged.extend(object(second)?.clone());
            Ok(Value::Object(merged))
        }
        (Function::MathRandom, [from, to, seed @ ..]) => {
            let (from, to) = (rounded(from)?, rounded(to)?);
            if from >= to {
                return Err("The start number must be less than the end number".into());
            }
            let span = u64::try_from(i128::from(to) - i128::from(from)).map_err(|_| "The range is too large")?;
            let bits = match seed {
                [seed] => JavaRandom::new(rounded(seed)?).next_long() as u64,
                _ => bindings.random(),
            };
            Ok(json!(from.wrapping_add((bits % span) as i64)))
        }
        (Function::MathAdd, [a, b]) => rounded(a)?
            .checked_add(rounded(b)?)
            .map(|sum| json!(sum))
            .ok_or_else(|| "The sum is too large".to_owned()),
        (Function::StringSplit, [value, separators]) => {
            let (value, separators) = (text(value)?, text(separators)?);
            Ok(value
                .split(|c| separators.contains(c))
                .filter(|part| !part.is_empty())
                .map(|part| json!(part))
                .collect())
        }
        (Function::Uuid, []) => Ok(json!(uuid(bindings.random(), bindings.random()))),
        _ => Err("Wrong number of arguments".into()),
    }
}

/// A version 4 UUID from 128 random bits.
pub fn uuid(high: u64, low: u64) -> String {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The hash of a text as hexadecimal digits.
///
/// # Errors
/// An algorithm AWS doesn't know.
pub fn hash(data: &str, algorithm: &str) -> Result<String, String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(match algorithm {
        "MD5" => hex(&md5::Md5::digest(data)),
        "SHA-1" => hex(&sha1::Sha1::digest(data)),
        "SHA-256" => hex(&sha2::Sha256::digest(data)),
        "SHA-384" => hex(&sha2::Sha384::digest(data)),
        "SHA-512" => hex(&sha2::Sha512::digest(data)),
        other => {
            return Err(format!(
                "Invalid hashing algorithm: {other}; it must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"
            ));
        }
    })
}

/// `java.util.Random`, whose numbers AWS gives for a seed.
#[derive(Debug, Clone)]
pub struct JavaRandom(i64);

impl JavaRandom {
    /// A generator with a seed.
    pub fn new(seed: i64) -> Self {
        Self((seed ^ 0x5_DEEC_E66D) & ((1 << 48) - 1))
    }

    fn next(&mut self, bits: u32) -> i32 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & ((1 << 48) - 1);
        (self.0 >> (48 - bits)) as i32
    }

    /// The next 64 bits.
    pub fn next_long(&mut self) -> i64 {
        (i64::from(self.next(32)) << 32).wrapping_add(i64::from(self.next(32)))
    }

    /// The next number in 0..1.
    pub fn next_double(&mut self) -> f64 {
        let bits = (i64::from(self.next(26)) << 27) + i64::from(self.next(27));
        bits as f64 / (1_i64 << 53) as f64
    }
}

fn format_text(template: &str, escaped: &[usize], values: &[Cow<'_, Value>]) -> Result<Value, String> {
    const MISMATCH: &str =
        "Invalid arguments in States.Format: The number of arguments does not match the number of {} in the template";
    const UNCLOSED: &str = "Invalid template in States.Format: matching '}' not found for '{'.";
    const UNOPENED: &str = "Invalid template in States.Format: matching '{' not found for '}'.";
    let mut values = values.iter();
    let mut out = String::with_capacity(template.len());
    let mut copied = 0;
    let mut braces = template
        .match_indices(['{', '}'])
        .filter(|(at, _)| !escaped.contains(at));
    while let Some((at, brace)) = braces.next() {
        if brace == "}" {
            return Err(UNOPENED.into());
        }
        if braces.next() != Some((at + 1, "}")) {
            return Err(UNCLOSED.into());
        }
        out.push_str(&template[copied..at]);
        out.push_str(&java_text(values.next().ok_or(MISMATCH)?));
        copied = at + "{}".len();
    }
    out.push_str(&template[copied..]);
    if values.next().is_some() {
        return Err(MISMATCH.into());
    }
    Ok(Value::String(out))
}

/// A value as Java prints it: `{Id=x, List=[1, 2]}`.
fn java_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(java_text).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            format!(
                "{{{}}}",
                map.iter()
                    .map(|(name, value)| format!("{name}={}", java_text(value)))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        other => other.to_string(),
    }
}

fn range(from: i64, to: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("The increment must not be 0".into());
    }
    let count = (i128::from(to) - i128::from(from)) / i128::from(step) + 1;
    if count > i128::from(MAX_RANGE) {
        return Err(format!("The range must not hold more than {MAX_RANGE} items"));
    }
    Ok((0..count.max(0) as i64)
        .map(|index| json!(from + index * step))
        .collect())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(String::new)
}

fn bounded(text: &str) -> Result<&str, String> {
    if text.chars().count() > MAX_TEXT_CHARS {
        return Err(format!("The argument is longer than {MAX_TEXT_CHARS} characters"));
    }
    Ok(text)
}

fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(String::new)
}

fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(String::new)
}

/// Numbers are rounded as Java's Math.round does: half up.
fn rounded(value: &Value) -> Result<i64, String> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|number| (number + 0.5).floor() as i64))
        .ok_or_else(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_random_gives_javas_numbers() {
        assert_eq!(JavaRandom::new(42).next_double(), 0.727_563_680_032_868_1);
    }

    #[test]
    fn broken_calls_are_refused() {
        for text in [
            "States.Nope()",
            "States.Format()",
            "States.Format('a'",
            "States.Format('a",
            "States.UUID(1)",
            "States.Array([1])",
            "States.Array(1))",
            "States.Format(x)",
        ] {
            assert!(Call::parse(text).is_err(), "{text}");
        }
        let nested = format!("{}1{}", "States.Array(".repeat(12), ")".repeat(12));
        assert!(Call::parse(&nested).is_err());
    }
}
