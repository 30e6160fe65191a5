//! Content addresses: `sha256:` and 64 lower-case hex digits.

use std::fmt::Write;

use engine::ids::Digest;
use sha2::{Digest as _, Sha256};

/// What every content address starts with.
const SCHEME: &str = "sha256:";

/// The content address of some bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    let mut text = String::with_capacity(71);
    text.push_str(SCHEME);
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a String can't fail");
    }
    Digest(text.into())
}

/// The hex digits of a content address; `None` when it isn't one, so that what comes back is always safe as the
/// name of a file.
#[cfg(feature = "sqlite")]
pub(crate) fn hex_digits(digest: &Digest) -> Option<&str> {
    let hex = digest.0.strip_prefix(SCHEME)?;
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (hex.len() == 64 && hex.bytes().all(is_lower_hex)).then_some(hex)
}

/// The content address whose hex digits these are, where they are any.
#[cfg(feature = "sqlite")]
pub(crate) fn digest_named(hex: &str) -> Digest {
    Digest(format!("{SCHEME}{hex}").into())
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_sha_256_of_the_bytes() {
        let digest = digest_of(b"abc");
        assert_eq!(
            &*digest.0,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex_digits(&digest), Some(&digest.0[7..]));
    }

    #[test]
    fn nothing_else_names_a_file() {
        for text in [
            "",
            "sha256:",
            "sha256:../../etc/passwd",
            "md5:00",
            &format!("sha256:{}", "A".repeat(64)),
        ] {
            assert_eq!(hex_digits(&Digest(text.into())), None, "{text}");
        }
    }
}
