//! An execution as a fold over its journal.
//!
//! [`Execution::apply`] is the only function that changes an execution, [`Execution::next`] the only one
//! that decides. Replay, crash recovery and simulation are these two, called by different people.

mod apply;
mod decide;
pub mod env;
pub mod event;
mod integration;
pub mod map_run;
mod open_work;
mod redrive;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::StateMachine;
use crate::expression::context::ExecutionContext;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

pub use crate::limits::Limits;
pub use apply::ApplyError;
pub use decide::trial;
pub use env::{Dice, Env, Nothing, Outside};
use event::{Failure, Mode, ScopeId, Status};
pub use integration::integration;
use map_run::ChildOf;
pub use open_work::{OpenTask, TaskOutcome, Wakeup, too_large};
use scope::Scope;

/// One execution of one state machine.
#[derive(Debug)]
pub struct Execution {
    machine: Arc<StateMachine>,
    /// Set by the first event.
    context: Option<ExecutionContext>,
    scopes: BTreeMap<ScopeId, Scope>,
    next_scope: u32,
    /// Scopes in which something can be decided now.
    ready: BTreeSet<ScopeId>,
    /// Waits, retries and deadlines.
    timers: BTreeSet<(Timestamp, ScopeId)>,
    /// Attempts that should be running, by the position of their TaskScheduled event.
    tasks: BTreeMap<u64, ScopeId>,
    /// Bytes of all variables, in all scopes.
    variable_bytes: usize,
    /// Map Runs that should be going on, by the position of their MapRunStarted event.
    map_runs: BTreeMap<u64, ScopeId>,
    /// See [`redrive::Fallen`].
    fallen: redrive::Fallen,
    position: u64,
    history_entries: u64,
    deadline: Option<Timestamp>,
    mode: Mode,
    status: Status,
    output: Option<Payload>,
    failure: Option<Failure>,
    child_of: Option<ChildOf>,
    trace_parent: Option<String>,
    stopped: Option<Timestamp>,
}

impl Execution {
    /// An execution before its first event, which is `ExecutionStarted`.
    pub fn new(machine: Arc<StateMachine>) -> Self {
        Self {
            machine,
            context: None,
            scopes: BTreeMap::new(),
            next_scope: 0,
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            tasks: BTreeMap::new(),
            variable_bytes: 0,
            map_runs: BTreeMap::new(),
            fallen: redrive::Fallen::default(),
            position: 0,
            history_entries: 0,
            deadline: None,
            mode: Mode::Standard,
            status: Status::Running,
            output: None,
            failure: None,
            child_of: None,
            trace_parent: None,
            stopped: None,
        }
    }

    /// The execution a journal describes.
    ///
    /// # Errors
    /// [`ApplyError`] when the events don't fit the machine or each other.
    pub fn replay<'e>(
        machine: Arc<StateMachine>,
        events: impl IntoIterator<Item = &'e event::Event>,
    ) -> Result<Self, ApplyError> {
        let mut execution = Self::new(machine);
        for event in events {
            execution.apply(event)?;
        }
        Ok(execution)
    }

    /// The definition it runs.
    pub fn machine(&self) -> &Arc<StateMachine> {
        &self.machine
    }

    /// Number of events applied.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Number of entries in AWS's history.
    pub fn history_entries(&self) -> u64 {
        self.history_entries
    }

    /// How much of it reaches the disk.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What it returned, once it succeeded.
    pub fn output(&self) -> Option<&Payload> {
        self.output.as_ref()
    }

    /// What it failed with, once it failed, was stopped or timed out.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// When it started.
    pub fn started(&self) -> Option<Timestamp> {
        self.context.as_ref().map(|context| context.started)
    }

    /// When it closed.
    pub fn stopped(&self) -> Option<Timestamp> {
        self.stopped
    }

    /// The Map Run it belongs to, where it is a child execution.
    pub fn child_of(&self) -> Option<&ChildOf> {
        self.child_of.as_ref()
    }

    /// What the caller's trace says it is a part of.
    pub fn trace_parent(&self) -> Option<&str> {
        self.trace_parent.as_deref()
    }

    /// What `ExecutionStarted` said of it.
    pub fn context(&self) -> Option<&ExecutionContext> {
        self.context.as_ref()
    }
}
