//! From what happened to a guest to the error a workflow can match.

use asl::{Failure, Payload};
use engine::ports::Outcome;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::entry::Answer;
use crate::guest_output::{GuestOutput, cut};
use crate::limits::MemoryExceeded;
use crate::standard_streams::WroteTooMuch;

/// The fuel of the attempt is burnt.
pub(crate) const FUEL_EXHAUSTED: &str = "Sandbox.FuelExhausted";
/// All memories and tables together grew past the limit.
pub(crate) const MEMORY_EXCEEDED: &str = "Sandbox.MemoryExceeded";
/// The module's own limit of time ran out.
pub(crate) const TIME_EXCEEDED: &str = "Sandbox.TimeExceeded";
/// Calls nested too deep.
pub(crate) const STACK_EXHAUSTED: &str = "Sandbox.StackExhausted";
/// Any other trap.
pub(crate) const TRAPPED: &str = "Sandbox.Trapped";
/// The guest answered more than the host takes.
pub(crate) const OUTPUT_TOO_LARGE: &str = "Sandbox.OutputTooLarge";
/// The guest's answer isn't JSON, or isn't a text at all.
pub(crate) const INVALID_OUTPUT: &str = "Sandbox.InvalidOutput";
/// The guest called exit.
pub(crate) const EXITED: &str = "Sandbox.Exited";
/// The input doesn't fit the types of the function it is for.
pub(crate) const INVALID_INPUT: &str = "Sandbox.InvalidInput";
/// The handler of a request gave no response.
pub(crate) const NO_RESPONSE: &str = "Sandbox.NoResponse";
/// The module has no such function, or none that can be called with JSON.
pub(crate) const FUNCTION_NOT_FOUND: &str = "Sandbox.FunctionNotFound";
/// No instance could be made.
pub(crate) const INSTANTIATION_FAILED: &str = "Sandbox.InstantiationFailed";
/// No compiled code of the component is at hand.
pub(crate) const MODULE_NOT_LOADED: &str = "Sandbox.ModuleNotLoaded";
/// A panic that a guest SDK reported before it trapped.
pub(crate) const PANIC: &str = "Panic";

/// Bytes of a cause made here. It goes into the journal.
const CAUSE_BYTES: usize = 8 << 10;

/// Bytes of an error name a guest gives itself, the length AWS allows.
const GUEST_ERROR_BYTES: usize = 256;

/// Bytes of a cause a guest gives, the length AWS allows.
const GUEST_CAUSE_BYTES: usize = 32 << 10;

/// Bytes of a wrong output quoted back.
const QUOTE_BYTES: usize = 200;

/// What to do about calls that nest too deep.
const TOO_DEEP: &str =
    "calls nested too deep; raise `stack` below `[limits]` in module.toml, up to `8MiB`, or let the task recurse less";

/// How wasmtime begins its refusal to copy more than the hostcall fuel; the error has no public type.
const TOO_MUCH_COPIED: &str = "too much data is being copied between the host and the guest";

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The instance was being made; its start function runs here.
    Instantiate,
    /// The guest was called.
    Call,
}

/// Bytes that a guest may hand over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copied {
    /// As its result.
    pub(crate) result: usize,
    /// In one call of the host.
    pub(crate) in_one_call: usize,
}

/// What an answer means.
pub(crate) fn of_answer(answer: Answer) -> Outcome {
    match answer {
        Answer::Failure { error, cause } => Outcome::Failed(Failure::new(
            cut(&error, GUEST_ERROR_BYTES),
            cut(&cause, GUEST_CAUSE_BYTES),
        )),
        Answer::Refused { error, cause } => Outcome::Failed(Failure::new(error, cut(&cause, CAUSE_BYTES))),
        Answer::Output(text) => {
            let head = cut(&text, QUOTE_BYTES);
            match Payload::from_text(text) {
                Ok(output) => Outcome::Succeeded(output),
                Err(error) => Outcome::Failed(Failure::new(
                    INVALID_OUTPUT,
                    format!("the task must answer JSON text: {error}; it answered `{head}`"),
                )),
            }
        }
    }
}

