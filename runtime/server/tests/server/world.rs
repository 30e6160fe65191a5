//! A server with nothing real below it.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use asl::{Attempt, Failure, LogLine, Payload};
use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{
    CallProblem, CallSketch, CommitLog, Job, Manifest, ModuleDescription, ModuleError, Outcome, Prepared, Report,
    StoreError, TaskLimits, TaskRunner, UnderWay,
};
use serde_json::{Value, json};
use server::{Config, Handle, Ports, Server};

/// How long an answer that must come is waited for, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);
pub const ROLE: &str = "arn:aws:iam::000000000000:role/r";
pub const PREFIX: &str = "arn:aws:states:us-east-1:000000000000:";

/// Runs "modules" whose bytes are `echo`, `fail`, `hang`, `talk`, or anything else that is refused.
#[derive(Default)]
pub struct FakeRunner {
    hanging: Mutex<HashMap<TaskId, Done>>,
    programs: Mutex<HashMap<Digest, Vec<u8>>>,
    /// Jobs in the order they came.
    pub jobs: Mutex<Vec<Job>>,
    /// Cancelled attempts.
    pub cancelled: Mutex<Vec<TaskId>>,
    /// How long ago every guest that runs said that it is alive.
    pub last_beat: Mutex<Option<Duration>>,
    /// Where this is set, `ensure` waits until the other end is dropped.
    pub compiling: Mutex<Option<Receiver<()>>>,
    /// The same of `compiled`.
    pub compiling_for_another: Mutex<Option<Receiver<()>>>,
}

type Done = Box<dyn FnOnce(Report) + Send>;

impl TaskRunner for FakeRunner {
    fn prepare_with(&self, upload: &[u8], manifest: Manifest) -> Result<Prepared, ModuleError> {
        if !matches!(upload, b"echo" | b"fail" | b"hang" | b"talk") {
            return Err(ModuleError {
                code: "NotWasm".into(),
                message: format!("{} bytes that are not WebAssembly", upload.len()),
                hint: "build it first".into(),
            });
        }
        let digest = store::digest_of(upload);
        self.programs.lock().unwrap().insert(digest.clone(), upload.to_vec());
        let description = ModuleDescription {
            entry: "sandstep:task".into(),
            exports: vec!["sandstep:task/handler@0.1.0".into()],
            imports: if manifest.grants.dirs.is_empty() {
                Vec::new()
            } else {
                vec!["wasi:filesystem/types@0.2.6".into()]
            },
            limits: manifest.limits.over(TaskLimits::default()),
            uploaded_as: "component".into(),
            manifest,
            ..ModuleDescription::default()
        };
        Ok(Prepared {
            component: upload.to_vec(),
            digest,
            description,
        })
    }

    fn ensure(&self, digest: &Digest, component: &dyn Fn() -> Result<Vec<u8>, StoreError>) -> Result<(), ModuleError> {
        if let Some(compiling) = self.compiling.lock().unwrap().take() {
            let _ = compiling.recv();
        }
        self.programs
            .lock()
            .unwrap()
            .insert(digest.clone(), component().unwrap());
        Ok(())
    }

    fn compiled(
        &self,
        digest: &Digest,
        component: &dyn Fn() -> Result<Vec<u8>, StoreError>,
        target: &str,
    ) -> Result<Vec<u8>, ModuleError> {
        let compiling = self.compiling_for_another.lock().unwrap().take();
        if let Some(compiling) = compiling {
            let _ = compiling.recv();
        }
        match target {
            "fake" => Ok([b"compiled ", &component().unwrap()[..]].concat()),
            _ => Err(ModuleError {
                code: "UnknownTarget".into(),
                message: format!("nothing compiles `{digest}` for `{target}`"),
                hint: "it does for `fake`".into(),
            }),
        }
    }

    fn at_hand(&self, digest: &Digest) -> bool {
        self.programs.lock().unwrap().contains_key(digest)
    }

