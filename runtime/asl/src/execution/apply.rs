//! The fold: what each event means. Total and without judgement: whether an event should happen was
//! decided before it was recorded.

mod map;
mod tear_down;

use std::sync::Arc;

use super::Execution;
use super::event::{Event, EventKind, Failure, ScopeId, StateKind, Status};
use super::scope::{Active, Branches, Failing, Parent, Phase, Place, Scope, TaskAttempt};
use crate::definition::{FlowId, Kind};
use crate::expression::context::ExecutionContext;
use crate::expression::jsonata::EVALUATION_ERROR;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// An event that doesn't fit the execution it is applied to: the journal is damaged or belongs to another
/// definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position} of the journal doesn't fit: {reason}")]
pub struct ApplyError {
    /// Position of the event.
    pub position: u64,
    /// What doesn't fit.
    pub reason: String,
}

type Applied = Result<(), String>;

/// How long an Express workflow may take (AWS's quota: five minutes).
const EXPRESS_CHILD_SECONDS: u64 = 300;

impl Execution {
    /// Applies one event.
    ///
    /// # Errors
    /// [`ApplyError`] when the event doesn't fit; the execution must then be dropped.
    pub fn apply(&mut self, event: &Event) -> Result<(), ApplyError> {
        let position = self.position;
        self.fold(event).map_err(|reason| ApplyError { position, reason })?;
        self.position += 1;
        self.history_entries += event.kind.history_entries();
        Ok(())
    }

