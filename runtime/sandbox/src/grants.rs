//! What a guest may reach of the world: WASI with nothing in it, and the names a component may import.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::attempt::Guest;
use crate::guest_output::Source;
use crate::guest_threads::OpenAttempt;
use crate::standard_streams::{Stream, Written};
use crate::{denials, granted};

/// Host objects (pollables, streams) a guest may hold at once. A guest leaking them in a loop traps
/// here, after some 100 KiB of the host's memory.
const RESOURCES: usize = 1024;

/// Bytes of random numbers in one call; they are made on the host.
const RANDOM_BYTES: u64 = 64 << 10;

/// Bytes of an input that a program finds in a variable, too: languages read variables at their start, whether the
/// program wants them or not.
const INPUT_VARIABLE_BYTES: usize = 32 << 10;

/// The variable.
const INPUT_VARIABLE: &str = "SANDSTEP_INPUT";

/// Bytes of the headers a guest may hold in one place, as they take up memory here; larger ones are taken by no server.
const FIELDS_BYTES: usize = 128 << 10;

/// What a program finds as its own name.
const PROGRAM: &str = "task";

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
    "wasi:http/outgoing-handler",
    "wasi:http/types",
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
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    denials::link(linker)
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
        "a task makes requests through `wasi:http/outgoing-handler` and takes them through `wasi:http/incoming-handler`, both of WASI 0.2: leave the rest out of the component"
    } else if name.starts_with("sandstep:task/") {
        "the component was built for another version of `sandstep:task`: build it against the package in `wit/`, version 0.1"
    } else if name.starts_with("wasi:sockets/") {
        "tasks have no sockets: leave them out of the component, grant it requests (`http = [\"GET https://HOST/*\"]` below `[grants]`) or call services from the workflow"
    } else if name.starts_with("wasi:") {
        "the sandbox serves the `wasi:cli` world of WASI 0.2: build for `wasm32-wasip2`, and without asynchronous (0.3) interfaces"
    } else {
        "a task may import `sandstep:task/host` and WASI 0.2 only: link what it needs into the component, or leave it out"
    }
}

/// The WASI state of one guest.
pub(crate) struct Wasi {
    context: WasiCtx,
    http: WasiHttpCtx,
    resources: ResourceTable,
}

impl Wasi {
    /// The files and variables that are granted, no network, no arguments; standard output and error go to the
    /// attempt's log. A program finds its input on standard input and answers on standard output.
    pub(crate) fn new(attempt: &Arc<OpenAttempt>, answer: Option<&Written>) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES);
        let mut context = WasiCtx::builder();
        context
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(RANDOM_BYTES)
            .stderr(Stream::Log(Arc::clone(attempt), Source::Stderr));
        match answer {
            None => context.stdout(Stream::Log(Arc::clone(attempt), Source::Stdout)),
            Some(answer) => {
                let input = attempt.job().input.text();
                if input.len() <= INPUT_VARIABLE_BYTES {
                    context.env(INPUT_VARIABLE, input);
                }
                context
                    .arg(PROGRAM)
                    .stdin(MemoryInputPipe::new(Bytes::copy_from_slice(input.as_bytes())))
                    .stdout(Stream::Kept(answer.clone()))
            }
        };
        granted::give(&mut context, attempt);
        let context = context.build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES);
        Self {
            context,
            http,
            resources,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context, resources, .. } = self.wasi();
        WasiCtxView {
            ctx: context,
            table: resources,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (Wasi { http, resources, .. }, hooks) = self.wasi_and_outbound();
        WasiHttpCtxView {
            hooks,
            table: resources,
            ctx: http,
        }
    }
}
