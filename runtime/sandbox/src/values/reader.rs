//! Reads one value of a type out of JSON.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use wasmtime::component::Val;

use super::arguments::{Context, Refused};
use super::fields::Fields;
use super::numbers;
use super::path::At;
use super::wit_type::{Integer, Names, WitType};
use crate::guest_output::cut;

/// Bytes of a wrong value quoted in a message.
pub(super) const QUOTE_BYTES: usize = 64;

/// Bytes of a type quoted in a message.
const TYPE_BYTES: usize = 200;

/// The standard alphabet; whether the end is padded makes no difference.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one value of a type.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) ty: &'a WitType,
    pub(super) at: &'a At<'a>,
}

impl<'a> Reader<'a> {
    fn of(self, ty: &'a WitType) -> Self {
        Self { ty, ..self }
    }

    /// Reads what an option holds, where the option itself doesn't show.
    fn inside<E>(self, read: impl FnOnce(Self) -> Result<Val, E>) -> Result<Val, E> {
        match self.ty {
            WitType::Option(some) if !some.has_null() => {
                let value = read(self.of(some))?;
                Ok(Val::Option(Some(Box::new(value))))
            }
            _ => read(self),
        }
    }

    fn mismatch<E: Error>(&self, found: impl fmt::Display) -> E {
        let message = format!("`{}`: wanted {}, got {found}", self.at, wanted(self.ty));
        self.context.stop(Refused::Mismatch(message))
    }

    fn integer<E: Error>(self, number: i128) -> Result<Val, E> {
        self.inside(|reader| match reader.ty {
            WitType::Integer(integer) => integer
                .value(number)
                .ok_or_else(|| reader.mismatch(format_args!("`{number}`"))),
            WitType::F32 | WitType::F64 => reader.float(number as f64),
            _ => Err(reader.mismatch(format_args!("`{number}`"))),
        })
    }

    fn float<E: Error>(self, number: f64) -> Result<Val, E> {
        let found = || match number.is_finite() {
            true => format!("`{number}`"),
            false => format!("`{}`", numbers::text(number)),
        };
        match self.ty {
            WitType::F64 => Ok(Val::Float64(number)),
            WitType::F32 => match numbers::single(number) {
                Some(single) => Ok(Val::Float32(single)),
                None => Err(self.mismatch(found())),
            },
            WitType::Integer(integer) => integer.whole(number).ok_or_else(|| self.mismatch(found())),
            _ => Err(self.mismatch(found())),
        }
    }