    fn fold(&mut self, event: &Event) -> Applied {
        if self.status.is_closed() && !matches!(event.kind, EventKind::ExecutionRedriven { .. }) {
            return Err("the execution is closed".into());
        }
        if self.context.is_none() != matches!(event.kind, EventKind::ExecutionStarted { .. }) {
            return Err("a journal has ExecutionStarted as its first event, and only there".into());
        }
        match &event.kind {
            EventKind::ExecutionStarted {
                input,
                id,
                name,
                role,
                machine_id,
                machine_name,
                child_of,
                mode,
                trace_parent,
                starter: _,
            } => {
                self.trace_parent.clone_from(trace_parent);
                self.mode = *mode;
                let flow = match child_of {
                    None => FlowId::ROOT,
                    Some(child) => self
                        .machine
                        .processor_of(&child.state)
                        .ok_or_else(|| format!("`{}` is not a Map state", child.state))?,
                };
                self.child_of = child_of.as_deref().cloned();
                let seconds = self.time_out_seconds();
                self.deadline = seconds.map(|seconds| event.at.plus_seconds(seconds as f64));
                self.context = Some(ExecutionContext {
                    id: id.clone(),
                    name: name.clone(),
                    role: role.clone(),
                    input: input.unparsed(),
                    started: event.at,
                    machine_id: machine_id.clone(),
                    machine_name: machine_name.clone(),
                    redrivable: mode.is_standard(),
                    redrive_count: 0,
                    redrive_time: None,
                });
                self.open_scope(None, flow, Arc::default(), input.clone());
                Ok(())
            }
            EventKind::StateEntered {
                scope,
                state,
                state_kind,
                input,
            } => self.entered(*scope, state, *state_kind, input, event.at),
            EventKind::TaskScheduled {
                scope,
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                ..
            } => {
                let attempt = TaskAttempt {
                    scheduled_at: self.position,
                    resource: resource.clone(),
                    parameters: parameters.clone(),
                    deadline: timeout_seconds.map(|seconds| event.at.plus_seconds(seconds as f64)),
                    heartbeat_seconds: *heartbeat_seconds,
                    started: false,
                    version: None,
                    submitted: false,
                };
                self.set_phase(*scope, Phase::Task(attempt))
            }
            EventKind::TaskStarted { scope, version, .. } => {
                let attempt = self.attempt(*scope)?;
                attempt.started = true;
                attempt.version = *version;
                Ok(())
            }
            EventKind::TaskSubmitted { scope, .. } => {
                self.attempt(*scope)?.submitted = true;
                Ok(())
            }
            EventKind::TaskSucceeded { scope, output, .. } => self.task_ended(*scope, Phase::Returned(output.clone())),
            EventKind::TaskFailed { scope, failure, .. } => self.task_ended(*scope, failed(failure, false)),
            EventKind::TaskTimedOut { scope, timeout, .. } => {
                self.task_ended(*scope, failed(&timeout.failure(), false))
            }
            EventKind::WaitStarted { scope, until } => self.set_phase(*scope, Phase::Waiting(*until)),
            EventKind::RetryScheduled { scope, retrier, until } => {
                self.fallen.forget(*scope);
                let retries = &mut self.active(*scope)?.retries;
                let retrier = *retrier as usize;
                if retries.len() <= retrier {
                    retries.resize(retrier + 1, 0);
                }
                retries[retrier] += 1;
                self.set_phase(*scope, Phase::Retrying(*until))
            }
            EventKind::ParallelStarted { scope, input, branches } => self.branches_opened(*scope, input, *branches),
            EventKind::ParallelSucceeded { scope } => {
                let Phase::Parallel(branches) = &self.active(*scope)?.phase else {
                    return Err("no branches are open".into());
                };
                let outputs: Option<Vec<&Payload>> = branches.outputs.iter().map(Option::as_ref).collect();
                let result = Payload::array_of(outputs.ok_or("a branch isn't done")?);
                self.set_phase(*scope, Phase::Returned(result))
            }
            EventKind::MapStarted { .. }
            | EventKind::MapSucceeded { .. }
            | EventKind::IterationStarted { .. }
            | EventKind::IterationSucceeded { .. }
            | EventKind::IterationFailed { .. }
            | EventKind::IterationRedriven { .. }
            | EventKind::IterationAborted { .. } => self.map_event(&event.kind),
            EventKind::MapRunStarted { .. }
            | EventKind::MapRunUpdated { .. }
            | EventKind::MapRunRedriven { .. }
            | EventKind::MapRunSucceeded { .. }
            | EventKind::MapRunFailed { .. } => self.map_run_event(&event.kind),
            EventKind::StateFailed { scope, failure, .. } => {
                self.history_entries += u64::from(self.shows_failure_on_entry(&event.kind));
                let active = self.active(*scope)?;
                let just_entered = matches!(active.phase, Phase::Entered);
                let evaluation = failure.error.as_deref() == Some(EVALUATION_ERROR);
                let to_say = match &active.phase {
                    Phase::Parallel(_) => true,
                    Phase::Map(iterations) => iterations.failed > 0,
                    _ => just_entered && evaluation && active.kind == StateKind::Map,
                };
                self.close_children(*scope);
                let phase = std::mem::replace(&mut self.active(*scope)?.phase, Phase::Entered);
                let phase = match phase {
                    Phase::Parallel(_) | Phase::Map(_) => {
                        self.fallen.keep_phase(*scope, phase);
                        Phase::Entered
                    }
                    phase => phase,
                };
                self.active(*scope)?.phase = phase;
                self.set_phase(*scope, failed(failure, to_say))
            }
            EventKind::ParallelFailed { scope, failure } | EventKind::MapFailed { scope, failure } => {
                self.active(*scope)?.said_failed = true;
                self.set_phase(*scope, failed(failure, false))
            }
            EventKind::StateExited {
                scope,
                output,
                assigned,
                next,
                ..
            } => self.exited(*scope, output, assigned, next.as_deref()),
            EventKind::ExecutionRedriven { round, in_turn, .. } => self.redriven(event.at, *round, *in_turn),
            EventKind::ExecutionSucceeded { output } => {
                self.output = Some(output.clone());
                self.close(Status::Succeeded, event.at);
                Ok(())
            }
            EventKind::ExecutionFailed { failure } => {
                self.failure = Some(failure.clone());
                self.close(Status::Failed, event.at);
                Ok(())
            }
            EventKind::ExecutionAborted { failure } => {
                self.failure = Some(failure.clone());
                self.close(Status::Aborted, event.at);
                Ok(())
            }
            EventKind::ExecutionTimedOut { failure } => {
                self.failure = Some(failure.clone());
                self.close(Status::TimedOut, event.at);
                Ok(())
            }
        }
    }

