//! One file for each thing that can happen to the engine.

mod callback;
mod committed;
mod loaded;
mod map_run;
mod recover;
pub(crate) mod redrive;
mod start;
mod stop;
mod task_done;
mod task_released;
mod wait_for;
