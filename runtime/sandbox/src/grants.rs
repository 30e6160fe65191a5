//! What a guest may reach of the world: WASI with nothing in it, and the names a component may import.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, async_trait};

use crate::attempt::Guest;
use crate::guest_output::Source;
use crate::guest_threads::OpenAttempt;

/// Host objects (pollables, streams) a guest may hold at once. A guest leaking them in a loop traps
/// here, after some 100 KiB of the host's memory.
const RESOURCES: usize = 1024;

/// Bytes of random numbers in one call; they are made on the host.
const RANDOM_BYTES: u64 = 64 << 10;

/// Bytes a guest may write to a standard stream at once: WASI's own buffer size.
const WRITE_BYTES: usize = 64 << 10;

/// Interfaces of `wasi:cli`'s world, served in every 0.2. A guest that imports all of them still
/// reaches nothing: no files, no network, no environment.
const WASI_INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Links WASI 0.2.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// Whether a component may import the interface `name`.
pub(crate) fn is_granted(name: &str) -> bool {
    match name.split_once('@') {
        Some((interface, version)) if version.starts_with("0.2.") => WASI_INTERFACES.contains(&interface),
        Some(("sandstep:task/host" | "sandstep:task/types", version)) => version.starts_with("0.1."),
        _ => false,
    }
}

/// What somebody whose component imports `name` can do.
pub(crate) fn advice(name: &str) -> &'static str {
    if name.starts_with("wasi:http/") {
        "tasks have no network: leave HTTP out of the component (componentize-js wants `-d http -d fetch-event`) and call services from the workflow"
    } else if name.starts_with("sandstep:task/") {
        "the component was built for another version of `sandstep:task`: build it against the package in `wit/`, version 0.1"
    } else if name.starts_with("wasi:") {
        "the sandbox serves the `wasi:cli` world of WASI 0.2: build for `wasm32-wasip2`, and without asynchronous (0.3) interfaces"
    } else {
        "a task may import `sandstep:task/host` and WASI 0.2 only: link what it needs into the component, or leave it out"
    }
}

/// The WASI state of one guest.
pub(crate) struct Wasi {
    context: WasiCtx,
    resources: ResourceTable,
}

impl Wasi {
    /// No files, no network, no environment, no arguments; standard output and error go to the
    /// attempt's log.
    pub(crate) fn granting_nothing(attempt: &Arc<OpenAttempt>) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES);
        let context = WasiCtx::builder()
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(RANDOM_BYTES)
            .stdout(ToLog {
                attempt: Arc::clone(attempt),
                source: Source::Stdout,
            })
            .stderr(ToLog {
                attempt: Arc::clone(attempt),
                source: Source::Stderr,
            })
            .build();
        Self { context, resources }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context, resources } = self.wasi();
        WasiCtxView {
            ctx: context,
            table: resources,
        }
    }
}

/// A standard stream that ends in the attempt's log.
#[derive(Clone)]
struct ToLog {
    attempt: Arc<OpenAttempt>,
    source: Source,
}

impl ToLog {
    fn append(&self, bytes: &[u8]) {
        self.attempt.output().write(self.source, bytes);
    }
}

impl IsTerminal for ToLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ToLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for ToLog {
    async fn ready(&mut self) {}
}

impl OutputStream for ToLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl AsyncWrite for ToLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.append(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
