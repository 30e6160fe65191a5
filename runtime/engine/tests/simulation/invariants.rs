//! What must hold after every step, and what must hold in the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::execution::Execution;
use asl::{Event, EventKind, Status, Timestamp};
use engine::ids::ExecutionId;
use engine::output::TaskRequest;
use serde_json::Value;

use crate::Seen;
use crate::disk::Stored;
use crate::model::{Ending, evaluate};
use crate::script::{ONCE, may_repeat};
use crate::world::World;

/// A shell may tick this much late, in milliseconds.
const LATE: i64 = 20;

impl World {
    /// An attempt runs only when its TaskScheduled is on disk, once at a time, with what that says.
    pub fn check_run(&self, request: &TaskRequest) {
        let task = request.task;
        assert!(!self.running.contains_key(&task), "{task} runs twice at once");
        let stored = self.stored(task.execution);
        let event = stored
            .events
            .get(task.scheduled_at as usize)
            .expect("run before it was past the line");
        let EventKind::TaskScheduled {
            resource,
            parameters,
            retry_count,
            heartbeat_seconds,
            ..
        } = &event.kind
        else {
            panic!("{task} was never scheduled");
        };
        assert_eq!(
            (resource, parameters, retry_count, heartbeat_seconds),
            (
                &request.resource,
                &request.parameters,
                &request.retry_count,
                &request.heartbeat_seconds
            )
        );
        assert!(
            stored.open().contains(&task.scheduled_at),
            "{task} is run though it is over"
        );
        // One whose request is recorded is waited for and not made again.
        if request.resource == ONCE && !request.submitted {
            assert!(!self.ran_once.contains(&task), "{task} is run a second time");
            let open = stored.fold.open_task(task.scheduled_at).expect("it is open");
            match request.version {
                Some(version) if may_repeat(version) => {}
                version => assert_eq!(open.version, version, "{task} is run before its start is past the line"),
            }
        }
    }

    /// Holds after every step.
    pub fn check_moment(&mut self) {
        assert!(
            self.running.len() - self.parked.len() <= self.slots(),
            "more attempts run than there are slots"
        );
        for task in self.running.keys() {
            let open = self.stored(task.execution).fold.open_task(task.scheduled_at);
            assert!(open.is_some(), "{task} still runs though its end is on disk");
        }
        if !self.is_quiet() {
            return;
        }
        self.check_children();
        let free = self.running.len() - self.parked.len() < self.slots();
        for (task, (_, request)) in &self.running {
            if let (Some(beat), Some(seconds)) = (self.beats.get(task), request.heartbeat_seconds) {
                let silent = self.now - beat;
                assert!(
                    silent <= seconds as i64 * 1_000 + LATE,
                    "{task} is silent for {silent} ms and goes on"
                );
            }
        }
        let timeout = self.engine.poll_timeout().map(|(at, _)| at);
        let recorded = self.disk.executions.iter();
        let recorded = recorded.filter(|(_, stored)| stored.fold.mode().is_standard());
        for (id, stored) in recorded.chain(&self.unrecorded) {
            if stored.fold.status().is_closed() || self.quarantined.contains(id) {
                continue;
            }
            let running = running_of(self, *id);
            let open = stored.open();
            assert!(running.is_subset(&open));
            assert!(
                !free || running == open,
                "{id:?}: {open:?} are open, {running:?} run, and a slot is free"
            );
            let awake = !stored.is_restless(Timestamp(self.now));
            assert!(awake, "{id:?} could go on, and nobody looks at it");
            if let Some((at, why)) = stored.fold.next_wakeup() {
                assert!(
                    timeout.is_some_and(|timeout| timeout <= at),
                    "{id:?} is not woken for its {why:?} at {at}"
                );
            }
            if !stored.fold.mode().is_standard() {
                continue;
            }
            let position = stored.events.len() as u64;
            self.snapshots
                .entry(*id)
                .or_default()
                .entry(position)
                .or_insert((running, free));
        }
    }

