//! The ticker: one thread that lets guests change over every millisecond and stops those whose clocks
//! ran out. It sleeps while no guest runs.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use wasmtime::Engine;

use crate::guest_threads::OpenAttempt;

/// How long a guest runs before the next one has its turn, and how late a clock may be noticed.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without a running guest before the ticker goes to sleep: short enough to cost an idle device
/// nothing, long enough that a busy server never pays for waking it.
const IDLE_TICKS: u32 = 50;

/// Entries that are always tolerated before those of attempts that have ended are swept out.
const SWEEP_FROM: usize = 1024;

/// What guests' threads tell the ticker.
pub(crate) struct Ticker {
    engines: Mutex<Vec<Engine>>,
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
    thread: OnceLock<Thread>,
    due: Mutex<Due>,
}

#[derive(Default)]
struct Due {
    heap: BinaryHeap<Entry>,
    sweep_at: usize,
}

struct Entry {
    at: Instant,
    attempt: Weak<OpenAttempt>,
}

impl Ticker {
    /// One that doesn't tick yet.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engines: Mutex::new(vec![engine]),
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            thread: OnceLock::new(),
            due: Mutex::new(Due {
                heap: BinaryHeap::new(),
                sweep_at: SWEEP_FROM,
            }),
        }
    }

    /// Starts the thread.
    pub(crate) fn start(engine: Engine) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let ticker = Arc::new(Self::new(engine));
        let handle = thread::Builder::new().name("guest-ticker".to_owned()).spawn({
            let ticker = Arc::clone(&ticker);
            move || ticker.run()
        })?;
        let _ = ticker.thread.set(handle.thread().clone());
        Ok((ticker, handle))
    }

    /// Lets the guests of another engine change over, too.
    pub(crate) fn add(&self, engine: Engine) {
        self.engines().push(engine);
    }

    /// A guest gets a thread; it gives it back when the returned value is dropped.
    pub(crate) fn guest_runs(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.wake();
        Running(self)
    }

    /// Has `attempt` looked after from `at` on.
    pub(crate) fn watch(&self, attempt: &Arc<OpenAttempt>, at: Instant) {
        {
            let mut due = self.due();
            if due.heap.len() >= due.sweep_at {
                due.heap.retain(|entry| entry.attempt.strong_count() > 0);
                due.sweep_at = SWEEP_FROM.max(due.heap.len() * 2);
            }
            due.heap.push(Entry {
                at,
                attempt: Arc::downgrade(attempt),
            });
        }
        self.wake();
    }

    /// Ends the thread, soon.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    fn run(&self) {
        let mut idle = 0;
        // Guests that still compute need ticks to leave their threads.
        while !self.stopped.load(Ordering::SeqCst) || self.running.load(Ordering::SeqCst) > 0 {
            if self.running.load(Ordering::SeqCst) > 0 {
                idle = 0;
                self.engines().iter().for_each(Engine::increment_epoch);
            } else {
                idle += 1;
            }
            self.stop_overdue(Instant::now());
            if idle < IDLE_TICKS {
                thread::sleep(TICK);
            } else {
                self.sleep();
                idle = 0;
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        let next = self.due().heap.peek().map(|entry| entry.at);
        if self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            match next {
                Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn stop_overdue(&self, now: Instant) {
        while let Some(attempt) = self.next_overdue(now) {
            let Some(attempt) = attempt.upgrade() else { continue };
            match attempt.clocks().check(now) {
                Some(Ok(later)) => self.watch(&attempt, later),
                Some(Err(why)) => attempt.stop(why),
                None => {}
            }
        }
    }

    fn next_overdue(&self, now: Instant) -> Option<Weak<OpenAttempt>> {
        let mut due = self.due();
        if due.heap.peek()?.at > now {
            return None;
        }
        due.heap.pop().map(|entry| entry.attempt)
    }

    fn engines(&self) -> std::sync::MutexGuard<'_, Vec<Engine>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> std::sync::MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest that has a thread.
pub(crate) struct Running<'a>(&'a Ticker);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Earliest first: the heap gives out its greatest.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Order {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}
