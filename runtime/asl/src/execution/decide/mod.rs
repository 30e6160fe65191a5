//! Decisions: given where an execution stands, what happens next. Everything that reads a clock, rolls
//! dice or evaluates an expression does it here, and the answer goes into the event.

mod choice;
mod fail;
mod map;
mod map_run;
mod on_error;
mod parallel;
mod pass;
mod result;
mod task;
pub mod trial;
mod trial_map;
mod wait;

use serde_json::Value;

use super::Execution;
use super::env::Env;
use super::event::{Event, EventKind, Failure, ScopeId, StateKind, TimeoutKind};
use super::open_work::too_large;
use super::scope::{Active, Phase, Place, Scope};
use crate::definition::{Kind, PayloadPath, QueryLanguage, State};
use crate::expression::context::{Chance, ExecutionContext, Item, StateContext};
use crate::expression::{Bindings, Fault};
use crate::limits::Limits;
use crate::payload::{Payload, TooDeep};
use trial::{Inspection, Probe};

impl Execution {
    /// The next event, or `None` when the execution is over or waits for something outside. The caller
    /// applies it and asks again.
    pub fn next(&self, env: &mut Env<'_>) -> Option<Event> {
        let context = self.context.as_ref()?;
        if self.status.is_closed() {
            return None;
        }
        let decision = if self.deadline.is_some_and(|deadline| deadline <= env.now) {
            Some(EventKind::ExecutionTimedOut {
                failure: Failure::default(),
            })
        } else {
            let due = self
                .timers
                .first()
                .filter(|(time, _)| *time <= env.now)
                .map(|(_, scope)| *scope);
            let scope = self.ready.first().copied().or(due);
            scope.and_then(|scope| self.decide(context, scope, env))
        };
        // whatever happens now, the end must still have its entry
        let has_room = |entries: u64| self.history_entries.saturating_add(entries.max(1)) < env.limits.history_entries;
        let kind = match decision {
            Some(kind) if kind.closes().is_some() || has_room(self.entries_of(&kind)) => kind,
            None if has_room(1) => return None,
            _ => EventKind::ExecutionFailed {
                failure: history_full(env.limits),
            },
        };
        Some(Event { at: env.now, kind })
    }

    fn decide(&self, context: &ExecutionContext, id: ScopeId, env: &mut Env<'_>) -> Option<EventKind> {
        let scope = self.scopes.get(&id)?;
        match &scope.place {
            Place::Before { state, input } => {
                let state_kind = self.machine.flow(scope.flow).state(state)?.state_kind();
                Some(EventKind::StateEntered {
                    scope: id,
                    state: state.clone(),
                    state_kind,
                    input: input.clone(),
                })
            }
            Place::Done(output) => Some(match scope.parent {
                None => EventKind::ExecutionSucceeded { output: output.clone() },
                Some(parent) => EventKind::IterationSucceeded {
                    scope: parent.scope,
                    index: parent.index,
                },
            }),
            Place::In(_) => {
                let chance = Chance::new(env.now, env.dice.next_u64());
                let at = self.at(context, id, &chance)?;
                Some(at.decide(env).unwrap_or_else(|fault| at.failed(fault)))
            }
        }
    }

    /// The state a scope is in.
    fn at<'e>(&'e self, context: &'e ExecutionContext, id: ScopeId, chance: &'e Chance) -> Option<At<'e>> {
        let scope = self.scopes.get(&id)?;
        let Place::In(active) = &scope.place else {
            return None;
        };
        Some(At {
            execution: self,
            context,
            id,
            scope,
            active,
            state: self.machine.flow(scope.flow).state(&active.state)?,
            chance,
            probe: None,
        })
    }
}

/// AWS's failure for an execution that has used its history up.
fn history_full(limits: Limits) -> Failure {
    let cause = format!(
        "The execution reached the maximum number of history events ({}).",
        limits.history_entries
    );
    Failure::new(Fault::RUNTIME, cause)
}

/// A state in which something is to be decided, and what the decision may read.
struct At<'e> {
    execution: &'e Execution,
    context: &'e ExecutionContext,
    id: ScopeId,
    scope: &'e Scope,
    active: &'e Active,
    state: &'e State,
    chance: &'e Chance,
    /// Where the state is under test.
    probe: Option<&'e Probe>,
}