    /// Seconds after which the whole execution times out.
    pub(super) fn time_out_seconds(&self) -> Option<u64> {
        // the machine's time is that of the execution which has the Map state
        let seconds = match &self.child_of {
            None => self.machine.timeout_seconds,
            Some(child) => child.express.then_some(EXPRESS_CHILD_SECONDS),
        };
        seconds.into_iter().chain(self.mode.seconds()).min()
    }

    fn entered(&mut self, id: ScopeId, state: &str, kind: StateKind, input: &Payload, at: Timestamp) -> Applied {
        let entry = self.history_entries + 1;
        let scope = self.scope(id)?;
        match &scope.place {
            Place::Before { state: expected, .. } if expected == state => {}
            _ => return Err(format!("state `{state}` isn't next")),
        }
        scope.place = Place::In(Box::new(Active {
            state: state.to_owned(),
            kind,
            said_failed: false,
            input: input.clone(),
            entered: at,
            entry,
            retries: Vec::new(),
            phase: Phase::Entered,
        }));
        self.ready.insert(id);
        Ok(())
    }

    fn attempt(&mut self, id: ScopeId) -> Result<&mut TaskAttempt, String> {
        match &mut self.active(id)?.phase {
            Phase::Task(attempt) => Ok(attempt),
            _ => Err("no task is open".into()),
        }
    }

    fn task_ended(&mut self, id: ScopeId, phase: Phase) -> Applied {
        match &self.active(id)?.phase {
            Phase::Task(_) => self.set_phase(id, phase),
            _ => Err("no task is open".into()),
        }
    }

    fn branches_opened(&mut self, id: ScopeId, input: &Payload, count: u32) -> Applied {
        let (flow, state) = (self.scope(id)?.flow, self.active(id)?.state.clone());
        let machine = Arc::clone(&self.machine);
        let Some(Kind::Parallel(parallel)) = machine.flow(flow).state(&state).map(|state| &state.kind) else {
            return Err(format!("`{state}` is not a Parallel state"));
        };
        if parallel.branches.len() != count as usize {
            return Err(format!(
                "`{state}` has {} branches, not {count}",
                parallel.branches.len()
            ));
        }
        let open = parallel.branches.len();
        self.set_phase(
            id,
            Phase::Parallel(Branches {
                outputs: vec![None; open],
                open,
            }),
        )?;
        self.ready.remove(&id);
        let variables = Arc::clone(&self.scope(id)?.variables);
        for (index, flow) in (0..).zip(&parallel.branches) {
            self.open_scope(
                Some(Parent { scope: id, index }),
                *flow,
                Arc::clone(&variables),
                input.clone(),
            );
        }
        Ok(())
    }

    fn exited(
        &mut self,
        id: ScopeId,
        output: &Payload,
        assigned: &[super::event::Assignment],
        next: Option<&str>,
    ) -> Applied {
        self.active(id)?;
        self.forget_timers(id);
        self.fallen.forget(id);
        let scope = self.scope(id)?;
        let mut freed = 0_usize;
        let mut taken = 0_usize;
        if !assigned.is_empty() {
            let variables = Arc::make_mut(&mut scope.variables);
            for assignment in assigned {
                let before = variables.insert(assignment.name.clone(), assignment.value.clone());
                freed += before.map_or(0, |value| value.len());
                taken += assignment.value.len();
            }
            scope.variable_bytes = (scope.variable_bytes + taken).saturating_sub(freed);
        }
        let parent = scope.parent;
        scope.place = match next {
            Some(next) => Place::Before {
                state: next.to_owned(),
                input: output.clone(),
            },
            None => Place::Done(output.clone()),
        };
        self.variable_bytes = (self.variable_bytes + taken).saturating_sub(freed);
        if next.is_some() {
            self.ready.insert(id);
            return Ok(());
        }
        // a branch is done with its last state; an iteration and the root say so in an event of their own
        let Some(Parent { scope: parent, index }) = parent else {
            self.ready.insert(id);
            return Ok(());
        };
        if let Phase::Parallel(branches) = &mut self.active(parent)?.phase {
            *branches.outputs.get_mut(index as usize).ok_or("no such branch")? = Some(output.clone());
            branches.open -= 1;
            self.remove_scope(id);
            self.ready.remove(&id);
            self.refresh(parent);
        } else {
            self.ready.insert(id);
        }
        Ok(())
    }

