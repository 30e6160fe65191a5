//! Express executions that ran lately, as they are remembered: in memory, so many and no more.
//!
//! Their histories are on no disk. What the engine lets out of them is kept here for people to look at, the newest
//! executions for as long as there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use asl::{Event, EventKind, Payload, Status, Timestamp};
use engine::event_bytes;
use engine::ids::ExecutionId;
use engine::ports::{MachineType, StoreError};
use tokio::sync::watch;

use crate::handle::Inner;

/// Events kept of one execution: as long as a history of AWS's may be. A loop that goes round for five minutes makes
/// millions.
const MOST_EVENTS: usize = 25_000;
/// Bytes of events kept of one execution.
const MOST_BYTES: usize = 8 << 20;
/// Bytes of events kept of all executions together.
const MOST_BYTES_TOGETHER: usize = 64 << 20;

/// The executions that are remembered.
#[derive(Default)]
pub(crate) struct Recent {
    most: usize,
    kept: Mutex<Kept>,
    /// Changes whenever one of them closes.
    closings: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    /// The oldest first.
    order: VecDeque<ExecutionId>,
    runs: HashMap<ExecutionId, Remembered>,
    bytes: usize,
}

/// An execution as it is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its name.
    pub(crate) name: String,
    /// Its machine's name.
    pub(crate) machine: String,
    /// When it started.
    pub(crate) started: Timestamp,
    /// Its input.
    pub(crate) input: Payload,
    /// The event that closed it.
    pub(crate) closed: Option<Event>,
    /// Its events from the first on.
    pub(crate) events: Vec<Event>,
    /// Whether these are all there were.
    pub(crate) complete: bool,
    bytes: usize,
}

