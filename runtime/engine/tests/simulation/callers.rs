//! Callers: they start executions, some under a name that is taken, wait, stop, and try again when
//! the process dies under them. What they are told is checked against the disk.

use std::sync::Arc;

use asl::{Event, EventKind, Failure, Mode, Payload, Status};
use engine::Input;
use engine::ids::{Digest, ExecutionId, MachineId, ReplyTo, TaskId};
use engine::input::{MapRunBounds, StartExecution};
use engine::output::Reply;

use crate::outside::Saying;
use crate::workflow;
use crate::world::{Happening, World};

/// Somebody who wants an execution.
pub struct Caller {
    pub machine: MachineId,
    pub name: String,
    pub input: Payload,
    pub mode: Mode,
    /// How often it asked: a name is good for one Express execution.
    asked: u32,
    /// Whether to wait for its end.
    pub waits: bool,
    pub answered: bool,
}

impl Caller {
    pub fn is_synchronous(&self) -> bool {
        matches!(self.mode, Mode::Synchronous { .. })
    }
}

/// A call that waits for its answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    Start(usize),
    End(usize),
    Stop(ExecutionId),
    Word(TaskId, Saying),
    Update(TaskId),
    /// And when it was asked.
    Redrive(ExecutionId, i64),
}

impl World {
    pub fn invite_callers(&mut self) {
        for index in 0..1 + self.rng.below(5) as usize {
            let machine = MachineId(1 + self.rng.below(self.disk.machines.len() as u64));
            let mut input = Payload::from_value(workflow::input(&mut self.rng));
            let (mut machine, mut name) = (machine, format!("execution-{index}"));
            if let Some(other) = self.callers.last()
                && other.mode.is_standard()
                && self.rng.percent(25)
            {
                (machine, name) = (other.machine, other.name.clone());
                if self.rng.percent(60) {
                    input = other.input.clone();
                }
            }
            let seconds = *self.rng.pick(&[2, 300]);
            // Express workflows have no Map Runs
            let has_map_runs = self.definitions[&machine].to_string().contains("DISTRIBUTED");
            let mode = match self.rng.below(10) {
                _ if has_map_runs => Mode::Standard,
                0 | 1 => Mode::Express { seconds },
                2 | 3 => Mode::Synchronous { seconds },
                _ => Mode::Standard,
            };
            let waits = self.rng.percent(50) || matches!(mode, Mode::Synchronous { .. });
            self.callers.push(Caller {
                machine,
                name,
                input,
                mode,
                asked: 0,
                waits,
                answered: false,
            });
            let after = if self.rng.percent(50) {
                0
            } else {
                self.rng.between(0, 20_000)
            };
            self.plan(after, Happening::Call(index));
        }
    }

    pub fn ask(&mut self, call: Call) -> ReplyTo {
        self.last_call += 1;
        self.calls.insert(ReplyTo(self.last_call), call);
        ReplyTo(self.last_call)
    }

    pub fn call(&mut self, index: usize) -> Option<Input> {
        let hopes_for_end = self.callers[index].is_synchronous();
        let is_mine = |call: &Call| *call == Call::Start(index) || (hopes_for_end && *call == Call::End(index));
        let asked = self.calls.values().any(is_mine);
        if asked || self.callers[index].answered {
            return None;
        }
        let caller = &mut self.callers[index];
        if !caller.mode.is_standard() {
            caller.asked += 1;
            caller.name = format!("run-{index}-{}", caller.asked);
        }
        let reply = self.ask(Call::Start(index));
        let on_closed = self.callers[index].waits.then(|| self.ask(Call::End(index)));
        let caller = &self.callers[index];
        Some(Input::Start(StartExecution {
            machine: caller.machine,
            definition: Digest(format!("sha256:{}", caller.machine.0).into()),
            state_machine: Arc::clone(&self.disk.machines[&caller.machine]),
            mode: caller.mode,
            stored_as: None,
            origin: None,
            name: caller.name.clone(),
            input: caller.input.clone(),
            id_text: format!("arn:{}", caller.name),
            role: None,
            trace_parent: None,
            starter: None,
            machine_id_text: format!("machine:{}", caller.machine.0),
            machine_name: "machine".to_owned(),
            reply,
            on_closed,
        }))
    }

    pub fn stop(&mut self, execution: ExecutionId) -> Input {
        let journal = self.journals.get(&execution).copied().flatten();
        self.asked_to_stop
            .extend([Some(execution), journal].into_iter().flatten());
        let reply = self.ask(Call::Stop(execution));
        Input::Stop {
            execution,
            failure: Failure::new("Stopped", "by a caller"),
            reply,
        }
    }

