//! What the engine's shell needs of the outside world, as traits: the floors above implement them, the
//! server sees nothing else of the disk and of wasmtime.

mod http_pattern;
mod labels;
mod manifest;
mod objects;
mod signature;
mod upkeep;
mod versions;
mod ways;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use asl::{Attempt, Event, EventKind, Failure, Payload, Status, TimeoutKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::batch::{AppendOutcome, Batch, Child};
use crate::ids::{Digest, ExecutionId, MachineId, TaskId};
use crate::token::TokenKey;
pub use http_pattern::{HttpPattern, NoPattern, Requested, glob, origin};
pub use labels::{Expected, LABEL_LENGTH, LABELS, LabelRecord, is_label};
pub use manifest::{
    AskedLimits, Class, Directory, Granted, GrantedDirectory, GrantedRequests, Grants, Manifest, Restart, STACKS,
    SecretHeader, SecretPlace, SecretUse, Sensitive, Variable,
};
pub use objects::{
    Listing, ObjectError, ObjectHead, ObjectStore, ObjectWriter, OpenObject, SharedObjects, check_bucket, check_key,
};
pub use signature::Signature;
pub use upkeep::{Forgotten, Space, Sweep, Swept, Tally, Upkeep};
pub use versions::{AliasRecord, NewAlias, NewVersion, Origin, Route, Tag, Tagged, Through, VersionRecord};
pub use ways::{CallProblem, CallSketch, WayIn, WayKind};

// ------------------------------------------------------------------ journal

/// Why something stored couldn't be written or read. The text says what was attempted, with what, and
/// what the operator can do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// What a commit came to: one outcome for each append, in order.
pub type CommitResult = Result<Vec<AppendOutcome>, StoreError>;

/// The write side of the journal: one writer, one transaction and one sync for each batch.
pub trait CommitLog: Send + Sync {
    /// Hands a batch to the writer and returns at once. `done` is called exactly once, from the
    /// writer's thread, after the batch is on disk or has failed as a whole.
    fn commit(&self, batch: Arc<Batch>, done: Box<dyn FnOnce(CommitResult) + Send>);
}

/// An execution as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: ExecutionId,
    /// Its machine.
    pub machine: MachineId,
    /// Unique within the machine.
    pub name: String,
    /// The definition it is pinned to.
    pub definition: Digest,
    /// How it stands.
    pub status: Status,
    /// When it started.
    pub started: Timestamp,
    /// When it closed.
    pub stopped: Option<Timestamp>,
    /// See [`crate::batch::Append::wake_at`].
    pub wake_at: Option<Timestamp>,
    /// Through which version or alias it was started.
    pub origin: Option<Origin>,
    /// The Map Run it is a child of.
    pub child: Option<Child>,
}

/// How far a Map Run has come, by what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapRunStanding {
    /// Number of the first item no child has: children are made in the order of items.
    pub next_item: u64,
    /// Its children and their items, by how the children stand.
    pub counts: Vec<ChildCount>,
    /// Of those that didn't succeed, the ones that the run's present redrive has not come to; none where it was never
    /// redriven.
    pub pending_redrive: Vec<ChildCount>,
    /// The children that aren't closed, in the order of items.
    pub running: Vec<ExecutionId>,
}

/// How many children of a Map Run stand alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildCount {
    /// How they stand.
    pub status: Status,
    /// How many.
    pub executions: u64,
    /// How many items they have.
    pub items: u64,
}

impl MapRunStanding {
    /// The count of children that stand like this.
    pub fn count(&self, status: Status) -> ChildCount {
        count_in(&self.counts, status)
    }

    /// The count of those that ended like this since the run was last redriven, or ever where it wasn't.
    pub fn count_of_round(&self, status: Status) -> ChildCount {
        let (all, pending) = (self.count(status), count_in(&self.pending_redrive, status));
        ChildCount {
            status,
            executions: all.executions.saturating_sub(pending.executions),
            items: all.items.saturating_sub(pending.items),
        }
    }
}

fn count_in(counts: &[ChildCount], status: Status) -> ChildCount {
    let none = ChildCount {
        status,
        executions: 0,
        items: 0,
    };
    let found = counts.iter().find(|count| count.status == status);
    found.copied().unwrap_or(none)
}

