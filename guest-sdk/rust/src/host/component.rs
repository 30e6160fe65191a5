//! The host of a component, through the bindings that `wit/task.wit` asks for.

use std::panic;
use std::sync::Once;

use crate::context::Context;
use crate::error::TaskError;
use crate::log::Level;

pub use bindings::export_task;
pub use bindings::exports::sandstep::task::handler::Guest;
pub use bindings::sandstep::task::types::TaskError as WireError;

/// What the binding generator writes: the canonical ABI's calls and the section that carries the world.
#[allow(
    missing_docs,
    unsafe_code,
    reason = "generated; crossing the component boundary is unsafe by nature"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "task",
        pub_export_macro: true,
        export_macro_name: "export_task",
        default_bindings_module: "sandstep::__private::bindings",
    });
}

use bindings::sandstep::task::host;

impl From<TaskError> for WireError {
    fn from(failure: TaskError) -> Self {
        let (error, cause) = failure.into_parts();
        Self { error, cause }
    }
}

pub(crate) fn heartbeat() {
    host::heartbeat();
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, message);
}

pub(crate) fn context() -> Context {
    let attempt = host::context();
    Context {
        execution_id: attempt.execution_id,
        state_machine_id: attempt.state_machine_id,
        state_name: attempt.state_name,
        retry_count: attempt.retry_count,
        idempotency_key: attempt.idempotency_key,
        deadline: attempt.deadline,
    }
}

/// Sends a panic's message to the host before the instance traps. The host takes the last line of this
/// form as the cause of the error `Panic`; without it a trap has no words.
pub fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("a value that isn't text");
            let line = match panic.location() {
                Some(place) => format!("panic: {message} at {}:{}", place.file(), place.line()),
                None => format!("panic: {message}"),
            };
            host::log(host::Level::Error, &line);
        }));
    });
}
