//! Reads one value of a type out of JSON.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::arguments::{Context, Refused};
use super::fields::Fields;
use super::image::Place;
use super::layout::OneOf;
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

/// Reads one value of a type and writes it where it belongs.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) ty: &'a WitType,
    pub(super) at: &'a At<'a>,
    pub(super) place: Place,
}

impl<'a> Reader<'a> {
    /// Reads what an option holds, where the option itself doesn't show.
    fn inside<E>(self, read: impl FnOnce(Self) -> Result<(), E>) -> Result<(), E> {
        match self.ty {
            WitType::Option(some, places) if !some.has_null() => {
                self.put(&[1]);
                read(Self {
                    ty: some,
                    place: self.place.behind(places.payload),
                    ..self
                })
            }
            _ => read(self),
        }
    }

    fn put(&self, bytes: &[u8]) {
        self.context.put(self.place, bytes);
    }

    /// Says which of the cases it is.
    fn put_case(&self, case: usize, places: &OneOf) {
        self.put(&case.to_le_bytes()[..places.tag]);
    }

    fn put_integer<E: Error>(
        &self,
        integer: Integer,
        bytes: Option<[u8; 8]>,
        found: impl fmt::Display,
    ) -> Result<(), E> {
        match bytes {
            Some(bytes) => {
                self.put(&bytes[..integer.size()]);
                Ok(())
            }
            None => Err(self.mismatch(found)),
        }
    }

    fn mismatch<E: Error>(&self, found: impl fmt::Display) -> E {
        let message = format!("`{}`: wanted {}, got {found}", self.at, wanted(self.ty));
        self.context.stop(Refused::Mismatch(message))
    }

    fn integer<E: Error>(self, number: i128) -> Result<(), E> {
        self.inside(|reader| match reader.ty {
            WitType::Integer(integer) => {
                reader.put_integer(*integer, integer.bytes(number), format_args!("`{number}`"))
            }
            WitType::F32 | WitType::F64 => reader.float(number as f64),
            _ => Err(reader.mismatch(format_args!("`{number}`"))),
        })
    }

