//! Where guests run: threads of their own, so that no guest can starve the server, with a turn of a
//! millisecond each, so that no guest can starve another.
//!
//! Every open attempt is a future in a slot that three parties may empty: the guest thread that polls
//! it to its end, the ticker when a clock runs out, and whoever cancels. Emptying the slot drops the
//! instance, whatever the guest was waiting for; a guest that computes leaves its thread within a tick
//! and is dropped there.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use asl::{Attempt, Failure, TimeoutKind};
use engine::ids::{ExecutionId, TaskId};
use engine::ports::{Job, Outcome, Report, TaskLimits, UnderWay};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::Error;
use crate::clocks::Clocks;
use crate::epoch::Ticker;
use crate::granted;
use crate::guest_output::GuestOutput;
use crate::limits::Peak;
use crate::outbound::LOOK_UPS;
use crate::outcome::out_of_time;

/// Turns between looks at sleeping guests' timers. The default of 61 would let sleepers oversleep by
/// as many milliseconds behind busy guests.
const TURNS_BETWEEN_TIMERS: u32 = 16;

/// Every second turn goes to a new attempt if there is one: a short task never waits for all the
/// long ones, and they never wait for all the short ones.
const TURNS_BETWEEN_ARRIVALS: u32 = 2;

/// Threads for what blocks: the file calls of guests that were given directories (more than four would not make a disk
/// faster), and names that are looked up, which never take all of them.
const BLOCKING_THREADS: usize = 4 + LOOK_UPS;

/// Called with an attempt's report.
pub(crate) type Done = Box<dyn FnOnce(Report) + Send>;

/// What a guest comes to by itself.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its outcome.
    pub(crate) outcome: Outcome,
    /// What it burnt, where known.
    pub(crate) fuel: Option<u64>,
}

type Guest = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// Why an attempt is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A clock ran out.
    TimedOut(TimeoutKind),
    /// The module's own limit ran out.
    OutOfTime,
    /// Nobody wants its result.
    Cancelled,
}

const RUNS: u8 = 0;
const DEADLINE: u8 = 1;
const HEARTBEAT: u8 = 2;
const CANCELLED: u8 = 3;
const OUT_OF_TIME: u8 = 4;

/// One attempt that hasn't ended.
pub(crate) struct OpenAttempt {
    job: Job,
    limits: TaskLimits,
    clocks: Clocks,
    began_micros: AtomicU64,
    peak: Peak,
    output: Mutex<GuestOutput>,
    stop: AtomicU8,
    slot: Mutex<Slot>,
    done: Mutex<Option<Done>>,
    common: Arc<Common>,
}

#[derive(Default)]
struct Slot {
    guest: Option<Guest>,
    /// Ends the turns of a guest that was taken out of its slot while it waited.
    waker: Option<Waker>,
}

/// What all attempts have in common, behind one pointer: each takes it on one thread and drops it on another, and the
/// cores pass every count they share to and fro.
struct Common {
    ticker: Arc<Ticker>,
    /// Those that haven't ended. Those of an execution are beside each other.
    open: Mutex<BTreeMap<TaskId, Arc<OpenAttempt>>>,
}

/// The threads, the ticker and what runs on them.
pub(crate) struct GuestThreads {
    runtime: Option<Runtime>,
    ticker_thread: Option<std::thread::JoinHandle<()>>,
    common: Arc<Common>,
}

