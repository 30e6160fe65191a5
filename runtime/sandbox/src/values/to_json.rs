//! From what a function returned, as it is in the guest's memory, to a JSON text.

use base64::Engine as _;
use serde::Serialize;
use wasmtime::{bail, format_err};

use super::layout::{Layout, OneOf};
use super::numbers;
use super::reader::BASE64;
use super::wit_type::{Integer, WitType};

/// What a function returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A value, as JSON.
    Output(String),
    /// The `err` of a result.
    Failure {
        /// Its name.
        error: String,
        /// What more there is to say.
        cause: String,
    },
    /// More than may be answered.
    TooLarge,
}

/// The memory a value is in.
pub(super) struct Guest<'a> {
    pub(super) memory: &'a [u8],
    pub(super) text: Text<'a>,
}

/// How the guest's texts are encoded.
pub(super) enum Text<'a> {
    Utf8,
    /// In a way that wasmtime reads.
    Other(Box<ReadText<'a>>),
}

/// Reads a text, given its address and length.
type ReadText<'a> = dyn FnMut(&[u8]) -> wasmtime::Result<String> + 'a;

/// Why there is no text.
enum Stopped {
    TooLarge,
    Wrong(wasmtime::Error),
}

impl From<wasmtime::Error> for Stopped {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wrong(error)
    }
}

type Written<T = ()> = Result<T, Stopped>;

/// The name of an error that has none of its own.
const ERROR: &str = "Error";

impl Answer {
    /// Of a function that returns nothing.
    pub(super) fn nothing() -> Self {
        Self::Output("null".to_owned())
    }
}

/// What a function's value means; texts have at most `bytes` bytes. The `err` of a result is a failure:
///
/// - a record with a text or an enum in its field `error`: that is the name; its text `cause` or `message` is the cause,
///   or the whole record as JSON where it has neither;
/// - a variant or an enum: the case is the name, what it holds the cause;
/// - anything else: the name is `Error`, the value the cause.
///
/// A text is a cause as it is, every other value as JSON.
///
/// # Errors
/// Where the value isn't one of the type.
pub(super) fn answer(ty: &WitType, value: &[u8], guest: Guest<'_>, bytes: usize) -> wasmtime::Result<Answer> {
    let mut writer = Writer {
        guest,
        text: Vec::new(),
        bytes,
    };
    let answer = match ty {
        WitType::Result(ok, err, places) => writer.result(ok.as_deref(), err.as_deref(), places, ty, value),
        _ => writer.output(ty, value),
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(Stopped::TooLarge) => Ok(Answer::TooLarge),
        Err(Stopped::Wrong(error)) => Err(error),
    }
}

struct Writer<'a> {
    guest: Guest<'a>,
    text: Vec<u8>,
    bytes: usize,
}

impl<'a> Writer<'a> {
    fn result(
        &mut self,
        ok: Option<&WitType>,
        err: Option<&WitType>,
        places: &OneOf,
        ty: &WitType,
        value: &[u8],
    ) -> Written<Answer> {
        let held = &value[places.payload.min(value.len())..];
        match (case_of(ty, places, value)?, ok, err) {
            (0, None, _) => Ok(Answer::nothing()),
            (0, Some(ok), _) => self.output(ok, held),
            (_, _, None) => Ok(Answer::Failure {
                error: ERROR.to_owned(),
                cause: "the function returned an error without a value".to_owned(),
            }),
            (_, _, Some(err)) => self.failure(err, held),
        }
    }

    fn output(&mut self, ty: &WitType, value: &[u8]) -> Written<Answer> {
        self.value(ty, value)?;
        Ok(Answer::Output(self.taken()?))
    }

    fn failure(&mut self, ty: &WitType, value: &[u8]) -> Written<Answer> {
        let (error, cause) = match ty {
            WitType::Enum(names) => (names.get(number_of_case(ty, value)?).to_owned(), String::new()),
            WitType::Variant(names, types, places) => {
                let case = case_of(ty, places, value)?;
                let cause = match &types[case] {
                    Some(held) => self.cause(held, &value[places.payload..])?,
                    None => String::new(),
                };
                (names.get(case).to_owned(), cause)
            }
            WitType::Record(names, types, places) => {
                let field = |wanted: &str| {
                    let field = names.position(wanted, 0)?;
                    matches!(types[field], WitType::String | WitType::Enum(_)).then_some(field)
                };
                let at = |field: usize| &value[places.offsets[field]..];
                match field("error") {
                    None => (ERROR.to_owned(), self.cause(ty, value)?),
                    Some(error) => {
                        let error = self.plain(&types[error], at(error))?;
                        let cause = match field("cause").or_else(|| field("message")) {
                            Some(cause) => self.plain(&types[cause], at(cause))?,
                            None => self.cause(ty, value)?,
                        };
                        (error, cause)
                    }
                }
            }
            _ => (ERROR.to_owned(), self.cause(ty, value)?),
        };
        Ok(Answer::Failure { error, cause })
    }

