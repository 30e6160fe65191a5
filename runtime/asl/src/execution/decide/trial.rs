//! One state by itself, with its input, its variables and its context object given: what it makes of them, and
//! every intermediate value on the way.
//!
//! A trial decides exactly as an execution does, by the same code; it only never goes on to another state, and
//! what would come from outside (a task's result, what the branches returned) is handed to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::At;
use crate::definition::{FlowId, Kind, State, StateMachine};
use crate::execution::Execution;
use crate::execution::apply::ApplyError;
use crate::execution::env::Env;
use crate::execution::event::{Event, EventKind, Failure, Percentage, ScopeId};
use crate::execution::map_run::{ItemSource, over_tolerance_of};
use crate::execution::scope::{Failing, Place};
use crate::expression::Fault;
use crate::expression::context::Chance;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// What was seen of a state's processing, named as TestState names it. What a state of its kind and language
/// doesn't compute is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inspection {
    /// After InputPath.
    pub after_input_path: Option<Payload>,
    /// After Parameters.
    pub after_parameters: Option<Payload>,
    /// After Arguments.
    pub after_arguments: Option<Payload>,
    /// What a task returned, or a Pass state's Result.
    pub result: Option<Payload>,
    /// After ResultSelector.
    pub after_result_selector: Option<Payload>,
    /// After ResultPath.
    pub after_result_path: Option<Payload>,
    /// A Map state's items.
    pub after_items_path: Option<Payload>,
    /// What ItemsPointer finds in what was read.
    pub after_items_pointer: Option<Payload>,
    /// The input of every iteration, where ItemSelector shapes it.
    pub after_item_selector: Option<Payload>,
    /// The input of every batch, where ItemBatcher makes them.
    pub after_item_batcher: Option<Payload>,
    /// The MaxConcurrency of a Map state.
    pub max_concurrency: Option<u32>,
    /// The ToleratedFailureCount of a Map state, where given.
    pub tolerated_failure_count: Option<u64>,
    /// The ToleratedFailurePercentage of a Map state, where given.
    pub tolerated_failure_percentage: Option<Percentage>,
    /// Index of the retrier that took the failure, also where its attempts are used up.
    pub retry_index: Option<u32>,
    /// Seconds until the retry.
    pub retry_backoff_seconds: Option<u64>,
    /// Index of the catcher that took the failure.
    pub catch_index: Option<u32>,
    /// Variables in sight after the state.
    pub variables: BTreeMap<String, Payload>,
}

/// Watches a state's processing.
#[derive(Debug)]
pub(super) struct Probe {
    /// `$$`, whole.
    pub context: Payload,
    pub seen: RefCell<Inspection>,
}

/// What a trial starts from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// A machine of one state: [`crate::definition::parse_state`] and [`StateMachine::single`] make them.
    pub machine: Arc<StateMachine>,
    /// The state's raw input.
    pub input: Payload,
    /// Variables in sight.
    pub variables: BTreeMap<String, Payload>,
    /// The context object, whole.
    pub context: Payload,
    /// How often the retrier that takes the failure was used before.
    pub retries: u32,
    /// When the state is entered.
    pub now: Timestamp,
}

/// One state under test.
#[derive(Debug)]
pub struct Trial {
    pub(super) execution: Execution,
    probe: Probe,
    retries: u32,
    /// Of a Map state, once they are known.
    pub(super) iterations: usize,
}

/// How far a state comes by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// To its end.
    Ended(Verdict),
    /// It wants a task's result.
    Task(TaskWanted),
    /// It waits.
    Wait {
        /// Until then.
        until: Timestamp,
    },
    /// It wants what its branches return.
    Parallel {
        /// How many.
        branches: usize,
    },
    /// It wants to know its items: [`Trial::iterate`].
    Map {
        /// What reads them, where they aren't part of the input.
        reader: Option<ItemSource>,
    },
}

