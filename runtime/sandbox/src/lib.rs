//! Runs tasks: WebAssembly components, each attempt in an instance of its own.
//!
//! This room owns everything that touches wasmtime: what an upload must be, its compiled code on
//! disk, the limits an attempt runs under, the threads guests run on and the clocks that stop them.
//! It implements [`engine::ports::TaskRunner`] and must know nothing of journals, HTTP or SQLite.

mod artefact;
mod attempt;
mod clocks;
mod componentize;
mod denials;
mod entry;
mod epoch;
mod exit_code;
mod granted;
mod grants;
mod guest_memory;
mod guest_output;
mod guest_threads;
mod host_calls;
mod limits;
mod module_cache;
mod module_sizes;
mod outbound;
mod outcome;
mod prepare;
mod runner;
mod stacks;
mod standard_streams;
mod sweep;
mod values;
mod wasm_config;
mod wit;

pub use limits::{DEFAULT_CEILING, GUEST_MEMORY, MAX_MEMORIES, MAX_TABLES, OUTPUT_BYTES};
pub use module_cache::COMPILED_BYTES;
pub use prepare::UPLOAD_BYTES;
pub use runner::{Options, Sandbox};
pub use wasm_config::Allocation;

/// Why the sandbox couldn't be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not even the plainest engine came up.
    #[error("couldn't set up the WebAssembly engine on this machine: {0}")]
    Engine(String),
    /// The host's functions couldn't be linked.
    #[error("couldn't link the host's functions for guests: {0}")]
    Link(String),
    /// The directory for compiled code is of no use.
    #[error("couldn't use `{path}` for compiled modules: {source}; give a directory this user may write to")]
    Cache {
        /// Which directory.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread couldn't be started.
    #[error("couldn't start the threads guests run on: {0}; lower the number of guest threads")]
    Threads(std::io::Error),
}
