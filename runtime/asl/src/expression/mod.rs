//! Expressions: how a state reads its input and shapes its output.
//!
//! Everything here is a pure function of a value, a context object and variables. An expression is
//! parsed once, with the definition; evaluating it can fail only with a [`Fault`].

pub mod comparison;
pub mod context;
mod filter;
pub mod json_path;
pub mod reference_path;
pub mod template;

pub use context::Bindings;
pub use json_path::Path;
pub use reference_path::ReferencePath;
pub use template::Template;

/// An expression that can't be evaluated: the error's name and its cause, without the
/// "An error occurred while executing the state" in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error name.
    pub error: &'static str,
    /// What happened.
    pub cause: String,
}

impl Fault {
    /// AWS's name for an expression, a path or a field that can't be evaluated at run time.
    pub const RUNTIME: &'static str = "States.Runtime";

    /// A `States.Runtime` fault.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self {
            error: Self::RUNTIME,
            cause: cause.into(),
        }
    }
}
