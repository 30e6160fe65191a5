//! The Map Run of a distributed Map state.

use serde_json::{Map as JsonMap, Value};

use super::map::{read, whole_number};
use super::{At, derived};
use crate::definition::{Distributed, ExecutionType, Kind, Map};
use crate::execution::Execution;
use crate::execution::env::Env;
use crate::execution::event::{EventKind, Failure};
use crate::execution::map_run::{Batches, ItemSource, MapItem, ResultTarget};
use crate::execution::open_work::too_large;
use crate::execution::scope::MapRun;
use crate::expression::context::{Chance, Item};
use crate::expression::{Bindings, Fault, Template};
use crate::payload::Payload;

/// How often one Map Run can be redriven (AWS's own bound).
const MAX_REDRIVES: u32 = 1_000;

impl At<'_> {
    /// The Map Run begins, or its result becomes the state's.
    pub(super) fn continue_map_run(&self, run: &MapRun) -> Result<EventKind, Fault> {
        if run.result.is_some() {
            return Ok(EventKind::MapSucceeded { scope: self.id });
        }
        if let Some(started) = run.started.as_ref().filter(|started| started.to_redrive) {
            if started.redrives >= MAX_REDRIVES {
                return Err(Fault::runtime(format!(
                    "The Map Run has been redriven {MAX_REDRIVES} times, which is the most it can be"
                )));
            }
            return Ok(EventKind::MapRunRedriven {
                scope: self.id,
                count: started.redrives + 1,
            });
        }
        let (map, distributed) = self.distributed()?;
        if !self.execution.mode().is_standard() {
            // its children would outlive it in the journal, and nobody could say whose they are
            return Err(Fault::runtime(
                "Express workflows do not support Map states in distributed mode",
            ));
        }
        let bindings = self.bindings(run.input.value());
        // a tolerance that can't be read fails the state here, after MapStarted, as it does at AWS
        self.tolerance(map, &bindings)?;
        let reader = distributed.reader.as_ref().map(|reader| {
            let mut config = reader.config.evaluate_fields(&bindings)?;
            let max_items = read(
                "MaxItemsPath",
                reader.max_items.as_ref(),
                &bindings,
                "integer",
                whole_number,
            )?;
            if let Some(max_items) = max_items {
                config.insert("MaxItems".into(), Value::from(max_items));
            }
            Ok(ItemSource {
                resource: reader.resource.clone(),
                parameters: object(reader.parameters.as_ref(), &bindings)?,
                config: Payload::from_value(Value::Object(config)),
            })
        });
        let batches = distributed.batcher.as_ref().map(|batcher| {
            let bound = |field, value: &Option<_>| {
                read(field, value.as_ref(), &bindings, "integer", |value| {
                    whole_number(value).filter(|number| *number > 0)
                })
            };
            let input = batcher
                .input
                .as_ref()
                .map(|input| input.evaluate(&bindings).and_then(derived))
                .transpose()?;
            Ok(Batches {
                max_items: bound("MaxItemsPerBatchPath", &batcher.max_items)?,
                max_bytes: bound("MaxInputBytesPerBatchPath", &batcher.max_bytes)?,
                input,
            })
        });
        let writer = distributed.writer.as_ref().map(|writer| {
            Ok(ResultTarget {
                resource: writer.resource.clone(),
                parameters: object(writer.parameters.as_ref(), &bindings)?,
                config: object(writer.config.as_ref(), &bindings)?,
            })
        });
        Ok(EventKind::MapRunStarted {
            scope: self.id,
            label: distributed.label.clone(),
            express: distributed.execution_type == ExecutionType::Express,
            reader: reader.transpose()?,
            batches: batches.transpose()?,
            writer: writer.transpose()?,
        })
    }

    fn distributed(&self) -> Result<(&Map, &Distributed), Fault> {
        match &self.state.kind {
            Kind::Map(map) => match &map.distributed {
                Some(distributed) => Ok((map, distributed)),
                None => Err(Fault::runtime("not a distributed Map state")),
            },
            _ => Err(Fault::runtime("not a Map state")),
        }
    }

    /// One item after the ItemSelector.
    pub(super) fn selected(&self, run: &MapRun, index: u64, item: &MapItem) -> Result<Payload, Fault> {
        let (map, _) = self.distributed()?;
        let Some(template) = &map.item_selector else {
            return Ok(item.value.clone());
        };
        let bindings = self.bindings(run.input.value());
        let item = Item {
            index,
            value: item.value.value(),
            key: item.key.as_deref(),
            source: Some(&item.source),
        };
        template.evaluate(&bindings.with_item(item)).and_then(derived)
    }
}

/// A template that is an object, `{}` where there is none.
fn object(template: Option<&Template>, bindings: &Bindings<'_>) -> Result<Payload, Fault> {
    let fields = template
        .map(|template| template.evaluate_fields(bindings))
        .transpose()?;
    derived(Value::Object(fields.unwrap_or_else(JsonMap::new)))
}

impl Execution {
    /// What the ItemSelector of an open Map Run makes of its item number `index`; `None` when the run isn't open
    /// any more.
    ///
    /// # Errors
    /// The failure of the Map Run: an expression that can't be evaluated, a result over the payload limit.
    pub fn map_item_input(
        &self,
        position: u64,
        index: u64,
        item: &MapItem,
        env: &mut Env<'_>,
    ) -> Option<Result<Payload, Failure>> {
        let (id, name, run) = self.map_run(position)?;
        let chance = Chance::new(env.now, env.dice.next_u64());
        let at = self.at(self.context.as_ref()?, id, &chance)?;
        let selected = at.selected(run, index, item).map_err(|fault| at.failure_of(fault));
        Some(match selected {
            Ok(input) if input.len() > env.limits.payload_bytes => Err(too_large(name)),
            selected => selected,
        })
    }
}
