//! What a definition's author is told.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition is taken.
    Warning,
}

/// The codes of AWS's ValidateStateMachineDefinition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The text isn't JSON.
    InvalidJsonDescription,
    /// A field is missing, misplaced or of the wrong type.
    SchemaValidationFailed,
    /// No state ends the machine.
    MissingEndState,
    /// A transition leads nowhere, or none leads to a state.
    MissingTransitionTarget,
    /// Two states of the machine have one name.
    DuplicateStateName,
    /// A state's name is too long.
    InvalidStateName,
    /// States nested deeper than is supported.
    TooDeeplyNested,
    /// A Label can't be one.
    InvalidLabelName,
    /// Two Map states have one Label.
    DuplicateLabelName,
    /// An error name is reserved, and no error of the language has it.
    UnknownErrorName,
    /// A JSONata expression can't be parsed.
    InvalidJsonataExpression,
    /// A JSONata expression refers to what isn't there.
    UnsupportedJsonataExpression,
    /// A value looks like a path or an intrinsic function, but its field's name doesn't end in `.$`.
    NoDollar,
    /// A value looks like a path, but its field's name doesn't end in `Path`.
    NoPath,
    /// A Pass state's Result looks like a path, and isn't evaluated.
    PassResultIsStatic,
}

impl Code {
    /// AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            Code::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
            Code::MissingEndState => "MISSING_END_STATE",
            Code::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Code::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Code::InvalidStateName => "INVALID_STATE_NAME",
            Code::TooDeeplyNested => "TOO_DEEPLY_NESTED",
            Code::InvalidLabelName => "INVALID_LABEL_NAME",
            Code::DuplicateLabelName => "DUPLICATE_LABEL_NAME",
            Code::UnknownErrorName => "UNKNOWN_ERROR_NAME",
            Code::InvalidJsonataExpression => "INVALID_JSONATA_EXPRESSION",
            Code::UnsupportedJsonataExpression => "UNSUPPORTED_JSONATA_EXPRESSION",
            Code::NoDollar => "NO_DOLLAR",
            Code::NoPath => "NO_PATH",
            Code::PassResultIsStatic => "PASS_RESULT_IS_STATIC",
        }
    }
}

/// A place in the definition's text, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One step into the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field.
    Field(String),
    /// An element.
    Index(usize),
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub code: Code,
    /// For people.
    pub message: String,
    /// Where, as AWS writes it: `/States/X/Choices[0]/Next`. Absent where it concerns the whole machine.
    pub location: Option<String>,
    /// Where in the text.
    pub position: Option<Position>,
    pub(super) path: Vec<Step>,
}

impl Diagnostic {
    pub(super) fn error(code: Code, message: impl Into<String>, path: &[Step]) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            location: Some(location(path)),
            position: None,
            path: path.to_vec(),
        }
    }

    pub(super) fn warning(code: Code, message: impl Into<String>, path: &[Step]) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, path)
        }
    }

    pub(super) fn without_location(mut self) -> Self {
        self.location = None;
        self
    }

    /// A text too long to be looked at.
    pub(super) fn too_long(most: usize) -> Self {
        Self {
            position: Some(Position { line: 1, column: 1 }),
            ..Self::error(
                Code::SchemaValidationFailed,
                format!("The definition is longer than {most} characters"),
                &[],
            )
        }
    }

    /// AWS's parser is Jackson; its words for the commonest mistake, a bare word, are given as it gives them.
    pub(super) fn not_json(text: &str, error: &serde_json::Error) -> Self {
        let (message, position) = json_error(text, error);
        let location = format!(
            "[Source: (String)\"{}\"; line: {}, column: {}]",
            abbreviated(text),
            position.line,
            position.column
        );
        Self {
            severity: Severity::Error,
            code: Code::InvalidJsonDescription,
            message: format!("{message}\n at {location}"),
            location: Some(location),
            position: Some(position),
            path: Vec::new(),
        }
    }
}

/// Jackson quotes at most this many characters of its source.
const SOURCE_CHARS: usize = 500;

fn abbreviated(text: &str) -> String {
    let count = text.chars().count();
    if count <= SOURCE_CHARS {
        return text.to_owned();
    }
    let head: String = text.chars().take(SOURCE_CHARS).collect();
    format!("{head}\"[truncated {} chars]", count - SOURCE_CHARS)
}

/// The message and place of a JSON syntax error in Jackson's words where they are known.
pub(crate) fn json_error(text: &str, error: &serde_json::Error) -> (String, Position) {
    if text.trim().is_empty() {
        return (
            "No content to map due to end-of-input".into(),
            Position {
                line: 1,
                column: text.chars().count().max(1),
            },
        );
    }
    let line = error.line().max(1);
    let row = text.lines().nth(line - 1).unwrap_or_default();
    let at = error.column().saturating_sub(1).min(row.len());
    let bytes = row.as_bytes();
    let is_word = |index: usize| {
        bytes
            .get(index)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || *byte >= 0x80)
    };
    let mut from = at;
    while from > 0 && is_word(from - 1) {
        from -= 1;
    }
    let mut to = from;
    while is_word(to) {
        to += 1;
    }
    let word = row.get(from..to).unwrap_or_default();
    if word.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$') && !error.is_eof() {
        let column = row.get(..to).unwrap_or(row).chars().count() + 1;
        return (
            format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            ),
            Position { line, column },
        );
    }
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line")
        .map_or(message.as_str(), |(message, _)| message)
        .to_owned();
    (
        message,
        Position {
            line,
            column: row.get(..at).unwrap_or(row).chars().count() + 1,
        },
    )
}

pub(super) fn location(path: &[Step]) -> String {
    if path.is_empty() {
        return "/".into();
    }
    path.iter().fold(String::new(), |text, step| match step {
        Step::Field(name) => format!("{text}/{name}"),
        Step::Index(index) => format!("{text}[{index}]"),
    })
}

/// `CODE: message at /location`, as AWS lists them in an InvalidDefinition error.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        match &self.location {
            Some(location) if self.code != Code::InvalidJsonDescription => {
                write!(f, " at {location}")
            }
            _ => Ok(()),
        }
    }
}
