//! From what a function returned to a JSON text.

use std::io::Write as _;

use base64::Engine as _;
use serde::Serialize;
use wasmtime::component::Val;

use super::numbers;
use super::reader::BASE64;
use super::wit_type::WitType;

/// Why a value has no JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnswered {
    /// The text would be longer than allowed.
    TooLarge,
    /// The value isn't one of the type.
    OtherType,
}

/// The name of an error that has none of its own.
const ERROR: &str = "Error";

/// The JSON text of a value, of at most `bytes` bytes.
///
/// # Errors
/// [`NotAnswered`]
pub(crate) fn answer(ty: &WitType, value: &Val, bytes: usize) -> Result<String, NotAnswered> {
    let mut writer = Writer {
        text: Vec::new(),
        bytes,
    };
    writer.value(ty, value)?;
    String::from_utf8(writer.text).map_err(|_| NotAnswered::OtherType)
}

/// The error name and cause that the `err` of a function's result means:
///
/// - a record with a text or an enum in its field `error`: that is the name; its text `cause` or `message` is the cause,
///   or the whole record as JSON where it has neither;
/// - a variant or an enum: the case is the name, what it holds the cause;
/// - anything else: the name is `Error`, the value the cause.
///
/// A text is a cause as it is, every other value as JSON of at most `bytes` bytes.
///
/// # Errors
/// [`NotAnswered`]
pub(crate) fn failure(err: Option<(&WitType, &Val)>, bytes: usize) -> Result<(String, String), NotAnswered> {
    let cause = |ty: &WitType, value: &Val| match value {
        Val::String(text) => Ok(text.clone()),
        value => answer(ty, value, bytes),
    };
    match err {
        None => Ok((
            ERROR.to_owned(),
            "the function returned an error without a value".to_owned(),
        )),
        Some((WitType::Enum(_), Val::Enum(case))) => Ok((case.clone(), String::new())),
        Some((WitType::Variant(names, types), Val::Variant(case, held))) => {
            let ty = names.position(case, 0).and_then(|case| types[case].as_ref());
            let cause = match (ty, held) {
                (Some(ty), Some(held)) => cause(ty, held)?,
                _ => String::new(),
            };
            Ok((case.clone(), cause))
        }
        Some((ty, value)) => {
            let text = |wanted: &str| match value {
                Val::Record(fields) => fields.iter().find_map(|(name, value)| match value {
                    Val::String(text) | Val::Enum(text) if name == wanted => Some(text.clone()),
                    _ => None,
                }),
                _ => None,
            };
            let Some(name) = text("error") else {
                return Ok((ERROR.to_owned(), cause(ty, value)?));
            };
            match text("cause").or_else(|| text("message")) {
                Some(cause) => Ok((name, cause)),
                None => Ok((name, cause(ty, value)?)),
            }
        }
    }
}

struct Writer {
    text: Vec<u8>,
    bytes: usize,
}

type Written = Result<(), NotAnswered>;

