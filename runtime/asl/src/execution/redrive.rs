//! Redrive: an execution that failed, was stopped or timed out goes on from what didn't succeed. What ended
//! well stays as it is: states before the failure, finished branches, finished iterations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
        if matches!(phase, Phase::Parallel(_) | Phase::Map(_) | Phase::MapRun(_)) {
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

    fn children(&self, of: ScopeId) -> Vec<ScopeId> {
        let children = self
            .scopes
            .range(of..)
            .filter(|(_, scope)| scope.parent.is_some_and(|parent| parent.scope == of));
        children.map(|(child, _)| *child).collect()
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

    pub(super) fn redriven(&mut self, at: Timestamp, round: Option<u32>, in_turn: bool) -> Result<(), String> {
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
        if let Some(child) = &mut self.child_of {
            child.round = round.unwrap_or(child.round);
            if child.express {
                return self.begin_again();
            }
        }
        self.revive(ScopeId::ROOT, in_turn)
    }

    /// Express workflows know no steps: one that is redriven with its Map Run is run again from its first state.
    fn begin_again(&mut self) -> Result<(), String> {
        let flow = self.scope(ScopeId::ROOT)?.flow;
        self.scopes.clear();
        self.fallen = Fallen::default();
        self.variable_bytes = 0;
        self.next_scope = ScopeId::ROOT.0;
        let context = self.context.as_ref().ok_or("the execution hasn't started")?;
        let input = context.input.clone();
        self.open_scope(None, flow, Arc::default(), input);
        Ok(())
    }

    /// Puts a scope back to work: its state begins again, or goes on with what didn't succeed in it.
    fn revive(&mut self, id: ScopeId, in_turn: bool) -> Result<(), String> {
        let scope = self.scope(id)?;
        let Place::In(active) = &mut scope.place else {
            self.ready.insert(id);
            return Ok(());
        };
        active.retries.clear();
        active.said_failed = false;
        let phase = match std::mem::replace(&mut active.phase, Phase::Entered) {
            Phase::Failed(_) => self.fallen.phases.remove(&id),
            phase @ (Phase::Parallel(_) | Phase::Map(_) | Phase::MapRun(_) | Phase::Returned(_)) => Some(phase),
            _ => None,
        };
        let Some(mut phase) = phase else {
            self.fallen.forget(id);
            self.refresh(id);
            return Ok(());
        };
        let mut children = self.fallen.children(id);
        let open = self
            .scopes
            .range(id..)
            .filter(|(_, scope)| scope.parent.is_some_and(|parent| parent.scope == id))
            .map(|(child, _)| *child);
        children.extend(open);
        match &mut phase {
            Phase::Map(iterations) => {
                iterations.failed = 0;
                iterations.last_failure = None;
                iterations.open.clear();
                self.active(id)?.phase = phase;
                for child in children {
                    self.take_away(child);
                }
                let waiting = self.fallen.children(id);
                let waiting = waiting.into_iter().filter_map(|child| {
                    let parent = self.fallen.scopes.get(&child)?.parent?;
                    Some((parent.index, child))
                });
                let waiting = waiting.collect();
                self.iterations(id)?.waiting = waiting;
                while !in_turn && let Some(index) = self.iterations(id)?.waiting.keys().next().copied() {
                    self.revive_iteration(id, index, in_turn)?;
                }
                self.refresh(id);
                return Ok(());
            }
            Phase::MapRun(run) => {
                if let (Some(started), None) = (&mut run.started, &run.result) {
                    started.to_redrive = true;
                }
            }
            _ => {}
        }
        self.active(id)?.phase = phase;
        for child in children {
            self.bring_back(child);
            self.revive(child, in_turn)?;
        }
        self.refresh(id);
        Ok(())
    }

    /// Puts an iteration back to work.
    pub(super) fn revive_iteration(&mut self, id: ScopeId, index: u32, in_turn: bool) -> Result<(), String> {
        let iterations = self.iterations(id)?;
        let child = iterations
            .waiting
            .remove(&index)
            .ok_or("the iteration isn't to be redriven")?;
        iterations.open.insert(index, child);
        self.bring_back(child);
        self.revive(child, in_turn)?;
        self.refresh(id);
        Ok(())
    }

    fn bring_back(&mut self, id: ScopeId) {
        if let Some(scope) = self.fallen.scopes.remove(&id) {
            self.variable_bytes += scope.variable_bytes;
            self.scopes.insert(id, scope);
        }
    }
}
