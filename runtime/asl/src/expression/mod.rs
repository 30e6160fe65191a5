//! Expressions: how a state reads its input and shapes its output.
//!
//! Everything here is a pure function of a value, a context object and variables. An expression is
//! parsed once, with the definition; evaluating it can fail only with a [`Fault`].

mod call_parser;
pub mod comparison;
pub mod context;
mod filter;
pub mod intrinsics;
pub mod json_path;
pub mod jsonata;
mod path_parser;
pub mod reference_path;
pub mod template;

pub use context::Bindings;
pub use intrinsics::Call;
pub use json_path::Path;
pub use jsonata::Jsonata;
pub use reference_path::ReferencePath;
pub use template::Template;

/// The language of a state's expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueryLanguage {
    /// JSONPath.
    #[default]
    JsonPath,
    /// JSONata.
    JsonAta,
}

/// An expression that can't be evaluated: the error's name and its cause, without the
/// "An error occurred while executing the state" in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error name.
    pub error: &'static str,
    /// What happened.
    pub cause: String,
    /// The field of a JSONata expression that failed; AWS shows such faults in the history.
    pub location: Option<String>,
}

impl Fault {
    /// AWS's name for an expression, a path or a field that can't be evaluated at run time.
    pub const RUNTIME: &'static str = "States.Runtime";

    /// A `States.Runtime` fault.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self {
            error: Self::RUNTIME,
            cause: cause.into(),
            location: None,
        }
    }
}

/// A path or an intrinsic function: what a field ending in `.$` may hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// `$.a`
    Path(Path),
    /// `States.Format('{}', $.a)`
    Call(Box<Call>),
}

impl Selector {
    /// Parses either.
    ///
    /// # Errors
    /// What is wrong, for the definition's author.
    pub fn parse(text: &str) -> Result<Self, String> {
        if intrinsics::looks_like_call(text) {
            return Call::parse(text).map(|call| Self::Call(Box::new(call)));
        }
        Path::parse(text).map(Self::Path).map_err(|error| error.to_string())
    }

    /// The value for a field named `field`.
    ///
    /// # Errors
    /// A [`Fault`] when a path leads nowhere or the function fails.
    pub fn evaluate(&self, field: &str, bindings: &Bindings<'_>) -> Result<serde_json::Value, Fault> {
        match self {
            Self::Path(path) => path
                .evaluate(bindings)
                .map_err(|_| template::not_found(path, field, bindings)),
            Self::Call(call) => call.evaluate(bindings),
        }
    }

    /// The paths it reads.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Path(path) => vec![path],
            Self::Call(call) => call.paths(),
        }
    }
}
