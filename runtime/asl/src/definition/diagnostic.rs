//! What a definition's author is told.

use std::fmt;

use crate::json_syntax::complaint;

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

    /// A text that is none of JSON, in the words of AWS's parser.
    pub(super) fn not_json(text: &str, error: &serde_json::Error) -> Self {
        let complaint = complaint(text);
        let message = match &complaint {
            Some(complaint) => format!("{}\n at {}", complaint.message, complaint.location),
            None => error.to_string(),
        };
        Self {
            severity: Severity::Error,
            code: Code::InvalidJsonDescription,
            message,
            location: complaint.map(|complaint| complaint.location),
            position: Some(position(text, error)),
            path: Vec::new(),
        }
    }
}

/// Where a parser gave up; it counts columns in bytes.
fn position(text: &str, error: &serde_json::Error) -> Position {
    let line = error.line().max(1);
    let row = text.lines().nth(line - 1).unwrap_or_default();
    let before = error.column().saturating_sub(1).min(row.len());
    let column = row.char_indices().filter(|(at, _)| *at < before).count() + 1;
    Position { line, column }
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
