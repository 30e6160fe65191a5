//! The composition root: the only place that knows which disk, which sandbox and which server belong together.

use std::path::Path;
use std::sync::Arc;

use asl::Limits;
use sandbox::Sandbox;
use server::http_task::Connections;
use server::modules::PolicyInForce;
use server::traces::Traces;
use server::{Config, Ports, Server};
use store::{ObjectDirectory, Store};
use tokio::runtime::Runtime;

use crate::args::{self, Format};
use crate::config;
use crate::connections::connections;
use crate::entrance;
use crate::limits::limits;
use crate::logging;
use crate::machine_memory::machine_memory;
use crate::output::Output;
use crate::policy;
use crate::problem::{Ending, Problem, Result};
use crate::traces;

/// Threads that handle requests. Guests have threads of their own, so a few keep a socket busy; each costs
/// memory on a machine with many cores.
const REQUEST_THREADS: usize = 4;
/// Threads for reads and uploads, which block. The server admits fewer at once.
const BLOCKING_THREADS: usize = 48;
/// Directory of compiled code, beside what is stored: it may be deleted, and is made again.
pub const COMPILED: &str = "compiled";
/// Directory of objects: `s3://BUCKET/KEY` is the file `BUCKET/KEY` in it.
pub const OBJECTS: &str = "objects";
/// A task that answers a little too much is told so in the language's words, `States.DataLimitExceeded`.
const OUTPUT_SLACK: usize = 64 << 10;
/// What shells say of a process that a signal ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs the server until it is told to end.
pub fn serve(asked: &args::Serve, output: &Output) -> Result {
    logging::to_stderr(asked.log_format, "info");
    let limits = limits(&asked.limits)?;
    let connections = connections(asked.connections.as_deref())?;
    let policy = PolicyInForce::new(policy::policy(asked.policy.as_deref())?);
    let entrance = entrance::entrance(&asked.entrance)?;
    let traces = if asked.traces { traces::traces()? } else { None };
    let data = config::data_directory(asked.data.clone())?;
    let runtime = runtime()?;
    runtime.block_on(async {
        // First, so that a port in use leaves no directory behind.
        let listener = entrance::listen(&asked.listen).await?;
        let address = listener.local_addr().map_err(|error| {
            Problem::refused(
                format!("can't tell the port of `{}`: {error}", asked.listen),
                "choose another with --listen",
            )
        })?;
        entrance::check(&entrance, address)?;
        entrance::raise_file_limit();
        let signals = Signals::new()?;
        entrance::reload_on_hangup(&asked.entrance, &entrance)?;
        policy::reload_on_hangup(asked.policy.as_deref(), &policy)?;
        let ports = open_ports(&data, sandbox_for(&asked.guests, &data, &limits))?;
        let config = Config {
            policy,
            ..configuration(asked, limits, connections, traces)
        };
        let server = Server::open(config, ports).await.map_err(server_problem)?;
        let scheme = if entrance.tls.is_some() { "https" } else { "http" };
        announce(&format!("{scheme}://{address}"), &data, output);
        let served = server.serve_behind(entrance, listener, signals.first()).await;
        served.map_err(server_problem)?;
        Ok(Ending::Good)
    })
}

/// The runtime requests are handled on.
pub fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(REQUEST_THREADS))
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| {
            Problem::refused(
                format!("can't start the threads that handle requests: {error}"),
                "raise the limit of processes (`ulimit -u`) or free some memory",
            )
        })
}

fn configuration(asked: &args::Serve, limits: Limits, connections: Connections, traces: Option<Traces>) -> Config {
    Config {
        region: asked.region.clone(),
        account: asked.account.clone(),
        limits,
        connections,
        express_history: asked.express_history,
        execution_logs: asked.execution_logs.clone(),
        retention: asked.keeping.retention.0,
        traces,
        ..Config::default()
    }
}

fn open_ports(data: &Path, sandbox: sandbox::Options) -> Result<Ports> {
    let store = open_store(
        data,
        "each server needs a directory of its own: `--data DIR` or SANDSTEP_DATA names another",
    )?;
    let objects = ObjectDirectory::open(&data.join(OBJECTS)).map_err(|error| {
        Problem::refused(
            error.to_string(),
            "the data directory must belong to the user who starts the server",
        )
    })?;
    let sandbox = Sandbox::open(sandbox).map_err(sandbox_problem)?;
    let store = Arc::new(store);
    Ok(Ports {
        log: Arc::clone(&store) as Arc<_>,
        reader: Arc::clone(&store) as Arc<_>,
        upkeep: Some(Arc::clone(&store) as Arc<_>),
        catalogue: store,
        runner: Arc::new(sandbox),
        objects: Arc::new(objects),
    })
}

/// Opens a data directory for this process alone.
pub fn open_store(data: &Path, hint: &str) -> Result<Store> {
    Store::open(data).map_err(|error| Problem::refused(error.to_string(), hint))
}

/// A sandbox whose tasks may answer what the limits let them.
pub fn sandbox_options(compiled: &Path, limits: &Limits) -> sandbox::Options {
    let options = sandbox::Options::new(compiled);
    sandbox::Options {
        output_bytes: options
            .output_bytes
            .max(limits.payload_bytes.saturating_add(OUTPUT_SLACK)),
        ..options
    }
}

/// The sandbox of a server.
fn sandbox_for(guests: &args::Guests, data: &Path, limits: &Limits) -> sandbox::Options {
    let options = sandbox_options(&data.join(COMPILED), limits);
    sandbox::Options {
        slots: usize::try_from(guests.at_once).unwrap_or(usize::MAX),
        guest_memory: guests
            .memory
            .or_else(|| machine_memory().map(|bytes| bytes / 2))
            .unwrap_or(options.guest_memory),
        ..options
    }
}

/// Why no guest can run here.
pub fn sandbox_problem(error: sandbox::Error) -> Problem {
    Problem::refused(
        error.to_string(),
        "check the limits of this process (`ulimit -a`) and that its directories can be written",
    )
}

/// Why the server can't start or go on.
pub fn server_problem(error: server::Error) -> Problem {
    Problem::refused(
        error.to_string(),
        "the log above says more (RUST_LOG=debug: still more); nothing that was answered is lost",
    )
}

/// The one line on standard output, for people and for scripts that wait for it.
fn announce(endpoint: &str, data: &Path, output: &Output) {
    let data = data.display().to_string();
    let line = match output.format {
        Format::Json => serde_json::json!({ "endpoint": endpoint, "data": data }).to_string(),
        Format::Table => format!("listening on {endpoint}, data in {data}"),
    };
    // A server that nobody listens to on standard output serves all the same.
    let _ = output.line(&line);
}

/// The signals that end a server.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on they don't end the process any more.
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Problem::refused(
                    format!("can't listen to signals: {error}"),
                    "raise the limit of open files (`ulimit -n`)",
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signals that end a server.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

impl Signals {
    /// The first one ends the server in order; one more ends the process at once, which loses nothing either.
    async fn first(mut self) {
        self.next().await;
        tracing::info!("stopping: requests are finished, tasks run again at the next start");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}