    pub(super) fn open_scope(
        &mut self,
        parent: Option<Parent>,
        flow: FlowId,
        variables: super::scope::Variables,
        input: Payload,
    ) -> ScopeId {
        let id = ScopeId(self.next_scope);
        self.next_scope += 1;
        let state = self.machine.flow(flow).start_at.clone();
        self.scopes.insert(
            id,
            Scope {
                parent,
                flow,
                variables,
                variable_bytes: 0,
                place: Place::Before { state, input },
            },
        );
        self.ready.insert(id);
        id
    }

    /// Replaces the phase of a scope's state, with its timers, its task and its readiness.
    fn set_phase(&mut self, id: ScopeId, phase: Phase) -> Applied {
        self.active(id)?;
        self.forget_timers(id);
        match &phase {
            Phase::Task(attempt) => {
                self.tasks.insert(attempt.scheduled_at, id);
            }
            Phase::MapRun(run) => self.map_runs.extend(run.open_at().map(|position| (position, id))),
            _ => {}
        }
        let timer = match &phase {
            Phase::Waiting(until) | Phase::Retrying(until) => Some(*until),
            Phase::Task(attempt) => attempt.deadline,
            _ => None,
        };
        self.timers.extend(timer.map(|time| (time, id)));
        self.active(id)?.phase = phase;
        self.refresh(id);
        Ok(())
    }

    /// Takes the timers, the task and the Map Run of a scope's present phase off the lists.
    fn forget_timers(&mut self, id: ScopeId) {
        let Ok(active) = self.active(id) else { return };
        if let Phase::MapRun(run) = &active.phase
            && let Some(position) = run.open_at()
        {
            self.map_runs.remove(&position);
            return;
        }
        let (timer, task) = match &active.phase {
            Phase::Waiting(until) | Phase::Retrying(until) => (Some(*until), None),
            Phase::Task(attempt) => (attempt.deadline, Some(attempt.scheduled_at)),
            _ => (None, None),
        };
        if let Some(time) = timer {
            self.timers.remove(&(time, id));
        }
        if let Some(task) = task {
            self.tasks.remove(&task);
        }
    }

    /// Puts a scope among the ready ones, or takes it away, by what its state is doing.
    pub(super) fn refresh(&mut self, id: ScopeId) {
        let ready = match self.active(id).map(|active| &active.phase) {
            Ok(Phase::Entered | Phase::Returned(_) | Phase::Failed(_)) => true,
            Ok(Phase::Waiting(_) | Phase::Retrying(_) | Phase::Task(_)) => false,
            Ok(Phase::Parallel(branches)) => branches.open == 0,
            Ok(Phase::Map(iterations)) => {
                iterations.may_redrive()
                    || iterations.may_start()
                    || iterations.open.is_empty()
                    || iterations.over_tolerance()
            }
            Ok(Phase::MapRun(run)) => run.open_at().is_none(),
            Err(_) => self.scopes.contains_key(&id),
        };
        if ready {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
        }
    }

    fn close(&mut self, status: Status, at: Timestamp) {
        self.status = status;
        self.stopped = Some(at);
        if status == Status::Succeeded {
            self.scopes.clear();
        }
        self.ready.clear();
        self.timers.clear();
        self.tasks.clear();
        self.map_runs.clear();
        self.deadline = None;
    }

    pub(super) fn scope(&mut self, id: ScopeId) -> Result<&mut Scope, String> {
        self.scopes
            .get_mut(&id)
            .ok_or_else(|| format!("scope {} isn't open", id.0))
    }

    pub(super) fn active(&mut self, id: ScopeId) -> Result<&mut Active, String> {
        match &mut self.scope(id)?.place {
            Place::In(active) => Ok(active),
            Place::Before { .. } | Place::Done(_) => Err(format!("scope {} is in no state", id.0)),
        }
    }
}

fn failed(failure: &Failure, to_say: bool) -> Phase {
    Phase::Failed(Failing {
        failure: failure.clone(),
        to_say,
    })
}
