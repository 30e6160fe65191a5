//! Calls of functions whose types are known only at run time, without a value of wasmtime's for each value of JSON.
//!
//! Wasmtime calls a function either with `Val`s, a tree with a node for each byte of a list and a text for each field's
//! name, or with Rust types that say how they are put into memory ([`Lower`]) and read from there ([`Lift`]). Here two
//! such types do that for every function: [`Arguments`] copies an [`Image`] into the guest's memory, [`Answered`] writes
//! JSON from what it finds there. Wasmtime makes no promise about what is inside those traits, which exist for the code
//! its macros write: this file and no other depends on that, and `tests/round_trip.rs` takes values of any type through it.

use std::mem::MaybeUninit;
use std::sync::Arc;

use tokio::task_local;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc};
use wasmtime::{Store, ValRaw, bail, format_err};

use super::image::{BlockNumber, Image, Linked, Place};
use super::to_json::{Answer, Guest, Text, answer};
use super::wit_type::{Signature, WitType};

/// The most values of core WebAssembly that a function takes; more go through memory.
const FLAT_ARGUMENTS: usize = 16;

/// What a function that can't be called this way would be asked for.
const ONLY_UNCHECKED: &str = "functions of any type are called without wasmtime's check of types";

/// What is answered to whom.
struct Asked {
    signature: Arc<Signature>,
    /// Bytes of the text at most.
    bytes: usize,
}

task_local! {
    static ASKED: Asked;
}

/// Calls a function with arguments of its types; what it answers has at most `bytes` bytes.
///
/// # Errors
/// Wasmtime's, for traps and for answers that are none.
#[allow(unsafe_code)]
pub(crate) async fn call<T: Send + 'static>(
    store: &mut Store<T>,
    function: Func,
    signature: &Arc<Signature>,
    arguments: Image,
    bytes: usize,
) -> wasmtime::Result<Answer> {
    // SAFETY: wasmtime asks that the types given are those of the function. `signature` was read from the function of
    // the component that this one is an export of; the two types lower and lift by it, and by the same rules as wasmtime.
    // Whatever they get wrong is bytes in a guest's memory and numbers it is called with, which a guest may have any of:
    // the host reads and writes that memory within its bounds only.
    let function = unsafe { TypedFunc::<Arguments, Answered>::new_unchecked(function) };
    let asked = Asked {
        signature: Arc::clone(signature),
        bytes,
    };
    let arguments = Arguments {
        signature: Arc::clone(signature),
        image: arguments,
    };
    let answered = ASKED.scope(asked, function.call_async(store, arguments)).await?;
    Ok(answered.0)
}

/// The arguments of any function.
struct Arguments {
    signature: Arc<Signature>,
    image: Image,
}

/// The answer of any function, as JSON or as what is said in its place.
struct Answered(Answer);

impl Arguments {
    /// Copies a block into the guest's memory and whatever it leads to; where it is.
    fn store<T>(&self, cx: &mut LowerContext<'_, T>, block: BlockNumber, align: usize) -> wasmtime::Result<usize> {
        let content = &self.image.block(block).bytes;
        let at = cx.realloc(0, 0, u32::try_from(align)?, content.len())?;
        write(cx, at, content)?;
        for link in &self.image.block(block).links {
            let (address, length) = self.linked(cx, link.to)?;
            let mut pointer = [0; 8];
            pointer[..4].copy_from_slice(&u32::try_from(address)?.to_le_bytes());
            pointer[4..].copy_from_slice(&u32::try_from(length)?.to_le_bytes());
            write(cx, at + link.at, &pointer)?;
        }
        Ok(at)
    }

    /// Where a text or a list is, once it is in memory, and how long.
    fn linked<T>(&self, cx: &mut LowerContext<'_, T>, to: Linked) -> wasmtime::Result<(usize, usize)> {
        match to {
            Linked::List { block, length, align } => Ok((self.store(cx, block, align)?, length)),
            Linked::Text { from, to } => {
                let mut pointer = MaybeUninit::new([ValRaw::u64(0); 2]);
                let text = self.image.text(from, to);
                // wasmtime knows the encodings.
                text.linear_lower_to_flat(cx, InterfaceType::String, &mut pointer)?;
                // SAFETY: it was initialized above.
                #[allow(unsafe_code)]
                let [address, length] = unsafe { pointer.assume_init() };
                Ok((address.get_u32() as usize, length.get_u32() as usize))
            }
        }
    }
}

