//! JSON Lines: a JSON value on each line.

use std::io::{BufRead as _, Read as _};

use asl::Payload;

use super::source::{Error, ITEM_LIMIT, Text};

/// The values, in order. Lines with nothing but white space are passed over.
pub(super) struct Lines {
    text: Text,
    number: u64,
    over: bool,
}

impl Lines {
    pub(super) fn new(text: Text) -> Self {
        Self {
            text,
            number: 0,
            over: false,
        }
    }

    fn advance(&mut self) -> Result<Option<Payload>, Error> {
        loop {
            let mut line = Vec::new();
            // The line's end and one byte too many.
            let limit = ITEM_LIMIT as u64 + 2;
            self.text.by_ref().take(limit).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let trimmed = line.trim_ascii();
            if trimmed.len() > ITEM_LIMIT || (line.len() as u64 == limit && !line.ends_with(b"\n")) {
                return Err(Error::TooLarge);
            }
            if trimmed.is_empty() {
                continue;
            }
            let value = serde_json::from_slice(trimmed)
                .map_err(|error| Error::Malformed(format!("line {} is not JSON: {error}", self.number)))?;
            return Ok(Some(Payload::from_value(value)));
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Payload, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.advance();
        self.over = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::text_of;
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        Lines::new(text_of(text))
            .map(|item| item.map(|item| item.to_string()).map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn each_line_is_a_value() {
        assert_eq!(
            read("{\"a\": 1}\r\n\n [2] \n\"x\""),
            Ok(vec!["{\"a\":1}".to_owned(), "[2]".to_owned(), "\"x\"".to_owned()])
        );
        assert_eq!(read(""), Ok(Vec::new()));
        let error = read("1\n\n{\n2").expect_err("not JSON");
        assert!(error.starts_with("line 3 is not JSON"), "{error}");
        assert!(read(&"1".repeat(ITEM_LIMIT + 10)).is_err());
    }
}
