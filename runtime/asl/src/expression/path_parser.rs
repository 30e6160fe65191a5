//! Reads the text of a path, filters included.

use super::filter;
use super::json_path::Segment;

/// A text that isn't a path: what is wrong and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position}")]
pub struct PathSyntaxError {
    /// What the parser wanted.
    pub message: String,
    /// Byte offset into the path.
    pub position: usize,
}

/// A cursor over a path's text; filters read on with the same one.
pub(super) struct Parser<'t> {
    pub text: &'t str,
    pub at: usize,
}

impl Parser<'_> {
    pub fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    pub fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    pub fn eat_text(&mut self, wanted: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(wanted));
        if found {
            self.at += wanted.len();
        }
        found
    }

    pub fn expect(&mut self, wanted: char, message: &str) -> Result<(), PathSyntaxError> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.error(message))
        }
    }

    pub fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
    }

    pub fn error(&self, message: &str) -> PathSyntaxError {
        PathSyntaxError {
            message: message.to_owned(),
            position: self.at,
        }
    }

    pub fn identifier(&mut self) -> String {
        let from = self.at;
        while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || *c == '_') {
            self.at += c.len_utf8();
        }
        self.text[from..self.at].to_owned()
    }

    /// The steps of a path; `within` a filter an operator ends them.
    pub fn segments(&mut self, within: bool) -> Result<Vec<Segment>, PathSyntaxError> {
        let mut segments = Vec::new();
        loop {
            if self.eat_text("..") {
                segments.push(Segment::Descendants);
                match self.peek() {
                    Some('[') => {}
                    Some('*') => {
                        self.at += 1;
                        segments.push(Segment::Wildcard);
                    }
                    _ => segments.push(Segment::Child(self.name(within)?)),
                }
            } else if self.eat('.') {
                if self.eat('*') {
                    segments.push(Segment::Wildcard);
                } else {
                    segments.push(Segment::Child(self.name(within)?));
                }
            } else if self.eat('[') {
                segments.push(self.bracket()?);
            } else {
                return Ok(segments);
            }
        }
    }

    /// A property name in dot notation. Jayway takes everything up to the next `.`, `[` or space; inside a
    /// filter an operator ends it, too. It knows no functions: `length()` is a name.
    fn name(&mut self, within: bool) -> Result<String, PathSyntaxError> {
        let from = self.at;
        while let Some(c) = self.peek() {
            let ends = matches!(
                c,
                '.' | '[' | ']' | ',' | '&' | '|' | '=' | '!' | '<' | '>' | '\'' | '"' | '*' | '?' | '~'
            ) || within && matches!(c, '(' | ')')
                || c.is_whitespace()
                || c.is_control();
            if ends {
                break;
            }
            self.at += c.len_utf8();
        }
        if self.at == from {
            return Err(self.error("a property name is missing"));
        }
        Ok(self.text[from..self.at].to_owned())
    }

    fn bracket(&mut self) -> Result<Segment, PathSyntaxError> {
        self.spaces();
        let segment = match self.peek() {
            Some('\'' | '"') => {
                let mut names = vec![self.quoted()?];
                self.spaces();
                while self.eat(',') {
                    self.spaces();
                    names.push(self.quoted()?);
                    self.spaces();
                }
                if names.len() == 1 {
                    Segment::Child(names.remove(0))
                } else {
                    Segment::Children(names)
                }
            }
            Some('*') => {
                self.at += 1;
                Segment::Wildcard
            }
            Some('?') => {
                self.at += 1;
                self.spaces();
                self.expect('(', "a filter is written `[?(...)]`")?;
                let filter = filter::parse(self)?;
                self.expect(')', "a filter ends with `)`")?;
                Segment::Filter(filter)
            }
            _ => self.numbers()?,
        };
        self.spaces();
        self.expect(']', "`]` is missing")?;
        Ok(segment)
    }

    fn numbers(&mut self) -> Result<Segment, PathSyntaxError> {
        let first = self.integer();
        self.spaces();
        if self.eat(':') {
            self.spaces();
            let to = self.integer();
            if first.is_none() && to.is_none() {
                return Err(self.error("a slice needs a bound"));
            }
            return Ok(Segment::Slice(first, to));
        }
        let Some(first) = first else {
            return Err(self.error("an index, a slice, a quoted name, `*` or a filter is missing"));
        };
        let mut indices = vec![first];
        while self.eat(',') {
            self.spaces();
            indices.push(self.integer().ok_or_else(|| self.error("an index is missing"))?);
            self.spaces();
        }
        Ok(if indices.len() == 1 {
            Segment::Index(first)
        } else {
            Segment::Indices(indices)
        })
    }

    pub fn integer(&mut self) -> Option<i64> {
        let rest = self.text.get(self.at..)?;
        let length = rest
            .char_indices()
            .take_while(|(position, c)| c.is_ascii_digit() || (*position == 0 && *c == '-'))
            .count();
        let number = rest[..length].parse().ok()?;
        self.at += length;
        Some(number)
    }

    pub fn quoted(&mut self) -> Result<String, PathSyntaxError> {
        let quote = match self.peek() {
            Some(c @ ('\'' | '"')) => c,
            _ => return Err(self.error("a quoted name is missing")),
        };
        self.at += 1;
        let mut name = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(name),
                // only the quote and the backslash itself can be escaped; AWS keeps any other backslash
                '\\' => match self.peek() {
                    Some(escaped) if escaped == quote || escaped == '\\' => {
                        self.at += escaped.len_utf8();
                        name.push(escaped);
                    }
                    _ => name.push('\\'),
                },
                c => name.push(c),
            }
        }
        Err(self.error("a quote is not closed"))
    }
}
