//! An execution whose steps are traced.

use std::collections::BTreeMap;

use asl::{Attempt, Event, EventKind, Failure, ScopeId, StateKind, Status, TimeoutKind, Timestamp};

use super::parent::{execution_span, span_at, trace_of};
use super::span::{Attribute, Span, SpanKind};
use super::{Sampler, TraceParent};

/// The error of a failure without a name.
const UNNAMED: &str = "unnamed";
/// The error of what was stopped because of something else.
const STOPPED: &str = "stopped";

/// What the next spans of an execution depend on. As large as what goes on in it, not as its history.
pub(crate) struct Traced {
    trace: [u8; 16],
    parent: Option<[u8; 8]>,
    arn: String,
    machine: String,
    machine_arn: String,
    /// How many events came by.
    position: u64,
    redrives: u32,
    started: Timestamp,
    scopes: BTreeMap<ScopeId, Scope>,
    /// Branches and iterations that failed or were stopped: a redrive brings them back.
    fallen: BTreeMap<ScopeId, Scope>,
    next_scope: u32,
    /// Whether it is an Express child execution: those are redriven from their first state.
    begins_again: bool,
}

#[derive(Default)]
struct Scope {
    parent: Option<ScopeId>,
    /// Which branch or iteration of the parent's state this is.
    index: u32,
    is_iteration: bool,
    state: Option<State>,
    /// Open branches or iterations by index.
    children: BTreeMap<u32, ScopeId>,
}

struct State {
    name: String,
    kind: StateKind,
    id: [u8; 8],
    position: u64,
    started: Timestamp,
    retries: u32,
    error: Option<String>,
    attempt: Option<OpenAttempt>,
}

struct OpenAttempt {
    resource: String,
    retry_count: u32,
    id: [u8; 8],
    started: Timestamp,
}

impl Traced {
    /// Of the execution that begins with this event; `None` where it is no beginning, or its trace isn't made.
    pub(crate) fn new(first: &Event, parent: Option<TraceParent>, sampler: Sampler) -> Option<Self> {
        let EventKind::ExecutionStarted {
            id,
            machine_name,
            machine_id,
            child_of,
            ..
        } = &first.kind
        else {
            return None;
        };
        let trace = parent.map_or_else(|| trace_of(id), |parent| parent.trace);
        sampler.takes(trace, parent.map(|parent| parent.sampled)).then(|| Self {
            trace,
            parent: parent.map(|parent| parent.span),
            arn: id.clone(),
            machine: machine_name.clone(),
            machine_arn: machine_id.clone(),
            position: 0,
            redrives: 0,
            started: first.at,
            scopes: BTreeMap::from([(ScopeId::ROOT, Scope::default())]),
            fallen: BTreeMap::new(),
            next_scope: 1,
            begins_again: child_of.as_ref().is_some_and(|child| child.express),
        })
    }