/// Whether a child that ended like this is redriven with its Map Run.
pub fn is_unsuccessful(status: Status) -> bool {
    match status {
        Status::Failed | Status::TimedOut | Status::Aborted => true,
        Status::Running | Status::Succeeded => false,
    }
}

/// The redrives of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrives {
    /// How many.
    pub count: u32,
    /// The last one's time.
    pub at: Timestamp,
    /// What the caller named the last one.
    pub token: Option<String>,
}

/// One page of a machine's executions, newest first.
#[derive(Debug, Clone)]
pub struct ExecutionQuery {
    /// Whose executions; every machine's when absent.
    pub machine: Option<MachineId>,
    /// Only those started through this; goes with `machine`, without which it says nothing.
    pub through: Option<Through>,
    /// Only these.
    pub status: Option<Status>,
    /// Only executions with a smaller id (the previous page's last).
    pub before: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

/// One page of a Map Run's children, newest first.
#[derive(Debug, Clone)]
pub struct ChildQuery {
    /// Whose.
    pub run: TaskId,
    /// Only these.
    pub status: Option<Status>,
    /// Only children with a smaller id (the previous page's last).
    pub before: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

/// The read side: every call reads one snapshot, so nobody sees what is not durable. Calls block.
pub trait Reader: Send + Sync {
    /// The execution with this id.
    fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError>;
    /// The execution with this name.
    fn execution_by_name(&self, machine: MachineId, name: &str) -> Result<Option<ExecutionRecord>, StoreError>;
    /// A page of executions; children of Map Runs are on none.
    fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// Hands the events from position `from` on to `visit`, in order, until it breaks off. No more of the journal
    /// is in memory at once than one commit wrote; `visit` must not call back into the store.
    fn visit_journal(
        &self,
        id: ExecutionId,
        from: u64,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;
    /// The events from position `from` on, in order.
    fn journal(&self, id: ExecutionId, from: u64) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        self.visit_journal(id, from, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }
    /// The first and the last event of an execution, its input and where it stands, without what lies
    /// between. `None` when there is no such execution.
    fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        let events = self.journal(id, 0)?;
        Ok(events.first().cloned().zip(events.last().cloned()))
    }
    /// How far a Map Run has come that was redriven `redrives` times.
    fn map_run(&self, run: TaskId, redrives: u32) -> Result<MapRunStanding, StoreError>;
    /// Children of a Map Run that didn't succeed and that its redrive number `redrives` has not come to, in the order
    /// of their items. `after` is the last one of the page before.
    fn children_to_redrive(
        &self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Child)>, StoreError>;
    /// A page of a Map Run's children, newest first.
    fn children(&self, query: &ChildQuery) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// Children of a Map Run that are closed, in the order of their items, each with its first and its last event.
    /// `after` is the last one of the page before.
    fn closed_children(
        &self,
        run: TaskId,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionRecord, Event, Event)>, StoreError>;
    /// How often an execution was redriven, and the last time; `None` when it never was.
    fn redrives(&self, id: ExecutionId) -> Result<Option<Redrives>, StoreError> {
        let redriven = |event: Event| match event.kind {
            EventKind::ExecutionRedriven { count, token, .. } => Some(Redrives {
                count,
                at: event.at,
                token,
            }),
            _ => None,
        };
        Ok(self.journal(id, 0)?.into_iter().filter_map(redriven).next_back())
    }
    /// Every execution that isn't closed, in the order of ids.
    fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError>;
    /// The highest execution id ever given out; 0 when there was none.
    fn last_execution(&self) -> Result<ExecutionId, StoreError>;
}

// ------------------------------------------------------------------ catalogue

/// Standard workflows are durable at every step, Express ones at their edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MachineType {
    /// Durable at every step.
    Standard,
    /// Short, with the durability line moved to the edges.
    Express,
}

/// A state machine as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineRecord {
    /// Its id.
    pub id: MachineId,
    /// Unique among machines that aren't deleted.
    pub name: String,
    /// Standard or Express.
    pub machine_type: MachineType,
    /// Content address of the definition's text.
    pub definition: Digest,
    /// Names this revision; changes with every update.
    pub revision: String,
    /// The caller's role, opaque.
    pub role: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last updated.
    pub updated: Timestamp,
    /// Logging, tracing and encryption configuration as the caller gave them, a JSON object.
    pub configuration: serde_json::Value,
    /// Names of the modules its definition refers to.
    pub modules: Vec<String>,
    /// The highest number a version of it ever had; 0 where none was published.
    pub last_version: u32,
}