    pub fn redrive(&mut self, execution: ExecutionId) -> Input {
        let reply = self.ask(Call::Redrive(execution, self.now));
        Input::Redrive {
            execution,
            token: None,
            reply,
        }
    }

    pub fn update_map_run(&mut self, run: TaskId, bounds: MapRunBounds) -> Input {
        self.updated.insert(run);
        let reply = self.ask(Call::Update(run));
        Input::UpdateMapRun { run, bounds, reply }
    }

    pub fn callers_try_again(&mut self) {
        self.calls.clear();
        for index in 0..self.callers.len() {
            if !self.callers[index].answered {
                let after = self.rng.between(0, 30_000);
                self.plan(after, Happening::Call(index));
            }
        }
    }

    pub fn answered(&mut self, to: ReplyTo, reply: Reply) {
        let call = self.calls.remove(&to).expect("a call is answered once");
        match (call, reply) {
            (Call::Word(task, saying), reply) => self.heard(task, saying, reply),
            (Call::Start(index), Reply::Fault(_)) => {
                assert!(self.faults, "a fault out of nowhere");
                self.plan(1_000, Happening::Call(index));
            }
            (Call::End(_) | Call::Stop(_) | Call::Update(_) | Call::Redrive(..), Reply::Fault(_)) => {
                assert!(self.faults, "a fault out of nowhere")
            }
            (Call::Start(index), Reply::Started { execution, at }) => self.was_started(index, execution, at),
            (Call::Start(index), Reply::NameTaken { execution }) => {
                self.check_name_taken(index, execution);
                self.seen.names_taken += 1;
                self.callers[index].answered = true;
            }
            (Call::End(index), Reply::NameTaken { execution }) => self.check_name_taken(index, execution),
            (
                Call::End(index),
                Reply::Closed {
                    execution,
                    status,
                    output,
                    failure,
                    ..
                },
            ) if self.callers[index].is_synchronous() => {
                self.seen.synchronous += 1;
                let stored = &self.unrecorded[&execution];
                assert_eq!(stored.start.name, self.callers[index].name, "told of another's end");
                assert_eq!(stored.fold.status(), status);
                assert_eq!(stored.fold.output().cloned(), output);
                assert_eq!(stored.fold.failure().cloned(), failure);
                let compared = self.check_ending(execution, stored);
                compared.count(&mut self.seen);
                self.callers[index].answered = true;
            }
            (
                Call::End(index),
                Reply::Closed {
                    execution,
                    status,
                    output,
                    failure,
                    at,
                },
            ) => {
                let caller = &self.callers[index];
                let named = self.disk.named(caller.machine, &caller.name);
                let execution = self.journal_of(caller.mode, execution, named);
                assert_eq!(named, Some(execution));
                let stored = &self.disk.executions[&execution];
                assert!(status.is_closed(), "told of an end that isn't one");
                assert_eq!(stored.fold.status(), status, "told of an end that isn't on disk");
                assert_eq!(stored.fold.output().cloned(), output);
                assert_eq!(stored.fold.failure().cloned(), failure);
                assert_eq!(stored.events.last().map(|event| event.at), Some(at));
            }
            (Call::Stop(execution), reply) if self.journals.contains_key(&execution) => {
                self.run_was_stopped(execution, &reply);
            }
            (Call::Stop(execution), Reply::Stopped { at }) => {
                let stored = &self.disk.executions[&execution];
                let is_it = |event: &Event| event.at == at && matches!(event.kind, EventKind::ExecutionAborted { .. });
                assert!(stored.events.iter().any(is_it), "told of a stop that isn't on disk");
                self.stopped.insert(execution);
                if self.rng.percent(30) {
                    self.plan_redrive(execution, 60);
                }
            }
            (Call::Stop(execution), Reply::AlreadyClosed { at }) => {
                let stored = &self.disk.executions[&execution];
                let is_it = |event: &Event| event.at == at && event.kind.closes().is_some();
                assert!(stored.events.iter().any(is_it), "told of an end that isn't on disk");
            }
            (Call::Redrive(execution, _), Reply::Redriven { at }) => {
                let stored = &self.disk.executions[&execution];
                let is_it = |event: &Event| event.at == at && matches!(event.kind, EventKind::ExecutionRedriven { .. });
                assert!(stored.events.iter().any(is_it), "told of a redrive that isn't on disk");
                self.seen.redrives += 1;
            }
            (Call::Redrive(execution, asked), Reply::NotRedrivable) => {
                let stored = &self.disk.executions[&execution];
                let can_be = stored.fold.is_redrivable() && stored.start.child.is_none();
                // it may have closed after it was asked
                let closed_since = stored.fold.stopped().is_some_and(|at| at.0 >= asked);
                assert!(!can_be || closed_since, "a redrive is denied for nothing");
            }
            (Call::Stop(execution), Reply::NotRunning) => {
                assert!(
                    self.disk.executions[&execution].fold.status().is_closed(),
                    "a running execution is denied"
                );
            }
            (Call::Update(run), Reply::MapRunUpdated) => {
                let updated = self.disk.executions[&run.execution]
                    .events
                    .iter()
                    .any(|event| matches!(event.kind, EventKind::MapRunUpdated { .. }));
                assert!(updated, "told of an update that isn't on disk");
                self.seen.updates += 1;
            }
            (Call::Update(run), Reply::NotRunning) => {
                let stored = &self.disk.executions[&run.execution];
                assert!(
                    stored.fold.open_map_run(run.scheduled_at).is_none(),
                    "an open Map Run is denied"
                );
            }
            (call, reply) => panic!("{call:?} is answered with {reply:?}"),
        }
    }

