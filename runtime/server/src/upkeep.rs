//! Keeping the store small: executions after their retention, what nothing refers to, free space on the disk.
//!
//! All of it is done in small steps with a rest after each, by a thread of its own and, when somebody asks, by a request.
//! Every step can be the last: what was not done is found again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use asl::Timestamp;
use engine::ids::ExecutionId;
use engine::ports::{Space, StoreError, Sweep, Swept, Tally, Upkeep};

use crate::clock;
use crate::machines::Machines;
use crate::modules::Modules;

/// A pass over the executions begins so long after the start: what ended while nobody ran is looked at first.
const FIRST: Duration = Duration::from_secs(60);
/// And again so often: closed executions outlive their retention by an hour at most.
const EVERY: Duration = Duration::from_secs(3600);
/// What nothing refers to is looked for in one pass of so many: it reads every execution's row.
const SWEEP_EVERY: u32 = 24;
/// After each step the writer is left alone for so many times as long as the step took.
const REST: u32 = 4;
/// Free space is given back by itself where it is this much...
const FREE_BYTES: u64 = 64 << 20;
/// ...and this share of the database. Less than that is soon used again, and moving pages costs writes.
const FREE_SHARE: u64 = 4;
/// A redrive that comes so close to the end of the retention would meet an execution that is being deleted.
const LAST_MOMENT: Duration = Duration::from_secs(60);

/// What was deleted, or would be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Collected {
    /// Nothing is left to do; else there was no time for it.
    pub(crate) done: bool,
    /// Executions; children of Map Runs among them where they were deleted.
    pub(crate) executions: u64,
    /// Machines, definitions and components.
    pub(crate) swept: Swept,
    /// Compiled code.
    pub(crate) compiled: Tally,
    /// Bytes given back to the file system.
    pub(crate) returned: u64,
    /// The database afterwards.
    pub(crate) space: Space,
}

/// What keeps the store small.
pub(crate) struct Keeper {
    upkeep: Option<Arc<dyn Upkeep>>,
    retention: Option<Duration>,
    machines: Arc<Machines>,
    modules: Arc<Modules>,
}

impl Keeper {
    /// Keeps closed executions for as long as `retention`, for ever without one; without `upkeep` it does nothing.
    pub(crate) fn new(
        upkeep: Option<Arc<dyn Upkeep>>,
        retention: Option<Duration>,
        machines: Arc<Machines>,
        modules: Arc<Modules>,
    ) -> Self {
        Self {
            upkeep,
            retention,
            machines,
            modules,
        }
    }

    /// How long closed executions are kept.
    pub(crate) fn retention(&self) -> Option<Duration> {
        self.retention
    }

    /// Whether an execution that closed at `stopped` is deleted from any moment on.
    pub(crate) fn is_leaving(&self, stopped: Timestamp) -> bool {
        let age = Duration::from_millis(clock::now().millis_since(stopped).max(0).cast_unsigned());
        self.upkeep.is_some()
            && self
                .retention
                .is_some_and(|kept| age.saturating_add(LAST_MOMENT) > kept)
    }

