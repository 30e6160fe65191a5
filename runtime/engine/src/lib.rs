//! Many executions at once: batches, the durability line, wake-ups, slots.
//!
//! This room decides what may leave and when. It is pure: commits, clocks and tasks are inputs and
//! outputs, and the traits in [`ports`] say what a shell around it must bring. It knows nothing of
//! AWS, of HTTP, of SQLite and of WebAssembly.
//!
//! A shell hands every [`Input`] to [`Engine::handle`] with the time it happened at, does what
//! [`Engine::poll_output`] says until that is empty, and sleeps until the next input or until
//! [`Engine::poll_timeout`], whatever comes first; in the latter case it hands in [`Input::Tick`].

#![warn(clippy::iter_over_hash_type)]

pub mod batch;
pub mod ids;
pub mod input;
mod once;
pub mod output;
pub mod ports;
pub mod replay;

mod admission;
mod dice;
mod durability;
mod group_commit;
mod line;
mod load;
mod loading;
mod map_runs;
mod quarantine;
mod reconcile;
mod requests;
mod resident;
mod timers;
pub mod token;
mod turn;
mod unrecorded;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use asl::Timestamp;
use asl::execution::Dice as _;
use asl::execution::{Limits, Wakeup};

use admission::Slots;
use dice::SeededDice;
use group_commit::GroupCommit;
pub use group_commit::event_bytes;
use ids::{ExecutionId, ReplyTo, TaskId};
pub use input::Input;
use line::Line;
pub use load::Load;
use loading::Loads;
use map_runs::MapRuns;
pub use map_runs::{ChildName, ChildNames};
pub use once::interrupted;
pub use output::Output;
use ports::{EveryResource, Resources};
use resident::Entry;
use timers::Timers;
use token::TokenKey;

/// What an engine is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many attempts may run at once.
    pub slots: usize,
    /// Steps of the interpreter in one call of [`Engine::handle`], over all executions. Bounds how
    /// long a call takes; what is left goes on at the next.
    pub step_budget: usize,
    /// Of the dice that jitter is thrown with.
    pub seed: u64,
    /// Signs task tokens.
    pub token_key: TokenKey,
    /// What one execution may use.
    pub limits: Limits,
    /// Whether events that are not recorded are put out, for somebody to look at.
    pub show_unrecorded: bool,
    /// Children a Map Run may have at once where its state sets no MaxConcurrency.
    pub map_run_children: usize,
    /// Children of a redriven Map Run that are asked for at once.
    pub redrive_page: usize,
}

impl Default for Options {
    /// One slot, and a budget of about a millisecond.
    fn default() -> Self {
        Self {
            slots: 1,
            step_budget: 1_000,
            seed: 0,
            token_key: TokenKey([0; 32]),
            limits: Limits::default(),
            show_unrecorded: false,
            map_run_children: map_runs::CHILDREN_AT_ONCE,
            redrive_page: map_runs::REDRIVE_PAGE,
        }
    }
}

/// Why an engine wants to be called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Executions still have steps to take.
    Ready,
    /// A timer of an execution comes due. What kind it is is known of executions in memory.
    Wakeup(ExecutionId, Option<Wakeup>),
    /// An attempt has been running for so long that it is recorded as started.
    TaskStarted(TaskId),
    /// After a failed commit, executions may be read back again.
    Reload,
}

