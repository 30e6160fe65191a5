//! A history that is in memory as a whole.

use asl::Event;

use super::{Events, Origin, Timeline, render};
use crate::aws::errors::{Answer, ApiError};

/// Which entries of a history, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The id of the last entry that was given out.
    pub after: Option<u32>,
    /// At most so many.
    pub limit: usize,
    /// The last first.
    pub reverse: bool,
    /// With inputs and outputs.
    pub data: bool,
}

impl Part {
    /// The JSON array of the entries, and the id of the last of them where there are more.
    ///
    /// # Errors
    /// A fault of ours when an entry can't be written.
    pub fn of(self, events: Vec<Event>, origin: &Origin<'_>) -> Answer<(String, Option<u32>)> {
        let mut timeline = Timeline::new();
        timeline.extend(&events);
        let events = Events::whole(events);
        let mut entries: Vec<_> = (1u32..).zip(timeline.entries()).collect();
        if self.reverse {
            entries.reverse();
        }
        entries.retain(|(id, _)| match self.after {
            None => true,
            Some(after) if self.reverse => *id < after,
            Some(after) => *id > after,
        });
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let last = entries.last().filter(|_| more).map(|(id, _)| *id);
        let rendered = entries
            .into_iter()
            .map(|(id, entry)| {
                render(entry, id, &events, origin, self.data)
                    .ok_or_else(|| ApiError::fault(format!("event {id} is missing from the history")))
            })
            .collect::<Answer<Vec<_>>>()?;
        let text = serde_json::to_string(&rendered)
            .map_err(|error| ApiError::fault(format!("a history can't be written: {error}")))?;
        Ok((text, last))
    }
}