/// Writes into the guest's memory; `realloc` has found that it has room there.
fn write<T>(cx: &mut LowerContext<'_, T>, at: usize, bytes: &[u8]) -> wasmtime::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let memory = cx.as_slice_mut();
    let place = at.checked_add(bytes.len()).and_then(|end| memory.get_mut(at..end));
    let place = place.ok_or_else(|| format_err!("the guest's room for its arguments is outside of its memory"))?;
    place.copy_from_slice(bytes);
    Ok(())
}

// SAFETY: `Lower` is a row of `ValRaw`, of which `linear_lower_to_flat` writes every one.
#[allow(unsafe_code)]
unsafe impl ComponentType for Arguments {
    type Lower = [ValRaw; FLAT_ARGUMENTS];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        bail!("{ONLY_UNCHECKED}")
    }
}

// SAFETY: its types are never checked by this trait's list of them, see above.
#[allow(unsafe_code)]
unsafe impl ComponentNamedList for Arguments {}

// SAFETY: every value is initialized, and memory is written within its bounds.
#[allow(unsafe_code)]
unsafe impl Lower for Arguments {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        to: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let to = to.write([ValRaw::u64(0); FLAT_ARGUMENTS]);
        let layout = self.signature.places.layout;
        if layout.flat > FLAT_ARGUMENTS {
            let address = self.store(cx, Image::ARGUMENTS, layout.align)?;
            to[0] = ValRaw::u64(address as u64);
            return Ok(());
        }
        let mut flat = Flat {
            arguments: self,
            values: to.iter_mut(),
        };
        let parameters = self.signature.types.iter().zip(&self.signature.places.offsets);
        for (ty, at) in parameters {
            let block = Image::ARGUMENTS;
            flat.value(cx, ty, Place { block, at: *at })?;
        }
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> wasmtime::Result<()> {
        bail!("{ONLY_UNCHECKED}")
    }
}

/// Takes arguments out of their block, one value of core WebAssembly after the other.
struct Flat<'a, 'v> {
    arguments: &'a Arguments,
    values: std::slice::IterMut<'v, ValRaw>,
}

impl Flat<'_, '_> {
    fn push(&mut self, value: ValRaw) -> wasmtime::Result<()> {
        let place = self.values.next();
        *place.ok_or_else(|| format_err!("the function takes more arguments than it said"))? = value;
        Ok(())
    }

    /// The number at a place, without a sign.
    fn number(&self, place: Place, bytes: usize) -> u64 {
        let mut number = [0; 8];
        let content = &self.arguments.image.block(place.block).bytes;
        number[..bytes].copy_from_slice(&content[place.at..place.at + bytes]);
        u64::from_le_bytes(number)
    }

    fn value<T>(&mut self, cx: &mut LowerContext<'_, T>, ty: &WitType, place: Place) -> wasmtime::Result<()> {
        match ty {
            WitType::String | WitType::Bytes(None) | WitType::List(_, None) | WitType::Map(..) => {
                let links = &self.arguments.image.block(place.block).links;
                let link = links.iter().find(|link| link.at == place.at);
                let (address, length) = match link {
                    Some(link) => self.arguments.linked(cx, link.to)?,
                    None => (0, 0),
                };
                self.push(ValRaw::u64(address as u64))?;
                self.push(ValRaw::u64(length as u64))
            }
            WitType::Integer(integer) => {
                let bytes = integer.size();
                let number = self.number(place, bytes);
                // A small number with a sign fills its value with it.
                let value = match (integer.is_signed(), bytes) {
                    (true, 1) => ValRaw::i32(i32::from(number as u8 as i8)),
                    (true, 2) => ValRaw::i32(i32::from(number as u16 as i16)),
                    _ => ValRaw::u64(number),
                };
                self.push(value)
            }
            WitType::F32 => self.push(ValRaw::f32(self.number(place, 4) as u32)),
            WitType::F64 => self.push(ValRaw::f64(self.number(place, 8))),
            WitType::Bool | WitType::Char | WitType::Enum(_) => {
                let bytes = ty.layout().size;
                self.push(ValRaw::u64(self.number(place, bytes)))
            }
            WitType::Flags(_) => {
                let layout = ty.layout();
                (0..layout.flat).try_for_each(|word| {
                    let bits = self.number(place.behind(word * 4), layout.size.min(4));
                    self.push(ValRaw::u64(bits))
                })
            }
            WitType::Bytes(Some(length)) => {
                (0..*length as usize).try_for_each(|index| self.push(ValRaw::u64(self.number(place.behind(index), 1))))
            }
            WitType::List(element, Some(length)) => {
                let size = element.layout().size;
                (0..*length as usize).try_for_each(|index| self.value(cx, element, place.behind(index * size)))
            }
            WitType::Record(_, types, places) | WitType::Tuple(types, places) => {
                let mut parts = types.iter().zip(&places.offsets);
                parts.try_for_each(|(ty, offset)| self.value(cx, ty, place.behind(*offset)))
            }
            WitType::Variant(_, _, places) | WitType::Option(_, places) | WitType::Result(_, _, places) => {
                let case = self.number(place, places.tag);
                self.push(ValRaw::u64(case))?;
                let held = ty.case(usize::try_from(case)?);
                let filled = held.map_or(0, |held| held.layout().flat);
                if let Some(held) = held {
                    self.value(cx, held, place.behind(places.payload))?;
                }
                // Cases have as many values as the longest one.
                (1 + filled..places.layout.flat).try_for_each(|_| self.push(ValRaw::u64(0)))
            }
        }
    }
}

