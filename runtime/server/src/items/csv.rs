//! Delimited texts, by the rules of Step Functions: quotes may stand around fields, a quote inside them is doubled, a
//! backslash escapes a backslash, a quote or the delimiter and otherwise vanishes.

use std::io::BufRead as _;

use asl::Payload;
use serde_json::{Map, Value};

use super::source::{Error, ITEM_LIMIT, Text};

/// Largest header, in bytes, as AWS has it.
const HEADER_LIMIT: usize = 10 << 10;

/// How a text is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Between fields.
    pub(super) delimiter: u8,
    /// Where the names of the columns are.
    pub(super) header: Header,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Header {
    FirstRow,
    Given(Vec<String>),
}

/// Rows as objects, in order. Values are strings; missing ones are empty, surplus ones are left out.
pub(super) struct Rows {
    records: Records,
    header: Vec<String>,
    over: bool,
}

impl Rows {
    pub(super) fn open(text: Text, layout: &Layout) -> Result<Self, Error> {
        let mut records = Records::new(text, layout.delimiter);
        let header = match &layout.header {
            Header::Given(header) => header.clone(),
            Header::FirstRow => records.advance()?.unwrap_or_default(),
        };
        if header.iter().map(String::len).sum::<usize>() > HEADER_LIMIT {
            return Err(Error::Malformed(format!(
                "the header has more than {HEADER_LIMIT} bytes"
            )));
        }
        Ok(Self {
            records,
            header,
            over: false,
        })
    }

    fn advance(&mut self) -> Result<Option<Payload>, Error> {
        let Some(record) = self.records.advance()? else {
            return Ok(None);
        };
        let mut row = Map::with_capacity(self.header.len());
        let mut fields = record.into_iter();
        for name in &self.header {
            row.insert(name.clone(), Value::String(fields.next().unwrap_or_default()));
        }
        Ok(Some(Payload::from_value(Value::Object(row))))
    }
}

impl Iterator for Rows {
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

/// Records as lists of fields. Empty lines are passed over.
pub(super) struct Records {
    text: Text,
    delimiter: u8,
    number: u64,
}

impl Records {
    pub(super) fn new(text: Text, delimiter: u8) -> Self {
        Self {
            text,
            delimiter,
            number: 0,
        }
    }

    pub(super) fn advance(&mut self) -> Result<Option<Vec<String>>, Error> {
        loop {
            self.number += 1;
            let mut record = Record::new(self.delimiter);
            let is_last = self.fill(&mut record)?;
            if !record.is_blank() {
                return record.fields(self.number).map(Some);
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    /// Reads up to the end of a record; true where the text ended with it.
    fn fill(&mut self, record: &mut Record) -> Result<bool, Error> {
        let mut size = 0;
        loop {
            let buffer = self.text.fill_buf()?;
            if buffer.is_empty() {
                return match record.place {
                    Place::Quoted => Err(Error::Malformed(format!(
                        "record {} ends within quotes: the file is cut off, or a quote is missing",
                        self.number
                    ))),
                    Place::Start | Place::Plain | Place::AfterQuote => Ok(true),
                };
            }
            let end = buffer.iter().position(|byte| record.take(*byte));
            let taken = end.map_or(buffer.len(), |end| end + 1);
            size += taken;
            self.text.consume(taken);
            if size > ITEM_LIMIT {
                return Err(Error::TooLarge);
            }
            if end.is_some() {
                return Ok(false);
            }
        }
    }
}

/// A record as far as it has been read.
struct Record {
    delimiter: u8,
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    place: Place,
    escaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a field, where quotes may begin.
    Start,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the end of the field, or the first of two.
    AfterQuote,
}

impl Record {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            fields: Vec::new(),
            field: Vec::new(),
            place: Place::Start,
            escaped: false,
        }
    }

    /// Takes a byte; true where it ends the record.
    fn take(&mut self, byte: u8) -> bool {
        if std::mem::take(&mut self.escaped) {
            self.field.push(byte);
            return false;
        }
        match (self.place, byte) {
            (_, b'\\') => {
                self.escaped = true;
                if self.place != Place::Quoted {
                    self.place = Place::Plain;
                }
            }
            (Place::Start, b'"') | (Place::AfterQuote, b'"') => {
                if self.place == Place::AfterQuote {
                    self.field.push(byte);
                }
                self.place = Place::Quoted;
            }
            (Place::Quoted, b'"') => self.place = Place::AfterQuote,
            (Place::Quoted, _) => self.field.push(byte),
            (_, b'\n') => {
                if self.field.last() == Some(&b'\r') {
                    self.field.pop();
                }
                return true;
            }
            (_, byte) if byte == self.delimiter => {
                self.fields.push(std::mem::take(&mut self.field));
                self.place = Place::Start;
            }
            // The end of a line may be two bytes long.
            (Place::Start | Place::AfterQuote, b'\r') => self.field.push(byte),
            (_, byte) => {
                self.field.push(byte);
                self.place = Place::Plain;
            }
        }
        false
    }

    fn is_blank(&self) -> bool {
        self.fields.is_empty() && self.field.is_empty() && self.place == Place::Start
    }

    fn fields(mut self, number: u64) -> Result<Vec<String>, Error> {
        self.fields.push(self.field);
        let text =
            |field| String::from_utf8(field).map_err(|_| Error::Malformed(format!("record {number} is not UTF-8")));
        self.fields.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::super::source::tests::text_of;
    use super::*;

    fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
        let all = |text: Text| {
            let mut records = Records::new(text, b',');
            std::iter::from_fn(|| records.advance().transpose())
                .take(1000)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| error.to_string())
        };
        let whole = all(text_of(text));
        // The same, however the bytes come.
        let trickled = Box::new(BufReader::with_capacity(1, Cursor::new(text.as_bytes().to_vec())));
        assert_eq!(all(trickled), whole, "{text}");
        whole
    }

