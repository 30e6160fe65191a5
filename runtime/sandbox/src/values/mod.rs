//! JSON to the component model's values and back.
//!
//! A function's types are read once, when its module is loaded ([`Signature`]); after that a JSON text becomes the
//! arguments of a call as they will be in the guest's memory ([`arguments`]), and what the function returned is read
//! there and becomes a JSON text ([`call`]). This room knows functions and no modules: whoever finds them is in `entry/`.

mod arguments;
mod call;
mod elements;
mod fields;
mod image;
mod layout;
mod numbers;
mod path;
mod reader;
mod schema;
mod to_json;
mod wit_type;

pub(crate) use arguments::{Checked, Refused, arguments, check};
pub(crate) use call::call;
pub(crate) use path::At;
pub(crate) use reader::BASE64;
pub(crate) use to_json::Answer;
pub(crate) use wit_type::{Signature, Unsupported};
