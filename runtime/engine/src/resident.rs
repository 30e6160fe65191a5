//! An execution in memory: the fold itself, how much of it is on disk, and what runs for it.

use std::collections::{BTreeMap, BTreeSet};

use asl::execution::{ApplyError, Execution, Wakeup};
use asl::{Event, EventKind, Failure, Payload, Status, Timestamp};

use crate::batch::{self, Append, Child};
use crate::group_commit::event_bytes;
use crate::ids::{ExecutionId, ReplyTo, TaskId};
use crate::input::{MapRunBounds, Release, Word};
use crate::output::Reply;
use crate::ports::Report;
use crate::replay::{Pinned, Settled};
use crate::unrecorded::Run;

/// How many events an execution may be ahead of the disk before it has to wait for it. Bounds memory
/// and the size of one append when a machine loops without ever waiting.
pub(crate) const MAX_EVENTS_AHEAD: u64 = 1_000;

/// The same in bytes of payload: sixteen of the largest payloads the language allows.
pub(crate) const MAX_BYTES_AHEAD: usize = 4 << 20;

/// Events from this size on wait for the disk as texts alone; what was parsed of them goes with the state.
const LARGE_EVENT_BYTES: usize = 1 << 20;

/// What the engine knows of an execution that isn't closed.
#[derive(Debug)]
pub(crate) enum Entry {
    /// In memory.
    Resident(Box<Resident>),
    /// On disk only, until its timer or a caller wants it, with the attempts that wait for something outside.
    Dormant(BTreeMap<u64, Running>),
    /// Being read back.
    Loading(Loading),
    /// Left alone until the next start of the process.
    Quarantined,
}

/// What is to be done with an execution once it is read back.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    /// What came meanwhile, in order.
    pub(crate) pending: Vec<Pending>,
    /// What waited for something outside when it left memory; see [`Resident::running`].
    pub(crate) parked: BTreeMap<u64, Running>,
    /// See [`Resident::came_back`].
    pub(crate) came_back: bool,
}

/// Something that waits for its execution to be read back.
#[derive(Debug)]
pub(crate) enum Pending {
    Stop(PendingStop),
    Callback {
        task: TaskId,
        word: Word,
        reply: ReplyTo,
    },
    Redrive {
        token: Option<String>,
        reply: ReplyTo,
    },
    TaskDone {
        task: TaskId,
        report: Report,
    },
    TaskReleased {
        task: TaskId,
        release: Release,
        submitted: Option<Payload>,
    },
    /// Its Map Run is over, and with it every child.
    Abort,
    UpdateMapRun {
        run: TaskId,
        bounds: MapRunBounds,
        reply: ReplyTo,
    },
}

impl Pending {
    /// Who hears of it, if somebody does.
    pub(crate) fn reply(&self) -> Option<ReplyTo> {
        match self {
            Pending::Stop(stop) => Some(stop.reply),
            Pending::Callback { reply, .. } | Pending::UpdateMapRun { reply, .. } | Pending::Redrive { reply, .. } => {
                Some(*reply)
            }
            Pending::TaskDone { .. } | Pending::TaskReleased { .. } | Pending::Abort => None,
        }
    }
}

/// A stop that waits for its execution to be read back.
#[derive(Debug)]
pub(crate) struct PendingStop {
    pub(crate) failure: Failure,
    pub(crate) reply: ReplyTo,
}

/// An execution in memory.
#[derive(Debug)]
pub(crate) struct Resident {
    /// The fold, ahead of the disk by what is in `events` and in the batch in flight.
    pub(crate) execution: Execution,
    /// What it belongs to, for its children.
    pub(crate) pinned: Pinned,
    /// How many events are on disk: the durability line.
    pub(crate) durable: u64,
    /// Events applied and not yet part of a batch.
    pub(crate) events: Vec<Event>,
    /// Answers due when `events` are on disk.
    pub(crate) replies: Vec<(ReplyTo, Reply)>,
    /// What the first append says; taken by it.
    pub(crate) start: Option<batch::Start>,
    /// Of an execution that is recorded: its id on disk, its own unless it is a run.
    pub(crate) journal: Option<ExecutionId>,
    /// How many events of the journal were handed to batches.
    journaled: u64,
    /// Of a run: what it knows beyond the disk.
    pub(crate) run: Option<Run>,
    /// Whether `next` may have something to say.
    pub(crate) restless: bool,
    /// Attempts that were handed out, by the position of their TaskScheduled.
    pub(crate) running: BTreeMap<u64, Running>,
    /// Attempts that may run and have no slot yet.
    pub(crate) waiting: BTreeSet<u64>,
    /// The wake-up that is set, and why.
    pub(crate) wakeup: Option<(Timestamp, Wakeup)>,
    /// Whether it was forgotten after a failed commit and read back: an attempt it runs may have run
    /// before in this process, and a report of that first run may still be on its way.
    pub(crate) came_back: bool,
    bytes: usize,
    bytes_in_flight: usize,
}

