//! The only loop: takes what happened, hands it to the engine, does what the engine asks.
//!
//! It runs on a thread of its own and never waits for a disk, a guest or a client.

mod known;
mod loading;
mod map_runs;
mod running;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use asl::{Event, Failure, Timestamp};
use engine::ids::{Digest, ExecutionId, ReplyTo, TaskId};
use engine::input::{Input, MapRunBounds, StartExecution, Word};
use engine::output::{Output, Reply};
use engine::ports::CommitLog;
use engine::{Engine, Load, Options};
use tokio::sync::oneshot;

use crate::aws::arn::child_names;
use crate::clock;
use crate::express::Recent;
use crate::observe::Hook;
pub(crate) use loading::Loaders;
pub(crate) use map_runs::MapRuns;
pub(crate) use running::{Runner, run_alone};

/// Things handed to the engine before its outputs are looked at: enough to fill a batch, few enough that
/// no output waits longer than some milliseconds.
const DRAINED_AT_ONCE: usize = 1024;
/// Longest sleep; a clock that was set back would otherwise delay every timer by as much.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Something that happened.
pub(crate) enum Message {
    /// A commit, a task's end, an execution read back.
    Input(Input),
    /// A call that is answered.
    Call(Input, Waiters),
    /// The compiled code of a module is at hand, or can't be had.
    ModuleReady(Digest),
    /// Say what there is to do.
    Look(oneshot::Sender<Load>),
    /// Finish what is being written and stop.
    Shutdown,
}

/// Who waits for the answers to a call.
pub(crate) type Waiters = Vec<(ReplyTo, oneshot::Sender<Reply>)>;

/// Where the driver is reached. The channel has no bound of its own: its senders have. Each connection has
/// one call under way, each slot one task, and there is one commit and a few loads.
#[derive(Clone)]
pub(crate) struct Mailbox {
    sender: Sender<Message>,
    next_reply: Arc<AtomicU64>,
}

impl Mailbox {
    pub(crate) fn new() -> (Self, Receiver<Message>) {
        let (sender, receiver) = channel();
        (
            Self {
                sender,
                next_reply: Arc::default(),
            },
            receiver,
        )
    }

    /// Starts an execution. The second receiver hears of its end.
    pub(crate) fn start(
        &self,
        request: impl FnOnce(ReplyTo, Option<ReplyTo>) -> StartExecution,
        until_closed: bool,
    ) -> (oneshot::Receiver<Reply>, Option<oneshot::Receiver<Reply>>) {
        let (reply, started) = self.waiter();
        let (closing, closed) = if until_closed {
            Some(self.waiter()).unzip()
        } else {
            (None, None)
        };
        let request = request(reply.0, closing.as_ref().map(|(to, _)| *to));
        let waiters = std::iter::once(reply).chain(closing).collect();
        self.send(Message::Call(Input::Start(request), waiters));
        (started, closed)
    }

    /// Stops an execution.
    pub(crate) fn stop(&self, execution: ExecutionId, failure: Failure) -> oneshot::Receiver<Reply> {
        let (reply, stopped) = self.waiter();
        let input = Input::Stop {
            execution,
            failure,
            reply: reply.0,
        };
        self.send(Message::Call(input, vec![reply]));
        stopped
    }

    /// Changes the bounds of a Map Run.
    pub(crate) fn update_map_run(&self, run: TaskId, bounds: MapRunBounds) -> oneshot::Receiver<Reply> {
        let (reply, updated) = self.waiter();
        let input = Input::UpdateMapRun {
            run,
            bounds,
            reply: reply.0,
        };
        self.send(Message::Call(input, vec![reply]));
        updated
    }

    /// Redrives an execution.
    pub(crate) fn redrive(&self, execution: ExecutionId, token: Option<String>) -> oneshot::Receiver<Reply> {
        let (reply, redriven) = self.waiter();
        let input = Input::Redrive {
            execution,
            token,
            reply: reply.0,
        };
        self.send(Message::Call(input, vec![reply]));
        redriven
    }