/// A machine to be created.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Its name.
    pub name: String,
    /// Standard or Express.
    pub machine_type: MachineType,
    /// The definition's text.
    pub definition: String,
    /// First revision.
    pub revision: String,
    /// The caller's role.
    pub role: String,
    /// When.
    pub at: Timestamp,
    /// See [`MachineRecord::configuration`].
    pub configuration: serde_json::Value,
    /// See [`MachineRecord::modules`].
    pub modules: Vec<String>,
    /// Publish its first version with it.
    pub publish: Option<NewVersion>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What an update changes; `None` leaves as is.
#[derive(Debug, Clone, Default)]
pub struct MachineUpdate {
    /// New definition text.
    pub definition: Option<String>,
    /// New role.
    pub role: Option<String>,
    /// New configuration, whole.
    pub configuration: Option<serde_json::Value>,
    /// New module names; goes with `definition`.
    pub modules: Option<Vec<String>>,
    /// The new revision.
    pub revision: String,
    /// Publish the new revision as the next version.
    pub publish: Option<NewVersion>,
    /// When.
    pub at: Timestamp,
}

/// Why the catalogue said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogueError {
    /// A machine of this name exists.
    #[error("a state machine named `{0}` exists already")]
    MachineExists(String),
    /// No such machine.
    #[error("no state machine with id {0:?}")]
    NoSuchMachine(MachineId),
    /// The machine has no such version.
    #[error("state machine `{}` has no version `{number}`", machine.0)]
    NoSuchVersion {
        /// Which machine.
        machine: MachineId,
        /// Which version.
        number: u32,
    },
    /// The machine has no such alias.
    #[error("state machine `{}` has no alias `{alias}`", machine.0)]
    NoSuchAlias {
        /// Which machine.
        machine: MachineId,
        /// Which alias.
        alias: String,
    },
    /// Aliases point to the version.
    #[error("version `{number}` is used by aliases {aliases:?}")]
    VersionInUse {
        /// Which version.
        number: u32,
        /// By which aliases.
        aliases: Vec<String>,
    },
    /// No such module or version.
    #[error("no module `{0}`")]
    NoSuchModule(String),
    /// The module has no such version.
    #[error("module `{module}` has no version `{version}`")]
    NoSuchModuleVersion {
        /// Which module.
        module: String,
        /// Which version.
        version: u32,
    },
    /// The module has no such label.
    #[error("module `{module}` has no label `{label}`")]
    NoSuchLabel {
        /// Which module.
        module: String,
        /// Which label.
        label: String,
    },
    /// A label isn't what whoever changes it takes it for.
    #[error("label `{label}` of module `{module}` {}", by_now(*version))]
    LabelMoved {
        /// Which module.
        module: String,
        /// Which label.
        label: String,
        /// The version it points at; none where it isn't there.
        version: Option<u32>,
    },
    /// A module has as many labels as it can have.
    #[error("module `{0}` has {LABELS} labels already")]
    TooManyLabels(String),
    /// What should go away has labels.
    #[error("module `{module}` has labels there: {labels:?}")]
    ModuleLabelled {
        /// Which module.
        module: String,
        /// Which labels.
        labels: Vec<String>,
    },
    /// A state machine refers to the module.
    #[error("module `{module}` is used by state machines {machines:?}")]
    ModuleInUse {
        /// Which module.
        module: String,
        /// By whom.
        machines: Vec<String>,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a label is that somebody took for something else.
fn by_now(version: Option<u32>) -> String {
    match version {
        Some(version) => format!("points at version `{version}` by now"),
        None => "isn't there".to_owned(),
    }
}

/// An activity as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRecord {
    /// Rises with every creation.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

/// A version of a module as stored. Versions are immutable and numbered from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name.
    pub name: String,
    /// Its number.
    pub version: u32,
    /// Content address of the component.
    pub digest: Digest,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was uploaded.
    pub created: Timestamp,
    /// What the sandbox found in it.
    pub description: ModuleDescription,
}