impl Recent {
    /// Remembers so many executions.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::default(),
            closings: watch::Sender::default(),
        }
    }

    /// Whether anything is remembered.
    pub(crate) fn is_kept(&self) -> bool {
        self.most > 0
    }

    /// Events of a run, in order.
    pub(crate) fn record(&self, run: ExecutionId, events: &[Event]) {
        if !self.is_kept() {
            return;
        }
        let closes = events.iter().any(|event| event.kind.closes().is_some());
        let mut kept = self.kept();
        for event in events {
            kept.push(run, event);
        }
        while kept.order.len() > self.most || kept.bytes > MOST_BYTES_TOGETHER {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(forgotten) = kept.runs.remove(&oldest) {
                kept.bytes -= forgotten.bytes;
            }
        }
        drop(kept);
        if closes {
            self.closings.send_replace(());
        }
    }

    /// Hears of every execution that closes from now on.
    pub(crate) fn closings(&self) -> watch::Receiver<()> {
        self.closings.subscribe()
    }

    /// Those of a machine, or all, without their events; the newest first.
    pub(crate) fn list(&self, machine: Option<&str>, limit: usize) -> Vec<Remembered> {
        let kept = self.kept();
        let newest_first = kept.order.iter().rev().filter_map(|run| kept.runs.get(run));
        newest_first
            .filter(|run| machine.is_none_or(|machine| run.machine == machine))
            .take(limit)
            .map(Remembered::without_events)
            .collect()
    }

    /// The latest run of the execution with this ARN.
    fn find(&self, arn: &str) -> Option<Remembered> {
        let kept = self.kept();
        let mut newest_first = kept.order.iter().rev().filter_map(|run| kept.runs.get(run));
        newest_first.find(|run| run.arn == arn).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered of an execution, or what the disk holds of it: the start and the outcome of an asynchronous one.
/// Blocks while the store reads.
///
/// # Errors
/// [`StoreError`] when it can't be read.
pub(crate) fn find(inner: &Inner, arn: &str) -> Result<Option<Remembered>, StoreError> {
    if let Some(run) = inner.express.find(arn) {
        return Ok(Some(run));
    }
    let Some((machine, execution)) = inner.namespace.parse_express(arn) else {
        return Ok(None);
    };
    let machines = inner.machines.ever_named(machine);
    for machine in machines.map_err(|error| StoreError(error.to_string()))? {
        if machine.machine_type == MachineType::Express
            && let Some(execution) = inner.reader.execution_by_name(machine.id, execution)?
        {
            return Ok(Remembered::of(inner.reader.journal(execution.id, 0)?));
        }
    }
    Ok(None)
}

impl Kept {
    fn push(&mut self, id: ExecutionId, event: &Event) {
        if let Some(run) = Remembered::begun(event) {
            self.order.push_back(id);
            self.runs.insert(id, run);
        }
        // One that was forgotten while it ran.
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.closed = Some(event).filter(|event| event.kind.closes().is_some()).cloned();
        let bytes = event_bytes(event);
        if !run.complete || run.events.len() >= MOST_EVENTS || run.bytes + bytes > MOST_BYTES {
            run.complete = false;
            return;
        }
        run.bytes += bytes;
        self.bytes += bytes;
        run.events.push(event.clone());
    }
}

impl Remembered {
    /// An execution of which only these events are left.
    pub(crate) fn of(events: Vec<Event>) -> Option<Self> {
        let mut run = Self::begun(events.first()?)?;
        run.closed = events.last().filter(|event| event.kind.closes().is_some()).cloned();
        run.events = events;
        run.complete = false;
        Some(run)
    }

    fn begun(event: &Event) -> Option<Self> {
        let EventKind::ExecutionStarted {
            id,
            name,
            machine_name,
            input,
            ..
        } = &event.kind
        else {
            return None;
        };
        Some(Self {
            arn: id.clone(),
            name: name.clone(),
            machine: machine_name.clone(),
            started: event.at,
            input: input.clone(),
            closed: None,
            events: Vec::new(),
            complete: true,
            bytes: 0,
        })
    }

    fn without_events(&self) -> Self {
        Self {
            arn: self.arn.clone(),
            name: self.name.clone(),
            machine: self.machine.clone(),
            input: self.input.clone(),
            closed: self.closed.clone(),
            events: Vec::new(),
            ..*self
        }
    }

    /// How it stands.
    pub(crate) fn status(&self) -> Status {
        let closed = self.closed.as_ref().and_then(|event| event.kind.closes());
        closed.unwrap_or(Status::Running)
    }
}

#[cfg(test)]
mod tests {
    use asl::Mode;

    use super::*;

    fn started(name: &str) -> Event {
        let kind = EventKind::ExecutionStarted {
            input: Payload::empty_object(),
            id: format!("arn:{name}"),
            name: name.into(),
            role: None,
            machine_id: "machine".into(),
            machine_name: "m".into(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode: Mode::Express { seconds: 300 },
        };
        Event { at: Timestamp(1), kind }
    }

    fn output(bytes: usize) -> Event {
        let output = Payload::from_value("x".repeat(bytes).into());
        Event {
            at: Timestamp(2),
            kind: EventKind::ExecutionSucceeded { output },
        }
    }

    fn step() -> Event {
        Event {
            at: Timestamp(1),
            kind: EventKind::TaskStarted {
                scope: asl::ScopeId::ROOT,
                worker: None,
                version: None,
            },
        }
    }

    #[test]
    fn the_newest_are_remembered_and_the_oldest_forgotten() {
        let recent = Recent::new(2);
        for number in 1..=3 {
            recent.record(ExecutionId(number), &[started(&number.to_string())]);
        }
        recent.record(ExecutionId(1), &[output(1)]);
        recent.record(ExecutionId(3), &[output(1)]);
        let names: Vec<_> = recent.list(None, 9).into_iter().map(|run| run.name).collect();
        assert_eq!(names, ["3", "2"]);
        assert!(recent.find("arn:1").is_none());
        let third = recent.find("arn:3").expect("remembered");
        assert_eq!(
            (third.status(), third.closed, third.events.len(), third.complete),
            (Status::Succeeded, Some(output(1)), 2, true)
        );
        assert!(recent.list(Some("other"), 9).is_empty());
    }

    #[test]
    fn neither_one_nor_all_of_them_fill_the_memory() {
        let recent = Recent::new(1000);
        recent.record(ExecutionId(1), &[started("long")]);
        recent.record(ExecutionId(1), &vec![step(); MOST_EVENTS + 10]);
        recent.record(ExecutionId(1), &[output(1)]);
        let long = recent.find("arn:long").expect("remembered");
        assert_eq!(
            (long.events.len(), long.complete, long.status()),
            (MOST_EVENTS, false, Status::Succeeded)
        );
        for number in 2..14 {
            recent.record(
                ExecutionId(number),
                &[started(&number.to_string()), output(MOST_BYTES - 10_000)],
            );
        }
        assert!(recent.kept().bytes <= MOST_BYTES_TOGETHER);
        assert!(recent.find("arn:13").is_some_and(|run| run.complete));
        assert!(recent.find("arn:long").is_none());
    }

    #[test]
    fn the_latest_run_of_an_execution_that_began_again_is_shown() {
        let recent = Recent::new(10);
        recent.record(ExecutionId(1), &[started("n"), step()]);
        recent.record(ExecutionId(2), &[started("n")]);
        assert_eq!(recent.find("arn:n").expect("remembered").events.len(), 1);
    }
}