    fn run(&self, job: Job, done: Done) {
        let program = self
            .programs
            .lock()
            .unwrap()
            .get(&job.module)
            .cloned()
            .expect("compiled before it runs");
        let seen = job.clone();
        let mut attempt = Attempt {
            module: Some(job.module.0.clone()),
            fuel: Some(42),
            micros: Some(7),
            ..Attempt::default()
        };
        let outcome = match &program[..] {
            b"echo" => Outcome::Succeeded(job.input),
            b"talk" => {
                let said = [("warn", "about to fail"), ("stdout", "fails")];
                attempt.log = said.map(|(level, message)| line(level, message)).to_vec();
                Outcome::Failed(Failure::new("Refused", "on purpose"))
            }
            b"fail" => Outcome::Failed(Failure::new("Refused", "on purpose")),
            _ => {
                // Whoever sees the job can release it.
                self.hanging.lock().unwrap().insert(job.task, done);
                self.jobs.lock().unwrap().push(seen);
                return;
            }
        };
        self.jobs.lock().unwrap().push(seen);
        done(Report { outcome, attempt });
    }

    fn cancel(&self, task: TaskId) {
        self.hanging.lock().unwrap().remove(&task);
        self.cancelled.lock().unwrap().push(task);
    }

    fn slots(&self) -> usize {
        16
    }

    fn under_way(&self, execution: ExecutionId) -> Vec<UnderWay> {
        let hanging = self.hanging.lock().unwrap();
        let tasks = hanging.keys().filter(|task| task.execution == execution);
        let under_way = tasks.map(|task| UnderWay {
            task: *task,
            state: "T".into(),
            retry_count: 0,
            began: Duration::from_secs(2),
            last_beat: *self.last_beat.lock().unwrap(),
            heartbeat_seconds: None,
            peak_memory: 1 << 20,
        });
        under_way.collect()
    }

    fn check_call(&self, _: &Digest, call: CallSketch<'_>) -> Result<(), CallProblem> {
        match (call.function, call.input) {
            (Some("shout"), _) => Err(CallProblem::NoSuchFunction("no `shout`".into())),
            (Some("add"), Some(input)) if input["a"] != call.unknown && !input["a"].is_number() => {
                Err(CallProblem::WrongInput("`$.a`: wanted `u32`".into()))
            }
            _ => Ok(()),
        }
    }
}

impl FakeRunner {
    /// Forgets all compiled code.
    pub fn lose_code(&self) {
        self.programs.lock().unwrap().clear();
    }

    /// Lets every hanging task return `output`.
    pub fn release(&self, output: &Value) -> usize {
        let hanging: Vec<_> = self.hanging.lock().unwrap().drain().collect();
        let count = hanging.len();
        for (_, done) in hanging {
            let outcome = Outcome::Succeeded(Payload::from_value(output.clone()));
            done(Report {
                outcome,
                attempt: Attempt::default(),
            });
        }
        count
    }
}

fn line(level: &str, message: &str) -> LogLine {
    LogLine {
        level: level.into(),
        message: message.into(),
    }
}

/// A running server.
pub struct World {
    pub server: Server,
    pub handle: Handle,
    pub runner: Arc<FakeRunner>,
    pub store: store::memory::Store,
}

impl World {
    pub async fn new() -> Self {
        Self::on(store::memory::Store::new().unwrap(), Arc::default()).await
    }

    /// A server on what an earlier one left.
    pub async fn on(store: store::memory::Store, runner: Arc<FakeRunner>) -> Self {
        Self::open(Config::default(), store, runner).await.unwrap()
    }

    /// A server as its operator wants it.
    pub async fn configured(config: Config) -> Self {
        Self::try_configured(config).await.unwrap()
    }

    /// The same, where it may not start.
    pub async fn try_configured(config: Config) -> Result<Self, server::Error> {
        Self::open(config, store::memory::Store::new().unwrap(), Arc::default()).await
    }

