//! An execution as a fold over its journal.

pub mod event;