/// Many executions. See the crate's own page for how to drive it.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    now: Timestamp,
    /// Whether it knows what the disk holds.
    recovered: bool,
    /// The highest id given out.
    last: ExecutionId,
    /// The highest id given to an execution that isn't recorded step by step.
    last_run: ExecutionId,
    executions: BTreeMap<ExecutionId, Entry>,
    /// Who waits for the end of which execution.
    waiters: BTreeMap<ExecutionId, Vec<ReplyTo>>,
    /// Executions that may have steps to take.
    ready: Line<ExecutionId>,
    commits: GroupCommit,
    slots: Slots,
    /// Attempts whose start may not be recorded yet, in the order they got their slots.
    unrecorded: VecDeque<(Timestamp, TaskId)>,
    timers: Timers,
    loads: Loads,
    map_runs: MapRuns,
    names: ChildNames,
    dice: SeededDice,
    resources: Arc<dyn Resources>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that knows of no execution. Its first input must be [`Input::Recover`].
    pub fn new(options: Options) -> Self {
        Self {
            now: Timestamp::default(),
            recovered: false,
            last: ExecutionId(0),
            last_run: ExecutionId::before_runs(SeededDice::new(options.seed).next_u64()),
            executions: BTreeMap::new(),
            waiters: BTreeMap::new(),
            ready: Line::default(),
            commits: GroupCommit::default(),
            slots: Slots::new(options.slots),
            unrecorded: VecDeque::new(),
            timers: Timers::default(),
            loads: Loads::default(),
            map_runs: MapRuns::default(),
            names: map_runs::plain_names,
            dice: SeededDice::new(options.seed),
            resources: Arc::new(EveryResource),
            outputs: VecDeque::new(),
            options,
        }
    }

    /// The same with a world in which some resources aren't there.
    #[must_use]
    pub fn with_resources(mut self, resources: Arc<dyn Resources>) -> Self {
        self.resources = resources;
        self
    }

    /// The same with names for the child executions of Map Runs.
    #[must_use]
    pub fn with_child_names(mut self, names: ChildNames) -> Self {
        self.names = names;
        self
    }

    /// Something happened at `now`. Never blocks, and takes a bounded number of steps.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = now;
        match input {
            Input::Start(request) => self.start(request),
            Input::Stop {
                execution,
                failure,
                reply,
            } => self.stop(execution, failure, reply),
            Input::Redrive {
                execution,
                token,
                reply,
            } => self.redrive(execution, token, reply),
            Input::Await { execution, reply } => self.wait_for(execution, reply),
            Input::TaskDone { task, report } => self.task_done(task, report),
            Input::TaskReleased {
                task,
                release,
                submitted,
            } => self.task_released(task, release, submitted),
            Input::Callback { task, word, reply } => self.callback(task, word, reply),
            Input::ItemsRead {
                run,
                redrives,
                from,
                result,
            } if self.is_about(run, redrives) => self.items_read(run, from, result),
            Input::MapRunLoaded { run, redrives, result } if result.is_err() || self.is_about(run, redrives) => {
                self.map_run_loaded(run, result)
            }
            Input::ChildrenToRedrive {
                run,
                redrives,
                after,
                result,
            } if result.is_err() || self.is_about(run, redrives) => self.children_to_redrive(run, after, result),
            Input::MapRunFinished { run, redrives, result } if result.is_err() || self.is_about(run, redrives) => {
                self.map_run_finished(run, result);
            }
            // of before a redrive
            Input::ItemsRead { .. }
            | Input::MapRunLoaded { .. }
            | Input::ChildrenToRedrive { .. }
            | Input::MapRunFinished { .. } => {}
            Input::UpdateMapRun { run, bounds, reply } => self.update_map_run(run, bounds, reply),
            Input::Committed { batch, result } => self.committed(batch, result),
            Input::Loaded { execution, result } => self.loaded(execution, result),
            Input::Recover { running, last } => self.recover(running, last),
            Input::Tick => {}
        }
        self.record_long_running();
        self.wake_due();
        self.pump_map_runs();
        self.run_ready();
        self.grant_slots();
        self.request_loads();
        self.cut_batch();
    }

    /// The next thing to do, until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Engine::handle`] with [`Input::Tick`], and why. A time in the past means at once.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Why)> {
        if !self.ready.is_empty() || self.map_runs_ready() {
            return Some((self.now, Why::Ready));
        }
        let timer = self
            .timers
            .first()
            .map(|(at, id)| (at, Why::Wakeup(id, self.wakeup_of(id))));
        let started = self.next_long_running().map(|(at, task)| (at, Why::TaskStarted(task)));
        let reload = self.loads.resumes_at().or_else(|| self.map_runs_resume_at());
        let reload = reload.map(|at| (at, Why::Reload));
        [timer, started, reload].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn wakeup_of(&self, id: ExecutionId) -> Option<Wakeup> {
        match self.executions.get(&id)? {
            Entry::Resident(resident) => resident.wakeup.as_ref().map(|(_, why)| *why),
            Entry::Dormant(_) | Entry::Loading(_) | Entry::Quarantined => None,
        }
    }
}