/// What is kept beside journals: machines, definitions, modules. Small and seldom written; calls block
/// until the change is durable.
pub trait Catalogue: Send + Sync {
    /// Stores a machine and its definition.
    fn create_machine(&self, new: NewMachine) -> Result<MachineRecord, CatalogueError>;
    /// Changes a machine.
    fn update_machine(&self, id: MachineId, update: MachineUpdate) -> Result<MachineRecord, CatalogueError>;
    /// Takes a machine out of the lists, and its versions, aliases and tags away; running executions end
    /// by their own definitions, and their histories stay readable.
    fn delete_machine(&self, id: MachineId) -> Result<(), CatalogueError>;
    /// Every machine that isn't deleted, by creation.
    fn machines(&self) -> Result<Vec<MachineRecord>, CatalogueError>;
    /// Every machine that ever had this name, newest first, deleted ones included where the backend keeps
    /// them: the names of their executions still lead to them.
    fn machines_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        Ok(self
            .machines()?
            .into_iter()
            .rev()
            .filter(|machine| machine.name == name)
            .collect())
    }
    /// A machine by id, deleted ones included.
    fn machine(&self, id: MachineId) -> Result<Option<MachineRecord>, CatalogueError>;
    /// Publishes a machine's current revision as its next version.
    fn publish_version(
        &self,
        machine: MachineId,
        new: NewVersion,
        at: Timestamp,
    ) -> Result<VersionRecord, CatalogueError>;
    /// Takes a version away. Refused while an alias points to it.
    fn delete_version(&self, machine: MachineId, number: u32) -> Result<(), CatalogueError>;
    /// Every version of every machine that isn't deleted, by machine and number.
    fn versions(&self) -> Result<Vec<VersionRecord>, CatalogueError>;
    /// Creates an alias, or changes the one of this name and keeps its id and its creation date. Refused
    /// where a route leads to a version that isn't there.
    fn put_alias(&self, machine: MachineId, new: NewAlias) -> Result<AliasRecord, CatalogueError>;
    /// Takes an alias away.
    fn delete_alias(&self, machine: MachineId, name: &str) -> Result<(), CatalogueError>;
    /// Every alias of every machine that isn't deleted, in the order they were created.
    fn aliases(&self) -> Result<Vec<AliasRecord>, CatalogueError>;
    /// The tags of something, in the order their keys were first set.
    fn tags(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError>;
    /// Makes these the tags of something, and no others.
    fn set_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError>;

    /// The text of a definition.
    fn definition(&self, digest: &Digest) -> Result<Option<String>, CatalogueError>;

    /// Stores an activity with its tags; one of this name that exists already stays as it is and is answered.
    fn create_activity(&self, name: &str, tags: Vec<Tag>, at: Timestamp) -> Result<ActivityRecord, CatalogueError>;
    /// Takes an activity and its tags away, where it exists.
    fn delete_activity(&self, name: &str) -> Result<(), CatalogueError>;
    /// Every activity, by creation.
    fn activities(&self) -> Result<Vec<ActivityRecord>, CatalogueError>;
    /// The key that signs task tokens, made when it is first asked for.
    fn token_key(&self) -> Result<TokenKey, StoreError>;

    /// Stores a component and its next version. The newest version with the same digest and description
    /// is answered again instead of making another.
    fn put_module(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        at: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError>;
    /// Every version of every module, by name and version.
    fn modules(&self) -> Result<Vec<ModuleRecord>, CatalogueError>;
    /// Takes all versions of a module away, with its labels. Refused while a machine refers to it or it has labels,
    /// unless `force`.
    fn delete_module(&self, name: &str, force: bool) -> Result<(), CatalogueError>;
    /// Takes one version of a module away; its number is not used again. Refused while labels point at it, unless
    /// `force`: they go with it.
    fn delete_module_version(&self, name: &str, version: u32, force: bool) -> Result<(), CatalogueError>;
    /// Points a label of a module at a version, a new label or one that is there.
    fn put_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError>;
    /// Takes a label away.
    fn delete_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError>;
    /// Every label of every module, by module and name.
    fn labels(&self) -> Result<Vec<LabelRecord>, CatalogueError>;
    /// The bytes of a component.
    fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError>;
}

// ------------------------------------------------------------------ tasks

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
    pub execution: String,
    /// `$$.StateMachine.Id`.
    pub machine: String,
    /// The Task state's name.
    pub state: String,
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
    pub state: String,
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