// SAFETY: `Lower` is a row of `ValRaw`, of the one value at most that functions return.
#[allow(unsafe_code)]
unsafe impl ComponentType for Answered {
    type Lower = [ValRaw; 1];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        bail!("{ONLY_UNCHECKED}")
    }
}

// SAFETY: its types are never checked by this trait's list of them, see above.
#[allow(unsafe_code)]
unsafe impl ComponentNamedList for Answered {}

// SAFETY: the value is looked at where the function returns one, and memory is read within its bounds.
#[allow(unsafe_code)]
unsafe impl Lift for Answered {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        value: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        let (signature, bytes) = asked()?;
        let Some(ty) = &signature.result else {
            return Ok(Self(Answer::nothing()));
        };
        let mut own = [0; 8];
        let layout = ty.layout();
        let memory = cx.memory();
        let value = match layout.flat {
            0 => &own[..0],
            1 => {
                store_flat(ty, value[0], &mut own)?;
                own.get(..layout.size).unwrap_or(&own)
            }
            _ => {
                let address = value[0].get_u32() as usize;
                if !address.is_multiple_of(layout.align) {
                    bail!("return pointer not aligned");
                }
                let place = address
                    .checked_add(layout.size)
                    .and_then(|end| memory.get(address..end));
                place.ok_or_else(|| format_err!("pointer out of bounds of memory"))?
            }
        };
        let text = match cx.options().string_encoding {
            StringEncoding::Utf8 => Text::Utf8,
            // wasmtime knows the other encodings.
            StringEncoding::Utf16 | StringEncoding::CompactUtf16 => Text::Other(Box::new(move |pointer| {
                let pointer = pointer.get(..8).unwrap_or(pointer);
                String::linear_lift_from_memory(cx, InterfaceType::String, pointer)
            })),
        };
        answer(ty, value, Guest { memory, text }, bytes).map(Self)
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> wasmtime::Result<Self> {
        bail!("{ONLY_UNCHECKED}")
    }
}

/// Whose call it is. Not inlined: a guest may come to its end on another thread than it began on.
#[inline(never)]
fn asked() -> wasmtime::Result<(Arc<Signature>, usize)> {
    let asked = ASKED.try_with(|asked| (Arc::clone(&asked.signature), asked.bytes));
    asked.map_err(|_| format_err!("nobody asked for this answer"))
}

/// Puts the one value of a type that has but one where it were in memory.
fn store_flat(ty: &WitType, value: ValRaw, to: &mut [u8; 8]) -> wasmtime::Result<()> {
    match ty {
        WitType::Bool => to[0] = u8::from(value.get_u32() != 0),
        WitType::F64 => *to = value.get_f64().to_le_bytes(),
        WitType::Integer(integer) if integer.size() == 8 => *to = value.get_u64().to_le_bytes(),
        WitType::F32 => to[..4].copy_from_slice(&value.get_f32().to_le_bytes()),
        WitType::Integer(_) | WitType::Char | WitType::Flags(_) | WitType::Bytes(_) => {
            to[..4].copy_from_slice(&value.get_u32().to_le_bytes());
        }
        WitType::Enum(_) | WitType::Variant(..) | WitType::Option(..) | WitType::Result(..) => {
            let (case, cases) = (value.get_u32(), ty.cases());
            if case as usize >= cases {
                bail!("discriminant {case} out of range [0..{cases})");
            }
            to[..4].copy_from_slice(&case.to_le_bytes());
        }
        WitType::List(element, _) => store_flat(element, value, to)?,
        WitType::Record(_, types, _) | WitType::Tuple(types, _) => {
            // The others are nothing.
            if let Some(part) = types.iter().find(|part| part.layout().flat == 1) {
                store_flat(part, value, to)?;
            }
        }
        WitType::String | WitType::Map(..) => bail!("a text and a map are two values"),
    }
    Ok(())
}
