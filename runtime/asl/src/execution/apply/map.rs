//! What the events of Map states mean: iterations in the execution itself, and Map Runs beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Applied, failed};
use crate::definition::{Kind, Map};
use crate::execution::Execution;
use crate::execution::event::{EventKind, Failure, ScopeId};
use crate::execution::scope::{Iterations, MapRun, Parent, Phase, Place, Scope, StartedRun};
use crate::payload::Payload;

/// Errors after which a redriven Map state begins a new Map Run: the same items would fail in the same way.
const NOT_REDRIVEN: [&str; 2] = ["States.DataLimitExceeded", "States.Runtime"];

/// Whether a Map Run that failed like this is redriven with its execution.
fn is_redriven(failure: &Failure) -> bool {
    !NOT_REDRIVEN.iter().any(|name| failure.error.as_deref() == Some(name))
}

impl Execution {
    pub(super) fn map_event(&mut self, kind: &EventKind) -> Applied {
        match kind {
            EventKind::MapStarted {
                scope,
                items,
                input,
                max_concurrency,
                tolerated_count,
                tolerated_percentage,
            } => {
                if self.map_of(*scope, |map| map.distributed.is_some())? {
                    let run = MapRun {
                        items: items.clone(),
                        input: input.clone(),
                        max_concurrency: *max_concurrency,
                        tolerated_count: *tolerated_count,
                        tolerated_percentage: *tolerated_percentage,
                        started: None,
                        result: None,
                    };
                    return self.set_phase(*scope, Phase::MapRun(Box::new(run)));
                }
                let length = items.value().as_array().map_or(0, Vec::len);
                let length = u32::try_from(length).map_err(|_| "more items than can be counted")?;
                self.set_phase(
                    *scope,
                    Phase::Map(Box::new(Iterations {
                        items: items.clone(),
                        input: input.clone(),
                        max_concurrency: *max_concurrency,
                        tolerated_count: *tolerated_count,
                        tolerated_percentage: *tolerated_percentage,
                        length,
                        next: 0,
                        open: BTreeMap::new(),
                        waiting: BTreeMap::new(),
                        outputs: vec![None; length as usize],
                        failed: 0,
                        last_failure: None,
                    })),
                )
            }
            EventKind::IterationStarted { scope, index, input } => self.iteration_opened(*scope, *index, input),
            EventKind::IterationSucceeded { scope, index } => {
                let child = self.iterations(*scope)?.open.remove(index).ok_or("no such iteration")?;
                let Some(Scope {
                    place: Place::Done(output),
                    ..
                }) = self.remove_scope(child)
                else {
                    return Err("the iteration isn't done".into());
                };
                self.ready.remove(&child);
                let iterations = self.iterations(*scope)?;
                *iterations.outputs.get_mut(*index as usize).ok_or("no such iteration")? = Some(output);
                self.refresh(*scope);
                Ok(())
            }
            EventKind::IterationFailed { scope, index, failure } => {
                let child = self.iterations(*scope)?.open.remove(index).ok_or("no such iteration")?;
                self.close_scope(child);
                let iterations = self.iterations(*scope)?;
                iterations.failed += 1;
                iterations.last_failure = Some(failure.clone());
                self.refresh(*scope);
                Ok(())
            }
            EventKind::IterationRedriven { scope, index } => self.revive_iteration(*scope, *index, true),
            EventKind::IterationAborted { scope, index } => {
                let child = self.iterations(*scope)?.open.remove(index).ok_or("no such iteration")?;
                self.close_scope(child);
                self.refresh(*scope);
                Ok(())
            }
            EventKind::MapSucceeded { scope } => {
                let result = match &self.active(*scope)?.phase {
                    Phase::MapRun(run) => run.result.clone().ok_or("the Map Run isn't over")?,
                    _ => Payload::array_of(self.iterations(*scope)?.outputs.iter().flatten()),
                };
                self.set_phase(*scope, Phase::Returned(result))
            }
            _ => Err("not an event of a Map state".into()),
        }
    }

