//! Why a text isn't JSON, in the words of the parser AWS uses (Jackson), which callers match on.

use std::iter::Peekable;
use std::str::CharIndices;

/// What a text breaks off with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// In Jackson's words.
    pub message: String,
    /// Where its reader stood, as Jackson writes places.
    pub location: String,
}

/// Jackson quotes at most this many characters of its source.
const SOURCE_CHARS: usize = 500;
/// Containers within each other the scan follows: parsers refuse what is deeper before it matters.
const MOST_OPEN: usize = 1_000;
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The first thing Jackson objects to, or `None` where it objects to nothing. It says nothing of what follows the value.
pub fn complaint(text: &str) -> Option<Complaint> {
    if text.trim().is_empty() {
        return Some(Complaint {
            message: "No content to map due to end-of-input".into(),
            location: place(text, text.len()),
        });
    }
    let mut scan = Scan {
        text,
        rest: text.char_indices().peekable(),
        open: Vec::new(),
    };
    let message = scan.document().err()?;
    let at = scan.at();
    Some(Complaint {
        message,
        location: place(text, at),
    })
}

/// `[Source: (String)"[1,"; line: 1, column: 4]`, for the reader at this byte.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let count = text.chars().count();
    let head: String = text.chars().take(SOURCE_CHARS).collect();
    let cut = match count.checked_sub(SOURCE_CHARS) {
        Some(left @ 1..) => format!("[truncated {left} chars]"),
        _ => String::new(),
    };
    format!("[Source: (String)\"{head}\"{cut}; line: {line}, column: {column}]")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Array => "Array",
            Kind::Object => "Object",
        }
    }

    fn end(self) -> char {
        match self {
            Kind::Array => ']',
            Kind::Object => '}',
        }
    }
}

struct Scan<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
    /// Containers that aren't closed, and the byte each starts at.
    open: Vec<(Kind, usize)>,
}

type Checked = Result<(), String>;