    fn float<E: Error>(self, number: f64) -> Result<(), E> {
        let found = || match number.is_finite() {
            true => format!("`{number}`"),
            false => format!("`{}`", numbers::text(number)),
        };
        match self.ty {
            WitType::F64 => self.put(&number.to_le_bytes()),
            WitType::F32 => match numbers::single(number) {
                Some(single) => self.put(&single.to_le_bytes()),
                None => return Err(self.mismatch(found())),
            },
            WitType::Integer(integer) => match integer.whole(number) {
                Some(bytes) => self.put(&bytes[..integer.size()]),
                None => return Err(self.mismatch(found())),
            },
            _ => return Err(self.mismatch(found())),
        }
        Ok(())
    }

    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        let found = || format!("the text `{}`", cut(text, QUOTE_BYTES));
        match self.ty {
            WitType::String => self.context.put_text(self.place, text),
            WitType::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => {
                        self.put(&u32::from(char).to_le_bytes());
                        Ok(())
                    }
                    _ => Err(self.mismatch(found())),
                }
            }
            WitType::Enum(names) => match names.position(text, 0) {
                Some(case) => {
                    self.put(&case.to_le_bytes()[..self.ty.layout().size]);
                    Ok(())
                }
                None => Err(self.mismatch(found())),
            },
            WitType::Variant(names, types, places) => match names.position(text, 0).map(|case| (case, &types[case])) {
                Some((case, None)) => {
                    self.put_case(case, places);
                    Ok(())
                }
                Some((_, Some(ty))) => {
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
                match length {
                    None => self.context.put_bytes(self.place, bytes),
                    Some(_) => {
                        self.put(&bytes);
                        Ok(())
                    }
                }
            }
            WitType::Integer(integer) if integer.is_wide() => {
                let bytes = text.parse().ok().and_then(|number| integer.bytes(number));
                self.put_integer(*integer, bytes, found())
            }
            WitType::F64 | WitType::F32 => match numbers::special(text) {
                Some(float) => self.float(float),
                None => Err(self.mismatch(found())),
            },
            _ => Err(self.mismatch(found())),
        }
    }

    pub(super) fn length<E: Error>(&self, found: usize, wanted: Option<u32>) -> Result<(), E> {
        match wanted {
            Some(wanted) if found != wanted as usize => Err(self.mismatch(format_args!("`{found}` of them"))),
            _ => Ok(()),
        }
    }

    fn tuple<'de, A: SeqAccess<'de>>(self, mut seq: A, types: &[WitType], offsets: &[usize]) -> Result<(), A::Error> {
        for (index, (ty, offset)) in types.iter().zip(offsets).enumerate() {
            let at = self.at.element(index);
            let element = Reader {
                context: self.context,
                ty,
                at: &at,
                place: self.place.behind(*offset),
            };
            if seq.next_element_seed(element)?.is_none() {
                return Err(self.mismatch(format_args!("`{index}` of them")));
            }
        }
        match seq.next_element::<IgnoredAny>()? {
            Some(_) => Err(self.mismatch("more than that")),
            None => Ok(()),
        }
    }

    fn flags<'de, A: SeqAccess<'de>>(self, mut seq: A, names: &Names) -> Result<(), A::Error> {
        let mut bits = vec![0_u8; self.ty.layout().size];
        let mut given = 0;
        while let Some(name) = seq.next_element::<Value>()? {
            let known = name.as_str().and_then(|name| names.position(name, given));
            match known {
                Some(flag) if given < names.len() => {
                    bits[flag / 8] |= 1 << (flag % 8);
                    given += 1;
                }
                Some(_) => return Err(self.mismatch("more names than there are")),
                None if name.as_str().is_some_and(|name| self.context.unknown == Some(name)) => {}
                None => {
                    let at = self.at.element(given);
                    let flag = Reader { at: &at, ..self };
                    return Err(flag.mismatch(format_args!("`{}`", cut(&name.to_string(), QUOTE_BYTES))));
                }
            }
        }
        self.put(&bits);
        Ok(())
    }

    /// An object of one name and its value: a case of a variant, a result, or an option around an option.
    fn case<'de, 't, A: MapAccess<'de>>(
        self,
        mut map: A,
        places: &OneOf,
        find: impl Fn(&str) -> Option<(usize, Option<&'t WitType>)>,
    ) -> Result<(), A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(self.mismatch("an empty object"));
        };
        let Some((case, ty)) = find(&name) else {
            return Err(self.mismatch(format_args!("an object with `{}`", cut(&name, QUOTE_BYTES))));
        };
        self.put_case(case, places);
        {
            let at = self.at.field(&name);
            match ty {
                Some(ty) => map.next_value_seed(Reader {
                    context: self.context,
                    ty,
                    at: &at,
                    place: self.place.behind(places.payload),
                })?,
                None => {
                    if map.next_value::<Option<IgnoredAny>>()?.is_some() {
                        let message = format!("`{at}`: wanted `null`, for `{name}` holds nothing");
                        return Err(self.context.stop(Refused::Mismatch(message)));
                    }
                }
            }
        }
        match map.next_key::<IgnoredAny>()? {
            Some(_) => Err(self.mismatch("an object with more than one name")),
            None => Ok(()),
        }
    }

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let WitType::Map(key, ty, entry) = self.ty else {
            return Err(self.mismatch("an object"));
        };
        let block = self.context.new_block();
        let mut count = 0;
        while let Some(name) = map.next_key::<String>()? {
            let at = self.at.field(&name);
            let place = self.context.grow(block, entry.layout.size)?;
            let reader = Reader {
                context: self.context,
                ty: key,
                at: &at,
                place,
            };
            reader.key(&name)?;
            map.next_value_seed(Reader {
                ty,
                place: place.behind(entry.offsets[1]),
                ..reader
            })?;
            count += 1;
        }
        self.context.put_list(self.place, block, count, entry.layout.align);
        Ok(())
    }

    /// A key of a map, which is a text whatever its type.
    fn key<E: Error>(self, name: &str) -> Result<(), E> {
        let found = || format!("the key `{}`", cut(name, QUOTE_BYTES));
        match self.ty {
            WitType::Bool => match name {
                "true" => self.put(&[1]),
                "false" => self.put(&[0]),
                _ => return Err(self.mismatch(found())),
            },
            WitType::Integer(integer) => {
                let bytes = name.parse().ok().and_then(|number| integer.bytes(number));
                return self.put_integer(*integer, bytes, found());
            }
            _ => return self.text(name),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
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
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.ty, f)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.ty {
            // Zeroes are `none`.
            WitType::Option(..) => Ok(()),
            _ => Err(self.mismatch("`null`")),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.inside(|reader| match reader.ty {
            WitType::Bool => {
                reader.put(&[u8::from(value)]);
                Ok(())
            }
            _ => Err(reader.mismatch(format_args!("`{value}`"))),
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.integer(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.integer(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.inside(|reader| reader.float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.context.unknown == Some(text) {
            return Ok(());
        }
        self.inside(|reader| reader.text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.inside(|reader| match reader.ty {
            WitType::List(element, length) => reader.elements(seq, element, *length),
            WitType::Bytes(length) => reader.elements(seq, &WitType::Integer(Integer::U8), *length),
            WitType::Tuple(types, places) => reader.tuple(seq, types, &places.offsets),
            WitType::Flags(names) => reader.flags(seq, names),
            _ => Err(reader.mismatch("a list")),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.inside(|reader| match reader.ty {
            WitType::Record(names, types, places) => {
                let fields = Fields {
                    context: reader.context,
                    names,
                    types,
                    offsets: &places.offsets,
                    at: reader.at,
                    place: reader.place,
                };
                fields.visit_map(map)
            }
            WitType::Variant(names, types, places) => {
                let find = |name: &str| names.position(name, 0).map(|case| (case, types[case].as_ref()));
                reader.case(map, places, find)
            }
            WitType::Result(ok, err, places) => {
                let find = |name: &str| match name {
                    "ok" => Some((0, ok.as_deref())),
                    "err" => Some((1, err.as_deref())),
                    _ => None,
                };
                reader.case(map, places, find)
            }
            WitType::Option(some, places) => {
                reader.case(map, places, |name| (name == "some").then_some((1, Some(&**some))))
            }
            _ => reader.map(map),
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
        WitType::Option(some, _) if some.has_null() => " (null, or an object with `some`)".to_owned(),
        WitType::Tuple(types, _) => format!(" (a list of {})", types.len()),
        _ => String::new(),
    };
    format!("`{}`{how}", cut(&ty.to_string(), TYPE_BYTES))
}