/// Where a new execution is to be recorded.
#[derive(Debug)]
pub(crate) struct NewJournal {
    pub(crate) id: ExecutionId,
    pub(crate) start: batch::Start,
}

/// An attempt that was handed out.
#[derive(Debug)]
pub(crate) struct Running {
    /// When it got its slot.
    pub(crate) given: Timestamp,
    /// Whether it still has it.
    pub(crate) has_slot: bool,
    /// Whether the shell has said that it goes on without.
    pub(crate) released: bool,
    /// It waits for a worker to take it, so it hasn't started.
    pub(crate) queued: bool,
    /// When its next heartbeat is due at the latest, of attempts that are worked on outside.
    pub(crate) beat_due: Option<Timestamp>,
    /// Of one that may not be repeated and waits for its start to be on disk: the position behind that.
    pub(crate) begins_at: Option<u64>,
    /// Nobody wants it any more; it is stopped when the batch in flight is on disk.
    pub(crate) unwanted: bool,
}

impl Running {
    /// An attempt that just got a slot.
    pub(crate) fn given(now: Timestamp) -> Self {
        Self {
            given: now,
            has_slot: true,
            released: false,
            queued: false,
            beat_due: None,
            begins_at: None,
            unwanted: false,
        }
    }

    /// Whether its execution has to stay in memory for it. One that waits for something outside is kept in
    /// mind when its execution leaves memory, and found again when that comes.
    pub(crate) fn keeps_in_memory(&self) -> bool {
        !self.released || self.unwanted || self.beat_due.is_some()
    }
}

impl Resident {
    /// A new execution, its first event applied.
    pub(crate) fn start(
        execution: Execution,
        first: Event,
        pinned: Pinned,
        journal: Option<NewJournal>,
        answer: Option<(ReplyTo, Reply)>,
        shown: bool,
    ) -> Result<Self, ApplyError> {
        let (journal, start) = journal.map(|new| (new.id, new.start)).unzip();
        let mut resident = Self::at_rest(execution, pinned, journal);
        let EventKind::ExecutionStarted { mode, .. } = &first.kind else {
            // `apply` refuses it below.
            return resident.record_event(first).map(|()| resident);
        };
        resident.run = (!mode.is_standard()).then(|| Run::new(shown, journal.is_none()));
        resident.record_event(first)?;
        resident.replies.extend(answer);
        resident.start = start;
        Ok(resident)
    }

    /// An execution read back; all of it is on disk.
    pub(crate) fn read_back(loaded: Settled, journal: ExecutionId, came_back: bool, shown: bool) -> Self {
        let Settled { execution, pinned } = loaded;
        let position = execution.position();
        Self {
            run: Run::again(&execution, shown),
            durable: position,
            journaled: position,
            came_back,
            ..Self::at_rest(*execution, pinned, Some(journal))
        }
    }

    fn at_rest(execution: Execution, pinned: Pinned, journal: Option<ExecutionId>) -> Self {
        Self {
            durable: 0,
            execution,
            pinned,
            events: Vec::new(),
            replies: Vec::new(),
            start: None,
            journal,
            journaled: 0,
            run: None,
            restless: true,
            running: BTreeMap::new(),
            waiting: BTreeSet::new(),
            wakeup: None,
            came_back: false,
            bytes: 0,
            bytes_in_flight: 0,
        }
    }

    /// Applies an event and keeps it for the next batch.
    pub(crate) fn record(&mut self, at: Timestamp, kind: EventKind) -> Result<(), ApplyError> {
        self.record_event(Event { at, kind })
    }