/// A task as its state wants it run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskWanted {
    /// The state's name.
    pub state: String,
    /// Resource.
    pub resource: String,
    /// Input after InputPath and Parameters, or Arguments.
    pub parameters: Payload,
    /// TimeoutSeconds.
    pub timeout_seconds: Option<u64>,
    /// HeartbeatSeconds.
    pub heartbeat_seconds: Option<u64>,
}

/// What came of a state.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It was left by its own end.
    Succeeded {
        /// With this.
        output: Payload,
        /// To this state, where one follows.
        next: Option<String>,
    },
    /// A catcher took its failure.
    Caught {
        /// The failure.
        failure: Failure,
        /// What the catcher hands on.
        output: Payload,
        /// To this state.
        next: Option<String>,
    },
    /// A retrier would try again.
    Retriable(Failure),
    /// Nobody deals with its failure.
    Failed(Failure),
}

impl Trial {
    /// Enters the state.
    ///
    /// # Errors
    /// [`ApplyError`] when the machine has no first state, which no checked machine has.
    pub fn new(setup: Setup) -> Result<Self, ApplyError> {
        let Setup {
            machine,
            input,
            variables,
            context,
            retries,
            now,
        } = setup;
        let first = &machine.flow(FlowId::ROOT).start_at;
        let state = machine.flow(FlowId::ROOT).state(first).ok_or_else(|| ApplyError {
            position: 0,
            reason: format!("state `{first}` isn't there"),
        })?;
        let entered = EventKind::StateEntered {
            scope: ScopeId::ROOT,
            state: first.clone(),
            state_kind: state.state_kind(),
            input: input.clone(),
        };
        // what an execution says of itself can't be read here: the context object is given whole
        let started = EventKind::ExecutionStarted {
            input,
            id: String::new(),
            name: String::new(),
            role: None,
            machine_id: String::new(),
            machine_name: String::new(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode: Default::default(),
        };
        let mut execution = Execution::new(Arc::clone(&machine));
        for kind in [started, entered] {
            execution.apply(&Event { at: now, kind })?;
        }
        if let Some(root) = execution.scopes.get_mut(&ScopeId::ROOT) {
            root.variables = Arc::new(variables);
        }
        let probe = Probe {
            context,
            seen: RefCell::default(),
        };
        Ok(Self {
            execution,
            probe,
            retries,
            iterations: 0,
        })
    }

    /// The state under test.
    pub fn state(&self) -> Option<&State> {
        let flow = self.execution.machine.flow(FlowId::ROOT);
        flow.state(&flow.start_at)
    }

    /// Goes on until something is wanted from outside.
    pub fn begin(&mut self, env: &mut Env<'_>) -> Begun {
        let event = self.decide(env, |at, env| at.begin(env).unwrap_or_else(|fault| at.failed(fault)));
        match event {
            EventKind::TaskScheduled {
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                ..
            } => Begun::Task(TaskWanted {
                state: self.state().map(|state| state.name.clone()).unwrap_or_default(),
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
            }),
            EventKind::WaitStarted { until, .. } => Begun::Wait { until },
            EventKind::ParallelStarted { branches, .. } => Begun::Parallel {
                branches: branches as usize,
            },
            started @ EventKind::MapStarted { .. } => match self.start_map(started, env) {
                Ok(reader) => Begun::Map { reader },
                Err(fault) => Begun::Ended(self.fault(fault, env)),
            },
            other => Begun::Ended(self.verdict(other, env)),
        }
    }

    /// Whether a Map state fails when this many of its iterations fail. False before they are known.
    pub fn exceeds_tolerance(&self, failed: u64) -> bool {
        let seen = self.probe.seen.borrow();
        let (count, percentage) = (seen.tolerated_failure_count, seen.tolerated_failure_percentage);
        self.iterations > 0 && over_tolerance_of(failed, Some(self.iterations as u64), count, percentage)
    }

    /// A Wait state's time has come.
    pub fn waited(&mut self, env: &mut Env<'_>) -> Verdict {
        let event = self.decide(env, |at, env| at.exit(env).unwrap_or_else(|fault| at.failed(fault)));
        self.verdict(event, env)
    }

    /// What was wanted came to this.
    pub fn succeed(&mut self, result: &Payload, env: &mut Env<'_>) -> Verdict {
        if self.state().is_some_and(|state| matches!(state.kind, Kind::Task(_))) {
            self.probe.seen.borrow_mut().result = Some(result.clone());
        }
        let event = self.decide(env, |at, env| {
            at.exit_with_result(result, env)
                .unwrap_or_else(|fault| at.failed(fault))
        });
        self.verdict(event, env)
    }

    /// What was wanted failed.
    pub fn fail(&mut self, failure: Failure, env: &mut Env<'_>) -> Verdict {
        let retrier = self.decide(env, |at, _| at.retrier(&failure));
        if let Some(retrier) = retrier {
            self.probe.seen.borrow_mut().retry_index = Some(retrier);
            let mut retries = vec![0; retrier as usize];
            retries.push(self.retries);
            if let Some(Place::In(active)) = self
                .execution
                .scopes
                .get_mut(&ScopeId::ROOT)
                .map(|root| &mut root.place)
            {
                active.retries = retries;
            }
        }
        let failing = Failing {
            failure: failure.clone(),
            to_say: false,
        };
        let event = self.decide(env, |at, env| at.on_error(&failing, env));
        let mut seen = self.probe.seen.borrow_mut();
        match event {
            EventKind::RetryScheduled { until, .. } => {
                let seconds = until.millis_since(env.now).max(0) / 1000;
                seen.retry_backoff_seconds = u64::try_from(seconds).ok();
                Verdict::Retriable(failure)
            }
            EventKind::StateExited {
                output,
                next,
                assigned,
                catcher,
                ..
            } => {
                seen.catch_index = catcher;
                let assigned = assigned.into_iter();
                seen.variables
                    .extend(assigned.map(|assigned| (assigned.name, assigned.value)));
                Verdict::Caught { failure, output, next }
            }
            EventKind::ExecutionFailed { failure } => Verdict::Failed(failure),
            _ => Verdict::Failed(failure),
        }
    }

    /// What was seen until now.
    pub fn inspection(&self) -> Inspection {
        let mut seen = self.probe.seen.borrow().clone();
        if let Some(root) = self.execution.scopes.get(&ScopeId::ROOT) {
            for (name, value) in root.variables.iter() {
                seen.variables.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        seen
    }

    pub(super) fn decide<T>(&self, env: &mut Env<'_>, decide: impl FnOnce(&At<'_>, &mut Env<'_>) -> T) -> T {
        let chance = Chance::new(env.now, env.dice.next_u64());
        let context = self
            .execution
            .context
            .as_ref()
            .expect("a trial's execution has started");
        let at = self.execution.at(context, ScopeId::ROOT, &chance);
        let at = At {
            probe: Some(&self.probe),
            ..at.expect("a trial's execution has entered its state")
        };
        decide(&at, env)
    }

    /// What leaving the state, or failing in it, comes to.
    fn verdict(&mut self, event: EventKind, env: &mut Env<'_>) -> Verdict {
        match event {
            EventKind::StateExited {
                output, next, assigned, ..
            } => {
                let assigned = assigned.into_iter();
                let mut seen = self.probe.seen.borrow_mut();
                seen.variables
                    .extend(assigned.map(|assigned| (assigned.name, assigned.value)));
                Verdict::Succeeded { output, next }
            }
            EventKind::StateFailed { failure, .. } => self.fail(failure, env),
            other => Verdict::Failed(Failure::new(
                Fault::RUNTIME,
                format!("the state came to an event that is none of a single state's: {other:?}"),
            )),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault, env: &mut Env<'_>) -> Verdict {
        let failure = self.decide(env, |at, _| at.failure_of(fault));
        self.fail(failure, env)
    }
}
