//! Reads what has names: the fields of a record and the parameters of a function.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::arguments::{Context, Refused};
use super::image::Place;
use super::path::At;
use super::reader::{QUOTE_BYTES, Reader, wanted};
use super::wit_type::{Names, WitType};
use crate::guest_output::cut;

/// Names listed in a message.
const LISTED: usize = 12;

/// Reads the fields of a record, or parameters by name, in the order of their types.
pub(super) struct Fields<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) names: &'a Names,
    pub(super) types: &'a [WitType],
    /// Where each is behind `place`.
    pub(super) offsets: &'a [usize],
    pub(super) at: &'a At<'a>,
    pub(super) place: Place,
}

impl Fields<'_> {
    fn stop<E: Error>(&self, message: String) -> E {
        self.context.stop(Refused::Mismatch(message))
    }

    fn known(&self) -> String {
        let mut known: Vec<String> = self.names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
        if self.names.len() > LISTED {
            known.push("…".to_owned());
        }
        known.join(", ")
    }

    fn not_an_object<E: Error>(&self, found: impl fmt::Display) -> E {
        self.stop(format!(
            "`{}`: wanted an object with {}, got {found}",
            self.at,
            self.known()
        ))
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(self.not_an_object("`null`"))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        Err(self.not_an_object(format_args!("`{value}`")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        Err(self.not_an_object(format_args!("`{number}`")))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        Err(self.not_an_object(format_args!("`{number}`")))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        Err(self.not_an_object(format_args!("`{number}`")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.context.unknown == Some(text) {
            return Ok(());
        }
        Err(self.not_an_object(format_args!("the text `{}`", cut(text, QUOTE_BYTES))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.not_an_object("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut read = Read::of(self.types.len());
        let mut expected = 0;
        while let Some(field) = map.next_key_seed(FieldName {
            names: self.names,
            expected,
        })? {
            let field = field.map_err(|name| {
                let at = self.at.field(&name);
                self.stop::<A::Error>(format!("`{at}`: no such name is asked for; known are {}", self.known()))
            })?;
            let (ty, place) = (&self.types[field], self.place.behind(self.offsets[field]));
            if read.set(field) {
                // Of names that come twice, the last one counts.
                self.context.clear(place, ty.layout().size);
            }
            let at = self.at.field(self.names.get(field));
            map.next_value_seed(Reader {
                context: self.context,
                ty,
                at: &at,
                place,
            })?;
            expected = field + 1;
        }
        let missing = self.types.iter().enumerate().find(|(field, ty)| {
            // What isn't there is zeroes, and those are `none`.
            !read.has(*field) && !ty.may_be_absent()
        });
        match missing {
            None => Ok(()),
            Some((field, ty)) => {
                let name = self.names.get(field);
                Err(self.stop(format!("`{}`: `{name}` is missing, {}", self.at, wanted(ty))))
            }
        }
    }
}

/// Which fields were read; most records have few.
enum Read {
    Few(u64),
    Many(Vec<bool>),
}

impl Read {
    fn of(fields: usize) -> Self {
        match fields {
            0..=64 => Self::Few(0),
            many => Self::Many(vec![false; many]),
        }
    }

    fn has(&self, field: usize) -> bool {
        match self {
            Self::Few(bits) => bits >> field & 1 == 1,
            Self::Many(flags) => flags[field],
        }
    }

    /// Marks one as read; whether it was before.
    fn set(&mut self, field: usize) -> bool {
        let was = self.has(field);
        match self {
            Self::Few(bits) => *bits |= 1 << field,
            Self::Many(flags) => flags[field] = true,
        }
        was
    }
}

/// Finds a field by its name without keeping it; answers the name of one that isn't there.
struct FieldName<'a> {
    names: &'a Names,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.names.position(name, self.expected).ok_or_else(|| name.to_owned()))
    }
}