impl GuestThreads {
    /// Starts `threads` of them and the ticker.
    pub(crate) fn start(engine: wasmtime::Engine, threads: usize) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("guest")
            .event_interval(TURNS_BETWEEN_TIMERS)
            .global_queue_interval(TURNS_BETWEEN_ARRIVALS)
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let (ticker, ticker_thread) = Ticker::start(engine).map_err(Error::Threads)?;
        Ok(Self {
            runtime: Some(runtime),
            ticker_thread: Some(ticker_thread),
            common: Arc::new(Common::new(ticker)),
        })
    }

    /// Runs the guest that `guest` makes of the attempt, on the thread of its first turn: one that waits for its turn
    /// holds little. `done` gets its report.
    pub(crate) fn run<M, F>(&self, job: Job, limits: TaskLimits, done: Done, guest: M)
    where
        M: FnOnce(Arc<OpenAttempt>) -> F + Send + Unpin + 'static,
        F: Future<Output = Finished> + Send + 'static,
    {
        let Some(handle) = self.handle() else { return };
        let task = job.task;
        let attempt = Arc::new(OpenAttempt {
            clocks: Clocks::start(job.deadline, job.heartbeat_seconds, limits.time_millis),
            job,
            limits,
            began_micros: AtomicU64::new(0),
            peak: Peak::default(),
            output: Mutex::default(),
            stop: AtomicU8::new(RUNS),
            slot: Mutex::default(),
            done: Mutex::new(Some(done)),
            common: Arc::clone(&self.common),
        });
        self.common.open().insert(task, Arc::clone(&attempt));
        handle.spawn(Turns {
            attempt,
            guest: Some(guest),
        });
    }

    /// Stops an attempt; its `done` is not called any more.
    pub(crate) fn cancel(&self, task: TaskId) {
        let attempt = self.common.open().remove(&task);
        if let Some(attempt) = attempt {
            attempt.stop(Stop::Cancelled);
        }
    }

    /// What has guests change over.
    pub(crate) fn ticker(&self) -> &Arc<Ticker> {
        &self.common.ticker
    }

    /// The attempts of an execution that haven't ended.
    pub(crate) fn under_way(&self, execution: ExecutionId) -> Vec<UnderWay> {
        let task = |scheduled_at| TaskId {
            execution,
            scheduled_at,
        };
        let open = self.common.open();
        let attempts = open.range(task(u64::MIN)..=task(u64::MAX));
        attempts.map(|(_, attempt)| attempt.under_way()).collect()
    }

    fn handle(&self) -> Option<&Handle> {
        self.runtime.as_ref().map(Runtime::handle)
    }
}