    /// The id on disk of an execution that answers call by this one.
    fn journal_of(&self, mode: Mode, execution: ExecutionId, named: Option<ExecutionId>) -> ExecutionId {
        if mode.is_standard() {
            return execution;
        }
        assert!(
            !self.disk.executions.contains_key(&execution),
            "a run has an id of its own"
        );
        named.expect("it is on disk")
    }

    /// What is asked of a run is answered by that run or, after it, by nobody.
    fn run_was_stopped(&mut self, run: ExecutionId, reply: &Reply) {
        let stored = self.journals[&run].map(|journal| (journal, &self.disk.executions[&journal]));
        match reply {
            Reply::Stopped { at } => {
                if let Some((journal, stored)) = stored {
                    assert_eq!(
                        stored.fold.status(),
                        Status::Aborted,
                        "told of a stop that isn't on disk"
                    );
                    assert_eq!(stored.fold.stopped(), Some(*at));
                    self.stopped.insert(journal);
                }
            }
            Reply::AlreadyClosed { at } => {
                assert!(stored.is_none_or(|(_, stored)| stored.fold.stopped() == Some(*at)));
            }
            Reply::NotRunning => {}
            other => panic!("a stop is answered with {other:?}"),
        }
    }

    fn was_started(&mut self, index: usize, execution: ExecutionId, at: asl::Timestamp) {
        let caller = &self.callers[index];
        if !caller.mode.is_standard() {
            let named = self.disk.named(caller.machine, &caller.name);
            let journal = (!caller.is_synchronous()).then(|| self.journal_of(caller.mode, execution, named));
            self.journals.insert(execution, journal);
            let stored = match journal {
                Some(journal) => &self.disk.executions[&journal],
                None => {
                    assert_eq!(named, None, "what is synchronous is nowhere on disk");
                    &self.unrecorded[&execution]
                }
            };
            assert_eq!((stored.input(), stored.start.at), (caller.input.clone(), at));
            self.callers[index].answered = !caller.is_synchronous();
            self.plan_stop(execution);
            return;
        }
        let caller = &mut self.callers[index];
        caller.answered = true;
        assert_eq!(
            self.disk.named(caller.machine, &caller.name),
            Some(execution),
            "told of a start that isn't on disk"
        );
        let stored = &self.disk.executions[&execution];
        assert_eq!(
            stored.input(),
            caller.input,
            "told that another's execution is the caller's"
        );
        assert_eq!(stored.start.at, at);
        self.plan_stop(execution);
    }

    fn plan_stop(&mut self, execution: ExecutionId) {
        if self.rng.percent(12) {
            let after = if self.rng.percent(50) {
                self.rng.between(0, 2_000)
            } else {
                self.rng.between(0, 900_000)
            };
            self.plan(after, Happening::Stop(execution));
        }
    }

    fn check_name_taken(&self, index: usize, execution: ExecutionId) {
        let caller = &self.callers[index];
        assert_eq!(
            self.disk.named(caller.machine, &caller.name),
            Some(execution),
            "the name is free"
        );
        let stored = &self.disk.executions[&execution];
        let differs = stored.fold.status().is_closed() || stored.was_redriven() || stored.input() != caller.input;
        assert!(differs, "an equal execution is running under the name");
    }
}