    fn text<E: Error>(self, text: &str) -> Result<Val, E> {
        let found = || format!("the text `{}`", cut(text, QUOTE_BYTES));
        match self.ty {
            WitType::String => {
                self.context.take(text.len())?;
                Ok(Val::String(text.to_owned()))
            }
            WitType::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Ok(Val::Char(char)),
                    _ => Err(self.mismatch(found())),
                }
            }
            WitType::Enum(names) if names.position(text, 0).is_some() => Ok(Val::Enum(text.to_owned())),
            WitType::Variant(names, types) => match names.position(text, 0).map(|case| &types[case]) {
                Some(None) => Ok(Val::Variant(text.to_owned(), None)),
                Some(Some(ty)) => {
                    let found = format!("`{text}` alone, which holds `{ty}`: write {{\"{text}\": …}}");
                    Err(self.mismatch(found))
                }
                None => Err(self.mismatch(found())),
            },
            WitType::Bytes(length) => {
                let bytes = BASE64
                    .decode(text)
                    .map_err(|error| self.mismatch(format_args!("{} ({error})", found())))?;
                self.length(bytes.len(), *length)?;
                self.context.take(bytes.len().saturating_mul(size_of::<Val>()))?;
                let bytes = bytes.into_iter().map(Val::U8).collect();
                Ok(list(bytes, *length))
            }
            WitType::Integer(integer) if integer.is_wide() => {
                let number = text.parse().ok().and_then(|number| integer.value(number));
                number.ok_or_else(|| self.mismatch(found()))
            }
            WitType::F64 | WitType::F32 => match numbers::special(text) {
                Some(float) => self.float(float),
                None => Err(self.mismatch(found())),
            },
            _ => Err(self.mismatch(found())),
        }
    }

    fn length<E: Error>(&self, found: usize, wanted: Option<u32>) -> Result<(), E> {
        match wanted {
            Some(wanted) if found != wanted as usize => Err(self.mismatch(format_args!("`{found}` of them"))),
            _ => Ok(()),
        }
    }

    /// The elements of a list. The element's type is the same for each.
    fn elements<'de, A: SeqAccess<'de>>(self, mut seq: A, ty: &WitType) -> Result<Vec<Val>, A::Error> {
        let mut values = Vec::new();
        loop {
            let at = self.at.element(values.len());
            let element = Reader {
                context: self.context,
                ty,
                at: &at,
            };
            match seq.next_element_seed(element)? {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
    }

    fn tuple<'de, A: SeqAccess<'de>>(self, mut seq: A, types: &[WitType]) -> Result<Val, A::Error> {
        let mut values = Vec::with_capacity(types.len());
        for (index, ty) in types.iter().enumerate() {
            let at = self.at.element(index);
            let element = Reader {
                context: self.context,
                ty,
                at: &at,
            };
            match seq.next_element_seed(element)? {
                Some(value) => values.push(value),
                None => return Err(self.mismatch(format_args!("`{index}` of them"))),
            }
        }
        match seq.next_element::<IgnoredAny>()? {
            Some(_) => Err(self.mismatch("more than that")),
            None => Ok(Val::Tuple(values)),
        }
    }

    fn flags<'de, A: SeqAccess<'de>>(self, mut seq: A, names: &Names) -> Result<Val, A::Error> {
        let mut given: Vec<String> = Vec::new();
        while let Some(name) = seq.next_element::<Value>()? {
            let known = name.as_str().filter(|name| names.position(name, given.len()).is_some());
            match known {
                Some(name) if given.len() < names.len() => given.push(name.to_owned()),
                Some(_) => return Err(self.mismatch("more names than there are")),
                None if name.as_str().is_some_and(|name| self.context.unknown == Some(name)) => {}
                None => {
                    let at = self.at.element(given.len());
                    let flag = Reader { at: &at, ..self };
                    return Err(flag.mismatch(format_args!("`{}`", cut(&name.to_string(), QUOTE_BYTES))));
                }
            }
        }
        Ok(Val::Flags(given))
    }

    /// An object of one name and its value: a case of a variant, a result, or an option around an option.
    fn case<'de, 't, A: MapAccess<'de>>(
        self,
        mut map: A,
        find: impl Fn(&str) -> Option<(usize, Option<&'t WitType>)>,
    ) -> Result<(usize, Option<Box<Val>>), A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(self.mismatch("an empty object"));
        };
        let Some((case, ty)) = find(&name) else {
            return Err(self.mismatch(format_args!("an object with `{}`", cut(&name, QUOTE_BYTES))));
        };
        let value = {
            let at = self.at.field(&name);
            match ty {
                Some(ty) => Some(Box::new(map.next_value_seed(Reader {
                    context: self.context,
                    ty,
                    at: &at,
                })?)),
                None => match map.next_value::<Option<IgnoredAny>>()? {
                    None => None,
                    Some(_) => {
                        let message = format!("`{at}`: wanted `null`, for `{name}` holds nothing");
                        return Err(self.context.stop(Refused::Mismatch(message)));
                    }
                },
            }
        };
        match map.next_key::<IgnoredAny>()? {
            Some(_) => Err(self.mismatch("an object with more than one name")),
            None => Ok((case, value)),
        }
    }

    fn map<'de, A: MapAccess<'de>>(self, mut map: A, key: &WitType, ty: &WitType) -> Result<Val, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let at = self.at.field(&name);
            let reader = Reader {
                context: self.context,
                ty: key,
                at: &at,
            };
            self.context.take(size_of::<(Val, Val)>())?;
            let key = reader.key(&name)?;
            let value = map.next_value_seed(reader.of(ty))?;
            pairs.push((key, value));
        }
        Ok(Val::Map(pairs))
    }

    /// A key of a map, which is a text whatever its type.
    fn key<E: Error>(self, name: &str) -> Result<Val, E> {
        let found = || format!("the key `{}`", cut(name, QUOTE_BYTES));
        match self.ty {
            WitType::Bool => match name {
                "true" => Ok(Val::Bool(true)),
                "false" => Ok(Val::Bool(false)),
                _ => Err(self.mismatch(found())),
            },
            WitType::Integer(integer) => {
                let number = name.parse().ok().and_then(|number| integer.value(number));
                number.ok_or_else(|| self.mismatch(found()))
            }
            _ => self.text(name),
        }
    }
}

