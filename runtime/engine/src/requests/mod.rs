//! One file for each thing that can happen to the engine.

mod committed;
mod loaded;
mod recover;
mod start;
mod stop;
mod task_done;
