//! Redrive: an execution that failed, was stopped or timed out goes on from what didn't succeed. What ended
//! well stays as it is: states before the failure, finished branches, finished iterations.

use std::collections::{BTreeMap, BTreeSet};

use super::Execution;
use super::event::{ScopeId, Status};
use super::scope::{Phase, Place, Scope};
use crate::timestamp::Timestamp;

/// What was torn down by a failure that nobody has dealt with yet. It is forgotten when a retrier or a
/// catcher deals with it, and comes back when the execution is redriven.
#[derive(Debug, Default)]
pub(super) struct Fallen {
    /// Branches and iterations that failed or were stopped.
    scopes: BTreeMap<ScopeId, Scope>,
    /// What Parallel and Map states were doing when they failed, by their scopes.
    phases: BTreeMap<ScopeId, Phase>,
}

impl Fallen {
    pub(super) fn keep_scope(&mut self, id: ScopeId, scope: Scope) {
        self.scopes.insert(id, scope);
    }

    pub(super) fn keep_phase(&mut self, id: ScopeId, phase: Phase) {
        if matches!(phase, Phase::Parallel(_) | Phase::Map(_)) {
            self.phases.insert(id, phase);
        }
    }

    /// Forgets what fell in the state of this scope.
    pub(super) fn forget(&mut self, id: ScopeId) {
        self.phases.remove(&id);
        let mut gone = BTreeSet::from([id]);
        for (child, scope) in self.scopes.range(id..) {
            if scope.parent.is_some_and(|parent| gone.contains(&parent.scope)) {
                gone.insert(*child);
            }
        }
        for child in gone.into_iter().filter(|child| *child != id) {
            self.scopes.remove(&child);
            self.phases.remove(&child);
        }
    }

    fn take_children(&mut self, of: ScopeId) -> Vec<(ScopeId, Scope)> {
        self.scopes
            .extract_if(of.., |_, scope| scope.parent.is_some_and(|parent| parent.scope == of))
            .collect()
    }
}

impl Execution {
    /// Whether it can be redriven: it is over, and not by success.
    pub fn is_redrivable(&self) -> bool {
        self.mode.is_standard() && matches!(self.status, Status::Failed | Status::Aborted | Status::TimedOut)
    }

    /// How often it was redriven.
    pub fn redrive_count(&self) -> u32 {
        self.context.as_ref().map_or(0, |context| context.redrive_count)
    }

    pub(super) fn redriven(&mut self, at: Timestamp) -> Result<(), String> {
        if !self.is_redrivable() {
            return Err("only an execution that is over, and not by success, is redriven".into());
        }
        self.status = Status::Running;
        self.failure = None;
        self.stopped = None;
        if let Some(context) = &mut self.context {
            context.redrive_count += 1;
            context.redrive_time = Some(at);
        }
        let seconds = self.time_out_seconds();
        self.deadline = seconds.map(|seconds| at.plus_seconds(seconds as f64));
        self.revive(ScopeId::ROOT)
    }

    /// Puts a scope back to work: its state begins again, or goes on with what didn't succeed in it.
    fn revive(&mut self, id: ScopeId) -> Result<(), String> {
        let scope = self.scope(id)?;
        let Place::In(active) = &mut scope.place else {
            self.ready.insert(id);
            return Ok(());
        };
        active.retries.clear();
        active.said_failed = false;
        let phase = match std::mem::replace(&mut active.phase, Phase::Entered) {
            Phase::Failed(_) => self.fallen.phases.remove(&id),
            phase @ (Phase::Parallel(_) | Phase::Map(_) | Phase::Returned(_)) => Some(phase),
            _ => None,
        };
        let Some(mut phase) = phase else {
            self.fallen.forget(id);
            self.refresh(id);
            return Ok(());
        };
        for (child, scope) in self.fallen.take_children(id) {
            self.variable_bytes += scope.variable_bytes;
            self.scopes.insert(child, scope);
        }
        let children: Vec<(ScopeId, u32)> = self
            .scopes
            .range(id..)
            .filter_map(|(child, scope)| scope.parent.map(|parent| (*child, parent)))
            .filter(|(_, parent)| parent.scope == id)
            .map(|(child, parent)| (child, parent.index))
            .collect();
        if let Phase::Map(iterations) = &mut phase {
            iterations.failed = 0;
            iterations.last_failure = None;
            iterations.open = children.iter().map(|(child, index)| (*index, *child)).collect();
        }
        self.active(id)?.phase = phase;
        for (child, _) in children {
            self.revive(child)?;
        }
        self.refresh(id);
        Ok(())
    }
}
