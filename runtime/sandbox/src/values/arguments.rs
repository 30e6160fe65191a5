//! From a JSON text to the arguments of a call, in one pass and guided by the types.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::fields::Fields;
use super::image::{BlockNumber, Image, Place};
use super::path::At;
use super::reader::Reader;
use super::wit_type::Signature;

/// Why an input is no call's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It doesn't fit the types. Says where, what is wanted and what is there.
    Mismatch(String),
    /// The host would need more than this many bytes to hold it.
    TooLarge(usize),
}

/// The arguments in a JSON text: an object with the parameters by name, or, where there is one parameter, its value.
/// A function without parameters takes any input. No more than `room` bytes of the guest's memory are used for them.
///
/// # Errors
/// [`Refused`]
pub(crate) fn arguments(signature: &Signature, text: &str, room: usize) -> Result<Image, Refused> {
    let by_name = by_name(signature, &mut serde_json::Deserializer::from_str(text));
    let input = &mut serde_json::Deserializer::from_str(text);
    read(signature, input, by_name, room, None)
}

/// An input of which only some is known: whatever equals `unknown` may turn out to be anything.
pub(crate) struct Checked<'a> {
    /// The input.
    pub(crate) input: &'a Value,
    /// Stands where values come at run time.
    pub(crate) unknown: &'a str,
}

/// Whether an input can be the arguments of a call.
///
/// # Errors
/// [`Refused`] where it can't, whatever the unknown parts become.
pub(crate) fn check(signature: &Signature, checked: &Checked<'_>) -> Result<(), Refused> {
    let by_name = by_name(signature, checked.input);
    read(signature, checked.input, by_name, usize::MAX, Some(checked.unknown)).map(drop)
}

fn read<'de>(
    signature: &Signature,
    input: impl Deserializer<'de>,
    by_name: bool,
    room: usize,
    unknown: Option<&str>,
) -> Result<Image, Refused> {
    let context = Context {
        room: Cell::new(room),
        refused: RefCell::new(None),
        image: RefCell::default(),
        unknown,
    };
    let block = context.image.borrow_mut().new_block();
    let place = context.grow::<serde::de::value::Error>(block, signature.places.layout.size);
    let Ok(place) = place else {
        return Err(Refused::TooLarge(room));
    };
    let read = match &signature.types[..] {
        [] => Ok(()),
        [ty] if !by_name => {
            let reader = Reader {
                context: &context,
                ty,
                at: &At::ROOT,
                place,
            };
            reader.deserialize(input)
        }
        types => input.deserialize_any(Fields {
            context: &context,
            names: &signature.parameters,
            types,
            offsets: &signature.places.offsets,
            at: &At::ROOT,
            place,
        }),
    };
    match read {
        Ok(()) => Ok(context.image.into_inner()),
        Err(error) => Err(match context.refused.take() {
            Some(Refused::TooLarge(_)) => Refused::TooLarge(room),
            Some(mismatch) => mismatch,
            None => Refused::Mismatch(format!("the input can't be read: {error}")),
        }),
    }
}

/// Whether the one parameter of a function is given as an object with its name and nothing else.
fn by_name<'de>(signature: &Signature, input: impl Deserializer<'de>) -> bool {
    struct Lone<'a>(&'a str, bool);
    impl<'de> Visitor<'de> for Lone<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let Some(key) = map.next_key::<String>()? else {
                return Ok(self.1);
            };
            if key != self.0 {
                return Err(A::Error::custom("another name"));
            }
            map.next_value::<IgnoredAny>()?;
            Ok(map.next_key::<IgnoredAny>()?.is_none())
        }
    }
    match &signature.types[..] {
        [ty] => {
            let lone = Lone(signature.parameters.get(0), ty.may_be_absent());
            input.deserialize_any(lone).unwrap_or(false)
        }
        _ => true,
    }
}

/// What all readers of one input share.
pub(super) struct Context<'a> {
    /// Bytes that may still be used.
    room: Cell<usize>,
    /// Why reading stopped: serde's errors carry text only.
    refused: RefCell<Option<Refused>>,
    /// What was read so far.
    image: RefCell<Image>,
    pub(super) unknown: Option<&'a str>,
}

impl Context<'_> {
    /// Whether the input is a text; what is checked was read before.
    pub(super) fn reads_text(&self) -> bool {
        self.unknown.is_none()
    }

    pub(super) fn take<E: Error>(&self, bytes: usize) -> Result<(), E> {
        match self.room.get().checked_sub(bytes) {
            Some(room) => {
                self.room.set(room);
                Ok(())
            }
            None => Err(self.stop(Refused::TooLarge(0))),
        }
    }

    /// A block for the elements of a list.
    pub(super) fn new_block(&self) -> BlockNumber {
        self.image.borrow_mut().new_block()
    }

    /// Room for a value at the end of a block.
    pub(super) fn grow<E: Error>(&self, block: BlockNumber, bytes: usize) -> Result<Place, E> {
        self.take(bytes)?;
        Ok(self.image.borrow_mut().grow(block, bytes))
    }

    /// Writes a number or a part of one.
    pub(super) fn put(&self, place: Place, bytes: &[u8]) {
        self.image.borrow_mut().put(place, bytes);
    }

    /// Writes a text.
    pub(super) fn put_text<E: Error>(&self, place: Place, text: &str) -> Result<(), E> {
        self.take(text.len())?;
        self.image.borrow_mut().put_text(place, text);
        Ok(())
    }

    /// Writes a list of bytes.
    pub(super) fn put_bytes<E: Error>(&self, place: Place, bytes: Vec<u8>) -> Result<(), E> {
        self.take(bytes.len())?;
        let mut image = self.image.borrow_mut();
        let (block, length) = (image.new_block(), bytes.len());
        image.fill(block, bytes);
        image.put_list(place, block, length, 1);
        Ok(())
    }

    /// Writes a list whose elements are in a block of their own.
    pub(super) fn put_list(&self, place: Place, block: BlockNumber, length: usize, align: usize) {
        self.image.borrow_mut().put_list(place, block, length, align);
    }

    /// Takes back what was written for a value.
    pub(super) fn clear(&self, place: Place, bytes: usize) {
        self.image.borrow_mut().clear(place, bytes);
    }

    pub(super) fn stop<E: Error>(&self, why: Refused) -> E {
        self.refused.borrow_mut().get_or_insert(why);
        E::custom("refused")
    }
}
