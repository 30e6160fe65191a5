//! How a module is named: its name, and which of its versions.

use std::fmt;

use engine::ports::is_label;

/// Which module a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleReference<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which of its versions.
    pub version: Version<'a>,
}

/// One of a module's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// The one uploaded last.
    Newest,
    /// By number.
    Number(u32),
    /// By content address.
    Digest(&'a str),
    /// The one a label points at.
    Label(&'a str),
}

/// What a digest begins with.
const DIGEST: &str = "sha256:";

impl<'a> Version<'a> {
    /// Reads what stands behind the `@` of a module: a number, a digest or a label. `None` for what can be none of them.
    pub fn read(text: &'a str) -> Option<Self> {
        if text.starts_with(DIGEST) {
            return Some(Self::Digest(text));
        }
        match text.parse() {
            Ok(number) if !text.starts_with('+') => Some(Self::Number(number)),
            Ok(_) | Err(_) => is_label(text).then_some(Self::Label(text)),
        }
    }
}

/// As it stands behind a module's name, with a space before it.
impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => Ok(()),
            Self::Number(number) => write!(f, " {number}"),
            Self::Digest(digest) => write!(f, " {digest}"),
            Self::Label(label) => write!(f, " {label}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_digests_and_labels_are_told_apart() {
        for (text, version) in [
            ("3", Some(Version::Number(3))),
            ("sha256:ab", Some(Version::Digest("sha256:ab"))),
            ("prod", Some(Version::Label("prod"))),
            ("v3", Some(Version::Label("v3"))),
            ("3rd", Some(Version::Label("3rd"))),
            ("", None),
            ("+3", None),
            ("latest", None),
            ("99999999999", None),
            ("a b", None),
        ] {
            assert_eq!(Version::read(text), version, "{text}");
        }
    }
}
