//! What the tests of this folder share: a sandbox in a directory of its own, and guests to run in it.

#![allow(dead_code, reason = "every test binary uses its own part")]

pub mod http;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use asl::{Payload, Timestamp};
use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{Job, ModuleError, Outcome, Report, TaskLimits, TaskRunner};
use sandbox::{Options, Sandbox};
use tempfile::TempDir;

/// How late a limit may be noticed.
pub const GRACE: Duration = Duration::from_millis(100);

/// Longer than any test waits for something that happens.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A memory of a MiB, an allocator that only goes up, and `$answer`, which answers a text.
pub const PRELUDE: &str = r#"
  (memory (export "memory") 16)
  (global $heap (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
    (local.get $at))
  (func $answer (param i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.store (i32.const 4) (local.get 0))
    (i32.store (i32.const 8) (local.get 1))
    (i32.const 0))
"#;

/// The folder of guests.
pub fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests")
}

/// A guest's bytes.
pub fn guest(name: &str) -> Vec<u8> {
    wat::parse_file(guests().join(name).with_extension("wat")).expect("guests are valid WAT")
}

/// A sandbox and its directory.
pub struct World {
    pub sandbox: Sandbox,
    pub directory: TempDir,
}

impl World {
    /// Eight slots on two threads.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("temporary directory");
        let sandbox = open(directory.path());
        Self { sandbox, directory }
    }

    /// Uploads a guest.
    pub fn module(&self, name: &str) -> Digest {
        self.sandbox
            .prepare(&guest(name))
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
            .digest
    }

    /// Uploads a component written as text.
    pub fn component(&self, wat: &str) -> Digest {
        let component = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}: {wat}"));
        let prepared = self.sandbox.prepare(&component);
        prepared.unwrap_or_else(|error| panic!("{error:?}: {wat}")).digest
    }

    /// Calls a function, or the default.
    pub fn call(&self, module: &Digest, function: Option<&str>, input: &str) -> Outcome {
        let mut job = job(module);
        job.function = function.map(str::to_owned);
        job.input = Payload::from_text(input).unwrap_or_else(|error| panic!("{input}: {error}"));
        self.run(job).outcome
    }

    /// Calls a function that fails; answers its error and cause.
    pub fn refused(&self, module: &Digest, function: Option<&str>, input: &str) -> (String, String) {
        match self.call(module, function, input) {
            Outcome::Failed(failure) => (failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()),
            other => panic!("a failure expected of {input}, got {other:?}"),
        }
    }

    /// Why an upload is refused.
    pub fn refusal(&self, upload: &[u8]) -> ModuleError {
        let prepared = self.sandbox.prepare(upload).map(|prepared| prepared.description);
        prepared.expect_err("the upload must be refused")
    }

    /// Starts a job.
    pub fn start(&self, job: Job) -> Receiver<Report> {
        let (done, report) = mpsc::channel();
        self.sandbox.run(job, Box::new(move |report| drop(done.send(report))));
        report
    }

    /// Runs a job to its end.
    pub fn run(&self, job: Job) -> Report {
        self.start(job).recv_timeout(PATIENCE).expect("a report")
    }

    /// Runs a job, expects the named error and that the next task runs; answers the cause.
    pub fn fails(&self, job: Job, error: &str) -> String {
        let report = self.run(job);
        let Outcome::Failed(failure) = report.outcome else {
            panic!("{error} expected, got {:?}", report.outcome)
        };
        assert_eq!(failure.error.as_deref(), Some(error), "cause: {:?}", failure.cause);
        self.still_runs();
        failure.cause.expect("errors of the sandbox have causes")
    }

    /// The next task runs at once.
    pub fn still_runs(&self) {
        let echo = self.module("echo");
        within_grace(|| {
            let started = Instant::now();
            let report = self.run(job(&echo));
            assert_eq!(report.outcome, Outcome::Succeeded(input()));
            started.elapsed()
        });
    }
}

/// Expects `measure` to answer less than [`GRACE`] in one of three tries: a bug is late every time, a
/// machine busy with other tests only now and then.
pub fn within_grace(mut measure: impl FnMut() -> Duration) {
    let late: Vec<_> = (0..3)
        .map_while(|_| Some(measure()).filter(|late| *late >= GRACE))
        .collect();
    assert!(late.len() < 3, "late by {late:?}");
}

pub fn open(directory: &Path) -> Sandbox {
    let mut options = Options::new(directory);
    options.slots = 8;
    options.threads = 2;
    Sandbox::open(options).expect("a sandbox")
}

/// What every job gets.
pub fn input() -> Payload {
    Payload::from_text("{\"order\": 7}").expect("JSON")
}

/// A component with a function `echo` that answers the list it is given, of whatever type; `types` are definitions of
/// types in the component model's text form, `element` is one of them.
pub fn echo_of(types: &str, element: &str) -> String {
    format!(
        r#"(component
          {ECHO_CORE}
          {types}
          (type $list (list {element}))
          (func (export "echo") (param "items" $list) (result $list)
            (canon lift (core func $i "echo") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))"#
    )
}

/// A core module that allocates and echoes lists, and its instance `$i`.
const ECHO_CORE: &str = r#"
  (core module $m
    (memory (export "mem") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1)))))
      (memory.copy (local.get $at) (local.get 0)
        (select (local.get 1) (local.get $size) (i32.lt_u (local.get 1) (local.get $size))))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0))
      (i32.store (i32.const 12) (local.get 1))
      (i32.const 8)))
  (core instance $i (instantiate $m))"#;

/// A job with default limits and no clocks; each its own task.
pub fn job(module: &Digest) -> Job {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Job {
        task: TaskId {
            execution: ExecutionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            scheduled_at: 3,
        },
        module: module.clone(),
        function: None,
        granted: None,
        limits: TaskLimits::default(),
        input: input(),
        execution: "arn:execution".into(),
        machine: "arn:machine".into(),
        state: "Charge".into(),
        retry_count: 0,
        deadline: None,
        heartbeat_seconds: None,
    }
}

/// The system's time plus `delay`.
pub fn in_time(delay: Duration) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from((now + delay).as_millis()).expect("a sensible clock"))
}
