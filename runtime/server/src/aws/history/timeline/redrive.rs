//! What a redrive brings back.

use std::collections::BTreeSet;

use asl::{ScopeId, StateKind};

use super::{Scope, Shape, Timeline};

impl Timeline {
    /// Everything that didn't succeed goes on after this event, iterations `in_turn` when they say so.
    pub(super) fn redriven(&mut self, in_turn: bool) {
        self.closed = false;
        let before = self.last_id();
        let id = self.push(before, self.here(), Shape::Plain);
        if self.begins_again {
            self.scopes.clear();
            self.fallen.clear();
            self.next_scope = 1;
            self.scope(ScopeId::ROOT).last = id;
            return;
        }
        let below = self.scopes.split_off(&ScopeId(ScopeId::ROOT.0 + 1));
        self.fallen.extend(below);
        for scope in self.scopes.values_mut().chain(self.fallen.values_mut()) {
            scope.last = id;
            scope.ended_iteration = id;
            scope.map_run_open = false;
            scope.children.clear();
            if let Some(state) = &mut scope.state {
                state.failed = false;
            }
        }
        self.bring_back_children(ScopeId::ROOT, in_turn);
    }

    pub(super) fn iteration_redriven(&mut self, map: ScopeId, index: u32) {
        let is_it = |(_, scope): &(&ScopeId, &Scope)| scope.parent == Some(map) && scope.index == index;
        if let Some(iteration) = self.fallen.iter().find(is_it).map(|(id, _)| *id) {
            self.bring_back(iteration, true);
        }
    }

    fn bring_back_children(&mut self, parent: ScopeId, in_turn: bool) {
        let state = self.scope(parent).state;
        if in_turn && state.is_some_and(|state| state.kind == StateKind::Map) {
            return;
        }
        let children = self.fallen.iter().filter(|(_, scope)| scope.parent == Some(parent));
        let children: Vec<ScopeId> = children.map(|(id, _)| *id).collect();
        for child in children {
            self.bring_back(child, in_turn);
        }
    }

    fn bring_back(&mut self, id: ScopeId, in_turn: bool) {
        let Some(scope) = self.fallen.remove(&id) else { return };
        if let Some(parent) = scope.parent {
            self.scope(parent).children.insert(scope.index, id);
        }
        self.scopes.insert(id, scope);
        self.bring_back_children(id, in_turn);
    }

    /// What fell in this scope's state was dealt with: no redrive brings it back.
    pub(super) fn forget_fallen(&mut self, scope: ScopeId) {
        let mut gone = BTreeSet::from([scope]);
        for (child, fallen) in self.fallen.range(scope..) {
            if fallen.parent.is_some_and(|parent| gone.contains(&parent)) {
                gone.insert(*child);
            }
        }
        self.fallen.retain(|child, _| !gone.contains(child));
    }
}
