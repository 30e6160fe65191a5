//! Where in an input something is.

use std::fmt;

use crate::guest_output::cut;

/// Bytes of a name shown.
const NAME_BYTES: usize = 64;

/// Where in the input something is, as a list that lives on the stack.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Element(usize),
}

impl<'a> At<'a> {
    /// The whole input.
    pub(crate) const ROOT: At<'static> = At {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn field<'b>(&'b self, name: &'b str) -> At<'b> {
        At {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    pub(crate) fn element<'b>(&'b self, index: usize) -> At<'b> {
        At {
            parent: Some(self),
            step: Step::Element(index),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => f.write_str("$"),
            Step::Element(index) => write!(f, "[{index}]"),
            Step::Field(name) => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                if name.bytes().all(plain) && !name.is_empty() {
                    write!(f, ".{}", cut(name, NAME_BYTES))
                } else {
                    write!(f, "[{:?}]", cut(name, NAME_BYTES))
                }
            }
        }
    }
}
