//! Map Runs: the child executions of a distributed Map state, as the parent's execution sees them.
//!
//! A child is an execution of its own, with a journal of its own; the parent records where a run began and how
//! it ended, and says here which runs are going on and what their children are to be started with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Execution;
use super::decide::{occurred_in, too_deep};
use super::event::{EventKind, Failure, Percentage, ScopeId};
use super::open_work::too_large;
use super::scope::{MapRun, Phase, Place};
use crate::limits::Limits;
use crate::payload::{self, Payload, TooDeep};

/// What a child execution of a distributed Map state is to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildOf {
    /// The parent execution, in the numbers of whoever keeps executions.
    pub execution: u64,
    /// Position of the MapRunStarted event in the parent's journal.
    pub position: u64,
    /// The Map state, whose processor is what the child runs.
    pub state: String,
    /// Number of its first item, counted from 0 over the whole run.
    pub item: u64,
    /// How many items it has.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub items: u64,
    /// The redrive of the Map Run that started it, or that it was last redriven with; 0 before the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// Whether it is an Express workflow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub express: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn one() -> u64 {
    1
}

fn is_one(number: &u64) -> bool {
    *number == 1
}

/// An ItemReader, its expressions evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemSource {
    /// `Resource`.
    pub resource: String,
    /// `Parameters` or `Arguments`: an object.
    pub parameters: Payload,
    /// `ReaderConfig`: an object, `MaxItemsPath` resolved to `MaxItems`.
    pub config: Payload,
}

/// An ItemBatcher, its expressions evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Batches {
    /// `MaxItemsPerBatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// `MaxInputBytesPerBatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// `BatchInput`; JSON's null is one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "payload::present"
    )]
    pub input: Option<Payload>,
}

/// A ResultWriter, its expressions evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultTarget {
    /// `Resource`; without one the results are only formatted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `Parameters` or `Arguments`: an object.
    pub parameters: Payload,
    /// `WriterConfig`: an object.
    pub config: Payload,
}

/// One item of a Map Run, before its ItemSelector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapItem {
    /// `$$.Map.Item.Value`.
    pub value: Payload,
    /// `$$.Map.Item.Key`, where the items are the fields of an object.
    pub key: Option<Arc<str>>,
    /// `$$.Map.Item.Source`.
    pub source: Arc<str>,
}

/// Failures that come from outside the language.
const READ_AND_WRITTEN: [&str; 2] = ["States.ItemReaderFailed", "States.ResultWriterFailed"];

/// The `$$.Map.Item.Source` of items that were part of the state's input.
const STATE_DATA: &str = "STATE_DATA";

/// A Map Run that should be going on.
#[derive(Debug, Clone, Copy)]
pub struct OpenMapRun<'a> {
    /// Position of its MapRunStarted event.
    pub position: u64,
    /// Position of the event it has been going on since: that one, or its last MapRunRedriven.
    pub since: u64,
    /// How often it was redriven.
    pub redrives: u32,
    /// Where.
    pub scope: ScopeId,
    /// The Map state's name.
    pub state: &'a str,
    /// Its Label, or the one made for it.
    pub label: &'a str,
    /// Whether its children are Express workflows.
    pub express: bool,
    /// What reads its items; without one they are [`Execution::map_run_items`].
    pub reader: Option<&'a ItemSource>,
    /// How its items are put together, where they are.
    pub batches: Option<&'a Batches>,
    /// What writes its results; without one they are the state's result.
    pub writer: Option<&'a ResultTarget>,
    /// Children at once; 0 is no bound.
    pub max_concurrency: u32,
    /// Failed items it tolerates.
    pub tolerated_count: Option<u64>,
    /// The same as a percentage of all items.
    pub tolerated_percentage: Option<Percentage>,
}

impl OpenMapRun<'_> {
    /// Whether the run has failed with this many failed items. `total` is the number of all items, as soon
    /// as it is known: a share of an unknown number is none.
    pub fn over_tolerance(&self, failed: u64, total: Option<u64>) -> bool {
        over_tolerance_of(failed, total, self.tolerated_count, self.tolerated_percentage)
    }
}

/// Whether `failed` of `total` items or iterations are more than is tolerated. Nothing said is none tolerated.
pub(super) fn over_tolerance_of(
    failed: u64,
    total: Option<u64>,
    count: Option<u64>,
    percentage: Option<Percentage>,
) -> bool {
    if failed == 0 {
        return false;
    }
    let over_share = |tolerated: Percentage| {
        total.is_some_and(|total| failed as f64 * 100.0 / total.max(1) as f64 > tolerated.as_number())
    };
    match (count, percentage) {
        (Some(count), Some(share)) => failed > count || over_share(share),
        (Some(count), None) => failed > count,
        (None, Some(share)) => over_share(share),
        (None, None) => true,
    }
}

/// The failure of a Map Run more of whose items failed than it tolerates.
pub fn over_tolerance() -> Failure {
    Failure::new(
        "States.ExceedToleratedFailureThreshold",
        "The specified tolerated failure threshold was exceeded",
    )
}

/// The failure of a Map Run whose items or results make a value that can't be read back.
fn nested_too_deeply() -> Failure {
    let fault = too_deep(TooDeep);
    Failure::new(fault.error, fault.cause)
}

