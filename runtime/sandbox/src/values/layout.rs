//! Where the parts of a value are in a guest's memory: the rules of the component model's canonical ABI.
//!
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>

use super::wit_type::{Integer, WitType};

/// Values of one type together with what is inside them, without lists and texts; more has no address.
const MOST_BYTES: u64 = u32::MAX as u64;

/// Flags in one word of memory.
const FLAGS_IN_WORD: usize = 32;

/// How much room a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Its bytes, a multiple of its alignment.
    pub(crate) size: usize,
    /// What its place is a multiple of.
    pub(crate) align: usize,
    /// How many values of core WebAssembly it is where it isn't in memory.
    pub(crate) flat: usize,
}

impl Layout {
    const NOTHING: Self = Self {
        size: 0,
        align: 1,
        flat: 0,
    };
    /// A list or a text: where it is and how long.
    const POINTER: Self = Self {
        size: 8,
        align: 4,
        flat: 2,
    };

    /// One byte.
    pub(crate) const BYTE: Self = Self::scalar(1);

    const fn scalar(size: usize) -> Self {
        Self {
            size,
            align: size,
            flat: 1,
        }
    }

    fn times(self, count: u32) -> Option<Self> {
        let size = (self.size as u64).checked_mul(u64::from(count))?;
        Some(Self {
            size: usize::try_from(size).ok().filter(|_| size <= MOST_BYTES)?,
            align: self.align,
            flat: self.flat.saturating_mul(count as usize),
        })
    }
}

/// Where the parts of something are that has all of them: a record, a tuple, the parameters of a function.
#[derive(Debug)]
pub(crate) struct Together {
    pub(crate) layout: Layout,
    /// From its beginning, for each part.
    pub(crate) offsets: Box<[usize]>,
}

impl Together {
    /// `None` where it is too large for any memory.
    pub(crate) fn of<'a>(parts: impl Iterator<Item = &'a WitType>) -> Option<Self> {
        let mut layout = Layout::NOTHING;
        let mut offsets = Vec::new();
        for part in parts {
            let part = part.layout();
            let offset = layout.size.next_multiple_of(part.align);
            offsets.push(offset);
            layout.size = offset + part.size;
            layout.align = layout.align.max(part.align);
            layout.flat = layout.flat.saturating_add(part.flat);
            if layout.size as u64 > MOST_BYTES {
                return None;
            }
        }
        layout.size = layout.size.next_multiple_of(layout.align);
        Some(Self {
            layout,
            offsets: offsets.into(),
        })
    }
}

/// Where the parts of something are that has one of them: a variant, an option, a result.
#[derive(Debug)]
pub(crate) struct OneOf {
    pub(crate) layout: Layout,
    /// Bytes of the number that says which.
    pub(crate) tag: usize,
    /// Where the part is.
    pub(crate) payload: usize,
}

impl OneOf {
    /// `None` where it is too large for any memory.
    pub(crate) fn of<'a>(cases: impl ExactSizeIterator<Item = Option<&'a WitType>>) -> Option<Self> {
        let tag = tag_bytes(cases.len());
        let most = cases
            .flatten()
            .map(WitType::layout)
            .fold(Layout::NOTHING, |most, case| Layout {
                size: most.size.max(case.size),
                align: most.align.max(case.align),
                flat: most.flat.max(case.flat),
            });
        let align = most.align.max(tag);
        let payload = tag.next_multiple_of(most.align);
        let size = (payload + most.size).next_multiple_of(align);
        (size as u64 <= MOST_BYTES).then_some(Self {
            layout: Layout {
                size,
                align,
                flat: most.flat.saturating_add(1),
            },
            tag,
            payload,
        })
    }
}

/// Bytes of a number that says which of so many cases.
fn tag_bytes(cases: usize) -> usize {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

impl Integer {
    /// Bytes in memory.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::S8 | Self::U8 => 1,
            Self::S16 | Self::U16 => 2,
            Self::S32 | Self::U32 => 4,
            Self::S64 | Self::U64 => 8,
        }
    }

    /// Whether it may be below zero.
    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }
}

impl WitType {
    /// Its place in memory.
    pub(crate) fn layout(&self) -> Layout {
        match self {
            Self::Bool => Layout::scalar(1),
            Self::Integer(integer) => Layout::scalar(integer.size()),
            Self::F32 | Self::Char => Layout::scalar(4),
            Self::F64 => Layout::scalar(8),
            Self::String | Self::Bytes(None) | Self::List(_, None) | Self::Map(..) => Layout::POINTER,
            Self::Bytes(Some(length)) => Layout {
                size: *length as usize,
                align: 1,
                flat: *length as usize,
            },
            // Checked when the type was read.
            Self::List(element, Some(length)) => element.layout().times(*length).unwrap_or(Layout::NOTHING),
            Self::Record(_, _, parts) | Self::Tuple(_, parts) => parts.layout,
            Self::Variant(_, _, cases) | Self::Option(_, cases) | Self::Result(_, _, cases) => cases.layout,
            Self::Enum(names) => Layout::scalar(tag_bytes(names.len())),
            Self::Flags(names) => match names.len() {
                0 => Layout::NOTHING,
                1..=8 => Layout::scalar(1),
                9..=16 => Layout::scalar(2),
                many => {
                    let words = many.div_ceil(FLAGS_IN_WORD);
                    Layout {
                        size: words * 4,
                        align: 4,
                        flat: words,
                    }
                }
            },
        }
    }

    /// How many cases it has; none where it has no cases.
    pub(crate) fn cases(&self) -> usize {
        match self {
            Self::Enum(names) => names.len(),
            Self::Variant(_, types, _) => types.len(),
            Self::Option(..) | Self::Result(..) => 2,
            _ => 0,
        }
    }

    /// What one of its cases holds.
    pub(crate) fn case(&self, case: usize) -> Option<&WitType> {
        match self {
            Self::Variant(_, types, _) => types.get(case)?.as_ref(),
            Self::Option(some, _) => (case == 1).then_some(&**some),
            Self::Result(ok, err, _) => if case == 0 { ok } else { err }.as_deref(),
            _ => None,
        }
    }

    /// Whether a list of so many fixed elements has a place in memory.
    pub(crate) fn fits(&self, length: u32) -> bool {
        self.layout().times(length).is_some()
    }
}