    pub(super) fn map_run_event(&mut self, kind: &EventKind) -> Applied {
        match kind {
            EventKind::MapRunStarted {
                scope,
                label,
                express,
                reader,
                batches,
                writer,
            } => {
                let started = StartedRun {
                    position: self.position,
                    since: self.position,
                    redrives: 0,
                    to_redrive: false,
                    label: label.clone(),
                    express: *express,
                    reader: reader.clone(),
                    batches: batches.clone(),
                    writer: writer.clone(),
                };
                let position = started.position;
                let run = self.run(*scope)?;
                if run.started.replace(started).is_some() {
                    return Err("the Map Run has started already".into());
                }
                self.map_runs.insert(position, *scope);
                self.refresh(*scope);
                Ok(())
            }
            EventKind::MapRunUpdated {
                scope,
                max_concurrency,
                tolerated_count,
                tolerated_percentage,
            } => {
                let run = self.open_run(*scope)?;
                run.max_concurrency = max_concurrency.unwrap_or(run.max_concurrency);
                run.tolerated_count = tolerated_count.or(run.tolerated_count);
                run.tolerated_percentage = tolerated_percentage.or(run.tolerated_percentage);
                Ok(())
            }
            EventKind::MapRunSucceeded { scope, result } => {
                self.open_run(*scope)?;
                self.forget_timers(*scope);
                self.run(*scope)?.result = Some(result.clone());
                self.refresh(*scope);
                Ok(())
            }
            EventKind::MapRunRedriven { scope, count } => {
                let since = self.position;
                let run = self.run(*scope)?;
                let started = run.started.as_mut().filter(|started| started.to_redrive);
                let started = started.ok_or("the Map Run isn't to be redriven")?;
                started.to_redrive = false;
                started.redrives = *count;
                started.since = since;
                let position = started.position;
                self.map_runs.insert(position, *scope);
                self.refresh(*scope);
                Ok(())
            }
            EventKind::MapRunFailed { scope, failure } => {
                self.open_run(*scope)?;
                self.forget_timers(*scope);
                let run = std::mem::replace(&mut self.active(*scope)?.phase, Phase::Entered);
                if is_redriven(failure) {
                    self.fallen.keep_phase(*scope, run);
                }
                self.set_phase(*scope, failed(failure, true))
            }
            _ => Err("not an event of a Map Run".into()),
        }
    }

    /// What `read` says of the Map state a scope is in.
    fn map_of<T>(&mut self, id: ScopeId, read: impl FnOnce(&Map) -> T) -> Result<T, String> {
        let (flow, state) = (self.scope(id)?.flow, self.active(id)?.state.clone());
        match self.machine.flow(flow).state(&state).map(|state| &state.kind) {
            Some(Kind::Map(map)) => Ok(read(map)),
            _ => Err(format!("`{state}` is not a Map state")),
        }
    }

    fn iteration_opened(&mut self, id: ScopeId, index: u32, input: &Payload) -> Applied {
        let processor = self.map_of(id, |map| map.processor)?;
        let variables = Arc::clone(&self.scope(id)?.variables);
        let iterations = self.iterations(id)?;
        if iterations.next != index || index >= iterations.length {
            return Err(format!("iteration {index} isn't next"));
        }
        iterations.next += 1;
        let child = self.open_scope(Some(Parent { scope: id, index }), processor, variables, input.clone());
        self.iterations(id)?.open.insert(index, child);
        self.refresh(id);
        Ok(())
    }

    pub(in crate::execution) fn iterations(&mut self, id: ScopeId) -> Result<&mut Iterations, String> {
        match &mut self.active(id)?.phase {
            Phase::Map(iterations) => Ok(iterations),
            _ => Err("no iterations are open".into()),
        }
    }

    fn run(&mut self, id: ScopeId) -> Result<&mut MapRun, String> {
        match &mut self.active(id)?.phase {
            Phase::MapRun(run) => Ok(run),
            _ => Err("the state has no Map Run".into()),
        }
    }

    fn open_run(&mut self, id: ScopeId) -> Result<&mut MapRun, String> {
        let run = self.run(id)?;
        match run.open_at() {
            Some(_) => Ok(run),
            None => Err("no Map Run is open".into()),
        }
    }
}