    /// Says something of an attempt.
    pub(crate) fn callback(&self, task: TaskId, word: Word) -> oneshot::Receiver<Reply> {
        let (reply, heard) = self.waiter();
        let input = Input::Callback {
            task,
            word,
            reply: reply.0,
        };
        self.send(Message::Call(input, vec![reply]));
        heard
    }

    /// Waits for an execution's end.
    pub(crate) fn end_of(&self, execution: ExecutionId) -> oneshot::Receiver<Reply> {
        let (reply, closed) = self.waiter();
        let input = Input::Await {
            execution,
            reply: reply.0,
        };
        self.send(Message::Call(input, vec![reply]));
        closed
    }

    /// What the engine has in hand.
    pub(crate) fn look(&self) -> oneshot::Receiver<Load> {
        let (sender, load) = oneshot::channel();
        self.send(Message::Look(sender));
        load
    }

    /// After the driver's end a message is dropped, and with it whoever waits for an answer learns.
    pub(crate) fn send(&self, message: Message) {
        let _ = self.sender.send(message);
    }

    fn waiter(&self) -> ((ReplyTo, oneshot::Sender<Reply>), oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        (
            (ReplyTo(self.next_reply.fetch_add(1, Ordering::Relaxed)), sender),
            receiver,
        )
    }
}

/// What the driver asks of the disk.
pub(crate) struct Disk {
    pub(crate) log: Arc<dyn CommitLog>,
    pub(crate) loaders: Loaders,
    pub(crate) map_runs: MapRuns,
    /// Shows what is on it to whoever looks on.
    pub(crate) hook: Hook,
}

/// What the driver works with.
pub(crate) struct Driver {
    engine: Engine,
    disk: Disk,
    runner: Runner,
    mailbox: Mailbox,
    inbox: Receiver<Message>,
    waiting: HashMap<ReplyTo, oneshot::Sender<Reply>>,
    express: Arc<Recent>,
    commits_under_way: usize,
    phase: Phase,
}

/// Whether the driver is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Only so many batches are still written: what had gathered when the stop came, and no more.
    Stopping {
        commits_left: usize,
    },
}

/// Batches written after a stop began: one holds everything that had gathered behind the one under way.
/// Without a bound, executions that never wait would keep the server from stopping.
const LAST_COMMITS: usize = 1;

impl Driver {
    /// With a fresh engine; `options` says what it may use and signs with. The first message must be the one that recovers.
    pub(crate) fn new(
        disk: Disk,
        runner: Runner,
        mailbox: Mailbox,
        inbox: Receiver<Message>,
        express: Arc<Recent>,
        options: Options,
    ) -> Self {
        let options = Options {
            slots: runner.slots(),
            seed: seed(),
            show_unrecorded: true,
            ..options
        };
        Self {
            engine: Engine::new(options)
                .with_resources(runner.resources())
                .with_child_names(child_names),
            disk,
            runner,
            mailbox,
            inbox,
            waiting: HashMap::new(),
            express,
            commits_under_way: 0,
            phase: Phase::Serving,
        }
    }