impl Execution {
    /// The Map Runs that should be going on now, by the position of their MapRunStarted events.
    pub fn open_map_runs(&self) -> impl Iterator<Item = OpenMapRun<'_>> {
        self.map_runs.keys().filter_map(|position| self.open_map_run(*position))
    }

    /// The Map Run with this MapRunStarted position, while it is open.
    pub fn open_map_run(&self, position: u64) -> Option<OpenMapRun<'_>> {
        let (scope, state, run) = self.map_run(position)?;
        let started = run.started.as_ref()?;
        Some(OpenMapRun {
            position,
            since: started.since,
            redrives: started.redrives,
            scope,
            state,
            label: &started.label,
            express: started.express,
            reader: started.reader.as_ref(),
            batches: started.batches.as_ref(),
            writer: started.writer.as_ref(),
            max_concurrency: run.max_concurrency,
            tolerated_count: run.tolerated_count,
            tolerated_percentage: run.tolerated_percentage,
        })
    }

    /// At most `limit` of the items of an open run without a reader, from number `from` on.
    pub fn map_run_items(&self, position: u64, from: u64, limit: usize) -> Vec<MapItem> {
        let Some((_, _, run)) = self.map_run(position) else {
            return Vec::new();
        };
        let source: Arc<str> = STATE_DATA.into();
        let items = run.items.value().as_array().map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let items = items.iter().skip(from).take(limit).map(|item| MapItem {
            value: Payload::from_value(item.clone()),
            key: None,
            source: Arc::clone(&source),
        });
        items.collect()
    }

    /// Puts items of an open run together for one child: how many of `items`, which begin with the first that no
    /// child has, and the child's input. `None` while more of them are needed: `complete` says that there are none.
    /// Each item is what [`Execution::map_item_input`] made of it.
    ///
    /// # Errors
    /// The failure of the Map Run: an input over the payload limit.
    pub fn next_child<'p>(
        &self,
        position: u64,
        mut items: impl Iterator<Item = &'p Payload>,
        complete: bool,
        limits: Limits,
    ) -> Option<Result<(u64, Payload), Failure>> {
        let (_, state, run) = self.map_run(position)?;
        let Some(batches) = &run.started.as_ref()?.batches else {
            return items.next().map(|item| Ok((1, item.clone())));
        };
        let max_items = batches.max_items.unwrap_or(u64::MAX);
        let max_bytes = batches
            .max_bytes
            .map_or(limits.payload_bytes, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX)
            })
            .min(limits.payload_bytes);
        let mut text = match &batches.input {
            Some(input) => format!("{{\"BatchInput\":{input},\"Items\":["),
            None => "{\"Items\":[".to_owned(),
        };
        let mut count = 0;
        let mut full = false;
        for item in items {
            let comma = usize::from(count > 0);
            // the first item is taken whatever its size: a child must have one, and says so itself where it's too large
            full = count > 0 && text.len() + comma + item.len() + "]}".len() > max_bytes;
            if full {
                break;
            }
            if comma > 0 {
                text.push(',');
            }
            text.push_str(item.text());
            count += 1;
            if count >= max_items {
                full = true;
                break;
            }
        }
        if count == 0 || !(full || complete) {
            return None;
        }
        text.push_str("]}");
        if text.len() > limits.payload_bytes {
            return Some(Err(too_large(state)));
        }
        let input = Payload::from_checked(text.into());
        if !input.fits_within(0) {
            return Some(Err(nested_too_deeply()));
        }
        Some(Ok((count, input)))
    }

    /// The event that records how an open run ended; `None` when it isn't open any more, or the history has no
    /// room for it: `next` then ends the execution. A result over the payload limit is a failure of the run.
    pub fn map_run_result(&self, position: u64, result: Result<Payload, Failure>, limits: Limits) -> Option<EventKind> {
        let OpenMapRun { scope, state, .. } = self.open_map_run(position)?;
        if self.history_entries.saturating_add(1) >= limits.history_entries {
            return None;
        }
        Some(match result {
            Ok(result) if result.len() > limits.payload_bytes => EventKind::MapRunFailed {
                scope,
                failure: too_large(state),
            },
            Ok(result) if !result.fits_within(0) => EventKind::MapRunFailed {
                scope,
                failure: nested_too_deeply(),
            },
            Ok(result) => EventKind::MapRunSucceeded { scope, result },
            Err(failure) => EventKind::MapRunFailed {
                scope,
                failure: self.located(scope, failure),
            },
        })
    }

    /// The failure of a reader or writer, which doesn't know whose it is, with AWS's sentence about that.
    fn located(&self, scope: ScopeId, failure: Failure) -> Failure {
        let active = match self.scopes.get(&scope).map(|scope| &scope.place) {
            Some(Place::In(active))
                if READ_AND_WRITTEN
                    .iter()
                    .any(|name| failure.error.as_deref() == Some(name)) =>
            {
                active
            }
            _ => return failure,
        };
        let cause = failure.cause.as_deref().unwrap_or_default();
        Failure {
            cause: Some(occurred_in(active, cause)),
            ..failure
        }
    }

    /// The scope, the state's name and the run, of one that is open.
    pub(super) fn map_run(&self, position: u64) -> Option<(ScopeId, &str, &MapRun)> {
        let scope = *self.map_runs.get(&position)?;
        let Place::In(active) = &self.scopes.get(&scope)?.place else {
            return None;
        };
        match &active.phase {
            Phase::MapRun(run) => Some((scope, &active.state, run)),
            _ => None,
        }
    }
}
