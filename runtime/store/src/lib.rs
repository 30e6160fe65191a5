//! What is kept: journals, executions, state machines, modules, objects.
//!
//! This room owns the bytes on disk. It implements [`engine::ports::CommitLog`], [`Reader`] and [`Catalogue`]
//! twice: [`Store`] on SQLite and a directory of content-addressed files, and [`memory::Store`] in RAM, for tests
//! and for whoever wants nothing kept. [`ObjectDirectory`] and [`memory::Objects`] are [`ObjectStore`]s of the same two
//! kinds. One suite (`tests/conformance.rs`) holds both to the same answers.
//!
//! It must not know what an event means: it reads an execution's first input to compare two starts by name, and
//! nothing else of a journal. It decides nothing, owns no clock, and writes only what a caller handed in.
//!
//! [`Reader`]: engine::ports::Reader
//! [`Catalogue`]: engine::ports::Catalogue
//! [`ObjectStore`]: engine::ports::ObjectStore

mod address;
#[cfg(feature = "sqlite")]
pub mod backup;
pub mod memory;
mod objects;
mod pending;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use address::digest_of;
#[cfg(feature = "sqlite")]
pub use objects::ObjectDirectory;
#[cfg(feature = "sqlite")]
pub use sqlite::{Error, Store, compact};