    /// Starts the thread; it ends after [`Message::Shutdown`], once nothing is being written. `gone` is
    /// dropped with it, however it ends.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(mut self, gone: oneshot::Sender<()>) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("driver".into()).spawn(move || {
            let _gone = gone;
            self.run();
        })
    }

    fn run(&mut self) {
        while !(self.is_stopping() && self.commits_under_way == 0) {
            if let Some(message) = self.next() {
                self.take(message);
                for message in self.inbox.try_iter().take(DRAINED_AT_ONCE).collect::<Vec<_>>() {
                    self.take(message);
                }
            } else {
                self.engine.handle(clock::now(), Input::Tick);
            }
            while let Some(output) = self.engine.poll_output() {
                self.perform(output);
            }
        }
        self.runner.cancel_all();
    }

    fn is_stopping(&self) -> bool {
        self.phase != Phase::Serving
    }

    /// The next message, or `None` when the engine's time has come.
    fn next(&mut self) -> Option<Message> {
        let sleep = match self.engine.poll_timeout() {
            Some((at, _)) => until(at),
            None => LONGEST_SLEEP,
        };
        match self.inbox.recv_timeout(sleep) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            // The driver holds a sender itself; this is for completeness.
            Err(RecvTimeoutError::Disconnected) => Some(Message::Shutdown),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Input(input) => {
                if matches!(input, Input::Committed { .. }) {
                    self.commits_under_way -= 1;
                }
                if let Input::TaskDone { task, .. } = &input {
                    self.runner.ended(*task);
                }
                self.engine.handle(clock::now(), input);
            }
            Message::Call(input, waiters) => {
                // Whoever calls now hears that the server is going.
                if self.is_stopping() {
                    return;
                }
                self.waiting.extend(waiters);
                self.engine.handle(clock::now(), input);
            }
            Message::ModuleReady(digest) => self.runner.module_ready(&digest),
            Message::Look(asking) => {
                let _ = asking.send(self.engine.workload());
            }
            Message::Shutdown => {
                self.phase = Phase::Stopping {
                    commits_left: LAST_COMMITS,
                }
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Commit(batch) => {
                if let Phase::Stopping { commits_left } = &mut self.phase {
                    // What isn't written was never seen, and happens again at the next start.
                    let Some(left) = commits_left.checked_sub(1) else {
                        return;
                    };
                    *commits_left = left;
                }
                self.commits_under_way += 1;
                let batch = Arc::new(batch);
                let since = Instant::now();
                let (written, mailbox, hook) = (Arc::clone(&batch), self.mailbox.clone(), self.disk.hook.clone());
                let done = move |result| {
                    hook.committed(&written, &result, since);
                    let batch = written.id;
                    mailbox.send(Message::Input(Input::Committed { batch, result }));
                };
                self.disk.log.commit(batch, Box::new(done));
            }
            Output::Reply { to, reply } => {
                if let Reply::Fault(reason) = &reply {
                    tracing::warn!(reason, "a call failed");
                }
                // A caller that hung up is nobody's loss.
                if let Some(waiter) = self.waiting.remove(&to) {
                    let _ = waiter.send(reply);
                }
            }
            // After a shutdown began, tasks stay where they are: the next start finds them open.
            Output::Run(request) if self.is_stopping() => drop(request),
            Output::Run(request) => self.runner.run(request),
            Output::Cancel(task) => self.runner.cancel(task),
            Output::Forget(task) => self.runner.forget(task),
            Output::Load(execution) => self.disk.loaders.load(execution),
            Output::Unrecorded {
                execution,
                version,
                events,
            } => {
                let events: Arc<[Event]> = events.into();
                self.express.record(execution, &events);
                self.disk.hook.unrecorded(execution, version, events);
            }
            Output::ReadItems {
                run,
                redrives,
                source,
                from,
                limit,
            } => self.disk.map_runs.read(run, redrives, source, from, limit),
            Output::FindChildrenToRedrive {
                run,
                redrives,
                after,
                limit,
            } => self.disk.map_runs.find_to_redrive(run, redrives, after, limit),
            Output::LoadMapRun(request) => self.disk.map_runs.load(request),
            Output::FinishMapRun {
                request,
                failure,
                result_bytes,
            } => self.disk.map_runs.finish(request, failure, result_bytes),
            Output::MapRunOver(run) => self.disk.map_runs.over(run),
            Output::Quarantined { execution, reason } => {
                tracing::warn!(
                    execution = execution.0,
                    reason,
                    "execution set aside until the next start; its journal is untouched, report this with it"
                );
            }
        }
    }
}

fn until(at: Timestamp) -> Duration {
    let millis = at.millis_since(clock::now());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(LONGEST_SLEEP)
}

/// The dice need not be unpredictable, only different from start to start.
fn seed() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low
}