    /// The text of a text, the name of an enum's case.
    fn plain(&mut self, ty: &WitType, value: &[u8]) -> Written<String> {
        match ty {
            WitType::Enum(names) => Ok(names.get(number_of_case(ty, value)?).to_owned()),
            _ => self.cause(ty, value),
        }
    }

    fn cause(&mut self, ty: &WitType, value: &[u8]) -> Written<String> {
        match ty {
            WitType::String => self.text_of(value, |_, text| Ok(text.to_owned())),
            _ => {
                self.value(ty, value)?;
                self.taken()
            }
        }
    }

    fn taken(&mut self) -> Written<String> {
        let text = String::from_utf8(std::mem::take(&mut self.text));
        Ok(text.map_err(|error| format_err!("{error}"))?)
    }

    fn value(&mut self, ty: &WitType, value: &[u8]) -> Written {
        match ty {
            WitType::Bool => self.put(if value[0] == 0 { b"false" } else { b"true" }),
            WitType::Integer(integer) => self.integer(*integer, value),
            WitType::F32 => {
                let value = f32::from_le_bytes(first(value));
                match value.is_finite() {
                    true => self.scalar(value),
                    false => self.scalar(numbers::text(f64::from(value))),
                }
            }
            WitType::F64 => {
                let value = f64::from_le_bytes(first(value));
                match value.is_finite() {
                    true => self.scalar(value),
                    false => self.scalar(numbers::text(value)),
                }
            }
            WitType::Char => self.scalar(char_of(value)?),
            WitType::String => self.text_of(value, |writer, text| writer.scalar(text)),
            WitType::Bytes(None) => {
                let (bytes, _) = self.elements(value, Layout::BYTE)?;
                self.base64(bytes)
            }
            WitType::Bytes(Some(length)) => self.base64(&value[..*length as usize]),
            WitType::List(element, None) => {
                let layout = element.layout();
                let (elements, length) = self.elements(value, layout)?;
                self.list(element, elements, layout.size, length)
            }
            WitType::List(element, Some(length)) => self.list(element, value, element.layout().size, *length as usize),
            WitType::Tuple(types, places) => {
                self.put(b"[")?;
                for (index, (ty, offset)) in types.iter().zip(&places.offsets).enumerate() {
                    self.comma(index)?;
                    self.value(ty, &value[*offset..])?;
                }
                self.put(b"]")
            }
            WitType::Flags(names) => {
                self.put(b"[")?;
                let given = names.iter().enumerate();
                let given = given.filter(|(flag, _)| value[flag / 8] >> (flag % 8) & 1 == 1);
                for (index, (_, name)) in given.enumerate() {
                    self.comma(index)?;
                    self.name(name)?;
                }
                self.put(b"]")
            }
            WitType::Record(names, types, places) => {
                self.put(b"{")?;
                for (index, (ty, offset)) in types.iter().zip(&places.offsets).enumerate() {
                    self.comma(index)?;
                    self.name(names.get(index))?;
                    self.put(b":")?;
                    self.value(ty, &value[*offset..])?;
                }
                self.put(b"}")
            }
            WitType::Map(key, ty, entry) => {
                let (elements, length) = self.elements(value, entry.layout)?;
                self.put(b"{")?;
                for index in 0..length {
                    let element = &elements[index * entry.layout.size..];
                    self.comma(index)?;
                    self.key(key, element)?;
                    self.put(b":")?;
                    self.value(ty, &element[entry.offsets[1]..])?;
                }
                self.put(b"}")
            }
            WitType::Enum(names) => self.name(names.get(number_of_case(ty, value)?)),
            WitType::Variant(names, types, places) => {
                let case = case_of(ty, places, value)?;
                match &types[case] {
                    None => self.name(names.get(case)),
                    Some(held) => self.case(names.get(case), Some(held), &value[places.payload..]),
                }
            }
            WitType::Option(some, places) => match (case_of(ty, places, value)?, some.has_null()) {
                (0, _) => self.put(b"null"),
                (_, true) => self.case("some", Some(some), &value[places.payload..]),
                (_, false) => self.value(some, &value[places.payload..]),
            },
            WitType::Result(ok, err, places) => {
                let held = &value[places.payload.min(value.len())..];
                match case_of(ty, places, value)? {
                    0 => self.case("ok", ok.as_deref(), held),
                    _ => self.case("err", err.as_deref(), held),
                }
            }
        }
    }

    /// The elements of a list and how many there are.
    fn elements(&self, pointer: &[u8], element: Layout) -> wasmtime::Result<(&'a [u8], usize)> {
        let (at, length) = pointer_of(pointer);
        let end = length.checked_mul(element.size).and_then(|bytes| at.checked_add(bytes));
        let elements = end.and_then(|end| self.guest.memory.get(at..end));
        let elements = elements.ok_or_else(|| format_err!("list pointer/length out of bounds of memory"))?;
        if !at.is_multiple_of(element.align) {
            bail!("list pointer is not aligned");
        }
        Ok((elements, length))
    }