    /// Counts what there is to delete. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub(crate) fn count(&self) -> Result<Collected, StoreError> {
        let Some(upkeep) = &self.upkeep else {
            return Ok(Collected::default());
        };
        let (swept, compiled) = self.sweep(&**upkeep, Sweep::Count)?;
        Ok(Collected {
            done: true,
            executions: self.before().map_or(Ok(0), |before| upkeep.expired(before))?,
            swept,
            compiled,
            returned: 0,
            space: upkeep.space()?,
        })
    }

    /// Deletes what there is to delete and gives all free space back, for as long as there is time. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written; what was deleted before stays deleted.
    pub(crate) fn collect(&self, time: Duration) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        let Some(upkeep) = &self.upkeep else {
            return Ok(collected);
        };
        let began = Instant::now();
        let mut rest = |took: Duration| {
            thread::sleep(took * REST);
            began.elapsed() < time
        };
        collected.done = self.forget(&**upkeep, &mut collected.executions, &mut rest)?;
        if collected.done {
            (collected.swept, collected.compiled) = self.sweep(&**upkeep, Sweep::Delete)?;
            collected.done = shrink(&**upkeep, &mut collected.returned, &mut rest)?;
        }
        collected.space = upkeep.space()?;
        Ok(collected)
    }

    /// Before which moment an execution must have closed to be deleted now.
    fn before(&self) -> Option<Timestamp> {
        let millis = i64::try_from(self.retention?.as_millis()).unwrap_or(i64::MAX);
        Some(Timestamp(clock::now().0.saturating_sub(millis)))
    }

    /// False when `rest` wanted no further step.
    fn forget(
        &self,
        upkeep: &dyn Upkeep,
        executions: &mut u64,
        rest: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(before) = self.before() else { return Ok(true) };
        let mut place = ExecutionId(0);
        loop {
            let began = Instant::now();
            let step = upkeep.forget(before, place)?;
            *executions += step.executions;
            match step.next {
                None => return Ok(true),
                Some(next) => place = next,
            }
            if !rest(began.elapsed()) {
                return Ok(false);
            }
        }
    }

    fn sweep(&self, upkeep: &dyn Upkeep, sweep: Sweep) -> Result<(Swept, Tally), StoreError> {
        let definitions = self.machines.definitions();
        let swept = upkeep.sweep(&|digest| definitions.is_held(digest), sweep)?;
        Ok((swept, self.modules.sweep(sweep)?))
    }

    /// One pass of the thread; false when `rest` wanted no further step.
    fn pass(&self, number: u32, rest: &mut dyn FnMut(Duration) -> bool) -> Result<bool, StoreError> {
        let Some(upkeep) = self.upkeep.as_deref() else {
            return Ok(true);
        };
        let began = Instant::now();
        let mut executions = 0;
        let forgotten = self.forget(upkeep, &mut executions, rest);
        if executions > 0 {
            tracing::info!(
                executions,
                millis = began.elapsed().as_millis(),
                "executions deleted after their retention"
            );
        }
        if !forgotten? {
            return Ok(false);
        }
        if number.is_multiple_of(SWEEP_EVERY) {
            let (swept, compiled) = self.sweep(upkeep, Sweep::Delete)?;
            if swept != Swept::default() || compiled.count > 0 {
                tracing::info!(
                    machines = swept.machines,
                    definitions = swept.definitions.count,
                    components = swept.components.count,
                    compiled = compiled.count,
                    "deleted what nothing refers to"
                );
            }
        }
        let space = upkeep.space()?;
        if space.shrinks && space.free >= FREE_BYTES && space.free >= space.bytes / FREE_SHARE {
            let mut returned = 0;
            let shrunk = shrink(upkeep, &mut returned, rest);
            tracing::info!(bytes = returned, "the database gave free space back");
            return shrunk;
        }
        Ok(true)
    }

    fn run(&self, stop: &Receiver<()>) {
        let stopped = |wait| !matches!(stop.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
        let mut wait = FIRST;
        for number in 0.. {
            if stopped(wait) {
                return;
            }
            match self.pass(number, &mut |took| !stopped(took * REST)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::error!(%error, "old executions can't be deleted; tried again in an hour"),
            }
            wait = EVERY;
        }
    }
}

/// False when `rest` wanted no further step.
fn shrink(upkeep: &dyn Upkeep, returned: &mut u64, rest: &mut dyn FnMut(Duration) -> bool) -> Result<bool, StoreError> {
    loop {
        let began = Instant::now();
        match upkeep.shrink()? {
            0 => return Ok(true),
            bytes => *returned += bytes,
        }
        if !rest(began.elapsed()) {
            return Ok(false);
        }
    }
}

/// The thread that does it by itself. Dropping it ends the thread after its step.
pub(crate) struct Caretaker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Caretaker {
    /// Starts the thread, where there is something for it to do.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(keeper: Arc<Keeper>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = match keeper.upkeep {
            Some(_) => Some(
                thread::Builder::new()
                    .name("upkeep".into())
                    .spawn(move || keeper.run(&stopped))?,
            ),
            None => None,
        };
        Ok(Self {
            stop: Some(stop),
            thread,
        })
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that deletes old executions panicked; they are deleted after the next start");
        }
    }
}