    /// Holds when nothing happens any more.
    pub fn check_end(&mut self) {
        assert!(self.running.is_empty(), "attempts run though nothing happens any more");
        assert!(self.calls.is_empty(), "calls are never answered: {:?}", self.calls);
        for caller in &self.callers {
            assert!(caller.answered, "`{}` never got its answer", caller.name);
            assert!(
                caller.is_synchronous() || self.disk.named(caller.machine, &caller.name).is_some(),
                "`{}` is lost",
                caller.name
            );
        }
        for (id, stored) in &self.disk.executions {
            assert!(stored.fold.status().is_closed(), "{id:?} never ends");
            self.check_replay(*id, stored);
            self.check_submissions(*id, &stored.events);
            let compared = self.check_ending(*id, stored);
            compared.count(&mut self.seen);
        }
    }

    /// Every prefix of a journal, read back from its encoding, gives what ran at that moment.
    fn check_replay(&self, id: ExecutionId, stored: &Stored) {
        let snapshots = self.snapshots.get(&id);
        let mut fold = Execution::new(Arc::clone(&stored.machine));
        for event in &stored.events {
            let text = serde_json::to_string(event).expect("events have an encoding");
            let read: Event = serde_json::from_str(&text).expect("events read their own encoding");
            assert_eq!(read, *event);
            fold.apply(&read).expect("every prefix replays");
            let Some((running, free)) = snapshots.and_then(|moments| moments.get(&fold.position())) else {
                continue;
            };
            let open: BTreeSet<u64> = fold.open_tasks().map(|task| task.scheduled_at).collect();
            assert!(
                running.is_subset(&open) && (!free || *running == open),
                "{id:?} replays to other attempts"
            );
        }
        assert_eq!(fold.status(), stored.fold.status());
    }

    /// The execution ended in a way the reference knows.
    pub fn check_ending(&self, id: ExecutionId, stored: &Stored) -> Compared {
        let definition = &self.definitions[&stored.start.machine];
        let status = stored.fold.status();
        if status == Status::Aborted {
            let with_its_run = stored.start.child.is_some();
            assert!(
                self.asked_to_stop.contains(&id) || with_its_run,
                "{id:?} was stopped by nobody"
            );
            return Compared::Uncomparable;
        }
        if stored.start.child.is_some() || self.was_meddled_with(id) {
            // a child's own ending is part of its parent's
            return Compared::Uncomparable;
        }
        let was_stopped = self.stopped.contains(&id) && !stored.was_redriven();
        assert!(!was_stopped, "{id:?} was stopped and ended otherwise");
        if status == Status::TimedOut {
            let of_machine = definition["TimeoutSeconds"].as_u64();
            let seconds = of_machine.into_iter().chain(stored.fold.mode().seconds()).min();
            let seconds = seconds.expect("only what has a time-out times out") as f64;
            let ended = stored.fold.stopped().expect("a closed execution has its time");
            assert!(ended >= stored.start.at.plus_seconds(seconds), "{id:?} timed out early");
            return Compared::Uncomparable;
        }
        let ending = match (stored.fold.output(), stored.fold.failure()) {
            (Some(output), None) => Ending::Returns(output.value().clone()),
            (None, Some(failure)) => {
                let error = failure.error.clone().unwrap_or_default();
                // these name an entry of the history
                let located = ["States.ItemReaderFailed", "States.ResultWriterFailed"].contains(&&*error);
                Ending::Fails {
                    cause: failure.cause.clone().filter(|_| !located),
                    error,
                }
            }
            other => panic!("{id:?} ended with {other:?}"),
        };
        let input: Value = stored.input().value().clone();
        let Some(endings) = evaluate(self.seed, definition, &input) else {
            return Compared::TooMany;
        };
        assert!(
            endings.contains(&ending),
            "{id:?} ended with {ending:?}; the reference knows {endings:#?}"
        );
        Compared::With(endings.len())
    }
}

/// How many endings of the reference an execution was compared with.
pub enum Compared {
    /// It was stopped, or its machine's time-out ended it.
    Uncomparable,
    With(usize),
    TooMany,
}

impl Compared {
    pub fn count(self, seen: &mut Seen) {
        match self {
            Compared::Uncomparable => {}
            Compared::With(1) => seen.compared_with_one_ending += 1,
            Compared::With(_) => seen.compared_with_several += 1,
            Compared::TooMany => seen.too_many_endings += 1,
        }
    }
}

fn running_of(world: &World, id: ExecutionId) -> BTreeSet<u64> {
    world
        .running
        .keys()
        .filter(|task| task.execution == id)
        .map(|task| task.scheduled_at)
        .collect()
}
