//! Reads the elements of a list, each into its place behind the one before.

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess};

use super::arguments::Context;
use super::image::{BlockNumber, Place};
use super::path::At;
use super::reader::Reader;
use super::wit_type::WitType;

impl Reader<'_> {
    /// The elements of a list. The element's type is the same for each.
    pub(super) fn elements<'de, A: SeqAccess<'de>>(
        self,
        mut seq: A,
        ty: &WitType,
        length: Option<u32>,
    ) -> Result<(), A::Error> {
        let layout = ty.layout();
        let block = match length {
            Some(_) => self.place.block,
            None => self.context.new_block(),
        };
        let mut count = 0;
        loop {
            let at = self.at.element(count);
            let element = Element {
                context: self.context,
                ty,
                at: &at,
                to: match length {
                    Some(length) if count >= length as usize => To::Nowhere,
                    Some(_) => To::Place(self.place.behind(count * layout.size)),
                    None => To::EndOf(block, layout.size),
                },
            };
            match seq.next_element_seed(element)? {
                Some(()) => count += 1,
                None => break,
            }
        }
        self.length(count, length)?;
        if length.is_none() {
            self.context.put_list(self.place, block, count, layout.align);
        }
        Ok(())
    }
}

/// Reads one element of a list.
struct Element<'a> {
    context: &'a Context<'a>,
    ty: &'a WitType,
    at: &'a At<'a>,
    to: To,
}

/// Where an element goes.
enum To {
    Place(Place),
    /// Behind the elements so far, of which each has so many bytes.
    EndOf(BlockNumber, usize),
    /// There is no place for it: it is one too many.
    Nowhere,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let place = match self.to {
            To::Place(place) => place,
            To::EndOf(block, size) => self.context.grow(block, size)?,
            To::Nowhere => return IgnoredAny::deserialize(deserializer).map(drop),
        };
        let reader = Reader {
            context: self.context,
            ty: self.ty,
            at: self.at,
            place,
        };
        reader.deserialize(deserializer)
    }
}