    fn one(text: &str) -> Vec<String> {
        let mut all = records(text).expect("well formed");
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all.remove(0)
    }

    #[test]
    fn fields_are_quoted_and_escaped_as_documented() {
        assert_eq!(one("a,b\n"), ["a", "b"]);
        assert_eq!(one("a,b"), ["a", "b"]);
        assert_eq!(one("a,b\r\n"), ["a", "b"]);
        assert_eq!(one("\"a\",\"b\"\r\n"), ["a", "b"]);
        assert_eq!(one("a,\r\n"), ["a", ""]);
        assert_eq!(one(",\n"), ["", ""]);
        assert_eq!(one("\"\"\n"), [""]);
        assert_eq!(one("\"a,\n\"\"b\"\"\",c\n"), ["a,\n\"b\"", "c"]);
        assert_eq!(one(" a , b \n"), [" a ", " b "]);
        assert_eq!(
            one("C:\\\\Program Files\\\\MyApp.exe,6534512"),
            ["C:\\Program Files\\MyApp.exe", "6534512"]
        );
        assert_eq!(one("a\\,b,\\x,\\\"q"), ["a,b", "x", "\"q"]);
        assert_eq!(one("\"a\\\"b\",c"), ["a\"b", "c"]);
        assert_eq!(one("a\"b,c\"\n"), ["a\"b", "c\""]);
    }

    #[test]
    fn empty_lines_are_no_records() {
        assert_eq!(
            records("\n\r\na\n\n\nb\n\n"),
            Ok(vec![vec!["a".to_owned()], vec!["b".to_owned()]])
        );
        assert_eq!(records(""), Ok(Vec::new()));
    }

    #[test]
    fn broken_texts_end_in_an_error() {
        assert!(records("a\n\"b\n").expect_err("cut off").contains("record 2"));
        let layout = Layout {
            delimiter: b',',
            header: Header::FirstRow,
        };
        let wide = "x".repeat(HEADER_LIMIT + 1);
        assert!(Rows::open(text_of(&wide), &layout).is_err());
        let mut records = Records::new(Box::new(Cursor::new(vec![0xff])), b',');
        assert!(records.advance().is_err());
        let large = format!("\"{}\"", "a".repeat(ITEM_LIMIT));
        assert!(Records::new(text_of(&large), b',').advance().is_err());
    }

    #[test]
    fn rows_are_objects_of_strings() {
        let rows = |text: &str, header| -> Vec<String> {
            let layout = Layout {
                delimiter: b'|',
                header,
            };
            let rows = Rows::open(text_of(text), &layout).expect("a header");
            rows.map(|row| row.expect("a row").to_string()).collect()
        };
        assert_eq!(
            rows("a|b\n1|2\n3\n4|5|6\n", Header::FirstRow),
            [r#"{"a":"1","b":"2"}"#, r#"{"a":"3","b":""}"#, r#"{"a":"4","b":"5"}"#]
        );
        let given = Header::Given(vec!["x".to_owned()]);
        assert_eq!(rows("a\nb", given), [r#"{"x":"a"}"#, r#"{"x":"b"}"#]);
        assert_eq!(rows("", Header::FirstRow), [""; 0]);
    }
}