    fn list(&mut self, ty: &WitType, elements: &[u8], size: usize, length: usize) -> Written {
        self.put(b"[")?;
        for index in 0..length {
            self.comma(index)?;
            self.value(ty, &elements[index * size..])?;
        }
        self.put(b"]")
    }

    /// Does something with a text of the guest's, unless it is longer than any answer.
    fn text_of<T>(&mut self, pointer: &[u8], read: impl FnOnce(&mut Self, &str) -> Written<T>) -> Written<T> {
        let (at, length) = pointer_of(pointer);
        if let Text::Other(text) = &mut self.guest.text {
            let text = text(pointer)?;
            return read(self, &text);
        }
        let text = at.checked_add(length).and_then(|end| self.guest.memory.get(at..end));
        let text = text.ok_or_else(|| format_err!("string pointer/length out of bounds of memory"))?;
        if text.len() > self.bytes {
            return Err(Stopped::TooLarge);
        }
        let text = std::str::from_utf8(text).map_err(wasmtime::Error::new)?;
        read(self, text)
    }

    fn integer(&mut self, integer: Integer, value: &[u8]) -> Written {
        match integer {
            Integer::U8 => self.scalar(value[0]),
            Integer::S8 => self.scalar(value[0] as i8),
            Integer::U16 => self.scalar(u16::from_le_bytes(first(value))),
            Integer::S16 => self.scalar(i16::from_le_bytes(first(value))),
            Integer::U32 => self.scalar(u32::from_le_bytes(first(value))),
            Integer::S32 => self.scalar(i32::from_le_bytes(first(value))),
            Integer::U64 => self.scalar(u64::from_le_bytes(first(value))),
            Integer::S64 => self.scalar(i64::from_le_bytes(first(value))),
        }
    }

    fn base64(&mut self, bytes: &[u8]) -> Written {
        let length = base64::encoded_len(bytes.len(), true).ok_or(Stopped::TooLarge)?;
        if self.text.len().saturating_add(length) > self.bytes {
            return Err(Stopped::TooLarge);
        }
        self.put(b"\"")?;
        let from = self.text.len();
        self.text.resize(from + length, 0);
        let written = BASE64.encode_slice(bytes, &mut self.text[from..]);
        written.map_err(|error| format_err!("{error}"))?;
        self.put(b"\"")
    }

    fn case(&mut self, name: &str, ty: Option<&WitType>, held: &[u8]) -> Written {
        self.put(b"{")?;
        self.name(name)?;
        self.put(b":")?;
        match ty {
            Some(ty) => self.value(ty, held)?,
            None => self.put(b"null")?,
        }
        self.put(b"}")
    }

    fn key(&mut self, ty: &WitType, value: &[u8]) -> Written {
        match ty {
            WitType::String | WitType::Char => self.value(ty, value),
            _ => {
                self.put(b"\"")?;
                self.value(ty, value)?;
                self.put(b"\"")
            }
        }
    }

    /// Names of WIT have no character that JSON would write in another way.
    fn name(&mut self, name: &str) -> Written {
        self.put(b"\"")?;
        self.put(name.as_bytes())?;
        self.put(b"\"")
    }

    fn put(&mut self, bytes: &[u8]) -> Written {
        self.text.extend_from_slice(bytes);
        self.within()
    }

    fn within(&self) -> Written {
        match self.text.len() <= self.bytes {
            true => Ok(()),
            false => Err(Stopped::TooLarge),
        }
    }

    fn comma(&mut self, index: usize) -> Written {
        match index {
            0 => Ok(()),
            _ => self.put(b","),
        }
    }

    fn scalar(&mut self, value: impl Serialize) -> Written {
        serde_json::to_writer(&mut self.text, &value).map_err(|error| format_err!("{error}"))?;
        self.within()
    }
}

/// The first bytes of a value; it has as many as its type says.
fn first<const N: usize>(value: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&value[..N]);
    bytes
}

/// Address and length of a list or a text.
fn pointer_of(value: &[u8]) -> (usize, usize) {
    let number = |at: usize| u32::from_le_bytes(first(&value[at..])) as usize;
    (number(0), number(4))
}

fn char_of(value: &[u8]) -> wasmtime::Result<char> {
    let number = u32::from_le_bytes(first(value));
    char::from_u32(number).ok_or_else(|| format_err!("`{number}` is no character"))
}

fn case_of(ty: &WitType, places: &OneOf, value: &[u8]) -> wasmtime::Result<usize> {
    case_in(ty, places.tag, value)
}

fn number_of_case(ty: &WitType, value: &[u8]) -> wasmtime::Result<usize> {
    case_in(ty, ty.layout().size, value)
}

fn case_in(ty: &WitType, bytes: usize, value: &[u8]) -> wasmtime::Result<usize> {
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(&value[..bytes]);
    let (case, cases) = (u64::from_le_bytes(number), ty.cases());
    match usize::try_from(case) {
        Ok(case) if case < cases => Ok(case),
        _ => bail!("discriminant {case} out of range [0..{cases})"),
    }
}