/// Stops everything that runs, without reports: whoever drops the sandbox has stopped listening.
impl Drop for GuestThreads {
    fn drop(&mut self) {
        let attempts: Vec<_> = std::mem::take(&mut *self.common.open()).into_values().collect();
        for attempt in attempts {
            attempt.stop(Stop::Cancelled);
        }
        self.common.ticker.stop();
        if let Some(thread) = self.ticker_thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Common {
    fn new(ticker: Arc<Ticker>) -> Self {
        Self {
            ticker,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<TaskId, Arc<OpenAttempt>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenAttempt {
    /// An attempt that nothing runs, for tests of what it is given.
    #[cfg(test)]
    pub(crate) fn alone(granted: Option<engine::ports::Granted>) -> Arc<Self> {
        let mut job = tests::job();
        job.granted = granted.map(Arc::new);
        Arc::new(Self {
            clocks: Clocks::start(None, None, None),
            limits: job.limits,
            job,
            began_micros: AtomicU64::new(0),
            peak: Peak::default(),
            output: Mutex::default(),
            stop: AtomicU8::new(RUNS),
            slot: Mutex::default(),
            done: Mutex::new(None),
            common: Arc::new(Common::new(Arc::new(Ticker::new(wasmtime::Engine::default())))),
        })
    }

    /// What is to be run.
    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    /// What it may use, the operator's ceiling applied.
    pub(crate) fn limits(&self) -> TaskLimits {
        self.limits
    }

    fn under_way(&self) -> UnderWay {
        let began = self.began_micros.load(Ordering::Relaxed);
        UnderWay {
            task: self.job.task,
            state: self.job.state.clone(),
            retry_count: self.job.retry_count,
            began: Duration::from_micros(self.clocks.micros().saturating_sub(began)),
            last_beat: self.clocks.last_beat(),
            heartbeat_seconds: self.job.heartbeat_seconds,
            peak_memory: self.peak.bytes(),
        }
    }

    /// When it has to be stopped.
    pub(crate) fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// Where its memory is counted.
    pub(crate) fn peak(&self) -> &Peak {
        &self.peak
    }

    /// What it said.
    pub(crate) fn output(&self) -> MutexGuard<'_, GuestOutput> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops it: at once where it waits, at the end of its turn where it computes.
    pub(crate) fn stop(&self, why: Stop) {
        let code = match why {
            Stop::TimedOut(TimeoutKind::Deadline) => DEADLINE,
            Stop::TimedOut(TimeoutKind::Heartbeat) => HEARTBEAT,
            Stop::OutOfTime => OUT_OF_TIME,
            Stop::Cancelled => CANCELLED,
        };
        if why == Stop::Cancelled {
            drop(self.take_done());
        }
        let _ = self
            .stop
            .compare_exchange(RUNS, code, Ordering::SeqCst, Ordering::SeqCst);
        // Pairs with the fence in `Turns::poll`: either this finds the slot free, or the guest's
        // thread, which holds it, finds the code.
        fence(Ordering::SeqCst);
        self.end_if_stopped();
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst) != RUNS
    }

    fn end_if_stopped(&self) -> bool {
        let outcome = match self.stop.load(Ordering::SeqCst) {
            RUNS => return false,
            DEADLINE => Some(Outcome::TimedOut(TimeoutKind::Deadline)),
            HEARTBEAT => Some(Outcome::TimedOut(TimeoutKind::Heartbeat)),
            OUT_OF_TIME => Some(Outcome::Failed(out_of_time(
                self.limits.time_millis.unwrap_or_default(),
            ))),
            _ => None,
        };
        let Slot { guest, waker, .. } = match self.slot.try_lock() {
            Ok(mut slot) => std::mem::take(&mut *slot),
            Err(TryLockError::Poisoned(slot)) => std::mem::take(&mut *slot.into_inner()),
            Err(TryLockError::WouldBlock) => return false,
        };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(guest)));
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(outcome) = outcome {
            self.end(Finished { outcome, fuel: None });
        }
        true
    }

    fn end(&self, finished: Finished) {
        let Some(done) = self.take_done() else { return };
        let is_this = |other: &Arc<Self>| std::ptr::eq(&**other, self);
        {
            let mut open = self.common.open();
            if open.get(&self.job.task).is_some_and(is_this) {
                open.remove(&self.job.task);
            }
        }
        let began = self.began_micros.load(Ordering::Relaxed);
        granted::redact_output(self, &mut self.output());
        let report = Report {
            outcome: self.redacted(finished.outcome),
            attempt: Attempt {
                module: Some(Arc::clone(&self.job.module.0)),
                version: None,
                fuel: finished.fuel,
                peak_memory: Some(self.peak.bytes()),
                micros: Some(self.clocks.micros().saturating_sub(began)),
                log: self.output().take(),
            },
        };
        if catch_unwind(AssertUnwindSafe(|| done(report))).is_err() {
            tracing::error!(task = %self.job.task, "whoever waited for a task's report panicked on it");
        }
    }

    fn redacted(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed(failure) => Outcome::Failed(Failure {
                error: failure.error.map(|text| granted::redact(self, text)),
                cause: failure.cause.map(|text| granted::redact(self, text)),
            }),
            Outcome::Succeeded(_) | Outcome::TimedOut(_) => outcome,
        }
    }

    fn take_done(&self) -> Option<Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt as the guest threads see it.
struct Turns<M> {
    attempt: Arc<OpenAttempt>,
    /// Makes the guest. The first turn takes it, and a guest that needs no second one never meets the ticker's list.
    guest: Option<M>,
}

impl<M, F> Future for Turns<M>
where
    M: FnOnce(Arc<OpenAttempt>) -> F + Unpin,
    F: Future<Output = Finished> + Send + 'static,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let guest = self.guest.take();
        let attempt = &self.attempt;
        if attempt.end_if_stopped() {
            return Poll::Ready(());
        }
        let mut slot = attempt.slot();
        let first = guest.is_some();
        if let Some(guest) = guest {
            // Whoever stops it from now on finds the slot taken, and leaves the end to this turn.
            if attempt.is_stopped() {
                drop(slot);
                attempt.end_if_stopped();
                return Poll::Ready(());
            }
            attempt.began_micros.store(attempt.clocks.micros(), Ordering::Relaxed);
            slot.guest = Some(Box::pin(guest(Arc::clone(attempt))));
        }
        let Some(guest) = &mut slot.guest else {
            return Poll::Ready(());
        };
        let turn = {
            let _running = attempt.common.ticker.guest_runs();
            catch_unwind(AssertUnwindSafe(|| guest.as_mut().poll(context)))
        };
        let finished = match turn {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(finished)) => Some(finished),
            Err(panic) => Some(panicked(attempt, panic.as_ref())),
        };
        if let Some(finished) = finished {
            let guest = slot.guest.take();
            drop(slot);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(guest)));
            attempt.end(finished);
            return Poll::Ready(());
        }
        if first {
            slot.waker = Some(context.waker().clone());
        }
        drop(slot);
        if first && let Some(due) = attempt.clocks.check(Instant::now()) {
            attempt
                .common
                .ticker
                .watch(attempt, due.unwrap_or_else(|_| Instant::now()));
        }
        fence(Ordering::SeqCst);
        if attempt.end_if_stopped() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// A bug of ours must cost one attempt, not the task: the workflow sees a failure it can catch.
fn panicked(attempt: &OpenAttempt, panic: &(dyn Any + Send)) -> Finished {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(task = %attempt.job.task, module = %attempt.job.module, message, "the sandbox panicked in an attempt");
    Finished {
        outcome: Outcome::Failed(Failure::new(
            "Sandbox.InternalError",
            format!(
                "the sandbox itself failed (`{message}`); please report it together with the module `{}`",
                attempt.job.module
            ),
        )),
        fuel: None,
    }
}

#[cfg(test)]
mod tests;
