//! Tasks: what resources are there, and who runs components.

use std::sync::Arc;
use std::time::Duration;

use asl::{Attempt, Failure, Payload, TimeoutKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CallProblem, CallSketch, Granted, Manifest, Signature, StoreError, Sweep, Tally, WayIn};
use crate::ids::{Digest, ExecutionId, TaskId};

/// Which resources a Task state may be scheduled on. Asked whenever one is; answers at once, from memory.
pub trait Resources: std::fmt::Debug + Send + Sync {
    /// Why a task with this `Resource` can't be scheduled, where that is so: an activity that does not
    /// exist. AWS's words, for the cause of a `States.Runtime` failure.
    fn refusal(&self, resource: &str) -> Option<String>;

    /// What an attempt begins as. Asked when it gets its slot, and not again for an attempt whose beginning is recorded.
    fn beginning(&self, _resource: &str, _parameters: &Payload) -> Beginning {
        Beginning::REPEATABLE
    }
}

/// What is settled about an attempt before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// The version of the module it runs, whatever names mean later; absent where it runs none.
    pub version: Option<u32>,
    /// Whether it may be run a second time after a crash that comes while it runs. Where it may not, its beginning is
    /// recorded.
    pub may_repeat: bool,
}

impl Beginning {
    /// Of what runs no module, or none that is there.
    pub const REPEATABLE: Self = Self {
        version: None,
        may_repeat: true,
    };
}

/// A world in which every resource is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryResource;

impl Resources for EveryResource {
    fn refusal(&self, _resource: &str) -> Option<String> {
        None
    }
}

/// What a component is, found at upload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModuleDescription {
    /// What is called where a task names no function: `sandstep:task`, `wasi:cli/run` or a function's name. Empty
    /// where there is no such default.
    pub entry: String,
    /// All that can be called. Empty in descriptions made before there was more than one way.
    #[serde(default)]
    pub ways: Vec<WayIn>,
    /// The component's types and functions in WIT, without those of WASI.
    #[serde(default)]
    pub wit: Option<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// What every attempt may use.
    pub limits: TaskLimits,
    /// `component` as uploaded, or `core module` componentised here.
    pub uploaded_as: String,
    /// What its author asks for.
    #[serde(default, skip_serializing_if = "Manifest::is_empty")]
    pub manifest: Manifest,
    /// Who answers for it, where anybody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// What one attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLimits {
    /// Units of fuel.
    pub fuel: u64,
    /// All memories and tables summed, in bytes.
    pub memory: u64,
    /// Milliseconds from its start to its end, where that has a limit beside the state's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_millis: Option<u64>,
    /// Bytes of its answer, where that has a limit below everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Bytes of its stack, where that isn't the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<u64>,
}

impl Default for TaskLimits {
    /// 10 G units of fuel, 64 MiB: enough for every language's hello with room to work.
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory: 64 << 20,
            time_millis: None,
            output: None,
            stack: None,
        }
    }
}

/// Why an upload was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ModuleError {
    /// CamelCase, stable: `NotWasm`, `InvalidModule`, `UnknownImport`, `NoEntryPoint`, `TooLarge`.
    pub code: String,
    /// What is wrong, with the value in backticks.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// An upload that passed: the component as it will be stored, and what is in it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The component's bytes; the upload itself, or made from a core module.
    pub component: Vec<u8>,
    /// Its content address.
    pub digest: Digest,
    /// What is in it.
    pub description: ModuleDescription,
}

/// One attempt of a task, complete: nothing else is looked up to run it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which attempt.
    pub task: TaskId,
    /// The component to run.
    pub module: Digest,
    /// What to call in it, as written behind the `#` of a `Resource`; its default where absent.
    pub function: Option<String>,
    /// Its limits.
    pub limits: TaskLimits,
    /// What it may reach; nothing where absent.
    pub granted: Option<Arc<Granted>>,
    /// JSON text for the guest.
    pub input: Payload,
    /// `$$.Execution.Id`.
    pub execution: Arc<str>,
    /// `$$.StateMachine.Id`.
    pub machine: Arc<str>,
    /// The Task state's name.
    pub state: Arc<str>,
    /// 0 for the first attempt.
    pub retry_count: u32,
    /// The attempt is killed after this.
    pub deadline: Option<Timestamp>,
    /// The attempt is killed after this many seconds without a heartbeat.
    pub heartbeat_seconds: Option<u64>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this.
    Succeeded(Payload),
    /// It failed with this.
    Failed(Failure),
    /// A clock ran out.
    TimedOut(TimeoutKind),
}

