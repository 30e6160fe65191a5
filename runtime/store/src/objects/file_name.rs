//! Keys as paths: what lies between two slashes is a name of its own, and what a file system can't hold is escaped.
//!
//! A name is kept as it is but for control characters, `%`, `.` and `..`, which become `%XX`, and the empty name, which
//! becomes `%`. In S3 `a` and `a/b` may both be keys. Where a directory has the name of an object, the object's file
//! has a `%` behind its name, which no escape ends in.

use std::fmt::Write as _;

/// Longest name of a file or directory in bytes that every common file system takes, less the mark of
/// [`beside_directory`].
const LONGEST: usize = 254;

/// The path of a key, or the part of it that is too long.
pub(super) fn path_of(key: &str) -> Result<String, &str> {
    let mut path = String::with_capacity(key.len());
    for (index, part) in key.split('/').enumerate() {
        if index > 0 {
            path.push('/');
        }
        let name = encode(part);
        if name.len() > LONGEST {
            return Err(part);
        }
        path.push_str(&name);
    }
    Ok(path)
}

/// Where an object is kept whose own path is a directory's.
pub(super) fn beside_directory(path: &str) -> String {
    format!("{path}%")
}

/// The part of a key that a file's name stands for; `None` where it is nobody's.
pub(super) fn decode_file(name: &str) -> Option<String> {
    match name.strip_suffix('%') {
        Some("") | None => decode(name),
        Some(name) => decode(name),
    }
}

/// The part of a key that a directory's name stands for; `None` where it is nobody's.
pub(super) fn decode(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else {
            return None;
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        decoded.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        rest = tail;
    }
    // A name that is written otherwise than it would be here leads to no key: two files could claim the same one.
    String::from_utf8(decoded).ok().filter(|part| encode(part) == name)
}

fn encode(part: &str) -> String {
    match part {
        "" => return "%".to_owned(),
        "." => return "%2E".to_owned(),
        ".." => return "%2E%2E".to_owned(),
        _ => {}
    }
    let mut name = String::with_capacity(part.len());
    for char in part.chars() {
        if char.is_ascii_control() || char == '%' {
            let _ = write!(name, "%{:02X}", u32::from(char));
        } else {
            name.push(char);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_its_bucket() {
        assert_eq!(path_of("a/b c/ü.csv").as_deref(), Ok("a/b c/ü.csv"));
        assert_eq!(path_of("../../etc/passwd").as_deref(), Ok("%2E%2E/%2E%2E/etc/passwd"));
        assert_eq!(path_of("/abs").as_deref(), Ok("%/abs"));
        assert_eq!(path_of("folder/").as_deref(), Ok("folder/%"));
        assert_eq!(path_of("a//b\0").as_deref(), Ok("a/%/b%00"));
        assert_eq!(path_of("100%").as_deref(), Ok("100%25"));
        assert!(path_of(&"x".repeat(255)).is_err());
    }

    #[test]
    fn names_lead_back() {
        for part in ["", ".", "..", "...", "a", "%", "%41", "\n", "ü", "a%"] {
            assert_eq!(decode(&encode(part)).as_deref(), Some(part));
            assert_eq!(
                decode_file(&beside_directory(&encode(part))).as_deref(),
                Some(part),
                "{part}"
            );
        }
        for name in ["%4", "%zz", "%41", "%2e", "a%", "..", "%FF"] {
            assert_eq!(decode(name), None, "{name}");
        }
    }
}