    /// All of it.
    pub async fn open(
        config: Config,
        store: store::memory::Store,
        runner: Arc<FakeRunner>,
    ) -> Result<Self, server::Error> {
        let log = Arc::new(store.clone());
        Self::logging(config, store, log, runner).await
    }

    /// The same with a log that may fail.
    pub async fn logging(
        config: Config,
        store: store::memory::Store,
        log: Arc<dyn CommitLog>,
        runner: Arc<FakeRunner>,
    ) -> Result<Self, server::Error> {
        let ports = Ports {
            log,
            reader: Arc::new(store.clone()),
            catalogue: Arc::new(store.clone()),
            runner: Arc::clone(&runner) as Arc<dyn TaskRunner>,
            objects: Arc::new(store::memory::Objects::default()),
            upkeep: Some(Arc::new(store.clone())),
        };
        let server = Server::open(config, ports).await?;
        let handle = server.handle();
        Ok(Self {
            server,
            handle,
            runner,
            store,
        })
    }

    /// An operation that succeeds.
    pub async fn ok(&self, operation: &str, parameters: Value) -> Value {
        match self.handle.call(operation, parameters.to_string().as_bytes()).await {
            Ok(body) => serde_json::from_slice(&body).unwrap(),
            Err(error) => panic!("{operation} {parameters}: {error:?}"),
        }
    }

    /// An operation that is refused: error and message.
    pub async fn refused(&self, operation: &str, parameters: Value) -> (String, String) {
        match self.handle.call(operation, parameters.to_string().as_bytes()).await {
            Ok(body) => panic!("{operation} {parameters}: {}", String::from_utf8_lossy(&body)),
            Err(error) => (error.kind.to_owned(), error.message),
        }
    }

    /// Creates a machine and answers its ARN.
    pub async fn machine(&self, name: &str, definition: &Value) -> String {
        let created = self
            .ok(
                "CreateStateMachine",
                json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE}),
            )
            .await;
        created["stateMachineArn"].as_str().unwrap().to_owned()
    }

    /// Starts an execution and answers its ARN.
    pub async fn start(&self, machine: &str, input: &str) -> String {
        let started = self
            .ok("StartExecution", json!({"stateMachineArn": machine, "input": input}))
            .await;
        started["executionArn"].as_str().unwrap().to_owned()
    }

    /// Starts an execution by name and waits for its end.
    pub async fn run(&self, machine: &str, name: &str, input: &str) -> server::Closed {
        let input = Payload::from_text(input).unwrap();
        let started = self.handle.start(machine, name.into(), input, true).await.unwrap();
        started.closed().await.unwrap()
    }

    /// Asks again until the answer is as wanted: the engine works beside the caller.
    pub async fn until(&self, operation: &str, parameters: Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let answer = self.ok(operation, parameters.clone()).await;
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{operation} {parameters} never answered as wanted");
    }

    /// Waits until as many jobs have come to the runner.
    pub async fn jobs(&self, count: usize) {
        for _ in 0..1_000_000 {
            if self.runner.jobs.lock().unwrap().len() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{count} jobs never came");
    }

    /// Waits until as many attempts were cancelled: the driver answers a stop before it cancels.
    pub async fn cancelled(&self, count: usize) {
        for _ in 0..1_000_000 {
            if self.runner.cancelled.lock().unwrap().len() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{count} attempts were never cancelled");
    }

    /// One page of history as `id<previous Type`.
    pub async fn chain(&self, execution: &str) -> Vec<String> {
        let history = self
            .ok(
                "GetExecutionHistory",
                json!({"executionArn": execution, "maxResults": 1000}),
            )
            .await;
        let event = |event: &Value| {
            format!(
                "{}<{} {}",
                event["id"],
                event["previousEventId"],
                event["type"].as_str().unwrap()
            )
        };
        history["events"].as_array().unwrap().iter().map(event).collect()
    }
}

/// A machine of one Pass state.
pub fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

/// A machine of one Task state.
pub fn task(resource: &str) -> Value {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": true}}})
}

/// A machine that waits for longer than any test.
pub fn wait() -> Value {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}})
}