    /// Applies an event and keeps it for the next batch.
    pub(crate) fn record_event(&mut self, mut event: Event) -> Result<(), ApplyError> {
        self.execution.apply(&event)?;
        self.restless = true;
        let recorded = match &mut self.run {
            None => true,
            Some(run) => {
                // Of a run that is recorded at all, its start and its outcome are.
                let is_edge = self.execution.position() == 1 || event.kind.closes().is_some();
                let recorded = is_edge && self.journal.is_some();
                run.applied(&event, recorded);
                recorded
            }
        };
        if recorded {
            let bytes = event_bytes(&event);
            if bytes >= LARGE_EVENT_BYTES {
                event.kind.payloads(&mut |payload| *payload = payload.unparsed());
            }
            self.bytes += bytes;
            self.events.push(event);
        }
        Ok(())
    }

    /// Records when an attempt got its slot, unless that is recorded or the attempt isn't wanted
    /// any more.
    pub(crate) fn record_started(&mut self, scheduled_at: u64, given: Timestamp) -> Result<(), ApplyError> {
        match self.execution.open_task(scheduled_at) {
            Some(task) if !task.started => {
                let scope = task.scope;
                self.record(
                    given,
                    EventKind::TaskStarted {
                        scope,
                        worker: None,
                        version: None,
                    },
                )
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Somebody works on an attempt: its next heartbeat is due HeartbeatSeconds from now.
    pub(crate) fn beat(&mut self, scheduled_at: u64, now: Timestamp) {
        let seconds = self
            .execution
            .open_task(scheduled_at)
            .and_then(|task| task.heartbeat_seconds);
        if let (Some(seconds), Some(running)) = (seconds, self.running.get_mut(&scheduled_at)) {
            running.beat_due = Some(now.plus_seconds(seconds as f64));
        }
    }

    /// Whether it has to be in memory for the children of its Map Runs.
    pub(crate) fn has_open_map_runs(&self) -> bool {
        self.execution.open_map_runs().next().is_some()
    }

    /// The Map Run it is a child of, with its place there.
    pub(crate) fn child(&self) -> Option<Child> {
        let child = self.execution.child_of()?;
        Some(Child {
            run: TaskId {
                execution: ExecutionId(child.execution),
                scheduled_at: child.position,
            },
            item: child.item,
            items: child.items,
            round: child.round,
        })
    }

    /// Whether it must wait for the disk before it goes on.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.execution.position() - self.durable >= MAX_EVENTS_AHEAD
            || self.bytes + self.bytes_in_flight >= MAX_BYTES_AHEAD
    }

    /// Whether everything that happened is on disk.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable == self.execution.position()
    }

    /// Hands the gathered events and the answers that wait for them to a batch.
    pub(crate) fn take_append(&mut self, id: ExecutionId) -> (Append, Vec<(ReplyTo, Reply)>, usize) {
        let events = std::mem::take(&mut self.events);
        let expected_position = self.journaled;
        self.journaled += events.len() as u64;
        let append = Append {
            execution: self.journal.unwrap_or(id),
            expected_position,
            events,
            start: self.start.take(),
            status: self.execution.status(),
            wake_at: self.wake_at(),
        };
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes_in_flight = bytes;
        (append, std::mem::take(&mut self.replies), bytes)
    }

    /// The batch is on disk: the durability line moves. That of a run follows other rules.
    pub(crate) fn durable_up_to(&mut self, position: u64) {
        if self.run.is_none() {
            self.durable = position;
        }
        self.bytes_in_flight = 0;
    }

    /// See [`Append::wake_at`].
    fn wake_at(&self) -> Option<Timestamp> {
        if self.execution.status().is_closed() {
            return None;
        }
        let works = self.execution.open_tasks().next().is_some() || self.has_open_map_runs();
        if self.run.is_some() || works {
            return Some(Append::AT_ONCE);
        }
        self.execution.next_wakeup().map(|(at, why)| match why {
            Wakeup::Ready => Append::AT_ONCE,
            Wakeup::Timer | Wakeup::Deadline => at,
        })
    }

    /// How it ended, for those who waited for that.
    pub(crate) fn closed_reply(&self, id: ExecutionId) -> Reply {
        let status = self.execution.status();
        Reply::Closed {
            execution: id,
            status,
            output: if status == Status::Succeeded {
                self.execution.output().cloned()
            } else {
                None
            },
            failure: self.execution.failure().cloned(),
            at: self.closed_at(),
        }
    }

    /// When it closed; before that, the beginning of time.
    pub(crate) fn closed_at(&self) -> Timestamp {
        self.execution.stopped().unwrap_or_default()
    }
}
