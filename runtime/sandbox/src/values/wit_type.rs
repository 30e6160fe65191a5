//! The types of a function, read out of wasmtime once: asking it anew for each value would cost more than the value.

use std::fmt;

use wasmtime::component::types::{ComponentFunc, Type};

use super::layout::{OneOf, Together};

/// Parts (fields, cases, elements) the types of one function may have. Interfaces in use have some hundreds; a
/// component of a few kilobytes can describe a type of a million.
const PARTS: usize = 10_000;

/// A function as the mapping sees it.
#[derive(Debug)]
pub(crate) struct Signature {
    /// Names of the parameters, in order.
    pub(crate) parameters: Names,
    /// Their types.
    pub(crate) types: Box<[WitType]>,
    /// Where the parameters are in memory.
    pub(crate) places: Together,
    /// What it returns.
    pub(crate) result: Option<WitType>,
}

/// A type of WIT.
#[derive(Debug)]
pub(crate) enum WitType {
    Bool,
    Integer(Integer),
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`, or as many of them as the number says.
    Bytes(Option<u32>),
    List(Box<WitType>, Option<u32>),
    Map(Box<WitType>, Box<WitType>, Together),
    Record(Names, Box<[WitType]>, Together),
    Tuple(Box<[WitType]>, Together),
    Variant(Names, Box<[Option<WitType>]>, OneOf),
    Enum(Names),
    Option(Box<WitType>, OneOf),
    Result(Option<Box<WitType>>, Option<Box<WitType>>, OneOf),
    Flags(Names),
}

/// The integers of WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

/// The names of fields, cases or flags, in order and quick to find.
#[derive(Debug)]
pub(crate) struct Names {
    names: Box<[Box<str>]>,
    sorted: Box<[u32]>,
}

impl Names {
    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Box<[Box<str>]> = names.map(Box::from).collect();
        let mut sorted: Box<[u32]> = (0..).take(names.len()).collect();
        sorted.sort_by_key(|index| &names[*index as usize]);
        Self { names, sorted }
    }

    /// Where `name` is; `expected` is looked at first.
    pub(crate) fn position(&self, name: &str, expected: usize) -> Option<usize> {
        if self.names.get(expected).is_some_and(|next| **next == *name) {
            return Some(expected);
        }
        let found = self
            .sorted
            .binary_search_by(|index| (*self.names[*index as usize]).cmp(name));
        found.ok().map(|place| self.sorted[place] as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(crate) fn get(&self, index: usize) -> &str {
        &self.names[index]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

/// Why a function can't be called with JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) String);

impl Signature {
    /// Reads the types of a function.
    ///
    /// # Errors
    /// [`Unsupported`] where JSON can't say one of them.
    pub(crate) fn of(function: &ComponentFunc) -> Result<Self, Unsupported> {
        if function.async_() {
            return Err(Unsupported("it is asynchronous".to_owned()));
        }
        let mut parts = PARTS;
        let types = function.params().map(|(_, ty)| WitType::of(&ty, &mut parts));
        let types: Box<[WitType]> = types.collect::<Result<_, _>>()?;
        let places = placed(Together::of(types.iter()))?;
        let result = function.results().next();
        let result = result.map(|ty| WitType::of(&ty, &mut parts)).transpose()?;
        Ok(Self {
            parameters: Names::new(function.params().map(|(name, _)| name)),
            types,
            places,
            result,
        })
    }
}

impl WitType {
    fn of(ty: &Type, parts: &mut usize) -> Result<Self, Unsupported> {
        let unsupported = |what: &str| Err(Unsupported(format!("JSON can't say {what}")));
        *parts = parts
            .checked_sub(1)
            .ok_or_else(|| Unsupported(format!("its types have more than {PARTS} parts")))?;
        Ok(match ty {
            Type::Bool => Self::Bool,
            Type::S8 => Self::Integer(Integer::S8),
            Type::U8 => Self::Integer(Integer::U8),
            Type::S16 => Self::Integer(Integer::S16),
            Type::U16 => Self::Integer(Integer::U16),
            Type::S32 => Self::Integer(Integer::S32),
            Type::U32 => Self::Integer(Integer::U32),
            Type::S64 => Self::Integer(Integer::S64),
            Type::U64 => Self::Integer(Integer::U64),
            Type::Float32 => Self::F32,
            Type::Float64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(list) => match list.ty() {
                Type::U8 => Self::Bytes(None),
                element => Self::List(Self::boxed(&element, parts)?, None),
            },
            Type::FixedLengthList(list) => match list.ty() {
                Type::U8 => Self::Bytes(Some(list.len())),
                element => {
                    let element = Self::boxed(&element, parts)?;
                    placed(element.fits(list.len()).then_some(()))?;
                    Self::List(element, Some(list.len()))
                }
            },
            Type::Map(map) if matches!(map.key(), Type::Float32 | Type::Float64) => {
                return unsupported("a float as a key");
            }
            Type::Map(map) => {
                let (key, value) = (Self::boxed(&map.key(), parts)?, Self::boxed(&map.value(), parts)?);
                let entry = placed(Together::of([&*key, &*value].into_iter()))?;
                Self::Map(key, value, entry)
            }
            Type::Record(record) => {
                let types = record.fields().map(|field| Self::of(&field.ty, parts));
                let types: Box<[Self]> = types.collect::<Result<_, _>>()?;
                let places = placed(Together::of(types.iter()))?;
                Self::Record(Names::new(record.fields().map(|field| field.name)), types, places)
            }
            Type::Tuple(tuple) => {
                let types = tuple.types().map(|ty| Self::of(&ty, parts));
                let types: Box<[Self]> = types.collect::<Result<_, _>>()?;
                let places = placed(Together::of(types.iter()))?;
                Self::Tuple(types, places)
            }
            Type::Variant(variant) => {
                let types = variant.cases().map(|case| {
                    *parts = parts.saturating_sub(1);
                    case.ty.map(|ty| Self::of(&ty, parts)).transpose()
                });
                let types: Box<[Option<Self>]> = types.collect::<Result<_, _>>()?;
                let places = placed(OneOf::of(types.iter().map(Option::as_ref)))?;
                Self::Variant(Names::new(variant.cases().map(|case| case.name)), types, places)
            }
            Type::Enum(names) => Self::Enum(Names::new(counted(names.names(), parts))),
            Type::Flags(names) => Self::Flags(Names::new(counted(names.names(), parts))),
            Type::Option(option) => {
                let some = Self::boxed(&option.ty(), parts)?;
                let places = placed(OneOf::of([None, Some(&*some)].into_iter()))?;
                Self::Option(some, places)
            }
            Type::Result(result) => {
                let ok = result.ok().map(|ty| Self::boxed(&ty, parts)).transpose()?;
                let err = result.err().map(|ty| Self::boxed(&ty, parts)).transpose()?;
                let places = placed(OneOf::of([ok.as_deref(), err.as_deref()].into_iter()))?;
                Self::Result(ok, err, places)
            }
            Type::Own(_) | Type::Borrow(_) => return unsupported("a resource"),
            Type::Future(_) => return unsupported("a future"),
            Type::Stream(_) => return unsupported("a stream"),
            Type::ErrorContext => return unsupported("an error context"),
        })
    }

    fn boxed(ty: &Type, parts: &mut usize) -> Result<Box<Self>, Unsupported> {
        Self::of(ty, parts).map(Box::new)
    }

    /// Whether JSON's null is one of its values. Around such a type an option needs a wrapping, or `some(none)` would
    /// read as `none`.
    pub(crate) fn has_null(&self) -> bool {
        matches!(self, Self::Option(..))
    }

    /// Whether it is a float, or may be.
    pub(crate) fn is_float(&self) -> bool {
        match self {
            Self::F32 | Self::F64 => true,
            Self::Option(some, _) => matches!(**some, Self::F32 | Self::F64),
            _ => false,
        }
    }

    /// Whether a field of this type may be left out.
    pub(crate) fn may_be_absent(&self) -> bool {
        matches!(self, Self::Option(..))
    }
}

/// What has a place in memory.
fn placed<T>(layout: Option<T>) -> Result<T, Unsupported> {
    layout.ok_or_else(|| Unsupported("one of its values is larger than any memory".to_owned()))
}

/// Takes each name from the parts; where none are left, the next type is refused.
fn counted<'a>(names: impl Iterator<Item = &'a str>, parts: &mut usize) -> impl Iterator<Item = &'a str> {
    names.inspect(|_| *parts = parts.saturating_sub(1))
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
        })
    }
}

/// As WIT writes it, with the names of records, variants, enums and flags, which types here don't carry, left out.
impl fmt::Display for WitType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Integer(integer) => integer.fmt(f),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::Bytes(None) => f.write_str("list<u8>"),
            Self::Bytes(Some(length)) => write!(f, "list<u8, {length}>"),
            Self::List(element, None) => write!(f, "list<{element}>"),
            Self::List(element, Some(length)) => write!(f, "list<{element}, {length}>"),
            Self::Map(key, value, _) => write!(f, "map<{key}, {value}>"),
            Self::Record(names, types, _) => {
                let fields = names.iter().zip(types).map(|(name, ty)| format!("{name}: {ty}"));
                write!(f, "record {{ {} }}", listed(fields))
            }
            Self::Tuple(types, _) => write!(f, "tuple<{}>", listed(types.iter().map(Self::to_string))),
            Self::Variant(names, types, _) => {
                let cases = names.iter().zip(types).map(|(name, ty)| match ty {
                    Some(ty) => format!("{name}({ty})"),
                    None => name.to_owned(),
                });
                write!(f, "variant {{ {} }}", listed(cases))
            }
            Self::Enum(names) => write!(f, "enum {{ {} }}", listed(names.iter().map(str::to_owned))),
            Self::Option(some, _) => write!(f, "option<{some}>"),
            Self::Result(None, None, _) => f.write_str("result"),
            Self::Result(Some(ok), None, _) => write!(f, "result<{ok}>"),
            Self::Result(None, Some(err), _) => write!(f, "result<_, {err}>"),
            Self::Result(Some(ok), Some(err), _) => write!(f, "result<{ok}, {err}>"),
            Self::Flags(names) => write!(f, "flags {{ {} }}", listed(names.iter().map(str::to_owned))),
        }
    }
}

/// As WIT writes it, without the function's name.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters.iter().zip(&self.types);
        let parameters = parameters.map(|(name, ty)| format!("{name}: {ty}"));
        write!(f, "func({})", parameters.collect::<Vec<_>>().join(", "))?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}

/// Parts of one type shown in a message.
const SHOWN: usize = 12;

fn listed(parts: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for part in parts {
        if shown.len() == SHOWN {
            shown.push("…".to_owned());
            break;
        }
        shown.push(part);
    }
    shown.join(", ")
}
