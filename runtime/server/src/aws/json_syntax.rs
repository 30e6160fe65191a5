//! Why a text isn't JSON, in the words of the parser AWS uses (Jackson), which callers match on.

/// What a broken JSON text is refused with, or `None` for a sound one.
pub fn complaint(text: &str) -> Option<String> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    if text.trim().is_empty() {
        return Some("No content to map due to end-of-input".into());
    }
    if error.is_eof() {
        return Some(unfinished(text));
    }
    let at = offset(text, error.line(), error.column());
    Some(match text[at..].chars().next() {
        Some(letter) if is_word(letter) => {
            let start = text[..at].rfind(|before: char| !is_word(before)).map_or(0, |space| {
                space + text[space..].chars().next().map_or(1, char::len_utf8)
            });
            let word: String = text[start..].chars().take_while(|letter| is_word(*letter)).collect();
            format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', \
                 'true' or 'false')"
            )
        }
        Some(other) => {
            format!(
                "Unexpected character ('{other}' (code {})): {}",
                u32::from(other),
                wanted(&text[..at])
            )
        }
        None => unfinished(text),
    })
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// serde_json counts lines from 1 and columns in bytes from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn unfinished(text: &str) -> String {
    match innermost(text) {
        Inside::Object => "Unexpected end-of-input: expected close marker for Object".into(),
        Inside::Array => "Unexpected end-of-input: expected close marker for Array".into(),
        Inside::Text => "Unexpected end-of-input: was expecting closing quote for a string value".into(),
        Inside::Nothing => "Unexpected end-of-input within/between value".into(),
    }
}

fn wanted(before: &str) -> &'static str {
    let last = before.trim_end().chars().next_back();
    match (innermost(before), last) {
        (Inside::Object, Some('{' | ',')) => "was expecting double-quote to start field name",
        (Inside::Object, Some(':')) | (Inside::Array, Some('[' | ',')) | (Inside::Nothing, None) => {
            "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        }
        (Inside::Object, _) => "was expecting comma to separate Object entries",
        (Inside::Array, _) => "was expecting comma to separate Array entries",
        (Inside::Text, _) => "has to be escaped using backslash to be included in string value",
        (Inside::Nothing, Some(_)) => "expected end of the text after its value",
    }
}

enum Inside {
    Object,
    Array,
    Text,
    Nothing,
}

fn innermost(text: &str) -> Inside {
    let (mut open, mut quoted, mut escaped) = (Vec::new(), false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
    }
    match (quoted, open.last()) {
        (true, _) => Inside::Text,
        (false, Some(b'{')) => Inside::Object,
        (false, Some(_)) => Inside::Array,
        (false, None) => Inside::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_texts_are_refused_in_jacksons_words() {
        let tokens = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        for (text, words) in [
            ("not JSON", format!("Unrecognized token 'not': {tokens}")),
            ("[1, nil]", format!("Unrecognized token 'nil': {tokens}")),
            ("", "No content to map due to end-of-input".into()),
            (
                "{\"a\": [1",
                "Unexpected end-of-input: expected close marker for Array".into(),
            ),
            (
                "{\"a\": \"b",
                "Unexpected end-of-input: was expecting closing quote for a string value".into(),
            ),
            (
                "{'a': 1}",
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name".into(),
            ),
            (
                "{\"a\": 1,\n }",
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name".into(),
            ),
        ] {
            assert_eq!(complaint(text).as_deref(), Some(&*words), "{text}");
        }
        assert_eq!(complaint(" [1, {}] "), None);
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in [
            "ä",
            "{\"ä\":ö}",
            "\u{feff}{}",
            "\"\n\"",
            "]",
            "é\né",
            "[\u{10ffff}]",
            "{\"a\" \"b\"}",
        ] {
            assert!(complaint(text).is_some(), "{text:?}");
        }
    }
}
