//! The runtime as requests see it, over HTTP or in process.

mod modules;

use std::sync::{Arc, Weak};

use asl::{Failure, Limits, Mode, Payload, Status, Timestamp};
use engine::ids::{ExecutionId, TaskId};
use engine::input::{MapRunBounds, StartExecution, Word};
use engine::output::Reply;
use engine::ports::{CatalogueError, ExecutionQuery, MachineType, Reader, SharedObjects};
use engine::token::TokenKey;
use tokio::sync::{Mutex, MutexGuard, Semaphore, oneshot};

use crate::activities::Activities;
use crate::aws::arn::Namespace;
use crate::aws::errors::{Answer, ApiError};
use crate::aws::history::Pages;
use crate::aws::operations::{self, execution::find};
use crate::aws::target::{Target, Throw};
use crate::bodies::Bodies;
use crate::driver::Mailbox;
use crate::express::Recent;
use crate::http_task::HttpTasks;
use crate::lone_task::LoneTasks;
use crate::machines::{Machine, Machines};
use crate::metrics::Metrics;
use crate::modules::Modules;
use crate::observe::{Followers, Following};
use crate::services;
use crate::traces::{self, Lineage, TraceParent};
use crate::upkeep::Keeper;

/// Requests that read or write the store at once. Each holds a thread while it does; more would only
/// queue inside the store.
const BLOCKING_AT_ONCE: usize = 32;
/// Uploads held in memory and compiled at once: each may be hundreds of megabytes and a minute of a core.
const UPLOADS_AT_ONCE: usize = 2;
/// Compilations for other machines at once: each takes every core and up to a gigabyte.
const ARTEFACTS_AT_ONCE: usize = 1;

/// A running runtime. Cloning costs a reference count.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

/// A runtime that may have gone.
#[derive(Clone)]
pub(crate) struct WeakHandle(Weak<Inner>);

/// What requests share.
pub(crate) struct Inner {
    pub(crate) namespace: Namespace,
    pub(crate) limits: Limits,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) machines: Arc<Machines>,
    pub(crate) modules: Arc<Modules>,
    pub(crate) objects: SharedObjects,
    pub(crate) pages: Pages,
    pub(crate) mailbox: Mailbox,
    pub(crate) followers: Arc<Followers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) token_key: TokenKey,
    pub(crate) lone_tasks: LoneTasks,
    pub(crate) http_tasks: HttpTasks,
    pub(crate) bodies: Bodies,
    pub(crate) express: Arc<Recent>,
    pub(crate) keeper: Arc<Keeper>,
    /// Whether anybody takes spans.
    pub(crate) is_traced: bool,
    blocking: Semaphore,
    uploads: Semaphore,
    artefacts: Arc<Semaphore>,
    writing: Mutex<()>,
}

/// What a runtime is made of.
pub(crate) struct Parts {
    pub(crate) namespace: Namespace,
    pub(crate) limits: Limits,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) machines: Arc<Machines>,
    pub(crate) modules: Arc<Modules>,
    pub(crate) objects: SharedObjects,
    pub(crate) mailbox: Mailbox,
    pub(crate) followers: Arc<Followers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) token_key: TokenKey,
    pub(crate) lone_tasks: LoneTasks,
    pub(crate) http_tasks: HttpTasks,
    pub(crate) express: Arc<Recent>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) is_traced: bool,
}

/// An execution that was started, or an equal one that was already running under its name.
pub struct Started {
    /// Its id.
    pub execution: ExecutionId,
    /// Its ARN.
    pub arn: String,
    /// StartDate.
    pub at: Timestamp,
    closed: Option<oneshot::Receiver<Reply>>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Never [`Status::Running`].
    pub status: Status,
    /// Its output where it succeeded.
    pub output: Option<Payload>,
    /// Its failure where it didn't.
    pub failure: Option<Failure>,
    /// StopDate.
    pub at: Timestamp,
}

