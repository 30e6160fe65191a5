//! Moving executions on, a bounded number of steps a turn.

use asl::execution::{ApplyError, Env, Limits, Outside, TaskOutcome};
use asl::{Attempt, Status, TimeoutKind, Timestamp};

use crate::Engine;
use crate::ids::{ExecutionId, TaskId};
use crate::output::Output;
use crate::ports::Resources;
use crate::quarantine::guarded;
use crate::resident::{Entry, Loading, Resident, Running};
use crate::token::TokenKey;

/// Steps one execution takes before the next one gets its turn, far more than most need between two
/// waits and far less than a loop without a wait would take.
const STEPS_A_SLICE: usize = 100;

/// Wake-ups handled in one turn; what is left is due at once. A million timers that ran out while
/// the process was down must not hold up its callers.
const WAKEUPS_A_TURN: usize = 1_000;

/// An execution whose next wake-up is further away than this leaves memory. Reading it back costs about
/// as much as a minute of keeping it is worth.
const DORMANT_AFTER_MILLIS: i64 = 60_000;

/// An attempt that runs for this long is recorded as started, so that histories show it live. Shorter
/// ones are recorded together with their end, which saves a commit.
const STARTED_VISIBLE_AFTER_MILLIS: i64 = 1_000;

/// What an execution may ask of the world.
pub(crate) struct World<'a> {
    pub(crate) execution: ExecutionId,
    pub(crate) key: &'a TokenKey,
    pub(crate) resources: &'a dyn Resources,
}

impl Outside for World<'_> {
    fn task_token(&self, scheduled_at: u64) -> String {
        self.key.token(TaskId {
            execution: self.execution,
            scheduled_at,
        })
    }

    fn refusal(&self, resource: &str) -> Option<String> {
        self.resources.refusal(resource)
    }
}

impl Resident {
    /// Takes at most `allowance` steps and says how many it took.
    fn advance(&mut self, env: &mut Env, allowance: usize) -> Result<usize, ApplyError> {
        let mut steps = 0;
        while self.restless && steps < allowance && !self.is_far_ahead() {
            match self.execution.next(env) {
                Some(event) => {
                    self.record_event(event)?;
                    steps += 1;
                }
                None => self.restless = false,
            }
        }
        // `next` had nothing to do now, so a wake-up is never earlier than the clock's next tick.
        let soonest = Timestamp(env.now.0.saturating_add(1));
        self.wakeup = if self.restless {
            None
        } else {
            self.execution.next_wakeup()
        }
        .map(|(at, why)| (at.max(soonest), why));
        Ok(steps)
    }

    /// When it has to be looked at again: at a timer of its own, or when a heartbeat is due.
    fn next_look(&self) -> Option<Timestamp> {
        let beat = self.running.values().filter_map(|running| running.beat_due).min();
        let wakeup = self.wakeup.map(|(at, _)| at);
        wakeup.into_iter().chain(beat).min()
    }

    /// Ends the attempts whose heartbeat didn't come.
    fn record_silent(&mut self, now: Timestamp, limits: Limits) -> Result<(), ApplyError> {
        let is_silent = |running: &Running| running.beat_due.is_some_and(|due| due <= now);
        let silent = self.running.iter_mut().filter(|(_, running)| is_silent(running));
        let silent: Vec<_> = silent
            .map(|(scheduled_at, running)| {
                running.beat_due = None;
                (*scheduled_at, running.given)
            })
            .collect();
        for (scheduled_at, given) in silent {
            self.record_started(scheduled_at, given)?;
            let outcome = TaskOutcome::TimedOut(TimeoutKind::Heartbeat);
            let kind = self
                .execution
                .task_result(scheduled_at, outcome, Attempt::default(), limits);
            if let Some(kind) = kind {
                self.record(now, kind)?;
            }
        }
        Ok(())
    }

    /// Records the start of attempts whose deadline has come, before they are recorded as timed out.
    fn record_overdue(&mut self, now: Timestamp) -> Result<(), ApplyError> {
        let is_overdue = |scheduled_at: u64| {
            let task = self.execution.open_task(scheduled_at);
            task.and_then(|task| task.deadline)
                .is_some_and(|deadline| deadline <= now)
        };
        let running = self
            .running
            .iter()
            .filter(|(_, running)| !running.queued)
            .map(|(scheduled_at, running)| (*scheduled_at, running.given));
        let overdue: Vec<_> = running.filter(|(scheduled_at, _)| is_overdue(*scheduled_at)).collect();
        overdue
            .into_iter()
            .try_for_each(|(scheduled_at, given)| self.record_started(scheduled_at, given))
    }
}

