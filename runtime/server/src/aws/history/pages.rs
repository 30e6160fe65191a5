//! Timelines kept between the pages of one history, and the events a page shows.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use asl::{Event, EventKind, Payload};
use engine::ids::ExecutionId;
use engine::ports::{Reader, StoreError};

use super::timeline::{Entry, Timeline};

/// Bytes of timelines kept for callers that page through long histories: about a hundred of the longest
/// histories AWS allows.
const KEPT_BYTES: usize = 64 << 20;
/// The same for a single timeline, so that paging through a history of ten million events is linear, too.
const LONGEST_KEPT_BYTES: usize = 256 << 20;
/// A journal up to this size is kept while it is folded: its page needs no second look at the store.
const SMALL_JOURNAL_BYTES: usize = 1 << 20;
/// Events between two that a page needs which are read and dropped rather than looked up.
const READ_PAST: u32 = 4096;

/// Makes reading a long history page by page linear: a page starts from the timeline the one before it
/// left behind, and reads only what the journal gained since and what it shows.
#[derive(Default)]
pub struct Pages {
    kept: Mutex<VecDeque<(ExecutionId, Timeline)>>,
}

impl Pages {
    /// The history of an execution as it stands now, and those of its events that came by. Blocks while the
    /// store reads.
    ///
    /// # Errors
    /// [`StoreError`] when the journal can't be read.
    pub fn timeline(&self, execution: ExecutionId, reader: &dyn Reader) -> Result<(Timeline, Events), StoreError> {
        let mut timeline = self.take(execution).unwrap_or_default();
        let mut events = Events::default();
        if !timeline.is_closed() {
            let mut room = SMALL_JOURNAL_BYTES;
            reader.visit_journal(execution, u64::from(timeline.length()), &mut |event| {
                let index = timeline.length();
                let size = timeline.push_event(&event);
                room = room.saturating_sub(size);
                if room > 0 {
                    events.found.insert(index, event);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok((timeline, events))
    }

    /// Keeps a timeline for the next page.
    pub fn keep(&self, execution: ExecutionId, timeline: Timeline) {
        if timeline.bytes() > LONGEST_KEPT_BYTES {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| *other != execution);
        kept.push_back((execution, timeline));
        let bytes = |kept: &VecDeque<(ExecutionId, Timeline)>| kept.iter().map(|(_, one)| one.bytes()).sum::<usize>();
        while kept.len() > 1 && bytes(&kept) > KEPT_BYTES {
            kept.pop_front();
        }
    }

    fn take(&self, execution: ExecutionId) -> Option<Timeline> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(one, _)| *one == execution)?;
        kept.remove(index).map(|(_, timeline)| timeline)
    }
}

/// Those events of a journal that a page shows or takes a name from, by their index.
#[derive(Default)]
pub struct Events {
    found: BTreeMap<u32, Event>,
}

impl Events {
    /// A whole journal.
    pub fn whole(journal: impl IntoIterator<Item = Event>) -> Self {
        Self {
            found: (0..).zip(journal).collect(),
        }
    }

    /// Reads what `entries` need and what isn't here yet, payloads only with `data`. Blocks while the store reads.
    ///
    /// # Errors
    /// [`StoreError`] when the journal can't be read.
    pub fn fetch<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Entry>,
        data: bool,
        execution: ExecutionId,
        reader: &dyn Reader,
    ) -> Result<(), StoreError> {
        // Whether an event is shown, or only named.
        let mut missing: BTreeMap<u32, bool> = BTreeMap::new();
        for entry in entries {
            missing.entry(entry.context).or_insert(false);
            missing.insert(entry.event, data);
        }
        missing.retain(|index, _| !self.found.contains_key(index));
        while let Some((first, _)) = missing.first_key_value() {
            let first = *first;
            let mut index = first;
            reader.visit_journal(execution, u64::from(first), &mut |event| {
                if let Some(shown) = missing.remove(&index) {
                    self.found
                        .insert(index, if shown { event } else { without_payloads(event) });
                }
                index += 1;
                match missing.first_key_value() {
                    Some((next, _)) if *next - index <= READ_PAST => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            })?;
            // A journal that ends before its timeline does: what isn't there is an error where it is shown.
            missing.remove(&first);
        }
        Ok(())
    }

    /// Adds the event with this index.
    pub fn push(&mut self, index: u32, event: Event) {
        self.found.insert(index, event);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Keeps those that `needed` names, without their payloads.
    pub fn keep_names(&mut self, needed: impl Iterator<Item = u32>) {
        let mut kept = BTreeMap::new();
        for index in needed {
            if let Some(event) = self.found.remove(&index) {
                kept.insert(index, without_payloads(event));
            }
        }
        self.found = kept;
    }

    /// The event with this index.
    pub fn get(&self, index: u32) -> Option<&Event> {
        self.found.get(&index)
    }
}

/// An event whose data isn't shown. The items of a Map state stay, whose number is, and a task's credentials.
fn without_payloads(mut event: Event) -> Event {
    match &mut event.kind {
        EventKind::MapStarted { input, .. } => *input = Payload::null(),
        EventKind::TaskScheduled { parameters, .. } => *parameters = Payload::null(),
        kind => kind.payloads(&mut |payload| *payload = Payload::null()),
    }
    event
}