impl Handle {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            namespace: parts.namespace,
            limits: parts.limits,
            reader: parts.reader,
            machines: parts.machines,
            modules: parts.modules,
            objects: parts.objects,
            pages: Pages::default(),
            mailbox: parts.mailbox,
            followers: parts.followers,
            metrics: parts.metrics,
            activities: parts.activities,
            token_key: parts.token_key,
            lone_tasks: parts.lone_tasks,
            http_tasks: parts.http_tasks,
            bodies: Bodies::new(&parts.limits),
            express: parts.express,
            keeper: parts.keeper,
            is_traced: parts.is_traced,
            blocking: Semaphore::new(BLOCKING_AT_ONCE),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            artefacts: Arc::new(Semaphore::new(ARTEFACTS_AT_ONCE)),
            writing: Mutex::new(()),
        }))
    }

    /// Any operation of the AWS API, without HTTP around it: its name, its JSON parameters, its JSON answer.
    ///
    /// # Errors
    /// The error the wire would show.
    pub async fn call(&self, operation: &str, parameters: &[u8]) -> Answer<Vec<u8>> {
        operations::call(self, operation, parameters).await
    }

    /// Starts an execution of the machine with this name and answers once the start is durable. With
    /// `until_closed` its end can be waited for.
    ///
    /// # Errors
    /// `StateMachineDoesNotExist`, `ExecutionAlreadyExists`, or a fault of ours.
    pub async fn start(&self, machine: &str, name: String, input: Payload, until_closed: bool) -> Answer<Started> {
        let Some(machine) = self.0.machines.get(machine) else {
            return Err(self.missing(&self.0.namespace.machine(machine), machine).await);
        };
        self.start_target(Target::latest(machine), name, input, until_closed)
            .await
    }

    /// Starts an execution of a machine or a version of it, and answers once the start is durable.
    pub(crate) async fn start_target(
        &self,
        target: Target,
        name: String,
        input: Payload,
        until_closed: bool,
    ) -> Answer<Started> {
        let mode = match target.machine_type() {
            MachineType::Standard => Mode::Standard,
            MachineType::Express => Mode::Express {
                seconds: self.0.limits.express_seconds,
            },
        };
        self.start_in_mode(target, name, input, mode, until_closed).await
    }

    /// Starts an execution of an Express machine whose end its caller waits for.
    pub(crate) async fn start_synchronous(&self, target: Target, name: String, input: Payload) -> Answer<Started> {
        let mode = Mode::Synchronous {
            seconds: self.0.limits.express_seconds,
        };
        self.start_in_mode(target, name, input, mode, true).await
    }

    async fn start_in_mode(
        &self,
        target: Target,
        name: String,
        input: Payload,
        mode: Mode,
        until_closed: bool,
    ) -> Answer<Started> {
        let state_machine = match target.parsed() {
            Some(parsed) => Arc::clone(parsed),
            None => {
                let target = target.clone();
                self.blocking(move |inner| target.state_machine(&inner.machines))
                    .await??
            }
        };
        let namespace = &self.0.namespace;
        let machine = &target.machine;
        let machine_arn = namespace.machine(&machine.record.name);
        let (arn, stored_as) = if mode.is_standard() {
            (namespace.execution(&machine.record.name, &name), None)
        } else {
            let run = uuid::Uuid::new_v4();
            let arn = namespace.express(&machine.record.name, &name, run);
            (arn, Some(format!("{name}:{run}")))
        };
        let request = |reply, on_closed| StartExecution {
            machine: machine.record.id,
            definition: target.definition().clone(),
            state_machine,
            mode,
            stored_as,
            origin: target.origin(),
            name,
            input,
            id_text: arn.clone(),
            role: Some(target.role().to_owned()),
            machine_id_text: machine_arn,
            machine_name: machine.record.name.clone(),
            trace_parent: traces::current().map(|parent| parent.to_string()),
            starter: services::starter(),
            reply,
            on_closed,
        };
        let (started, closed) = self.0.mailbox.start(request, until_closed);
        match started.await {
            Ok(Reply::Started { execution, at }) => Ok(Started {
                execution,
                arn,
                at,
                closed,
            }),
            Ok(Reply::NameTaken { .. }) => Err(ApiError::execution_already_exists(arn)),
            other => Err(unexpected(other)),
        }
    }

    /// Stops an execution; `None` when the engine doesn't know it, because it closed or never was.
    pub(crate) async fn stop(&self, execution: ExecutionId, failure: Failure) -> Answer<Option<Timestamp>> {
        match self.0.mailbox.stop(execution, failure).await {
            Ok(Reply::Stopped { at } | Reply::AlreadyClosed { at }) => Ok(Some(at)),
            Ok(Reply::NotRunning) => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// What an execution is a part of that this attempt starts.
    pub(crate) async fn part_of(&self, task: TaskId) -> Answer<Option<TraceParent>> {
        if !self.0.is_traced {
            return Ok(None);
        }
        let read = self.blocking(move |inner| {
            let lineage = Lineage { reader: &*inner.reader };
            lineage.of_attempt(task)
        });
        Ok(read.await??)
    }

    /// Where this server keeps objects.
    pub fn objects(&self) -> &SharedObjects {
        &self.0.objects
    }

    /// Redrives an execution; `None` when it can't be.
    pub(crate) async fn redrive(&self, execution: ExecutionId, token: Option<String>) -> Answer<Option<Timestamp>> {
        match self.0.mailbox.redrive(execution, token).await {
            Ok(Reply::Redriven { at }) => Ok(Some(at)),
            Ok(Reply::NotRedrivable) => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Says something of an attempt; `false` when it isn't open any more.
    pub(crate) async fn callback(&self, task: TaskId, word: Word) -> Answer<bool> {
        match self.0.mailbox.callback(task, word).await {
            Ok(Reply::TaskHeard) => Ok(true),
            Ok(Reply::TaskNotOpen) => Ok(false),
            other => Err(unexpected(other)),
        }
    }

    /// Waits until the execution of this ARN has closed.
    pub(crate) async fn closed(&self, arn: &str) -> Answer<()> {
        let arn = arn.to_owned();
        let (_, execution) = self.blocking(move |inner| find(inner, &arn)).await??;
        match self.0.mailbox.end_of(execution.id).await {
            // One that isn't running has closed before.
            Ok(Reply::Closed { .. } | Reply::NotRunning) => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Hears of an execution's moves from now on; `None` where too many listen.
    pub(crate) fn follow(&self, execution: ExecutionId) -> Option<Following> {
        self.0.followers.follow(execution)
    }

    /// The same without keeping the runtime alive.
    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }

    /// Changes the bounds of a Map Run; false when it is over.
    pub(crate) async fn update_map_run(&self, run: TaskId, bounds: MapRunBounds) -> Answer<bool> {
        match self.0.mailbox.update_map_run(run, bounds).await {
            Ok(Reply::MapRunUpdated) => Ok(true),
            Ok(Reply::NotRunning) => Ok(false),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Does work that blocks on a thread where that harms nobody.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Answer<T> {
        let _permit = self.0.blocking.acquire().await;
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| ApiError::fault(format!("a request failed inside the server: {error}")))
    }

    /// Held while a machine is looked up and then changed, so that two such requests don't cross.
    pub(crate) async fn changing_machines(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().await
    }

    /// The machine of this ARN, which must name no version or alias, to be changed.
    pub(crate) async fn machine(&self, arn: &str) -> Answer<Arc<Machine>> {
        let parsed = self.0.namespace.parse_machine(arn)?;
        match (self.0.machines.get(parsed.name), parsed.qualifier) {
            (Some(machine), None) => Ok(machine),
            (Some(_), Some(_)) => Err(ApiError::state_machine_does_not_exist(arn)),
            (None, _) => Err(self.missing(arn, parsed.name).await),
        }
    }

    /// The machine or version of this ARN, to be started; `throw` chooses where it names an alias.
    pub(crate) async fn target(&self, arn: &str, throw: impl FnOnce() -> Throw) -> Answer<Target> {
        let parsed = self.0.namespace.parse_machine(arn)?;
        match Target::find(&self.0.machines, parsed, throw) {
            Some(target) => Ok(target),
            None => Err(self.missing(arn, parsed.name).await),
        }
    }

    /// The same, to be looked at: one that is being deleted is still there to see.
    pub(crate) async fn seen(&self, arn: &str) -> Answer<Seen> {
        let parsed = self.0.namespace.parse_machine(arn)?;
        if let Some(target) = Target::find(&self.0.machines, parsed, || Throw::Heaviest) {
            return Ok(Seen::Active(target));
        }
        let missing = || ApiError::state_machine_does_not_exist(arn);
        if parsed.qualifier.is_some() {
            return Err(missing());
        }
        let name = parsed.name.to_owned();
        let deleting = self.blocking(move |inner| inner.deleting(&name)).await??;
        deleting.map(Seen::Deleting).ok_or_else(missing)
    }

    /// Why there is no machine of this name, asked for by `arn`.
    pub(crate) async fn missing(&self, arn: &str, name: &str) -> ApiError {
        self.unless_deleting(arn, name, ApiError::state_machine_does_not_exist(arn))
            .await
    }

    /// `refusal`, unless the machine of this name is gone but for executions that run on.
    pub(crate) async fn unless_deleting(&self, arn: &str, name: &str, refusal: ApiError) -> ApiError {
        if self.0.machines.get(name).is_some() {
            return refusal;
        }
        let name = name.to_owned();
        match self.blocking(move |inner| inner.deleting(&name)).await {
            Ok(Ok(None)) => refusal,
            Ok(Ok(Some(_))) => ApiError::state_machine_deleting(arn),
            Ok(Err(error)) | Err(error) => error,
        }
    }
}

/// A machine as it can be looked at.
pub(crate) enum Seen {
    /// It can be started.
    Active(Target),
    /// It was deleted, and executions of it go on.
    Deleting(Target),
}

impl Seen {
    /// Whatever it is.
    pub(crate) fn target(&self) -> &Target {
        match self {
            Self::Active(target) | Self::Deleting(target) => target,
        }
    }
}

impl Inner {
    /// The machine of this name that was deleted while executions of it run on: it is gone when they are. Blocks while
    /// the store reads.
    pub(crate) fn deleting(&self, name: &str) -> Answer<Option<Target>> {
        let current = self.machines.get(name).map(|machine| machine.record.id);
        for record in self.machines.ever_named(name)? {
            let running = ExecutionQuery {
                machine: Some(record.id),
                through: None,
                status: Some(Status::Running),
                before: None,
                limit: 1,
            };
            if Some(record.id) != current && !self.reader.executions(&running)?.is_empty() {
                return Ok(Some(Target::latest(Machine::deleted(record))));
            }
        }
        Ok(None)
    }

    /// The name of an execution's state machine. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read.
    pub(crate) fn machine_name_of(&self, execution: ExecutionId) -> Result<Option<String>, CatalogueError> {
        let Some(record) = self.reader.execution(execution)? else {
            return Ok(None);
        };
        self.machines.name_of(record.machine)
    }
}

impl WeakHandle {
    /// The runtime, while it is there.
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        self.0.upgrade().map(Handle)
    }
}

impl Started {
    /// Waits for the execution's end.
    ///
    /// # Errors
    /// A fault when the server stops before, or when the end wasn't asked for at the start.
    pub async fn closed(self) -> Answer<Closed> {
        let Some(closed) = self.closed else {
            return Err(ApiError::fault("the execution was started without waiting for its end"));
        };
        match closed.await {
            Ok(Reply::Closed {
                status,
                output,
                failure,
                at,
                ..
            }) => Ok(Closed {
                status,
                output,
                failure,
                at,
            }),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(reply: Result<Reply, oneshot::error::RecvError>) -> ApiError {
    match reply {
        Ok(Reply::Fault(reason)) => ApiError::fault(reason),
        Ok(other) => ApiError::fault(format!("the engine answered out of turn: {other:?}")),
        Err(_) => ApiError::unavailable(),
    }
}
