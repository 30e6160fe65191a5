//! What an exporter gets.

use asl::Timestamp;

/// Something that took its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: [u8; 16],
    /// Its own id.
    pub id: [u8; 8],
    /// What it is a part of.
    pub parent: Option<[u8; 8]>,
    /// Whether that is somebody else's.
    pub parent_is_remote: bool,
    /// What took its time.
    pub kind: SpanKind,
    /// The state machine, the state, or what the task asks for.
    pub name: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// What else is known of it. Never what comes in or goes out of an execution.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The name of the error it ended with.
    pub error: Option<String>,
}

/// What spans are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// An execution.
    Execution,
    /// A state that was entered.
    State,
    /// An attempt of a task.
    Attempt,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}
