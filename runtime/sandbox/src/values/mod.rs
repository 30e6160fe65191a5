//! JSON to the component model's values and back.
//!
//! A function's types are read once, when its module is loaded ([`Signature`]); after that a JSON text becomes the
//! arguments of a call ([`arguments`]) and what the function returned a JSON text ([`answer`]). This room knows
//! wasmtime's values and no instances: whoever calls functions is in `entry/`.

mod arguments;
mod fields;
mod numbers;
mod path;
mod reader;
mod schema;
mod to_json;
mod wit_type;

pub(crate) use arguments::{Checked, Refused, arguments, check};
pub(crate) use path::At;
pub(crate) use reader::BASE64;
pub(crate) use to_json::{NotAnswered, answer, failure};
pub(crate) use wit_type::{Signature, Unsupported, WitType};
