//! `sandstep:task/host`: what every task may ask of its host.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, WasmStr};

use crate::attempt::Guest;
use crate::guest_output::Source;

/// The interface's name. Guests built for another 0.1 find it, too.
pub(crate) const HOST: &str = "sandstep:task/host@0.1.0";

/// Mirrors `level`.
#[expect(dead_code, reason = "guests make them")]
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// Mirrors `attempt`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct AttemptContext {
    #[component(name = "execution-id")]
    execution_id: Arc<str>,
    #[component(name = "state-machine-id")]
    state_machine_id: Arc<str>,
    #[component(name = "state-name")]
    state_name: Arc<str>,
    #[component(name = "retry-count")]
    retry_count: u32,
    #[component(name = "idempotency-key")]
    idempotency_key: String,
    deadline: Option<u64>,
}

/// Puts the interface into a linker.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST)?;
    host.func_wrap("heartbeat", |store: StoreContextMut<Guest>, (): ()| {
        store.data().attempt().clocks().beat();
        Ok(())
    })?;
    host.func_wrap(
        "log",
        |store: StoreContextMut<Guest>, (level, message): (Level, WasmStr)| {
            let message = message.to_str(&store)?;
            store.data().attempt().output().log(source(level), &message);
            Ok(())
        },
    )?;
    host.func_wrap("context", |store: StoreContextMut<Guest>, (): ()| {
        Ok((context(store.data()),))
    })?;
    Ok(())
}

fn source(level: Level) -> Source {
    match level {
        Level::Debug => Source::Debug,
        Level::Info => Source::Info,
        Level::Warn => Source::Warn,
        Level::Error => Source::Error,
    }
}

fn context(guest: &Guest) -> AttemptContext {
    let job = guest.attempt().job();
    AttemptContext {
        execution_id: Arc::clone(&job.execution),
        state_machine_id: Arc::clone(&job.machine),
        state_name: Arc::clone(&job.state),
        retry_count: job.retry_count,
        idempotency_key: job.task.to_string(),
        deadline: job.deadline.and_then(|deadline| u64::try_from(deadline.0).ok()),
    }
}