    /// Adds the spans that end with this event, the innermost first.
    pub(crate) fn apply(&mut self, event: &Event, ended: &mut Vec<Span>) {
        let at = event.at;
        match &event.kind {
            EventKind::ExecutionStarted { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskSubmitted { .. }
            | EventKind::WaitStarted { .. }
            | EventKind::MapStarted { .. }
            | EventKind::MapRunStarted { .. }
            | EventKind::MapRunUpdated { .. }
            | EventKind::MapRunRedriven { .. }
            | EventKind::MapRunSucceeded { .. } => {}
            EventKind::StateEntered {
                scope,
                state,
                state_kind,
                ..
            } => self.entered(*scope, state, *state_kind, at),
            EventKind::TaskScheduled {
                scope,
                resource,
                retry_count,
                ..
            } => {
                let id = span_at(&self.arn, self.redrives, self.position);
                if let Some(state) = self.state(*scope) {
                    state.attempt = Some(OpenAttempt {
                        resource: resource.clone(),
                        retry_count: *retry_count,
                        id,
                        started: at,
                    });
                }
            }
            EventKind::TaskSucceeded { scope, attempt, .. } => self.attempted(*scope, at, None, attempt, ended),
            EventKind::TaskFailed {
                scope,
                failure,
                attempt,
            } => {
                self.attempted(*scope, at, Some(name_of(failure)), attempt, ended);
            }
            EventKind::TaskTimedOut {
                scope,
                timeout,
                attempt,
            } => {
                let error = match timeout {
                    TimeoutKind::Deadline => "States.Timeout",
                    TimeoutKind::Heartbeat => "States.HeartbeatTimeout",
                };
                self.attempted(*scope, at, Some(error), attempt, ended);
            }
            EventKind::RetryScheduled { scope, .. } => {
                self.tear_down(*scope, at, ended);
                self.forget_fallen(*scope);
                if let Some(state) = self.state(*scope) {
                    state.retries += 1;
                    state.error = None;
                }
            }
            EventKind::ParallelStarted { scope, branches, .. } => {
                for branch in 0..*branches {
                    self.open(*scope, branch, false);
                }
            }
            EventKind::IterationStarted { scope, index, .. } => self.open(*scope, *index, true),
            EventKind::IterationSucceeded { scope, index } => self.close(*scope, *index, at, ended),
            EventKind::IterationFailed { scope, index, .. } | EventKind::IterationAborted { scope, index } => {
                self.fall(*scope, *index, at, ended);
            }
            EventKind::ParallelSucceeded { scope } | EventKind::MapSucceeded { scope } => {
                self.tear_down(*scope, at, ended);
            }
            EventKind::ParallelFailed { scope, failure } | EventKind::MapFailed { scope, failure } => {
                self.tear_down(*scope, at, ended);
                self.failed(*scope, failure);
            }
            EventKind::MapRunFailed { scope, failure } | EventKind::StateFailed { scope, failure, .. } => {
                self.failed(*scope, failure);
            }
            EventKind::StateExited {
                scope, next, catcher, ..
            } => self.exited(*scope, next.is_none(), catcher.is_some(), at, ended),
            EventKind::ExecutionRedriven { count, in_turn, .. } => self.redriven(*count, at, *in_turn),
            EventKind::IterationRedriven { scope, index } => self.iteration_redriven(*scope, *index, at),
            EventKind::ExecutionSucceeded { .. } => self.over(Status::Succeeded, None, at, ended),
            EventKind::ExecutionFailed { failure } => self.over(Status::Failed, Some(failure), at, ended),
            EventKind::ExecutionAborted { failure } => self.over(Status::Aborted, Some(failure), at, ended),
            EventKind::ExecutionTimedOut { failure } => self.over(Status::TimedOut, Some(failure), at, ended),
        }
        self.position += 1;
    }

    fn entered(&mut self, scope: ScopeId, name: &str, kind: StateKind, at: Timestamp) {
        let (id, position) = (span_at(&self.arn, self.redrives, self.position), self.position);
        self.scopes.entry(scope).or_default().state = Some(State {
            name: name.to_owned(),
            kind,
            id,
            position,
            started: at,
            retries: 0,
            error: None,
            attempt: None,
        });
    }

    fn attempted(&mut self, scope: ScopeId, at: Timestamp, error: Option<&str>, cost: &Attempt, ended: &mut Vec<Span>) {
        let Some(state) = self.state(scope) else { return };
        state.error = error.map(str::to_owned);
        let (parent, attempt) = (state.id, state.attempt.take());
        if let Some(attempt) = attempt {
            ended.push(self.attempt_span(attempt, parent, at, error, cost));
        }
    }

    fn failed(&mut self, scope: ScopeId, failure: &Failure) {
        if let Some(state) = self.state(scope) {
            state.error = Some(name_of(failure).to_owned());
        }
    }

    fn exited(&mut self, scope: ScopeId, ends_scope: bool, caught: bool, at: Timestamp, ended: &mut Vec<Span>) {
        self.tear_down(scope, at, ended);
        self.forget_fallen(scope);
        self.end_state(scope, at, if caught { End::Caught } else { End::Well }, ended);
        if let Some(inner) = self.scopes.get_mut(&scope) {
            inner.state = None;
            let (parent, index) = (inner.parent, inner.index);
            // An iteration says itself when it has ended.
            if ends_scope
                && !inner.is_iteration
                && let Some(parent) = parent
            {
                self.scopes.remove(&scope);
                self.remove_child(parent, index);
            }
        }
    }

    fn over(&mut self, status: Status, failure: Option<&Failure>, at: Timestamp, ended: &mut Vec<Span>) {
        let open: Vec<ScopeId> = self.scopes.keys().rev().copied().collect();
        for scope in open {
            self.end_state(scope, at, End::Stopped, ended);
        }
        let mut attributes = vec![
            ("aws.step_functions.state_machine.arn", self.machine_arn.as_str().into()),
            ("sandstep.execution.arn", self.arn.as_str().into()),
            ("sandstep.execution.status", word(status).into()),
        ];
        if self.redrives > 0 {
            attributes.push(("sandstep.execution.redrive_count", self.redrives.into()));
        }
        ended.push(Span {
            trace: self.trace,
            id: execution_span(&self.arn, self.redrives),
            parent: self.parent,
            parent_is_remote: self.parent.is_some(),
            kind: SpanKind::Execution,
            name: self.machine.clone(),
            started: self.started,
            ended: at,
            attributes,
            error: failure.map(|failure| name_of(failure).to_owned()),
        });
    }

    /// Everything that didn't succeed goes on, in spans of their own, iterations `in_turn` when they say so.
    fn redriven(&mut self, count: u32, at: Timestamp, in_turn: bool) {
        self.redrives = count;
        self.started = at;
        if self.begins_again {
            self.scopes = BTreeMap::from([(ScopeId::ROOT, Scope::default())]);
            self.fallen.clear();
            self.next_scope = 1;
            return;
        }
        let below = self.scopes.split_off(&ScopeId(ScopeId::ROOT.0 + 1));
        self.fallen.extend(below);
        for scope in self.scopes.values_mut().chain(self.fallen.values_mut()) {
            scope.children.clear();
            if let Some(state) = &mut scope.state {
                state.id = span_at(&self.arn, count, state.position);
                state.started = at;
                state.retries = 0;
                state.error = None;
                state.attempt = None;
            }
        }
        self.bring_back_children(ScopeId::ROOT, at, in_turn);
    }

    fn iteration_redriven(&mut self, map: ScopeId, index: u32, at: Timestamp) {
        let is_it = |(_, scope): &(&ScopeId, &Scope)| scope.parent == Some(map) && scope.index == index;
        if let Some(iteration) = self.fallen.iter().find(is_it).map(|(id, _)| *id) {
            self.bring_back(iteration, at, true);
        }
    }

    fn bring_back_children(&mut self, parent: ScopeId, at: Timestamp, in_turn: bool) {
        let is_map = self.state(parent).is_some_and(|state| state.kind == StateKind::Map);
        if in_turn && is_map {
            return;
        }
        let children = self.fallen.iter().filter(|(_, scope)| scope.parent == Some(parent));
        let children: Vec<ScopeId> = children.map(|(id, _)| *id).collect();
        for child in children {
            self.bring_back(child, at, in_turn);
        }
    }

    fn bring_back(&mut self, id: ScopeId, at: Timestamp, in_turn: bool) {
        let Some(mut scope) = self.fallen.remove(&id) else {
            return;
        };
        if let Some(state) = &mut scope.state {
            state.started = at;
        }
        if let Some(parent) = scope.parent {
            self.scopes.entry(parent).or_default().children.insert(scope.index, id);
        }
        self.scopes.insert(id, scope);
        self.bring_back_children(id, at, in_turn);
    }

    /// Puts out the spans of a scope's state and its attempt. The state stays: a redrive may go on with it.
    fn end_state(&mut self, scope: ScopeId, at: Timestamp, end: End, ended: &mut Vec<Span>) {
        let Some(inner) = self.scopes.get_mut(&scope) else {
            return;
        };
        let (parent, index) = (inner.parent, inner.is_iteration.then_some(inner.index));
        let Some(state) = &mut inner.state else { return };
        let attempt = state.attempt.take();
        let (id, started, name) = (state.id, state.started, state.name.clone());
        let mut attributes = vec![("sandstep.state.type", Attribute::from(state.kind.as_str()))];
        if let Some(index) = index {
            attributes.push(("sandstep.map.index", index.into()));
        }
        if state.retries > 0 {
            attributes.push(("sandstep.state.retries", state.retries.into()));
        }
        let error = match (end, state.error.take()) {
            (End::Well, _) | (End::Caught, None) => None,
            (End::Caught, Some(error)) => {
                attributes.push(("sandstep.state.caught", Attribute::Text(error)));
                None
            }
            (End::Stopped, error) => Some(error.unwrap_or_else(|| STOPPED.to_owned())),
        };
        if let Some(attempt) = attempt {
            let span = self.attempt_span(attempt, id, at, Some(STOPPED), &Attempt::default());
            ended.push(span);
        }
        let around = parent
            .and_then(|parent| self.scopes.get(&parent))
            .and_then(|scope| scope.state.as_ref());
        ended.push(Span {
            trace: self.trace,
            id,
            parent: Some(around.map_or_else(|| execution_span(&self.arn, self.redrives), |state| state.id)),
            parent_is_remote: false,
            kind: SpanKind::State,
            name,
            started,
            ended: at,
            attributes,
            error,
        });
    }

    fn attempt_span(
        &self,
        attempt: OpenAttempt,
        parent: [u8; 8],
        at: Timestamp,
        error: Option<&str>,
        cost: &Attempt,
    ) -> Span {
        let mut attributes = vec![
            ("sandstep.task.resource", Attribute::from(attempt.resource.as_str())),
            ("sandstep.task.retry_count", attempt.retry_count.into()),
        ];
        if let Some(module) = &cost.module {
            attributes.push(("sandstep.task.module", (&**module).into()));
        }
        for (name, measured) in [
            ("sandstep.task.fuel", cost.fuel),
            ("sandstep.task.peak_memory_bytes", cost.peak_memory),
            ("sandstep.task.sandbox_micros", cost.micros),
        ] {
            if let Some(measured) = measured {
                attributes.push((name, measured.into()));
            }
        }
        Span {
            trace: self.trace,
            id: attempt.id,
            parent: Some(parent),
            parent_is_remote: false,
            kind: SpanKind::Attempt,
            name: attempt.resource,
            started: attempt.started,
            ended: at,
            attributes,
            error: error.map(str::to_owned),
        }
    }

    fn state(&mut self, scope: ScopeId) -> Option<&mut State> {
        self.scopes.get_mut(&scope)?.state.as_mut()
    }

    fn open(&mut self, parent: ScopeId, index: u32, is_iteration: bool) {
        let child = ScopeId(self.next_scope);
        self.next_scope += 1;
        let scope = Scope {
            parent: Some(parent),
            index,
            is_iteration,
            ..Scope::default()
        };
        self.scopes.insert(child, scope);
        self.scopes.entry(parent).or_default().children.insert(index, child);
    }

    fn remove_child(&mut self, parent: ScopeId, index: u32) -> Option<ScopeId> {
        self.scopes.get_mut(&parent)?.children.remove(&index)
    }

    /// An iteration ended well.
    fn close(&mut self, parent: ScopeId, index: u32, at: Timestamp, ended: &mut Vec<Span>) {
        if let Some(child) = self.remove_child(parent, index) {
            self.end_state(child, at, End::Well, ended);
            self.scopes.remove(&child);
        }
    }

    /// A branch or an iteration ends with all there is in it.
    fn fall(&mut self, parent: ScopeId, index: u32, at: Timestamp, ended: &mut Vec<Span>) {
        let Some(child) = self.remove_child(parent, index) else {
            return;
        };
        self.tear_down(child, at, ended);
        self.end_state(child, at, End::Stopped, ended);
        if let Some(scope) = self.scopes.remove(&child) {
            self.fallen.insert(child, scope);
        }
    }

    /// Whatever goes on inside a scope's state ends.
    fn tear_down(&mut self, scope: ScopeId, at: Timestamp, ended: &mut Vec<Span>) {
        let children = self.scopes.get(&scope).map(|scope| &scope.children);
        let open: Vec<u32> = children.into_iter().flatten().map(|(index, _)| *index).collect();
        for index in open {
            self.fall(scope, index, at, ended);
        }
    }

    /// What fell in this scope's state was dealt with: no redrive brings it back.
    fn forget_fallen(&mut self, scope: ScopeId) {
        let mut gone = std::collections::BTreeSet::from([scope]);
        for (child, fallen) in self.fallen.range(scope..) {
            if fallen.parent.is_some_and(|parent| gone.contains(&parent)) {
                gone.insert(*child);
            }
        }
        self.fallen.retain(|child, _| !gone.contains(child));
    }
}

/// How a state ended.
#[derive(Clone, Copy)]
enum End {
    Well,
    /// A catcher took its failure.
    Caught,
    /// With its failure, or with that of something else.
    Stopped,
}

fn name_of(failure: &Failure) -> &str {
    failure.error.as_deref().unwrap_or(UNNAMED)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Running => "RUNNING",
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Aborted => "ABORTED",
        Status::TimedOut => "TIMED_OUT",
    }
}
