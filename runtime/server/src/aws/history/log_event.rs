//! A history event as a log line, in the shape Step Functions sends to CloudWatch Logs.

use asl::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::render::Rendered;

/// An entry of a history, for a log.
#[derive(Debug)]
pub struct LogEvent<'a> {
    /// The entry.
    pub entry: &'a Rendered<'a>,
    /// When it happened.
    pub at: Timestamp,
    /// To which execution.
    pub execution: &'a str,
    /// How often that had been redriven.
    pub redrives: u32,
}

impl Serialize for LogEvent<'_> {
    /// Numbers are texts here, and whatever the kind of event its details are called `details`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.entry.id.to_string())?;
        map.serialize_entry("type", &self.entry.kind)?;
        if let Some((_, details)) = &self.entry.details {
            map.serialize_entry("details", details)?;
        }
        map.serialize_entry("redrive_count", &self.redrives.to_string())?;
        map.serialize_entry("previous_event_id", &self.entry.previous.to_string())?;
        map.serialize_entry("event_timestamp", &self.at.0.to_string())?;
        map.serialize_entry("execution_arn", self.execution)?;
        map.end()
    }
}
