//! A Map state under test: its items, and what its iterations would be started with.

use super::At;
use super::trial::{Trial, Verdict};
use crate::definition::{Items, Kind, QueryLanguage};
use crate::execution::env::Env;
use crate::execution::event::{Event, EventKind};
use crate::execution::map_run::{ItemSource, MapItem};
use crate::execution::scope::Phase;
use crate::expression::Fault;
use crate::expression::json_path::{Path, Root};
use crate::payload::Payload;

/// The field of ReaderConfig that says where in a JSON document the items are.
const ITEMS_POINTER: &str = "ItemsPointer";

impl Trial {
    /// Starts the Map state, and its run where it is distributed.
    pub(super) fn start_map(&mut self, started: EventKind, env: &mut Env<'_>) -> Result<Option<ItemSource>, Fault> {
        self.apply(started, env)?;
        self.decide(env, |at, _| at.inspect_map())?;
        let run = self.decide(env, |at, _| match &at.active.phase {
            Phase::MapRun(run) => at.continue_map_run(run).map(Some),
            _ => Ok(None),
        })?;
        let Some(run) = run else { return Ok(None) };
        let reader = match &run {
            EventKind::MapRunStarted { reader, .. } => reader.clone(),
            _ => None,
        };
        self.apply(run, env)?;
        Ok(reader)
    }

    fn apply(&mut self, kind: EventKind, env: &Env<'_>) -> Result<(), Fault> {
        let event = Event { at: env.now, kind };
        let applied = self.execution.apply(&event);
        applied.map_err(|error| Fault::runtime(error.to_string()))
    }

    /// Takes the items of a Map state: `read` where it has a reader, else its own. Answers how many iterations it
    /// would start.
    ///
    /// # Errors
    /// What the state comes to where an iteration's input can't be made.
    pub fn iterate(&mut self, read: Option<Vec<MapItem>>, env: &mut Env<'_>) -> Result<usize, Verdict> {
        let inputs = self.decide(env, |at, env| at.iteration_inputs(read, env));
        match inputs {
            Ok(iterations) => {
                self.iterations = iterations;
                Ok(iterations)
            }
            Err(fault) => Err(self.fault(fault, env)),
        }
    }
}

impl At<'_> {
    /// What a Map state shows of itself once its items are fixed.
    fn inspect_map(&self) -> Result<(), Fault> {
        let Kind::Map(map) = &self.state.kind else {
            return Err(Fault::runtime("not a Map state"));
        };
        let (items, input, max_concurrency) = match &self.active.phase {
            Phase::Map(started) => (&started.items, &started.input, started.max_concurrency),
            Phase::MapRun(started) => (&started.items, &started.input, started.max_concurrency),
            _ => return Err(Fault::runtime("the Map state hasn't started")),
        };
        let reader = map
            .distributed
            .as_ref()
            .and_then(|distributed| distributed.reader.as_ref());
        if reader.is_none() {
            let shown = match &map.items {
                Items::Path(path) => self.letters(path, input).unwrap_or_else(|| items.clone()),
                Items::Input | Items::Template(_) => items.clone(),
            };
            self.saw(QueryLanguage::JsonPath, |seen| seen.after_items_path = Some(shown));
        }
        let (count, percentage) = self.tolerance(map, &self.bindings(input.value()))?;
        self.watch(|seen| {
            seen.max_concurrency = Some(max_concurrency);
            seen.tolerated_failure_count = count;
            seen.tolerated_failure_percentage = percentage;
        });
        Ok(())
    }

    /// What a path finds in the caller's texts, letter by letter: so AWS shows the items of a test.
    fn letters(&self, path: &Path, input: &Payload) -> Option<Payload> {
        match path.root() {
            Root::Input => path.cut_out(input),
            Root::Context => path.cut_out(&self.probe?.context),
            Root::Variable(name) => path.cut_out(self.scope.variables.get(name)?),
        }
    }

    /// Puts every iteration's input together, and shows what ItemSelector and ItemBatcher did. How many there are.
    fn iteration_inputs(&self, read: Option<Vec<MapItem>>, env: &mut Env<'_>) -> Result<usize, Fault> {
        let Kind::Map(map) = &self.state.kind else {
            return Err(Fault::runtime("not a Map state"));
        };
        let inputs = match &self.active.phase {
            Phase::Map(started) => (0..started.length)
                .map(|index| self.iteration_input(map, &started.items, &started.input, index))
                .collect::<Result<Vec<_>, _>>()?,
            Phase::MapRun(run) => {
                let position = run.started.as_ref().map_or(0, |started| started.position);
                let items = read.unwrap_or_else(|| self.execution.map_run_items(position, 0, usize::MAX));
                let reader = run.started.as_ref().and_then(|started| started.reader.as_ref());
                if reader.is_some_and(|reader| reader.config.value().get(ITEMS_POINTER).is_some()) {
                    let found = Payload::array_of(items.iter().map(|item| &item.value));
                    self.watch(|seen| seen.after_items_pointer = Some(found));
                }
                (0..)
                    .zip(&items)
                    .map(|(index, item)| self.selected(run, index, item))
                    .collect::<Result<Vec<_>, _>>()?
            }
            _ => return Err(Fault::runtime("the Map state hasn't started")),
        };
        if map.item_selector.is_some() {
            self.watch(|seen| seen.after_item_selector = Some(Payload::array_of(&inputs)));
        }
        let Some(batches) = self.batches(&inputs, env) else {
            return Ok(inputs.len());
        };
        self.watch(|seen| seen.after_item_batcher = Some(Payload::array_of(&batches)));
        Ok(batches.len())
    }

    /// The inputs of a Map Run's children, where its items are put together in batches.
    fn batches(&self, mut inputs: &[Payload], env: &Env<'_>) -> Option<Vec<Payload>> {
        let Phase::MapRun(run) = &self.active.phase else {
            return None;
        };
        let started = run.started.as_ref()?;
        started.batches.as_ref()?;
        let mut batches = Vec::new();
        // one too large for its child ends them, as it would end the run
        while let Some(Ok((taken, batch))) =
            self.execution
                .next_child(started.position, inputs.iter(), true, env.limits)
        {
            batches.push(batch);
            inputs = inputs.get(usize::try_from(taken).ok()?..)?;
        }
        Some(batches)
    }
}