impl At<'_> {
    fn decide(&self, env: &mut Env<'_>) -> Result<EventKind, Fault> {
        match &self.active.phase {
            Phase::Entered | Phase::Retrying(_) => self.begin(env),
            Phase::Waiting(_) => self.exit(env),
            Phase::Task(_) => Ok(EventKind::TaskTimedOut {
                scope: self.id,
                timeout: TimeoutKind::Deadline,
                attempt: Default::default(),
            }),
            Phase::Parallel(branches) => {
                fit_together(branches.outputs.iter().flatten())?;
                Ok(EventKind::ParallelSucceeded { scope: self.id })
            }
            Phase::Map(iterations) => self.continue_map(iterations, env),
            Phase::MapRun(run) => self.continue_map_run(run),
            Phase::Returned(result) => self.exit_with_result(result, env),
            Phase::Failed(failing) => Ok(self.on_error(failing, env)),
        }
    }

    fn begin(&self, env: &mut Env<'_>) -> Result<EventKind, Fault> {
        match &self.state.kind {
            Kind::Pass(pass) => self.pass(pass, env),
            Kind::Task(task) => self.schedule_task(task, env),
            Kind::Choice(choice) => self.choose(choice, env),
            Kind::Wait(wait) => self.start_wait(wait, env),
            Kind::Succeed => self.exit(env),
            Kind::Fail(fail) => self.fail(fail),
            Kind::Parallel(parallel) => self.start_parallel(parallel, env),
            Kind::Map(map) => self.start_map(map, env),
        }
    }

    /// Binds `input` as `$`, with this state's context object and the variables in sight.
    fn bindings<'b>(&'b self, input: &'b Value) -> Bindings<'b> {
        self.bindings_with_token(input, None)
    }

    /// The same where the context object holds a task token.
    fn bindings_with_token<'b>(&'b self, input: &'b Value, task_token: Option<&'b str>) -> Bindings<'b> {
        let retryable = self.state.outcome().is_some();
        let bindings = Bindings::new(
            input,
            self.context,
            StateContext {
                name: &self.active.state,
                entered: self.active.entered,
                retry_count: retryable.then(|| self.active.retry_count()),
                item: self.item(),
                task_token,
            },
            &self.scope.variables,
            self.chance,
        );
        match self.probe {
            Some(probe) => bindings.with_context(probe.context.value()),
            None => bindings,
        }
    }

    /// Lets whoever tests this state see an intermediate value of its processing, in a state of this language.
    fn saw(&self, language: QueryLanguage, put: impl FnOnce(&mut Inspection)) {
        if self.state.language == language {
            self.watch(put);
        }
    }

    /// The same in a state of either language.
    fn watch(&self, put: impl FnOnce(&mut Inspection)) {
        if let Some(probe) = self.probe {
            put(&mut probe.seen.borrow_mut());
        }
    }

    /// `$$.Map.Item` of the iteration this scope is in, its parents' included.
    fn item(&self) -> Option<Item<'_>> {
        let mut scope = self.scope;
        loop {
            let parent = scope.parent?;
            scope = self.execution.scopes.get(&parent.scope)?;
            if let Place::In(active) = &scope.place
                && let Phase::Map(iterations) = &active.phase
            {
                let item = iterations.items.value().get(parent.index as usize)?;
                return Some(Item::of_iteration(parent.index, item));
            }
        }
    }

    /// The state's input after InputPath.
    fn effective_input(&self) -> Result<Payload, Fault> {
        let input = self.part(&self.state.input_path, &self.active.input)?;
        if self.state.state_kind() != StateKind::Parallel {
            self.saw(QueryLanguage::JsonPath, |seen| {
                seen.after_input_path = Some(input.clone())
            });
        }
        Ok(input)
    }

    fn part(&self, path: &PayloadPath, whole: &Payload) -> Result<Payload, Fault> {
        match path {
            PayloadPath::Whole => Ok(whole.clone()),
            PayloadPath::Discard => Ok(Payload::empty_object()),
            PayloadPath::Path(path) => path
                .evaluate(&self.bindings(whole.value()))
                .map(Payload::from_value)
                .map_err(|missing| Fault::runtime(format!("Invalid path '{}' : {}", path.text(), missing.0))),
        }
    }

    /// `event`, or the failure of a state whose `payload` is over the limit.
    fn bounded(&self, payload: &Payload, env: &Env<'_>, event: EventKind) -> EventKind {
        if payload.len() > env.limits.payload_bytes {
            return self.over_limit(too_large(&self.active.state));
        }
        event
    }

    fn over_limit(&self, failure: Failure) -> EventKind {
        EventKind::StateFailed {
            scope: self.id,
            failure,
            location: None,
        }
    }

    fn failed(&self, fault: Fault) -> EventKind {
        let location = fault.location.clone();
        EventKind::StateFailed {
            scope: self.id,
            failure: self.failure_of(fault),
            location,
        }
    }

    /// A fault with AWS's sentence about where it happened.
    fn failure_of(&self, fault: Fault) -> Failure {
        Failure::new(fault.error, occurred_in(self.active, &fault.cause))
    }
}

/// A payload made of what an expression gave.
fn derived(value: Value) -> Result<Payload, Fault> {
    Payload::from_derived(value).map_err(too_deep)
}

/// Whether these can be the elements of one array that is read back.
fn fit_together<'p>(mut elements: impl Iterator<Item = &'p Payload>) -> Result<(), Fault> {
    match elements.all(|element| element.fits_within(1)) {
        true => Ok(()),
        false => Err(too_deep(TooDeep)),
    }
}

pub(super) fn too_deep(how: TooDeep) -> Fault {
    Fault::runtime(format!("A value can't go on: {how}."))
}

/// AWS's sentence about where something happened.
pub(super) fn occurred_in(active: &Active, cause: &str) -> String {
    format!(
        "An error occurred while executing the state '{}' (entered at the event id #{}). {cause}",
        active.state, active.entry
    )
}