impl Scan<'_> {
    /// The byte behind what was read.
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn document(&mut self) -> Checked {
        self.space()?;
        self.value()?;
        while let Some((kind, _)) = self.open.last().copied() {
            if self.open.len() > MOST_OPEN {
                return Ok(());
            }
            self.entry(kind)?;
        }
        Ok(())
    }

    /// What follows in the innermost container: an entry, or its end.
    fn entry(&mut self, kind: Kind) -> Checked {
        let is_first = self.is_first();
        self.space()?;
        let Some((_, next)) = self.rest.next() else {
            return Err(self.unclosed(kind));
        };
        if next == ']' || next == '}' {
            return self.close(next);
        }
        let next = match (is_first, next) {
            (true, next) => next,
            (false, ',') => {
                self.space()?;
                self.rest.next().map(|(_, next)| next).ok_or_else(|| within(kind))?
            }
            (false, next) => {
                let what = format!("was expecting comma to separate {} entries", kind.name());
                return Err(unexpected(next, &what));
            }
        };
        if kind == Kind::Array {
            return self.value_from(next);
        }
        if next != '"' {
            return Err(unexpected(next, "was expecting double-quote to start field name"));
        }
        self.quoted("name", " in field name")?;
        self.space()?;
        match self.rest.next() {
            Some((_, ':')) => {}
            Some((_, other)) => {
                return Err(unexpected(
                    other,
                    "was expecting a colon to separate field name and value",
                ));
            }
            None => return Err(within(kind)),
        }
        self.space()?;
        match self.rest.next() {
            Some((_, next)) => self.value_from(next),
            None => Err(within(kind)),
        }
    }

    /// Whether nothing of the innermost container was read.
    fn is_first(&mut self) -> bool {
        let at = self.at();
        self.open.last().is_some_and(|(_, start)| start + 1 == at)
    }

    fn close(&mut self, end: char) -> Checked {
        match self.open.pop() {
            Some((kind, _)) if kind.end() == end => Ok(()),
            Some((kind, start)) => Err(format!(
                "Unexpected close marker '{end}': expected '{}' (for {} starting at {})",
                kind.end(),
                kind.name(),
                place(self.text, start)
            )),
            None => Ok(()),
        }
    }

    fn unclosed(&self, kind: Kind) -> String {
        let start = self.open.last().map_or(0, |(_, start)| *start);
        format!(
            "Unexpected end-of-input: expected close marker for {} (start marker at {})",
            kind.name(),
            place(self.text, start)
        )
    }

    fn space(&mut self) -> Checked {
        while let Some((_, next)) = self.rest.next_if(|(_, next)| *next <= ' ' || *next == '/') {
            match next {
                ' ' | '\t' | '\n' | '\r' => {}
                '/' => {
                    return Err(unexpected(
                        next,
                        "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not \
                         enabled for parser)",
                    ));
                }
                control => {
                    return Err(format!(
                        "Illegal character ({}): only regular white space (\\r, \\n, \\t) is allowed between tokens",
                        described(control)
                    ));
                }
            }
        }
        Ok(())
    }

    fn value(&mut self) -> Checked {
        match self.rest.next() {
            Some((_, next)) => self.value_from(next),
            None => Ok(()),
        }
    }

    fn value_from(&mut self, first: char) -> Checked {
        let start = self.at() - first.len_utf8();
        match first {
            '"' => self.quoted("string value", ": was expecting closing quote for a string value"),
            '[' => self.open(Kind::Array, start),
            '{' => self.open(Kind::Object, start),
            '}' => Err(unexpected(first, "expected a value")),
            '-' | '0'..='9' => self.number(first),
            first if is_start(first) => self.word(start),
            other => Err(unexpected(other, &format!("expected a valid value {VALUES}"))),
        }
    }

    fn open(&mut self, kind: Kind, start: usize) -> Checked {
        self.open.push((kind, start));
        Ok(())
    }

    fn word(&mut self, start: usize) -> Checked {
        while self.rest.next_if(|(_, next)| is_part(*next)).is_some() {}
        let end = self.at();
        match &self.text[start..end] {
            "true" | "false" | "null" => Ok(()),
            word @ ("NaN" | "Infinity") => Err(format!(
                "Non-standard token '{word}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow"
            )),
            word => Err(format!("Unrecognized token '{word}': was expecting {VALUES}")),
        }
    }

    fn number(&mut self, first: char) -> Checked {
        let numeric = |next: Option<(usize, char)>, what: &str| match next {
            Some((_, other)) => format!("Unexpected character ({}) in numeric value: {what}", described(other)),
            None => format!("Unexpected end-of-input: {what}"),
        };
        let first = match first {
            '-' => match self.rest.next() {
                Some((_, digit @ '0'..='9')) => digit,
                other => {
                    let what = "expected digit (0-9) to follow minus sign, for valid numeric value";
                    return Err(numeric(other, what));
                }
            },
            digit => digit,
        };
        if first == '0' && self.rest.next_if(|(_, next)| next.is_ascii_digit()).is_some() {
            return Err("Invalid numeric value: Leading zeroes not allowed".into());
        }
        self.digits();
        if self.rest.next_if(|(_, next)| *next == '.').is_some() && !self.digits() {
            return Err(numeric(self.rest.next(), "Decimal point not followed by a digit"));
        }
        if self.rest.next_if(|(_, next)| matches!(next, 'e' | 'E')).is_some() {
            self.rest.next_if(|(_, next)| matches!(next, '+' | '-'));
            if !self.digits() {
                return Err(numeric(self.rest.next(), "Exponent indicator not followed by a digit"));
            }
        }
        Ok(())
    }

    /// Whether there are any.
    fn digits(&mut self) -> bool {
        let mut any = false;
        while self.rest.next_if(|(_, next)| next.is_ascii_digit()).is_some() {
            any = true;
        }
        any
    }

    /// The rest of a text in double quotes.
    fn quoted(&mut self, what: &str, unfinished: &str) -> Checked {
        while let Some((_, next)) = self.rest.next() {
            match next {
                '"' => return Ok(()),
                '\\' => self.escape()?,
                control if control < ' ' => {
                    return Err(format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in {what}",
                        described(control)
                    ));
                }
                _ => {}
            }
        }
        Err(format!("Unexpected end-of-input{unfinished}"))
    }

    fn escape(&mut self) -> Checked {
        const ENDS: &str = "Unexpected end-of-input in character escape sequence";
        match self.rest.next() {
            Some((_, 'u')) => {
                for _ in 0..4 {
                    match self.rest.next() {
                        Some((_, digit)) if digit.is_ascii_hexdigit() => {}
                        Some((_, other)) => {
                            return Err(unexpected(other, "expected a hex-digit for character escape sequence"));
                        }
                        None => return Err(ENDS.into()),
                    }
                }
                Ok(())
            }
            Some((_, 'b' | 't' | 'n' | 'f' | 'r' | '"' | '/' | '\\')) => Ok(()),
            Some((_, other)) => Err(format!("Unrecognized character escape {}", described(other))),
            None => Err(ENDS.into()),
        }
    }
}