/// An attempt's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// What it cost and said.
    pub attempt: Attempt,
}

/// Runs tasks. All calls but `prepare` and `ensure` return at once.
pub trait TaskRunner: Send + Sync {
    /// Checks, componentises and compiles an upload with its manifest. Blocks while compiling.
    fn prepare_with(&self, upload: &[u8], manifest: Manifest) -> Result<Prepared, ModuleError>;
    /// The same of an upload whose author asks for nothing.
    fn prepare(&self, upload: &[u8]) -> Result<Prepared, ModuleError> {
        self.prepare_with(upload, Manifest::default())
    }
    /// The core module that a stored component was made of. `None` where it wasn't made of one, or the module isn't kept.
    fn uploaded(&self, _component: &[u8]) -> Option<Vec<u8>> {
        None
    }
    /// Makes sure compiled code of a stored component is at hand, compiling it where an upgrade or a
    /// lost cache took it away. Blocks while compiling.
    fn ensure(&self, digest: &Digest, component: &dyn Fn() -> Result<Vec<u8>, StoreError>) -> Result<(), ModuleError>;
    /// The machines that compiled code can be made for, as target triples.
    fn targets(&self) -> Vec<String> {
        Vec::new()
    }
    /// A stored component's compiled code for such a machine, as a file that one there takes in. Blocks while compiling.
    ///
    /// # Errors
    /// [`ModuleError`]: `UnknownTarget` for one that isn't among them.
    fn compiled(
        &self,
        digest: &Digest,
        _component: &dyn Fn() -> Result<Vec<u8>, StoreError>,
        target: &str,
    ) -> Result<Vec<u8>, ModuleError> {
        Err(ModuleError {
            code: "UnknownTarget".to_owned(),
            message: format!("nothing compiles module `{digest}` for `{target}` here"),
            hint: "fetch the component and compile it there".to_owned(),
        })
    }
    /// Whether the compiled code of a component is at hand: other code may have taken its room. Doesn't block.
    fn at_hand(&self, _digest: &Digest) -> bool {
        true
    }
    /// Whether compiled code has all the room it may have, so that what isn't at hand is better compiled when it is called.
    fn is_full(&self) -> bool {
        false
    }
    /// Runs one attempt. `done` is called exactly once, unless the attempt is cancelled first.
    fn run(&self, job: Job, done: Box<dyn FnOnce(Report) + Send>);
    /// Stops an attempt, whatever the guest is doing; its `done` is not called any more, or was already.
    fn cancel(&self, task: TaskId);
    /// How many attempts may run at once.
    fn slots(&self) -> usize;
    /// Why a call of a prepared module would fail, as far as that can be told before it is made.
    ///
    /// # Errors
    /// [`CallProblem`]
    fn check_call(&self, _module: &Digest, _call: CallSketch<'_>) -> Result<(), CallProblem> {
        Ok(())
    }
    /// The attempts of an execution that run now, in the order of their tasks.
    fn under_way(&self, _execution: ExecutionId) -> Vec<UnderWay> {
        Vec::new()
    }
    /// Deletes compiled code of other components than these, and what other versions of the runner compiled. Blocks.
    /// Nobody prepares an upload meanwhile.
    fn sweep(&self, keep: &[Digest], sweep: Sweep) -> Result<Tally, StoreError> {
        let _ = (keep, sweep);
        Ok(Tally::default())
    }
}

/// An attempt that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Which.
    pub task: TaskId,
    /// Name of its state.
    pub state: Arc<str>,
    /// Attempts before it.
    pub retry_count: u32,
    /// How long ago it began.
    pub began: Duration,
    /// How long ago its guest last said that it is alive; absent where it never did.
    pub last_beat: Option<Duration>,
    /// It is killed after this many seconds without a heartbeat.
    pub heartbeat_seconds: Option<u64>,
    /// The most memory it had, in bytes.
    pub peak_memory: u64,
}

/// A shared runner.
pub type SharedRunner = Arc<dyn TaskRunner>;
