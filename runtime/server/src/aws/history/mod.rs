//! A journal as AWS's execution history.
//!
//! The journal has about 25 kinds of event, AWS's history 62. The history is a fold over the journal:
//! [`Timeline`] decides which AWS events there are, gives them dense ids and chains them through
//! `previousEventId`; [`render`] writes one of them as JSON. Only the page asked for is read and rendered: a
//! timeline takes a few bytes an event, whatever their payloads.

mod log_event;
mod pages;
mod render;
mod timeline;
mod whole;

pub use log_event::LogEvent;
pub use pages::{Events, Pages};
pub use render::{Origin, Rendered, render};
pub use timeline::{Entry, Shape, Timeline};
pub use whole::Part;
