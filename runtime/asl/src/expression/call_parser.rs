//! Reads the text of an intrinsic function's call.

use serde_json::Value;

use super::intrinsics::{Argument, Call, FUNCTIONS};
use super::json_path::Path;

/// Calls within calls; AWS allows ten.
const MAX_NESTING: usize = 10;

/// A cursor over a call's text.
pub(super) struct Parser<'t> {
    pub text: &'t str,
    pub at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth > MAX_NESTING {
            return Err(format!("calls are nested more than {MAX_NESTING} deep"));
        }
        let start = self.at;
        let length = self
            .rest()
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(self.rest().len());
        let name = &self.text[start..start + length];
        let (_, function, least, most) = FUNCTIONS
            .into_iter()
            .find(|(known, ..)| *known == name)
            .ok_or_else(|| format!("`{name}` is not an intrinsic function"))?;
        self.at += length;
        self.spaces();
        self.expect('(')?;
        let mut arguments = Vec::new();
        self.spaces();
        if !self.rest().starts_with(')') {
            loop {
                self.spaces();
                arguments.push(self.argument(depth)?);
                self.spaces();
                if !self.rest().starts_with(',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(')')?;
        if arguments.len() < least || arguments.len() > most {
            return Err(format!("`{name}` does not take {} arguments", arguments.len()));
        }
        Ok(Call {
            text: self.text[start..self.at].to_owned(),
            function,
            arguments,
        })
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if !self.rest().starts_with(wanted) {
            return Err(format!("`{wanted}` is missing at position {}", self.at));
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        match self.rest().chars().next() {
            Some('\'') => self.quoted(),
            Some('$') => {
                let end = self.path_end();
                let text = self.text[self.at..end].trim_end();
                let path = Path::parse(text).map_err(|error| error.to_string())?;
                self.at = end;
                Ok(Argument::Path(path))
            }
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let end = self
                    .rest()
                    .find([',', ')'])
                    .map_or(self.text.len(), |end| self.at + end);
                let text = self.text[self.at..end].trim();
                let value: Value = serde_json::from_str(text).map_err(|_| format!("`{text}` is not an argument"))?;
                if value.is_object() || value.is_array() || value.is_string() {
                    return Err(format!("`{text}` is not an argument: write texts in single quotes"));
                }
                self.at = end;
                Ok(Argument::Literal(value))
            }
        }
    }

    /// Where a path argument ends: at a comma or parenthesis outside its own brackets and quotes.
    fn path_end(&self) -> usize {
        let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
        for (offset, c) in self.rest().char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            match (quote, c) {
                (_, '\\') => escaped = true,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[' | '(') => depth += 1,
                (None, ']') => depth = depth.saturating_sub(1),
                (None, ')') if depth > 0 => depth -= 1,
                (None, ',' | ')') if depth == 0 => return self.at + offset,
                (None, _) => {}
            }
        }
        self.text.len()
    }

    /// A text in single quotes. `\'`, `\{`, `\}` and `\\` stand for the characters; no other backslash may be there, but
    /// it is only missed when the call is made.
    fn quoted(&mut self) -> Result<Argument, String> {
        self.at += 1;
        let mut out = String::new();
        let mut escaped_at = Vec::new();
        let mut open = false;
        let mut characters = self.text[self.at..].char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '\'' => {
                    self.at += offset + 1;
                    return Ok(match open {
                        true => Argument::OpenEscape,
                        false => Argument::Text(out, escaped_at),
                    });
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\'' | '{' | '}' | '\\'))) => {
                        escaped_at.push(out.len());
                        out.push(escaped);
                    }
                    Some(_) => open = true,
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("a quote is not closed".into())
    }
}
