//! A JSON text of the user's and what is wrong with it, pointed at: file, line, column, the line and a caret.

use asl::Limits;
use serde_json::{Value, json};

use crate::output::{Style, paint, printable};

/// A caret further right than this is shown without its line: the line was made by a program.
const LONGEST_LINE: usize = 160;

/// A text and where it came from.
#[derive(Debug)]
pub struct Source {
    /// A path, or words for what isn't a file.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Something wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the text can't be used as it is; a warning otherwise.
    pub is_error: bool,
    /// Stable name of the kind of mistake.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// JSON pointer to the field; empty where the text isn't JSON at all.
    pub location: String,
    /// Line and column, both from 1; absent where the pointer leads nowhere.
    pub place: Option<(usize, usize)>,
}

impl Source {
    /// A text and where it came from.
    pub fn new(name: String, text: String) -> Self {
        Self { name, text }
    }

    /// Where the text stops being JSON.
    pub fn syntax_error(&self) -> Option<Finding> {
        let error = serde_json::from_str::<serde::de::IgnoredAny>(&self.text).err()?;
        let message = error.to_string();
        // The place is said in front, once.
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        Some(Finding {
            is_error: true,
            code: "INVALID_JSON_DESCRIPTION".to_owned(),
            message: message.to_owned(),
            location: String::new(),
            place: Some((error.line().max(1), self.characters(error.line(), error.column()))),
        })
    }

    /// A parser's column counts bytes, a person's counts characters; both from 1.
    fn characters(&self, line: usize, bytes: usize) -> usize {
        let row = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let before = bytes.saturating_sub(1).min(row.len());
        row.char_indices().filter(|(at, _)| *at < before).count() + 1
    }

    /// Everything the language's own check has to say within limits, in the order of the text.
    pub fn check(&self, limits: &Limits) -> Vec<Finding> {
        if let Some(error) = self.syntax_error() {
            return vec![error];
        }
        let (_, diagnostics) = asl::definition::parse_within(&self.text, limits);
        let mut findings: Vec<Finding> = diagnostics
            .into_iter()
            .map(|diagnostic| Finding {
                is_error: diagnostic.severity == asl::definition::Severity::Error,
                code: diagnostic.code.as_str().to_owned(),
                message: diagnostic.message,
                location: diagnostic.location.unwrap_or_default(),
                place: diagnostic.position.map(|position| (position.line, position.column)),
            })
            .collect();
        findings.sort_by_key(|finding| finding.place);
        findings
    }
}

impl Finding {
    /// `file:line:column: error[CODE]: message`, the line and a caret.
    pub fn render(&self, source: &Source, colour: bool) -> String {
        let (word, style) = if self.is_error {
            ("error", Style::Bad)
        } else {
            ("warning", Style::Alert)
        };
        let place = self
            .place
            .map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let mut text = format!(
            "{}: {}: {}",
            paint(&format!("{}{place}", printable(&source.name)), Style::Bold, colour),
            paint(&format!("{word}[{}]", self.code), style, colour),
            printable(&self.message)
        );
        if self.place.is_none() && !self.location.is_empty() {
            text.push_str(&format!(" at {}", printable(&self.location)));
        }
        if let Some((line, column)) = self.place
            && let Some(shown) = source.text.lines().nth(line - 1)
            && column <= LONGEST_LINE
        {
            // A tab takes one column here too: the caret stays under its character.
            let shown: String = shown
                .chars()
                .take(LONGEST_LINE)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let number = line.to_string();
            let bar = paint("|", Style::Dim, colour);
            text.push_str(&format!("\n {} {bar} {shown}\n", paint(&number, Style::Dim, colour)));
            text.push_str(&format!(
                " {:width$} {bar} {:indent$}",
                "",
                "",
                width = number.len(),
                indent = column - 1
            ));
            text.push_str(&paint("^", style, colour));
        }
        text
    }

    /// The same for programs, in the shape of AWS's ValidateStateMachineDefinition and with the place.
    pub fn to_json(&self, source: &Source) -> Value {
        let mut value = json!({
            "severity": if self.is_error { "ERROR" } else { "WARNING" },
            "code": self.code,
            "message": self.message,
            "location": self.location,
            "file": source.name,
        });
        if let Some((line, column)) = self.place {
            value["line"] = json!(line);
            value["column"] = json!(column);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_points_at_the_mistake() {
        let source = Source::new("a.asl.json".to_owned(), "{\n\t\"StartAt\": oops\n}".to_owned());
        let error = source.syntax_error().expect("not JSON");
        assert_eq!(
            error.render(&source, false),
            "a.asl.json:2:13: error[INVALID_JSON_DESCRIPTION]: expected value\n 2 |  \"StartAt\": oops\n   |             ^"
        );
    }

    #[test]
    fn a_place_past_the_end_is_no_panic() {
        for text in ["", "\n\n", "{\"a\": \"\u{e9}", "[\"\t\"]"] {
            let source = Source::new("x".to_owned(), text.to_owned());
            let error = source.syntax_error().expect("not JSON");
            assert!(error.render(&source, false).starts_with("x:"), "{text:?}");
        }
    }
}
