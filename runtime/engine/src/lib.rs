//! Many executions at once: batches, the durability line, wake-ups, slots.
//!
//! This room decides what may leave and when. It is pure: commits, clocks and tasks are inputs and
//! outputs, and the traits in [`ports`] say what a shell around it must bring.

pub mod batch;
pub mod ids;
pub mod ports;
