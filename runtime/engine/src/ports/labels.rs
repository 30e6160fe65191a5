//! Labels of modules: names that are moved from version to version.

use asl::Timestamp;

use super::CatalogueError;

/// Labels one module can have. Each is shown wherever its module is.
pub const LABELS: usize = 100;
/// Longest label, in characters; as long as an alias of an AWS function.
pub const LABEL_LENGTH: usize = 128;

/// Names that look like something else: like the newest version, and like the beginning of a digest.
const RESERVED: [&str; 3] = ["latest", "newest", "sha256"];
/// Digits of a digest.
const DIGEST_DIGITS: usize = 64;

/// A label as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRecord {
    /// Whose.
    pub module: String,
    /// Its name, unique among the module's.
    pub label: String,
    /// The version it points at.
    pub version: u32,
    /// When it was first set.
    pub created: Timestamp,
    /// When it was last pointed at another version.
    pub moved: Timestamp,
}

/// What a label must be for a change of it to be made, so that two who change it don't undo each other's work unknowingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Not there.
    Absent,
    /// There, pointing at this version.
    Version(u32),
}

impl Expected {
    /// Whether `label` of `module` is as expected, pointing at `version` or at nothing.
    ///
    /// # Errors
    /// [`CatalogueError::LabelMoved`] where it isn't.
    pub fn check(self, module: &str, label: &str, version: Option<u32>) -> Result<(), CatalogueError> {
        let holds = match self {
            Self::Anything => true,
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        };
        if holds {
            return Ok(());
        }
        Err(CatalogueError::LabelMoved {
            module: module.to_owned(),
            label: label.to_owned(),
            version,
        })
    }
}

/// Whether a text can be a label: as the alias of an AWS function, so that definitions written for those run unchanged,
/// and nothing that could be taken for a version or a digest.
pub fn is_label(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let looks_like_a_digest = text.len() == DIGEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (1..=LABEL_LENGTH).contains(&text.len())
        && text.chars().all(plain)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
        && !looks_like_a_digest
        && !RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_no_versions_and_no_digests() {
        for label in [
            "prod",
            "canary-2",
            "v3",
            "3rd",
            "a",
            "_",
            "Blue_Green",
            &"x".repeat(LABEL_LENGTH),
        ] {
            assert!(is_label(label), "{label}");
        }
        let digest = "0123456789abcdef".repeat(4);
        for other in [
            "",
            "3",
            "007",
            "latest",
            "LATEST",
            "$LATEST",
            "newest",
            "sha256",
            "sha256:ab",
            &digest,
            "a b",
            "a.b",
            "a/b",
            "ü",
            &"x".repeat(LABEL_LENGTH + 1),
        ] {
            assert!(!is_label(other), "{other}");
        }
    }
}
