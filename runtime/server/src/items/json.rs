//! A JSON array or object, element by element. What lies beside the way to it is passed over, not kept.

use std::io::BufRead;

use asl::Payload;

use super::source::{Error, ITEM_LIMIT, Text};

/// Elements of an array, or entries of an object with their keys.
pub(super) struct Elements {
    scanner: Scanner,
    kind: Kind,
    position: Position,
    /// Nothing but white space may follow: the text is the data set, not something in it.
    alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    First,
    Later,
    Over,
}

impl Elements {
    /// Goes to where `pointer` (RFC 6901) points.
    pub(super) fn open(text: Text, pointer: &str) -> Result<Self, Error> {
        let mut scanner = Scanner { text };
        let mut tokens = pointer.split('/');
        if tokens.next().is_some_and(|before| !before.is_empty()) {
            return Err(Error::Malformed(format!(
                "the ItemsPointer `{pointer}` doesn't begin with a slash; write it like /orders/items"
            )));
        }
        let nothing = || Error::Malformed(format!("the ItemsPointer `{pointer}` points to nothing in the file"));
        for token in tokens {
            let token = token.replace("~1", "/").replace("~0", "~");
            let found = match scanner.peek()? {
                Some(b'{') => scanner.enter_member(&token)?,
                Some(b'[') => scanner.enter_element(&token)?,
                Some(_) | None => false,
            };
            if !found {
                return Err(nothing());
            }
        }
        let kind = match scanner.peek()? {
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(_) => return Err(Error::NotIterable),
            None => return Err(Error::Malformed("the file is empty and no JSON".to_owned())),
        };
        scanner.text.consume(1);
        Ok(Self {
            scanner,
            kind,
            position: Position::First,
            alone: pointer.is_empty(),
        })
    }

    fn advance(&mut self) -> Result<Option<(Option<String>, Payload)>, Error> {
        if self.position == Position::Over {
            return Ok(None);
        }
        let close = match self.kind {
            Kind::Array => b']',
            Kind::Object => b'}',
        };
        if !self.scanner.reach_next(close, self.position == Position::First)? {
            self.position = Position::Over;
            if self.alone && self.scanner.peek()?.is_some() {
                return Err(Error::Malformed("something follows the end of the JSON".to_owned()));
            }
            return Ok(None);
        }
        self.position = Position::Later;
        let key = match self.kind {
            Kind::Array => None,
            Kind::Object => Some(self.scanner.key()?),
        };
        let mut text = Vec::new();
        self.scanner.value(&mut Some(&mut text))?;
        let value = serde_json::from_slice(&text).map_err(malformed)?;
        Ok(Some((key, Payload::from_value(value))))
    }
}

impl Iterator for Elements {
    type Item = Result<(Option<String>, Payload), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.position = Position::Over;
        }
        next.transpose()
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Error::Malformed(format!("not JSON: {error}"))
}

struct Scanner {
    text: Text,
}

impl Scanner {
    /// The next byte that isn't white space, left where it is.
    fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            let buffer = self.text.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(blank) => {
                    let byte = buffer[blank];
                    self.text.consume(blank);
                    return Ok(Some(byte));
                }
                None => {
                    let blank = buffer.len();
                    self.text.consume(blank);
                }
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Error> {
        match self.peek()? {
            Some(byte) if byte == wanted => {
                self.text.consume(1);
                Ok(())
            }
            Some(byte) => Err(Error::Malformed(format!(
                "not JSON: `{}` where `{}` should be",
                byte.escape_ascii(),
                char::from(wanted)
            ))),
            None => Err(ends_early()),
        }
    }

