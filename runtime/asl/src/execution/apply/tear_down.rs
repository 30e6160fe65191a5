//! What a failure takes away: the scopes below the state that failed, with what AWS's history shows of their end.

use super::super::Execution;
use super::super::event::{EventKind, ScopeId, StateKind};
use super::super::scope::{Active, Phase, Place, Scope};
use crate::expression::jsonata::EVALUATION_ERROR;

impl Execution {
    /// How many entries of AWS's history an event that is decided now adds, those of what it tears down included.
    pub(in super::super) fn entries_of(&self, kind: &EventKind) -> u64 {
        let torn_down = match kind {
            EventKind::StateFailed { scope, .. } => {
                let below = self
                    .children(*scope)
                    .into_iter()
                    .map(|child| self.entries_of_closing(child));
                below.sum::<u64>() + u64::from(self.shows_failure_on_entry(kind))
            }
            EventKind::IterationFailed { scope, index, .. } | EventKind::IterationAborted { scope, index } => {
                let child = match self.in_state(*scope).map(|active| &active.phase) {
                    Some(Phase::Map(iterations)) => iterations.open.get(index),
                    _ => None,
                };
                child.map_or(0, |child| self.entries_of_closing(*child))
            }
            _ => 0,
        };
        kind.history_entries() + torn_down
    }

    /// An evaluation that fails on entry shows in the history also where it names no field.
    pub(super) fn shows_failure_on_entry(&self, kind: &EventKind) -> bool {
        let EventKind::StateFailed {
            scope,
            failure,
            location: None,
        } = kind
        else {
            return false;
        };
        failure.error.as_deref() == Some(EVALUATION_ERROR)
            && self
                .in_state(*scope)
                .is_some_and(|active| matches!(active.phase, Phase::Entered) && active.kind != StateKind::Fail)
    }

    fn entries_of_closing(&self, id: ScopeId) -> u64 {
        let own = self.in_state(id).map_or(0, |active| {
            u64::from(active.shows_abort()) + u64::from(active.has_open_map_run())
        });
        let below = self
            .children(id)
            .into_iter()
            .map(|child| self.entries_of_closing(child));
        own + below.sum::<u64>()
    }

    fn in_state(&self, id: ScopeId) -> Option<&Active> {
        match &self.scopes.get(&id)?.place {
            Place::In(active) => Some(active),
            Place::Before { .. } | Place::Done(_) => None,
        }
    }

    /// The scopes that the state of this one opened and that are still there.
    fn children(&self, id: ScopeId) -> Vec<ScopeId> {
        match self.in_state(id).map(|active| &active.phase) {
            Some(Phase::Map(iterations)) => iterations.open.values().copied().collect(),
            Some(Phase::Parallel(_)) => self
                .scopes
                .range(ScopeId(id.0 + 1)..)
                .filter(|(_, scope)| scope.parent.is_some_and(|parent| parent.scope == id))
                .map(|(child, _)| *child)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Takes a scope and everything below it away.
    pub(super) fn close_scope(&mut self, id: ScopeId) {
        self.history_entries += self.entries_of_closing(id);
        self.take_away(id);
    }

    /// The same of all scopes that the state of this one opened.
    pub(super) fn close_children(&mut self, id: ScopeId) {
        for child in self.children(id) {
            self.close_scope(child);
        }
    }

    pub(in super::super) fn take_away(&mut self, id: ScopeId) {
        self.forget_timers(id);
        for child in self.children(id) {
            self.take_away(child);
        }
        if let Some(scope) = self.remove_scope(id) {
            self.fallen.keep_scope(id, scope);
        }
        self.ready.remove(&id);
    }

    /// Takes a scope out, with what its variables held.
    pub(super) fn remove_scope(&mut self, id: ScopeId) -> Option<Scope> {
        let scope = self.scopes.remove(&id)?;
        self.variable_bytes = self.variable_bytes.saturating_sub(scope.variable_bytes);
        Some(scope)
    }
}
