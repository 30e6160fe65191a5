//! Which AWS events a journal amounts to, and how they are chained.
//!
//! The chaining follows recordings of the service. Each scope remembers the event its next one
//! follows; what surprises is beside its line below.

mod redrive;

use std::collections::BTreeMap;

use asl::{Event, EventKind, Failure, ScopeId, StateKind};

/// The AWS events a journal amounts to, without its events. Grows with the journal; nothing is folded twice.
#[derive(Debug)]
pub struct Timeline {
    /// About how many bytes each event has.
    sizes: Vec<u32>,
    closed: bool,
    entries: Vec<Entry>,
    /// How many events and entries came before those.
    forgotten: (u32, u32),
    scopes: BTreeMap<ScopeId, Scope>,
    /// Branches and iterations that failed or were stopped: a redrive brings them back.
    fallen: BTreeMap<ScopeId, Scope>,
    next_scope: u32,
    /// Whether it is an Express child execution: those are redriven from their first state.
    begins_again: bool,
}

/// One AWS event. Its id is its place in the timeline, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Index of the journal event it stems from.
    pub event: u32,
    /// Index of the journal event that names what the event itself doesn't: the StateEntered of a state,
    /// or the TaskScheduled of what a task does. Its own where there is nothing to name.
    pub context: u32,
    /// `previousEventId`.
    pub previous: u32,
    /// What of the journal event it shows.
    pub shape: Shape,
}

/// One journal event may show as several AWS events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The AWS event of the same name.
    Plain,
    /// EvaluationFailed, of a StateFailed.
    EvaluationFailed,
    /// `<kind>StateAborted`: a state that was under way when its scope was torn down.
    StateAborted(StateKind),
    /// MapRunAborted: a Map Run that was going on when the scope of its state was torn down.
    MapRunAborted,
}

#[derive(Debug, Default)]
struct Scope {
    /// The event the next one in this scope follows.
    last: u32,
    /// The state under way.
    state: Option<OpenState>,
    /// Index of the latest TaskScheduled.
    scheduled: u32,
    /// A Map's last MapIterationSucceeded, or its MapStateStarted before the first; or its MapRunSucceeded.
    ended_iteration: u32,
    /// Whether a Map Run of the state under way is open.
    map_run_open: bool,
    /// Index of the latest MapRunStarted.
    map_run: u32,
    /// The scope around this one.
    parent: Option<ScopeId>,
    /// Which branch or iteration of the parent's state this is.
    index: u32,
    /// Open branches or iterations by index.
    children: BTreeMap<u32, ScopeId>,
}

#[derive(Debug, Clone, Copy)]
struct OpenState {
    kind: StateKind,
    /// Index of its StateEntered.
    entered: u32,
    /// Id of its Entered event.
    id: u32,
    /// What the Entered event follows.
    before: u32,
    /// Its own MapStateFailed or ParallelStateFailed is written.
    failed: bool,
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Timeline {
    /// Of an empty journal.
    pub fn new() -> Self {
        Self {
            sizes: Vec::new(),
            closed: false,
            entries: Vec::new(),
            forgotten: (0, 0),
            scopes: BTreeMap::from([(ScopeId::ROOT, Scope::default())]),
            fallen: BTreeMap::new(),
            next_scope: 1,
            begins_again: false,
        }
    }

    /// Appends what the journal gained, and answers about how many bytes that has.
    pub fn push_event(&mut self, event: &Event) -> usize {
        let size = engine::event_bytes(event);
        self.fold(&event.kind);
        self.closed = event.kind.closes().is_some();
        self.sizes.push(u32::try_from(size).unwrap_or(u32::MAX));
        size
    }

    /// Appends what the journal gained.
    pub fn extend<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) {
        for event in events {
            self.push_event(event);
        }
    }

    /// How many events the journal has so far.
    pub fn length(&self) -> u32 {
        self.here()
    }

    /// About how many bytes the event with this index has.
    pub fn event_bytes(&self, index: u32) -> usize {
        let kept = index.checked_sub(self.forgotten.0);
        kept.and_then(|index| self.sizes.get(index as usize))
            .map_or(0, |size| *size as usize)
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.sizes.len() * size_of::<u32>() + self.entries.len() * size_of::<Entry>()
    }

    /// The AWS events so far, or since [`Timeline::forget`].
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The id of the first of [`Timeline::entries`].
    pub fn first_id(&self) -> u32 {
        self.forgotten.1 + 1
    }

    /// Keeps only what the next events need, for whoever has seen the entries so far: however long a journal grows,
    /// what is kept is no larger than what goes on.
    pub fn forget(&mut self) {
        self.forgotten.0 += self.sizes.len() as u32;
        self.forgotten.1 += self.entries.len() as u32;
        self.sizes.clear();
        self.entries.clear();
    }

    /// The events that later entries may take a name from, by their index.
    pub fn contexts(&self) -> impl Iterator<Item = u32> {
        let scopes = self.scopes.values().chain(self.fallen.values());
        scopes.flat_map(|scope| {
            let entered = scope.state.map(|state| state.entered);
            [scope.scheduled, scope.map_run].into_iter().chain(entered)
        })
    }

