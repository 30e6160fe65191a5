//! The tokio shell around the engine, and the HTTP control plane.
//!
//! This room owns the driver loop, the wall clock, the wire formats and what requests share. It sees the
//! disk and the sandbox only as the trait objects of [`engine::ports`], and decides nothing about an
//! execution: that is the engine's.

pub mod access;
mod activities;
pub mod aws;
mod bodies;
mod clock;
mod connections;
mod driver;
mod execution_logs;
mod express;
mod handle;
mod http;
pub mod http_task;
pub mod items;
mod lone_task;
mod machines;
mod metrics;
pub mod modules;
mod objects;
mod observe;
mod pace;
mod plain;
mod services;
pub mod tls;
pub mod traces;
mod upkeep;

use std::collections::HashSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use asl::Limits;
use engine::Options;
use engine::ids::{ExecutionId, MachineId};
use engine::input::Input;
use engine::ports::{
    Catalogue, CatalogueError, CommitLog, ExecutionRecord, MachineType, Reader, SharedObjects, SharedRunner,
    StoreError, Upkeep,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use access::Entrance;
use activities::Activities;
use aws::arn::Namespace;
use driver::{Disk, Driver, Loaders, Mailbox, MapRuns, Message, Runner};
pub use execution_logs::LogDestination;
use execution_logs::Writer;
use express::Recent;
use handle::Parts;
pub use handle::{Closed, Handle, Started};
pub use http::Problem;
use http_task::{Connections, ConnectionsError, HttpTasks};
use lone_task::LoneTasks;
use machines::Machines;
use metrics::Metrics;
use modules::{Modules, PolicyInForce};
use observe::{Archive, Chronicle, Followers, Observer};
use services::Services;
use traces::Traces;
use upkeep::{Caretaker, Keeper};

/// What the operator chooses.
#[derive(Debug, Clone)]
pub struct Config {
    /// First part of every ARN.
    pub partition: String,
    /// Region in every ARN.
    pub region: String,
    /// Account in every ARN, twelve digits.
    pub account: String,
    /// What definitions and executions may use.
    pub limits: Limits,
    /// What HTTP tasks may call.
    pub connections: Connections,
    /// What modules may ask for.
    pub policy: PolicyInForce,
    /// How many of the latest executions of Express machines are remembered with their histories, in memory.
    pub express_history: usize,
    /// Where what state machines want logged of their executions goes; nowhere without it.
    pub execution_logs: Option<LogDestination>,
    /// How long executions are kept after they closed, their names with them; for ever where absent.
    pub retention: Option<Duration>,
    /// How executions are traced; not at all without it.
    pub traces: Option<Traces>,
}

/// Closed executions are kept for ninety days where the operator doesn't say, as on AWS.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Executions of Express machines that are remembered where the operator doesn't say: enough to look back on, and
/// seldom more than some megabytes.
pub const DEFAULT_EXPRESS_HISTORY: usize = 1000;

impl Default for Config {
    fn default() -> Self {
        Self {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
            limits: Limits::default(),
            connections: Connections::default(),
            policy: PolicyInForce::default(),
            express_history: DEFAULT_EXPRESS_HISTORY,
            execution_logs: None,
            retention: Some(DEFAULT_RETENTION),
            traces: None,
        }
    }
}

/// What the floors above bring.
#[derive(Clone)]
pub struct Ports {
    /// Writes the journal.
    pub log: Arc<dyn CommitLog>,
    /// Reads it.
    pub reader: Arc<dyn Reader>,
    /// Keeps machines and modules.
    pub catalogue: Arc<dyn Catalogue>,
    /// Runs tasks.
    pub runner: SharedRunner,
    /// Keeps objects: data sets of distributed Map states and their results.
    pub objects: SharedObjects,
    /// Deletes what is old; nothing ever is where absent.
    pub upkeep: Option<Arc<dyn Upkeep>>,
}

/// Why a server can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is stored can't be read.
    #[error("reading the stored executions: {0}")]
    Store(#[from] StoreError),
    /// Machines or modules can't be read.
    #[error("reading the stored state machines and modules: {0}")]
    Catalogue(#[from] CatalogueError),
    /// The certificates HTTP tasks should trust can't be used.
    #[error(transparent)]
    Connections(#[from] ConnectionsError),
    /// The system gives no thread.
    #[error("starting a thread: {0}; raise the limit of processes or memory")]
    Thread(#[from] std::io::Error),
    /// The directory of execution logs can't be used.
    #[error("making the directory for execution logs: {0}; choose another one")]
    Logs(std::io::Error),
    /// Reading what is stored panicked.
    #[error("reading the stored state failed: {0}")]
    Recovery(String),
    /// Others reach the address, and nobody would be asked for a key.
    #[error("`{0}` is reached by others, and the server has no credentials to ask them for")]
    Open(SocketAddr),
    /// The socket has no address.
    #[error("telling the address to listen on: {0}")]
    Address(std::io::Error),
    /// The driver ended without being asked.
    #[error("the engine's driver panicked; the log says where, executions go on at the next start")]
    DriverDied,
}

/// A runtime that has recovered what was stored and goes on with it.
pub struct Server {
    handle: Handle,
    driver: JoinHandle<()>,
    /// Ends after the driver.
    observer: JoinHandle<()>,
    /// Ends with the driver.
    driver_gone: oneshot::Receiver<()>,
    caretaker: Caretaker,
}

impl Server {
    /// Reads what is stored and starts the driver. Modules whose compiled code is missing are compiled in
    /// the background, each before its first task runs.
    ///
    /// # Errors
    /// [`Error`] when something stored can't be read.
    pub async fn open(config: Config, ports: Ports) -> Result<Self, Error> {
        let runtime = tokio::runtime::Handle::current();
        let open = move || Self::open_blocking(&config, ports, runtime);
        tokio::task::spawn_blocking(open)
            .await
            .map_err(|error| Error::Recovery(error.to_string()))?
    }

    fn open_blocking(config: &Config, ports: Ports, runtime: tokio::runtime::Handle) -> Result<Self, Error> {
        let began = Instant::now();
        let namespace = Namespace::new(&config.partition, &config.region, &config.account);
        let activities = Arc::new(Activities::open(Arc::clone(&ports.catalogue), namespace.clone())?);
        let token_key = ports.catalogue.token_key()?;
        let machines = Arc::new(Machines::open(Arc::clone(&ports.catalogue))?);
        let modules = Arc::new(Modules::open(
            Arc::clone(&ports.catalogue),
            Arc::clone(&ports.runner),
            config.policy.clone(),
        )?);
        let running = ports.reader.running()?;
        let last = ports.reader.last_execution()?;
        tracing::info!(
            machines = machines.list().len(),
            modules = modules.all().len(),
            running = running.len(),
            millis = began.elapsed().as_millis(),
            "stored state read"
        );

        let express = express_among(&running, &machines);
        let (mailbox, inbox) = Mailbox::new();
        mailbox.send(Message::Input(Input::Recover { running, last }));
        let loaders = Loaders::spawn(Arc::clone(&ports.reader), Arc::clone(&machines), &mailbox)?;
        let http_tasks = HttpTasks::new(config.connections.clone())?;
        let map_runs = MapRuns::spawn(
            Arc::clone(&ports.reader),
            Arc::clone(&ports.objects),
            namespace.clone(),
            &mailbox,
        )?;
        let followers = Arc::new(Followers::default());
        let paths = http::routes().into_iter().map(|(path, _)| path);
        let metrics = Arc::new(Metrics::new(paths));
        let logs = match &config.execution_logs {
            Some(destination) => {
                Some(Writer::spawn(destination, Arc::clone(&metrics.log_events)).map_err(Error::Logs)?)
            }
            None => None,
        };
        let archive = Archive {
            reader: Arc::clone(&ports.reader),
            machines: Arc::clone(&machines),
            namespace: namespace.clone(),
        };
        let traces = match &config.traces {
            Some(traces) => Some(traces::Writer::spawn(traces, Arc::clone(&metrics.spans))?),
            None => None,
        };
        let chronicle = Chronicle::new(archive, logs, traces);
        let (observer, hook) = Observer::new(Arc::clone(&followers), Arc::clone(&metrics), chronicle, express);
        let observer = observer.spawn()?;
        let disk = Disk {
            log: ports.log,
            loaders,
            map_runs,
            hook,
        };
        let lone_tasks = LoneTasks::new(Arc::clone(&ports.runner), Arc::clone(&modules));
        let services = Services::new(runtime, mailbox.clone());
        let runner = Runner::new(
            ports.runner,
            Arc::clone(&modules),
            mailbox.clone(),
            Arc::clone(&activities),
            services.clone(),
        );
        let (gone, driver_gone) = oneshot::channel();
        let express = Arc::new(Recent::new(config.express_history));
        let driver = Driver::new(
            disk,
            runner,
            mailbox.clone(),
            inbox,
            Arc::clone(&express),
            Options {
                limits: config.limits,
                token_key: token_key.clone(),
                ..Options::default()
            },
        )
        .spawn(gone)?;
        compile_in_background(&modules, &mailbox)?;
        let keeper = Arc::new(Keeper::new(
            ports.upkeep,
            config.retention,
            Arc::clone(&machines),
            Arc::clone(&modules),
        ));
        let caretaker = Caretaker::spawn(Arc::clone(&keeper))?;

        let handle = Handle::new(Parts {
            namespace,
            limits: config.limits,
            reader: ports.reader,
            machines,
            modules,
            objects: ports.objects,
            mailbox,
            followers,
            metrics,
            activities,
            token_key,
            lone_tasks,
            http_tasks,
            express,
            keeper,
            is_traced: config.traces.is_some(),
        });
        services.attach(&handle);
        Ok(Self {
            handle,
            driver,
            driver_gone,
            observer,
            caretaker,
        })
    }

    /// The runtime in process.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// [`Server::serve_behind`] an entrance without keys and certificates, on an address only this machine reaches.
    ///
    /// # Errors
    /// As [`Server::serve_behind`].
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        self.serve_behind(Entrance::default(), listener, shutdown).await
    }

    /// Answers on `listener` until `shutdown`; then takes no more connections, lets requests finish and what
    /// is being written reach the disk. Tasks under way are stopped and run again at the next start.
    ///
    /// # Errors
    /// [`Error::Open`] when others reach the address and no keys are asked for; [`Error::DriverDied`].
    pub async fn serve_behind(
        mut self,
        entrance: Entrance,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let address = listener.local_addr().map_err(Error::Address)?;
        if !entrance.suits(address) {
            return Err(Error::Open(address));
        }
        let gone = &mut self.driver_gone;
        let mut died = false;
        let followers = Arc::clone(&self.handle.inner().followers);
        let until = async {
            tokio::select! {
                () = shutdown => {}
                _ = gone => died = true,
            }
            // Whoever follows an execution would hold the farewell up to its end.
            followers.dismiss();
        };
        let tls = entrance.tls.clone();
        let router = http::router(self.handle.clone(), Arc::new(entrance));
        connections::serve(listener, router, tls, until).await;
        if died {
            return Err(Error::DriverDied);
        }
        self.close().await
    }

    /// Answers on a connection that somebody else accepted, to its end.
    pub async fn answer<S>(&self, entrance: Arc<Entrance>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (_go_on, stopping) = watch::channel(());
        connections::answer(stream, http::router(self.handle.clone(), entrance), stopping).await;
    }

    /// Lets what is being written reach the disk and ends the driver.
    ///
    /// # Errors
    /// [`Error::DriverDied`].
    pub async fn close(self) -> Result<(), Error> {
        self.handle.inner().mailbox.send(Message::Shutdown);
        let ended = move || {
            drop(self.caretaker);
            self.driver.join().map_err(|_| Error::DriverDied)?;
            // What was written to the end is observed to the end.
            if self.observer.join().is_err() {
                tracing::error!("the observer panicked: followers, logs, traces and metrics missed something");
            }
            Ok(())
        };
        let ended = tokio::task::spawn_blocking(ended).await;
        ended.unwrap_or(Err(Error::DriverDied))
    }
}

/// Opens a server and serves.
///
/// # Errors
/// [`Error`].
pub async fn serve(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    Server::open(config, ports).await?.serve(listener, shutdown).await
}

/// Those of them that are of Express machines.
fn express_among(running: &[ExecutionRecord], machines: &Machines) -> Vec<ExecutionId> {
    let express: HashSet<MachineId> = machines
        .list()
        .iter()
        .filter(|machine| machine.record.machine_type == MachineType::Express)
        .map(|machine| machine.record.id)
        .collect();
    let of_express = running.iter().filter(|record| express.contains(&record.machine));
    of_express.map(|record| record.id).collect()
}

fn compile_in_background(modules: &Arc<Modules>, mailbox: &Mailbox) -> std::io::Result<()> {
    let (modules, mailbox) = (Arc::clone(modules), mailbox.clone());
    let compile = move || modules.ensure_all(|digest| mailbox.send(Message::ModuleReady(digest)));
    std::thread::Builder::new()
        .name("modules".into())
        .spawn(compile)
        .map(drop)
}