    /// Goes to the next element or entry; false when `close` comes instead.
    fn reach_next(&mut self, close: u8, first: bool) -> Result<bool, Error> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.text.consume(1);
                Ok(false)
            }
            None => Err(ends_early()),
            Some(_) if first => Ok(true),
            Some(_) => {
                self.expect(b',')?;
                match self.peek()? {
                    Some(byte) if byte == close => Err(Error::Malformed("not JSON: a comma before the end".to_owned())),
                    Some(_) => Ok(true),
                    None => Err(ends_early()),
                }
            }
        }
    }

    /// A member's name and the colon behind it.
    fn key(&mut self) -> Result<String, Error> {
        let mut text = Vec::new();
        self.value(&mut Some(&mut text))?;
        let key = serde_json::from_slice(&text).map_err(malformed)?;
        self.expect(b':')?;
        Ok(key)
    }

    /// Goes to the value of a member.
    fn enter_member(&mut self, name: &str) -> Result<bool, Error> {
        self.expect(b'{')?;
        let mut first = true;
        while self.reach_next(b'}', first)? {
            first = false;
            if self.key()? == name {
                return Ok(true);
            }
            self.value(&mut None)?;
        }
        Ok(false)
    }

    /// Goes to an element of an array.
    fn enter_element(&mut self, index: &str) -> Result<bool, Error> {
        let plain = index == "0" || !index.starts_with(['0', '+']);
        let Some(index) = index.parse::<u64>().ok().filter(|_| plain) else {
            return Ok(false);
        };
        self.expect(b'[')?;
        let mut at = 0;
        while self.reach_next(b']', at == 0)? {
            if at == index {
                return Ok(true);
            }
            self.value(&mut None)?;
            at += 1;
        }
        Ok(false)
    }

    /// Passes a value, copying it where a place to copy to is given. Whether it is JSON shows when the copy is parsed.
    fn value(&mut self, copy: &mut Option<&mut Vec<u8>>) -> Result<(), Error> {
        if self.peek()?.is_none() {
            return Err(ends_early());
        }
        let mut state = ValueState::default();
        loop {
            let buffer = self.text.fill_buf()?;
            if buffer.is_empty() {
                return match state.is_scalar() {
                    true => Ok(()),
                    false => Err(ends_early()),
                };
            }
            let end = buffer.iter().position(|byte| state.ends_before(*byte));
            let taken = end.unwrap_or(buffer.len());
            if let Some(copy) = copy {
                copy.extend_from_slice(&buffer[..taken]);
                if copy.len() > ITEM_LIMIT {
                    return Err(Error::TooLarge);
                }
            }
            self.text.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

fn ends_early() -> Error {
    Error::Malformed("not JSON: the file ends too early".to_owned())
}

/// Where in a value the scanner stands.
#[derive(Default)]
struct ValueState {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last byte taken closed the value.
    complete: bool,
    begun: bool,
}

impl ValueState {
    fn is_scalar(&self) -> bool {
        self.complete || (self.begun && self.depth == 0 && !self.in_string)
    }

    /// Takes a byte, unless the value ended before it.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.complete {
            return true;
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.complete = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => return true,
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => {
                self.depth -= 1;
                self.complete = self.depth == 0;
            }
            _ => {}
        }
        self.begun = true;
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::super::source::tests::text_of;
    use super::*;

    fn elements(text: Text, pointer: &str) -> Result<Vec<String>, String> {
        let show = |(key, value): (Option<String>, Payload)| match key {
            Some(key) => format!("{key}={value}"),
            None => value.to_string(),
        };
        let elements = Elements::open(text, pointer).map_err(|error| error.to_string())?;
        elements
            .map(|element| element.map(show).map_err(|error| error.to_string()))
            .collect()
    }

    fn read(text: &str, pointer: &str) -> Result<Vec<String>, String> {
        let whole = elements(text_of(text), pointer);
        // The same, however the bytes come.
        let trickled = Box::new(BufReader::with_capacity(1, Cursor::new(text.as_bytes().to_vec())));
        assert_eq!(elements(trickled, pointer), whole, "{text}");
        whole
    }

    fn ok(items: &[&str]) -> Result<Vec<String>, String> {
        Ok(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn arrays_and_objects_are_read_element_by_element() {
        assert_eq!(
            read(" [ 1 , {\"a\" : [\"}]\\\"\", null]}, \"x\" ]\n", ""),
            ok(&["1", r#"{"a":["}]\"",null]}"#, "\"x\""])
        );
        assert_eq!(read("[]", ""), ok(&[]));
        assert_eq!(read("{}", ""), ok(&[]));
        assert_eq!(
            read(r#"{"b": 1, "a\n": [2], "b": {}}"#, ""),
            ok(&["b=1", "a\n=[2]", "b={}"])
        );
    }

    #[test]
    fn pointers_lead_to_what_is_inside() {
        let text = r#"{"x": {"y": [9, [1, 2]]}, "a/b": {"~": [3]}, "": [4], "s": 1}"#;
        assert_eq!(read(text, "/x/y"), ok(&["9", "[1,2]"]));
        assert_eq!(read(text, "/x/y/1"), ok(&["1", "2"]));
        assert_eq!(read(text, "/a~1b/~0"), ok(&["3"]));
        assert_eq!(read(text, "/"), ok(&["4"]));
        assert_eq!(read(text, "/x"), ok(&["y=[9,[1,2]]"]));
        for nothing in ["/z", "/x/y/2", "/x/y/01", "/x/y/-", "/s/t"] {
            let error = read(text, nothing).expect_err("nothing is there");
            assert!(error.contains("points to nothing"), "{nothing}: {error}");
        }
        assert!(read(text, "x").expect_err("no pointer").contains("slash"));
        assert_eq!(read(text, "/s"), Err(Error::NotIterable.to_string()));
    }

    #[test]
    fn broken_texts_end_in_an_error() {
        for text in [
            "",
            " ",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[1 2]",
            "[,1]",
            "[1}",
            "[\"a]",
            "[\"\\",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[tru]",
            "[]]",
            "[1] 2",
            "[[1}]",
            "[\u{1}]",
            "{\"a\" 1}",
        ] {
            assert!(read(text, "").is_err(), "{text}");
        }
        for text in ["1", "\"a\"", "null", "true"] {
            assert_eq!(read(text, ""), Err(Error::NotIterable.to_string()), "{text}");
        }
        let deep = format!("[{}{}]", "[".repeat(1000), "]".repeat(1000));
        assert!(read(&deep, "").is_err(), "too deep to be looked into");
        let large = format!("[\"{}\"]", "a".repeat(ITEM_LIMIT));
        assert!(elements(text_of(&large), "").is_err_and(|error| error.contains("8388608")));
    }
}
