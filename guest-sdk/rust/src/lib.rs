//! Write Sandstep tasks in Rust. A task is one typed function:
//!
//! ```
//! use sandstep::TaskError;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: String,
//!     amount: u64,
//! }
//!
//! #[derive(Serialize)]
//! struct Receipt {
//!     order: String,
//!     charged: u64,
//! }
//!
//! #[sandstep::task]
//! fn charge(order: Order) -> Result<Receipt, TaskError> {
//!     if order.amount > 100_000 {
//!         return Err(TaskError::new("CardDeclined", format!("{} is over the card's limit", order.amount)));
//!     }
//!     sandstep::log::info!("charging {}", order.amount);
//!     Ok(Receipt { order: order.id, charged: order.amount })
//! }
//! ```
//!
//! Built as a `cdylib` for `wasm32-unknown-unknown` or `wasm32-wasip2`, the crate is a component that
//! `PUT /v1/modules/{name}` takes. One crate holds one task.
//!
//! - The state's input is read into the argument's type; what doesn't fit fails the attempt with
//!   `InvalidInput`, saying where and why. A function without argument accepts any input.
//! - The error name that `Retry` and `Catch` match is the one given to [`TaskError::new`], or for any
//!   other error that `?` lets through its type's name: a `ParseIntError` is `ParseIntError`.
//! - A panic ends the attempt with the error `Panic`; its message and place are the cause.
//! - Natively the function stays an ordinary one, so `cargo test` tests it; [`heartbeat`], [`mod@log`]
//!   and [`context`] then answer from stand-ins, see [`testing`].
//!
//! This room owns what a task author sees and the JSON at the edge. The contract with the host is
//! `wit/task.wit`; deliberately absent are clocks, files and sockets: a task that needs none of them can
//! be run again after a crash without anybody noticing.

mod context;
mod error;
mod handle;
/// Lines in the attempt's log, which the execution's history keeps.
///
/// ```
/// sandstep::log::warn!("carrier {} answered late", "post");
/// ```
pub mod log;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

// An instance is single-threaded, which is what this allocator relies on. On WASI the C library brings
// one that uses the initial memory first, and memory handed over by the host comes from there.
#[cfg(all(
    feature = "allocator",
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
))]
mod allocator;

#[cfg(target_family = "wasm")]
#[path = "host/component.rs"]
mod host;
#[cfg(not(target_family = "wasm"))]
#[path = "host/native.rs"]
mod host;

pub use context::{Context, context, heartbeat};
pub use error::TaskError;
pub use sandstep_macros::task;

/// What the attribute macro's code refers to. Not for people; changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use serde::de::IgnoredAny as AnyInput;

    pub use crate::handle::handle;
    #[cfg(target_family = "wasm")]
    pub use crate::host::{Guest, WireError, bindings, export_task, report_panics};
    pub use crate::log::{Level, write};
}