/// The text ends between the entries of a container.
fn within(kind: Kind) -> String {
    format!("Unexpected end-of-input within/between {} entries", kind.name())
}

fn unexpected(found: char, wanted: &str) -> String {
    format!("Unexpected character ({}): {wanted}", described(found))
}

fn described(found: char) -> String {
    match u32::from(found) {
        code @ ..32 => format!("(CTRL-CHAR, code {code})"),
        code @ 256.. => format!("'{found}' (code {code} / {code:#x})"),
        code => format!("'{found}' (code {code})"),
    }
}

/// Whether a Java identifier, and so a word to Jackson, may begin with this.
fn is_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_' || letter == '$'
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_texts_are_refused_in_jacksons_words() {
        let tokens = format!("was expecting {VALUES}");
        let at = |text: &str, column: usize| format!("[Source: (String)\"{text}\"; line: 1, column: {column}]");
        for (text, words, column) in [
            ("not JSON", format!("Unrecognized token 'not': {tokens}"), 4),
            ("[1, nil]", format!("Unrecognized token 'nil': {tokens}"), 8),
            ("tru", format!("Unrecognized token 'tru': {tokens}"), 4),
            ("", "No content to map due to end-of-input".into(), 1),
            (
                "{",
                format!("Unexpected end-of-input: expected close marker for Object (start marker at {})", at("{", 1)),
                2,
            ),
            (
                "{\"a\": [1",
                format!(
                    "Unexpected end-of-input: expected close marker for Array (start marker at {})",
                    at("{\"a\": [1", 7)
                ),
                9,
            ),
            ("[1,", "Unexpected end-of-input within/between Array entries".into(), 4),
            ("{\"a\"", "Unexpected end-of-input within/between Object entries".into(), 5),
            ("{\"a", "Unexpected end-of-input in field name".into(), 4),
            (
                "{\"a\": \"b",
                "Unexpected end-of-input: was expecting closing quote for a string value".into(),
                9,
            ),
            (
                "{'a': 1}",
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name".into(),
                3,
            ),
            (
                "{\"a\":1,}",
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name".into(),
                9,
            ),
            ("{\"a\":}", "Unexpected character ('}' (code 125)): expected a value".into(), 7),
            (
                "[1,]",
                format!("Unexpected character (']' (code 93)): expected a valid value {VALUES}"),
                5,
            ),
            (
                "{\"a\" 1}",
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value".into(),
                7,
            ),
            (
                "[1 2]",
                "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries".into(),
                5,
            ),
            (
                "[1}",
                format!(
                    "Unexpected close marker '}}': expected ']' (for Array starting at {})",
                    at("[1}", 1)
                ),
                4,
            ),
            ("01", "Invalid numeric value: Leading zeroes not allowed".into(), 3),
            (
                "\"\t\"",
                "Illegal unquoted character ((CTRL-CHAR, code 9)): has to be escaped using backslash to be included in \
                 string value"
                    .into(),
                3,
            ),
            ("\"\\x\"", "Unrecognized character escape 'x' (code 120)".into(), 4),
        ] {
            let found = complaint(text).unwrap_or_else(|| panic!("{text:?} is taken"));
            assert_eq!((found.message, found.location), (words, at(text, column)), "{text:?}");
        }
        for text in [
            " [1, {}] ",
            "{\"a\": [true, null, -0.5e+1, \"\\u00e9\"], \"b\": {}}",
            "0",
        ] {
            assert_eq!(complaint(text), None);
        }
    }

    #[test]
    fn long_sources_are_cut() {
        let text = format!("[\"{}\", x]", "a".repeat(SOURCE_CHARS));
        let found = complaint(&text).expect("x");
        assert!(
            found
                .location
                .ends_with("aa\"[truncated 7 chars]; line: 1, column: 507]"),
            "{}",
            found.location
        );
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
            "-",
            "1.",
            "1e",
            "[-]",
            "\"\\u12",
            "\"\\",
            "/*",
            "{\"a\":\u{1}",
        ] {
            assert!(complaint(text).is_some(), "{text:?}");
        }
        assert_eq!(complaint(&"[".repeat(100_000)), None);
    }
}