/// What an error of wasmtime means.
pub(crate) fn of_error(error: &wasmtime::Error, phase: Phase, copied: Copied, output: &mut GuestOutput) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return Failure::new(MEMORY_EXCEEDED, exceeded.to_string());
    }
    if let Some(WroteTooMuch(bytes)) = error.downcast_ref::<WroteTooMuch>() {
        return Failure::new(OUTPUT_TOO_LARGE, too_large(*bytes));
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        // WASI 0.2 tells success from failure only.
        let how = if *status == 0 { "a successful" } else { "a failing" };
        let cause = format!("the task exited with {how} status instead of returning an answer");
        return Failure::new(EXITED, with_tail(cause, output));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failure::new(
            FUEL_EXHAUSTED,
            "the task burnt all its fuel; give the module more or let the task do less at a time",
        ),
        Some(Trap::StackOverflow) => Failure::new(STACK_EXHAUSTED, with_backtrace(TOO_DEEP, error)),
        Some(trap) => trapped(&trap.to_string(), error, output),
        None if error.downcast_ref::<WasmBacktrace>().is_some() => {
            trapped(&trap_reason(error, copied.in_one_call), error, output)
        }
        None if phase == Phase::Instantiate => {
            Failure::new(INSTANTIATION_FAILED, cut(&format!("{error:#}"), CAUSE_BYTES))
        }
        None => {
            let reason = reason(error);
            if reason.starts_with(TOO_MUCH_COPIED) {
                return Failure::new(OUTPUT_TOO_LARGE, too_large(copied.result));
            }
            Failure::new(
                INVALID_OUTPUT,
                cut(&format!("the task's answer can't be read: {reason}"), CAUSE_BYTES),
            )
        }
    }
}

/// The failure of an attempt whose module's limit of time ran out.
pub(crate) fn out_of_time(millis: u64) -> Failure {
    let cause = format!(
        "the task took longer than `{millis}` ms, which is its module's limit; raise `time` below `[limits]` in \
         module.toml or let the task do less at a time"
    );
    Failure::new(TIME_EXCEEDED, cause)
}

/// The cause of an answer that is too large.
pub(crate) fn too_large(bytes: usize) -> String {
    format!("the task answered more than `{bytes}` bytes; store large data elsewhere and answer a reference to it")
}

fn trapped(what: &str, error: &wasmtime::Error, output: &mut GuestOutput) -> Failure {
    match output.panic() {
        Some(message) => Failure::new(PANIC, message),
        None => Failure::new(TRAPPED, with_tail(with_backtrace(what, error), output)),
    }
}

fn with_backtrace(what: &str, error: &wasmtime::Error) -> String {
    let mut text = what.to_owned();
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map(WasmBacktrace::frames)
        .unwrap_or_default();
    for frame in frames {
        match frame.func_name() {
            Some(name) => text.push_str(&format!("\n  at {name}")),
            None => text.push_str(&format!("\n  at function {}", frame.func_index())),
        }
    }
    cut(&text, CAUSE_BYTES)
}

fn with_tail(text: String, output: &mut GuestOutput) -> String {
    match output.stderr_tail() {
        Some(tail) => cut(&format!("{text}\nstandard error:\n{tail}"), CAUSE_BYTES),
        None => text,
    }
}

/// The innermost error, without wasmtime's rendering of the backtrace around it.
fn reason(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}

/// The same of a trap in a call of the host.
fn trap_reason(error: &wasmtime::Error, bytes: usize) -> String {
    let reason = reason(error);
    if reason.starts_with(TOO_MUCH_COPIED) {
        return format!("the task handed the host more than `{bytes}` bytes at once; hand over less at a time");
    }
    reason
}
