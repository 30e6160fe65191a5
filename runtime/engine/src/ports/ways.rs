//! The ways in: what of a component tasks can call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something in a component that tasks can call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WayIn {
    /// As written behind the `#` of a `Resource`: `distance`, `acme:shop/pricing.quote`.
    pub name: String,
    /// How it is called.
    pub kind: WayKind,
    /// Its type as WIT writes it.
    pub signature: String,
    /// JSON Schema of the input.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Why it can't be called, where it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How something in a component is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WayKind {
    /// The `sandstep:task` world: JSON text in, JSON text or a named error out.
    Task,
    /// A function of any type, its values mapped to and from JSON.
    Function,
    /// A program: the input on standard input, the output on standard output.
    Command,
    /// A handler of HTTP requests: the input says the request, the output is the response.
    Http,
}

/// A call as far as it is known before it is made.
#[derive(Debug, Clone, Copy)]
pub struct CallSketch<'a> {
    /// See [`Job::function`](super::Job::function).
    pub function: Option<&'a str>,
    /// The input, where something of it is known.
    pub input: Option<&'a Value>,
    /// The text that stands in the input where values come at run time.
    pub unknown: &'a str,
}

/// Why a call would fail, whatever its unknown parts become.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallProblem {
    /// There is nothing to call by this name.
    #[error("{0}")]
    NoSuchFunction(String),
    /// The input doesn't fit.
    #[error("{0}")]
    WrongInput(String),
}