impl Engine {
    /// Changes a resident execution and makes sure that it is looked at afterwards. One that panics or
    /// refuses an event is put away.
    pub(crate) fn change(&mut self, id: ExecutionId, change: impl FnOnce(&mut Resident) -> Result<(), ApplyError>) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        match guarded(|| change(resident)) {
            Ok(Ok(())) => {
                if !resident.events.is_empty() {
                    self.commits.gathering.push_back(id);
                }
                self.ready.push_back(id);
                self.pass_line(id);
            }
            Ok(Err(error)) => self.quarantine(id, does_not_fit(&error)),
            Err(panic) => self.quarantine(id, panic),
        }
    }

    /// Looks at executions whose timer has come.
    pub(crate) fn wake_due(&mut self) {
        for _ in 0..WAKEUPS_A_TURN {
            let Some(id) = self.timers.pop_due(self.now) else {
                break;
            };
            match self.executions.get(&id) {
                Some(Entry::Resident(_)) => {
                    let (now, limits) = (self.now, self.options.limits);
                    self.change(id, |resident| {
                        resident.restless = true;
                        resident.record_overdue(now)?;
                        resident.record_silent(now, resident.limits(limits))
                    });
                }
                Some(Entry::Dormant(_)) => self.load(id, Loading::default()),
                Some(Entry::Loading(_) | Entry::Quarantined) | None => {}
            }
        }
    }

    /// Records the start of attempts that have been running for a while.
    pub(crate) fn record_long_running(&mut self) {
        while let Some((given, task)) = self.unrecorded.front().copied() {
            if self.is_unrecorded(given, task) {
                if given.0.saturating_add(STARTED_VISIBLE_AFTER_MILLIS) > self.now.0 {
                    break;
                }
                self.change(task.execution, |resident| {
                    resident.record_started(task.scheduled_at, given)
                });
            }
            self.unrecorded.pop_front();
        }
    }

    /// When the next attempt has been running for a while.
    pub(crate) fn next_long_running(&self) -> Option<(Timestamp, TaskId)> {
        let (given, task) = self.unrecorded.front()?;
        Some((Timestamp(given.0.saturating_add(STARTED_VISIBLE_AFTER_MILLIS)), *task))
    }

    fn is_unrecorded(&self, given: Timestamp, task: TaskId) -> bool {
        let Some(Entry::Resident(resident)) = self.executions.get(&task.execution) else {
            return false;
        };
        let runs = resident
            .running
            .get(&task.scheduled_at)
            .is_some_and(|running| running.given == given && !running.queued);
        runs && resident
            .execution
            .open_task(task.scheduled_at)
            .is_some_and(|task| !task.started)
    }

    /// Moves executions on in turns, until none has anything to do or the turn's steps are used up.
    pub(crate) fn run_ready(&mut self) {
        let mut left = self.options.step_budget.max(1);
        while left > 0 {
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            // Looking costs something too, so an execution without a step counts as one.
            let steps = self.advance(id, left.min(STEPS_A_SLICE)).max(1);
            left -= steps.min(left);
        }
    }

    fn advance(&mut self, id: ExecutionId, allowance: usize) -> usize {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return 0;
        };
        let world = World {
            execution: id,
            key: &self.options.token_key,
            resources: &*self.resources,
        };
        let mut env = Env {
            now: self.now,
            dice: &mut self.dice,
            outside: &world,
            limits: resident.limits(self.options.limits),
        };
        match guarded(|| resident.advance(&mut env, allowance)) {
            Ok(Ok(steps)) => {
                if !resident.events.is_empty() {
                    self.commits.gathering.push_back(id);
                }
                self.timers.set(id, resident.next_look());
                self.pass_line(id);
                match self.executions.get(&id) {
                    Some(Entry::Resident(resident)) if !resident.restless => self.rest(id),
                    Some(Entry::Resident(resident)) if !resident.is_far_ahead() => self.ready.push_back(id),
                    _ => {}
                }
                steps
            }
            Ok(Err(error)) => {
                self.quarantine(id, does_not_fit(&error));
                0
            }
            Err(panic) => {
                self.quarantine(id, panic);
                0
            }
        }
    }

    /// Takes an execution out of memory where nothing moves it for a while, or ever.
    pub(crate) fn rest(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
            return;
        };
        if resident.restless || !resident.is_durable() {
            return;
        }
        if resident.execution.status() != Status::Running {
            self.close(id);
            return;
        }
        if resident.run.is_some() {
            // It is nowhere but here.
            return;
        }
        let far = Timestamp(self.now.0.saturating_add(DORMANT_AFTER_MILLIS));
        let works = resident.running.values().any(Running::keeps_in_memory)
            || !resident.waiting.is_empty()
            || resident.has_open_map_runs();
        // Histories show within a second that it has started, and a restart is told that it may have been heard.
        let unseen = resident.running.iter().any(|(scheduled_at, running)| {
            let open = resident.execution.open_task(*scheduled_at);
            !running.queued && open.is_some_and(|task| !task.started)
        });
        if !works && !unseen && resident.wakeup.is_none_or(|(at, _)| at > far) {
            // Its timer stays.
            let parked = std::mem::take(&mut resident.running);
            self.executions.insert(id, Entry::Dormant(parked));
        }
    }

    fn close(&mut self, id: ExecutionId) {
        let Some(Entry::Resident(mut resident)) = self.executions.remove(&id) else {
            return;
        };
        self.release(id, &mut resident, Output::Cancel);
        self.timers.set(id, None);
        if let Some(child) = resident.child() {
            self.child_closed(id, child, resident.execution.status());
        }
        for to in self.waiters.remove(&id).unwrap_or_default() {
            self.outputs.push_back(Output::Reply {
                to,
                reply: resident.closed_reply(id),
            });
        }
    }
}

fn does_not_fit(error: &ApplyError) -> String {
    format!("an event was decided that its own journal refuses: {error}")
}