impl Writer {
    fn value(&mut self, ty: &WitType, value: &Val) -> Written {
        match (ty, value) {
            (WitType::Bool, Val::Bool(value)) => self.scalar(value),
            (WitType::Integer(_), Val::S8(value)) => self.scalar(value),
            (WitType::Integer(_), Val::U8(value)) => self.scalar(value),
            (WitType::Integer(_), Val::S16(value)) => self.scalar(value),
            (WitType::Integer(_), Val::U16(value)) => self.scalar(value),
            (WitType::Integer(_), Val::S32(value)) => self.scalar(value),
            (WitType::Integer(_), Val::U32(value)) => self.scalar(value),
            (WitType::Integer(_), Val::S64(value)) => self.scalar(value),
            (WitType::Integer(_), Val::U64(value)) => self.scalar(value),
            (WitType::F32, Val::Float32(value)) if value.is_finite() => self.scalar(value),
            (WitType::F64, Val::Float64(value)) if value.is_finite() => self.scalar(value),
            (WitType::F32, Val::Float32(value)) => self.scalar(numbers::text(f64::from(*value))),
            (WitType::F64, Val::Float64(value)) => self.scalar(numbers::text(*value)),
            (WitType::Char, Val::Char(value)) => self.scalar(value),
            (WitType::String, Val::String(text)) => self.scalar(text),
            (WitType::Enum(_), Val::Enum(case)) => self.scalar(case),
            (WitType::Bytes(_), Val::List(values) | Val::FixedLengthList(values)) => self.bytes(values),
            (WitType::List(element, _), Val::List(values) | Val::FixedLengthList(values)) => {
                self.list(values.iter(), |writer, value| writer.value(element, value))
            }
            (WitType::Tuple(types), Val::Tuple(values)) => {
                self.list(types.iter().zip(values), |writer, (ty, value)| writer.value(ty, value))
            }
            (WitType::Flags(_), Val::Flags(names)) => self.list(names.iter(), |writer, name| writer.scalar(name)),
            (WitType::Record(_, types), Val::Record(fields)) => {
                self.put(b"{")?;
                for (index, (ty, (name, value))) in types.iter().zip(fields).enumerate() {
                    self.comma(index)?;
                    self.scalar(name)?;
                    self.put(b":")?;
                    self.value(ty, value)?;
                }
                self.put(b"}")
            }
            (WitType::Map(_, ty), Val::Map(pairs)) => {
                self.put(b"{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    self.comma(index)?;
                    self.key(key)?;
                    self.put(b":")?;
                    self.value(ty, value)?;
                }
                self.put(b"}")
            }
            (WitType::Variant(_, _), Val::Variant(case, None)) => self.scalar(case),
            (WitType::Variant(names, types), Val::Variant(case, Some(value))) => {
                let ty = names.position(case, 0).and_then(|case| types[case].as_ref());
                self.case(case, Some((ty.ok_or(NotAnswered::OtherType)?, value)))
            }
            (WitType::Option(_), Val::Option(None)) => self.put(b"null"),
            (WitType::Option(ty), Val::Option(Some(value))) if ty.has_null() => self.case("some", Some((ty, value))),
            (WitType::Option(ty), Val::Option(Some(value))) => self.value(ty, value),
            (WitType::Result(ok, _), Val::Result(Ok(value))) => self.case("ok", ok.as_deref().zip(value.as_deref())),
            (WitType::Result(_, err), Val::Result(Err(value))) => {
                self.case("err", err.as_deref().zip(value.as_deref()))
            }
            _ => Err(NotAnswered::OtherType),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Written {
        self.text.extend_from_slice(bytes);
        self.within()
    }

    fn within(&self) -> Written {
        match self.text.len() <= self.bytes {
            true => Ok(()),
            false => Err(NotAnswered::TooLarge),
        }
    }

    fn comma(&mut self, index: usize) -> Written {
        match index {
            0 => Ok(()),
            _ => self.put(b","),
        }
    }

    fn scalar(&mut self, value: impl Serialize) -> Written {
        serde_json::to_writer(&mut self.text, &value).map_err(|_| NotAnswered::OtherType)?;
        self.within()
    }

    fn bytes(&mut self, values: &[Val]) -> Written {
        let bytes: Vec<u8> = values
            .iter()
            .map(|value| match value {
                Val::U8(byte) => Ok(*byte),
                _ => Err(NotAnswered::OtherType),
            })
            .collect::<Result<_, _>>()?;
        self.scalar(BASE64.encode(bytes))
    }

    fn case(&mut self, name: &str, held: Option<(&WitType, &Val)>) -> Written {
        self.put(b"{")?;
        self.scalar(name)?;
        self.put(b":")?;
        match held {
            Some((ty, value)) => self.value(ty, value)?,
            None => self.put(b"null")?,
        }
        self.put(b"}")
    }

    fn key(&mut self, key: &Val) -> Written {
        match key {
            Val::String(text) => return self.scalar(text),
            Val::Char(char) => return self.scalar(char),
            _ => {}
        }
        let text = match key {
            Val::Bool(key) => write!(self.text, "\"{key}\""),
            Val::S8(key) => write!(self.text, "\"{key}\""),
            Val::U8(key) => write!(self.text, "\"{key}\""),
            Val::S16(key) => write!(self.text, "\"{key}\""),
            Val::U16(key) => write!(self.text, "\"{key}\""),
            Val::S32(key) => write!(self.text, "\"{key}\""),
            Val::U32(key) => write!(self.text, "\"{key}\""),
            Val::S64(key) => write!(self.text, "\"{key}\""),
            Val::U64(key) => write!(self.text, "\"{key}\""),
            _ => return Err(NotAnswered::OtherType),
        };
        text.map_err(|_| NotAnswered::OtherType)?;
        self.within()
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, write: impl Fn(&mut Self, T) -> Written) -> Written {
        self.put(b"[")?;
        for (index, item) in items.enumerate() {
            self.comma(index)?;
            write(self, item)?;
        }
        self.put(b"]")
    }
}
