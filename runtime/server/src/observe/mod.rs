//! What others learn of an execution once it is on disk.
//!
//! One hook after the commit: the driver hands every batch that was written to a bounded queue and goes on, and a
//! thread of its own tells those who follow, counts, and hands on what is logged. Whatever that takes, the engine never waits for it; a batch
//! that finds the queue full is not observed, and that is counted.

mod chronicle;
mod followers;
mod hook;
mod logged;
mod observer;
mod ongoing;

pub(crate) use chronicle::{Archive, Chronicle};
pub(crate) use followers::{Followers, Following};
pub(crate) use hook::{Hook, queue};
pub(crate) use observer::Observer;