    /// Whether nothing can come any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn fold(&mut self, kind: &EventKind) {
        match kind {
            // The first state's Entered event follows 0, not this one.
            EventKind::ExecutionStarted { child_of, .. } => {
                self.begins_again = child_of.as_ref().is_some_and(|child| child.express);
                self.push(0, self.here(), Shape::Plain);
            }
            EventKind::StateEntered { scope, state_kind, .. } => self.entered(*scope, *state_kind),
            EventKind::TaskScheduled { scope, .. } => {
                self.scope(*scope).scheduled = self.here();
                self.task(*scope);
            }
            EventKind::TaskStarted { scope, .. }
            | EventKind::TaskSubmitted { scope, .. }
            | EventKind::TaskSucceeded { scope, .. }
            | EventKind::TaskFailed { scope, .. }
            | EventKind::TaskTimedOut { scope, .. } => self.task(*scope),
            // The history shows neither the choice of a time nor the decision to retry, but a retried
            // Parallel leaves its branches behind.
            EventKind::WaitStarted { .. } => {}
            EventKind::RetryScheduled { scope, .. } => {
                self.tear_down_children(*scope);
                self.forget_fallen(*scope);
            }
            EventKind::ParallelStarted { scope, branches, .. } => {
                let id = self.chain(*scope);
                for branch in 0..*branches {
                    self.open(*scope, branch, id);
                }
            }
            EventKind::ParallelSucceeded { scope } => {
                self.beside(*scope);
            }
            EventKind::ParallelFailed { scope, .. } | EventKind::MapFailed { scope, .. } => {
                self.tear_down_children(*scope);
                self.chain(*scope);
                if let Some(state) = &mut self.scope(*scope).state {
                    state.failed = true;
                }
            }
            EventKind::MapStarted { scope, .. } => {
                let id = self.chain(*scope);
                self.scope(*scope).ended_iteration = id;
            }
            EventKind::MapRunStarted { scope, .. } => {
                self.chain(*scope);
                let here = self.here();
                let map = self.scope(*scope);
                map.map_run_open = true;
                map.map_run = here;
            }
            EventKind::MapRunRedriven { scope, .. } => {
                let map = self.scope(*scope);
                map.map_run_open = true;
                let (last, run) = (map.last, map.map_run);
                self.scope(*scope).last = self.push(last, run, Shape::Plain);
            }
            EventKind::MapRunUpdated { .. } => {}
            EventKind::MapRunSucceeded { scope, .. } => {
                let id = self.chain(*scope);
                let map = self.scope(*scope);
                map.ended_iteration = id;
                map.map_run_open = false;
            }
            EventKind::MapRunFailed { scope, .. } => {
                self.chain(*scope);
                self.scope(*scope).map_run_open = false;
            }
            // Starting an iteration doesn't move its Map: the next one started beside it follows the same event.
            EventKind::IterationStarted { scope, index, .. } => {
                let id = self.beside(*scope);
                self.open(*scope, *index, id);
            }
            // The end of an iteration doesn't move the Map either; the last event inside it does.
            EventKind::IterationSucceeded { scope, index } => {
                if let Some((_, iteration)) = self.close(*scope, *index) {
                    self.scope(*scope).last = iteration.last;
                }
                let id = self.beside(*scope);
                self.scope(*scope).ended_iteration = id;
            }
            EventKind::IterationFailed { scope, index, .. } => {
                let iteration = self.close(*scope, *index);
                if let Some((_, iteration)) = &iteration {
                    self.scope(*scope).last = iteration.last;
                }
                self.beside(*scope);
                self.abort(*scope, iteration);
            }
            EventKind::IterationAborted { scope, index } => {
                let iteration = self.close(*scope, *index);
                self.beside(*scope);
                self.abort(*scope, iteration);
            }
            // MapStateSucceeded and MapStateExited both follow the last MapIterationSucceeded.
            EventKind::MapSucceeded { scope } => {
                let map = self.scope(*scope);
                map.last = map.ended_iteration;
                self.beside(*scope);
            }
            EventKind::StateFailed {
                scope,
                failure,
                location,
            } => {
                self.state_failed(*scope, failure, location.is_some());
            }
            EventKind::StateExited { scope, next, .. } => {
                self.forget_fallen(*scope);
                self.exited(*scope, next.is_none());
            }
            EventKind::ExecutionRedriven { in_turn, .. } => self.redriven(*in_turn),
            EventKind::IterationRedriven { scope, index } => self.iteration_redriven(*scope, *index),
            EventKind::ExecutionSucceeded { .. }
            | EventKind::ExecutionFailed { .. }
            | EventKind::ExecutionTimedOut { .. } => {
                self.chain(ScopeId::ROOT);
            }
            EventKind::ExecutionAborted { .. } => {
                self.push(0, self.here(), Shape::Plain);
            }
        }
    }

    fn entered(&mut self, scope: ScopeId, kind: StateKind) {
        let entered = self.here();
        let before = self.scope(scope).last;
        let id = self.push(before, entered, Shape::Plain);
        let scope = self.scope(scope);
        scope.last = id;
        scope.state = Some(OpenState {
            kind,
            entered,
            id,
            before,
            failed: false,
        });
    }

    fn exited(&mut self, scope: ScopeId, ends_scope: bool) {
        let id = self.chain(scope);
        let inner = self.scope(scope);
        inner.state = None;
        let (Some(parent), index) = (inner.parent, inner.index) else {
            return;
        };
        let outer = self.scope(parent);
        // The Parallel's own end follows the last event of the branch that ended last.
        if ends_scope && outer.state.is_some_and(|state| state.kind == StateKind::Parallel) {
            outer.last = id;
            outer.children.remove(&index);
            self.scopes.remove(&scope);
        }
    }

    fn state_failed(&mut self, scope: ScopeId, failure: &Failure, located: bool) {
        let inner = self.scope(scope);
        let Some(state) = inner.state else { return };
        let just_entered = inner.last == state.id;
        let unlocated = just_entered
            && state.kind != StateKind::Fail
            && failure.error.as_deref() == Some("States.QueryEvaluationError");
        if !located && !unlocated {
            return;
        }
        // Everything but a Wait evaluates before AWS counts the state as entered.
        let previous = if just_entered && state.kind != StateKind::Wait {
            state.before
        } else {
            inner.last
        };
        self.scope(scope).last = self.push(previous, state.entered, Shape::EvaluationFailed);
    }

    fn task(&mut self, scope: ScopeId) {
        let (last, scheduled) = {
            let scope = self.scope(scope);
            (scope.last, scope.scheduled)
        };
        self.scope(scope).last = self.push(last, scheduled, Shape::Plain);
    }

    /// An event that follows the scope's last one and becomes it.
    fn chain(&mut self, scope: ScopeId) -> u32 {
        let id = self.beside(scope);
        self.scope(scope).last = id;
        id
    }

    /// An event that follows the scope's last one, as the next one will too.
    fn beside(&mut self, scope: ScopeId) -> u32 {
        let inner = self.scope(scope);
        let (last, context) = (inner.last, inner.state.map(|state| state.entered));
        self.push(last, context.unwrap_or(self.here()), Shape::Plain)
    }

    fn push(&mut self, previous: u32, context: u32, shape: Shape) -> u32 {
        self.entries.push(Entry {
            event: self.here(),
            context,
            previous,
            shape,
        });
        self.last_id()
    }

    /// Index of the journal event being folded.
    fn here(&self) -> u32 {
        self.forgotten.0 + self.sizes.len() as u32
    }

    /// Id of the latest entry.
    fn last_id(&self) -> u32 {
        self.forgotten.1 + self.entries.len() as u32
    }

    fn scope(&mut self, scope: ScopeId) -> &mut Scope {
        self.scopes.entry(scope).or_default()
    }

    fn open(&mut self, parent: ScopeId, index: u32, last: u32) {
        let child = ScopeId(self.next_scope);
        self.next_scope += 1;
        self.scopes.insert(
            child,
            Scope {
                last,
                parent: Some(parent),
                index,
                ..Scope::default()
            },
        );
        self.scope(parent).children.insert(index, child);
    }

    fn close(&mut self, parent: ScopeId, index: u32) -> Option<(ScopeId, Scope)> {
        let child = self.scope(parent).children.remove(&index)?;
        Some((child, self.scopes.remove(&child)?))
    }

    /// Leaves the open branches or iterations of a state behind; what comes next follows the event that
    /// made them fail, which is the latest of theirs.
    fn tear_down_children(&mut self, scope: ScopeId) {
        let indices: Vec<u32> = self.scope(scope).children.keys().copied().collect();
        let children: Vec<(ScopeId, Scope)> = indices
            .into_iter()
            .filter_map(|index| self.close(scope, index))
            .collect();
        let latest = children.iter().map(|(_, child)| child.last).max().unwrap_or(0);
        let outer = self.scope(scope);
        outer.last = outer.last.max(latest);
        for child in children {
            self.abort(scope, Some(child));
        }
    }

    /// Shows what was under way in a scope that is gone, the innermost first. All of it follows the last
    /// event of `around`.
    fn abort(&mut self, around: ScopeId, gone: Option<(ScopeId, Scope)>) {
        let Some((id, mut gone)) = gone else { return };
        for child in std::mem::take(&mut gone.children).into_values() {
            let scope = self.scopes.remove(&child);
            self.abort(around, scope.map(|scope| (child, scope)));
        }
        let (state, map_run_open) = (gone.state, gone.map_run_open);
        self.fallen.insert(id, gone);
        let Some(state) = state else { return };
        if map_run_open {
            let last = self.scope(around).last;
            self.push(last, state.entered, Shape::MapRunAborted);
        }
        let has_event = match state.kind {
            StateKind::Task | StateKind::Wait | StateKind::Parallel | StateKind::Map => !state.failed,
            StateKind::Pass | StateKind::Choice | StateKind::Succeed | StateKind::Fail => false,
        };
        if has_event {
            let last = self.scope(around).last;
            self.push(last, state.entered, Shape::StateAborted(state.kind));
        }
    }
}
