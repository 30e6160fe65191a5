//! Data sets of distributed Map states: items read from objects, results written to them.
//!
//! Both ends stream: neither a data set nor the results of a Map Run are ever in memory as a whole. Calls block, on the
//! disk or on whoever keeps the objects.

mod csv;
mod json;
mod lines;
mod list;
mod manifest;
mod read;
mod s3;
mod source;
mod write;

pub use read::{Item, Items, ReadRequest, in_text, open};
pub use write::{ChildResult, WriteRequest, check_destination, write_results};