fn list(values: Vec<Val>, length: Option<u32>) -> Val {
    match length {
        Some(_) => Val::FixedLengthList(values),
        None => Val::List(values),
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        self.context.take(size_of::<Val>())?;
        if !self.context.reads_text() || !self.ty.is_float() {
            return deserializer.deserialize_any(self);
        }
        // As it is built here, serde_json reads some doubles as their neighbours; the standard library doesn't.
        let text = <&RawValue>::deserialize(deserializer)?.get();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && text.starts_with(|first: char| first != '"') => {
                self.inside(|reader| reader.float(number))
            }
            _ => {
                let value = serde_json::Deserializer::from_str(text).deserialize_any(self);
                value.map_err(D::Error::custom)
            }
        }
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.ty, f)
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        match self.ty {
            WitType::Option(_) => Ok(Val::Option(None)),
            _ => Err(self.mismatch("`null`")),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Val, E> {
        self.inside(|reader| match reader.ty {
            WitType::Bool => Ok(Val::Bool(value)),
            _ => Err(reader.mismatch(format_args!("`{value}`"))),
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Val, E> {
        self.integer(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Val, E> {
        self.integer(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Val, E> {
        self.inside(|reader| reader.float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        if self.context.unknown == Some(text) {
            return Ok(Val::Bool(false));
        }
        self.inside(|reader| reader.text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Val, A::Error> {
        self.inside(|reader| match reader.ty {
            WitType::List(element, length) => {
                let values = reader.elements(seq, element)?;
                reader.length(values.len(), *length)?;
                Ok(list(values, *length))
            }
            WitType::Bytes(length) => {
                let values = reader.elements(seq, &WitType::Integer(Integer::U8))?;
                reader.length(values.len(), *length)?;
                Ok(list(values, *length))
            }
            WitType::Tuple(types) => reader.tuple(seq, types),
            WitType::Flags(names) => reader.flags(seq, names),
            _ => Err(reader.mismatch("a list")),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Val, A::Error> {
        self.inside(|reader| match reader.ty {
            WitType::Record(names, types) => {
                let fields = Fields {
                    context: reader.context,
                    names,
                    types,
                    at: reader.at,
                };
                let values = fields.visit_map(map)?;
                Ok(Val::Record(names.iter().map(str::to_owned).zip(values).collect()))
            }
            WitType::Variant(names, types) => {
                let find = |name: &str| names.position(name, 0).map(|case| (case, types[case].as_ref()));
                let (case, value) = reader.case(map, find)?;
                Ok(Val::Variant(names.get(case).to_owned(), value))
            }
            WitType::Result(ok, err) => {
                let find = |name: &str| match name {
                    "ok" => Some((0, ok.as_deref())),
                    "err" => Some((1, err.as_deref())),
                    _ => None,
                };
                Ok(Val::Result(match reader.case(map, find)? {
                    (0, value) => Ok(value),
                    (_, value) => Err(value),
                }))
            }
            WitType::Option(some) => {
                let (_, value) = reader.case(map, |name| (name == "some").then_some((0, Some(&**some))))?;
                Ok(Val::Option(value))
            }
            WitType::Map(key, value) => reader.map(map, key, value),
            _ => Err(reader.mismatch("an object")),
        })
    }
}

/// A type, and how JSON says it where that isn't plain.
pub(super) fn wanted(ty: &WitType) -> String {
    let how = match ty {
        WitType::Integer(integer) => {
            let (least, most) = integer.range();
            format!(" (a whole number from {least} to {most})")
        }
        WitType::F32 | WitType::F64 => " (a number, or `NaN`, `Infinity`, `-Infinity` as a text)".to_owned(),
        WitType::Char => " (a text of one character)".to_owned(),
        WitType::Bytes(_) => " (a text in base64, or a list of numbers)".to_owned(),
        WitType::Variant(..) => " (the name of a case, or an object with it and its value)".to_owned(),
        WitType::Flags(_) => " (a list of names)".to_owned(),
        WitType::Result(..) => " (an object with `ok` or `err`)".to_owned(),
        WitType::Option(some) if some.has_null() => " (null, or an object with `some`)".to_owned(),
        WitType::Tuple(types) => format!(" (a list of {})", types.len()),
        _ => String::new(),
    };
    format!("`{}`{how}", cut(&ty.to_string(), TYPE_BYTES))
}
