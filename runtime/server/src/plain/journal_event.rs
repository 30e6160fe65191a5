//! A journal event as people see it: `{"position", "time", "type", "details"}`, payloads letter by letter.

use std::fmt;

use asl::Event;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Fields that hold structures of ours; whatever else is in an event are names, numbers and the workflow's own JSON.
const STRUCTURES: [&str; 5] = ["attempt", "child_of", "reader", "batches", "writer"];
/// How the journal wraps a text that JSON can't carry as it is.
const WRAPPED: &str = "{\"$text\":";

/// The name of an event's kind, and its JSON.
pub(super) struct Written {
    pub(super) kind: String,
    pub(super) json: String,
}

/// Writes the event that brings its journal to `position` events.
///
/// # Errors
/// The serializer's words, for an event that isn't JSON inside.
pub(super) fn write(event: &Event, position: u64) -> Result<Written, serde_json::Error> {
    let text = serde_json::to_string(&event.kind)?;
    let Fields(kinds) = serde_json::from_str(&text)?;
    // A kind is written as an object with one field, its name.
    let (kind, details) = kinds.into_iter().next().unwrap_or_default();
    let mut json = format!(
        "{{\"position\":{position},\"time\":\"{}\",\"type\":\"{kind}\",\"details\":",
        event.at
    );
    fields(details.get(), true, &mut json)?;
    json.push('}');
    Ok(Written { kind, json })
}

fn fields(object: &str, outermost: bool, json: &mut String) -> Result<(), serde_json::Error> {
    let Fields(fields) = serde_json::from_str(object)?;
    json.push('{');
    for (index, (name, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push('"');
        camel_case(&name, json);
        json.push_str("\":");
        if outermost && STRUCTURES.contains(&name.as_str()) && value.get().starts_with('{') {
            self::fields(value.get(), false, json)?;
        } else if value.get().starts_with(WRAPPED) {
            let Fields(wrapper) = serde_json::from_str(value.get())?;
            let text = wrapper.into_iter().next().unwrap_or_default().1;
            json.push_str(&serde_json::from_str::<String>(text.get())?);
        } else {
            json.push_str(value.get());
        }
    }
    json.push('}');
    Ok(())
}

fn camel_case(name: &str, json: &mut String) {
    let mut words = name.split('_');
    json.push_str(words.next().unwrap_or_default());
    for word in words {
        let mut letters = word.chars();
        json.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        json.push_str(letters.as_str());
    }
}

/// An object's fields in their order, their values as they are written.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use asl::{Attempt, EventKind, Payload, ScopeId, Timestamp};

    use super::*;

    fn written(kind: EventKind) -> String {
        let event = Event { at: Timestamp(0), kind };
        write(&event, 7).expect("an event").json
    }

    #[test]
    fn names_are_ours_and_payloads_the_workflows() {
        let attempt = Attempt {
            peak_memory: Some(65_536),
            ..Attempt::default()
        };
        let output = Payload::from_text("{\"snake_case\": [1, 2], \"attempt\": {\"a_b\": 1}}").expect("JSON");
        let scope = ScopeId::ROOT;
        assert_eq!(
            written(EventKind::TaskSucceeded { scope, output, attempt }),
            "{\"position\":7,\"time\":\"1970-01-01T00:00:00.000Z\",\"type\":\"TaskSucceeded\",\"details\":\
             {\"scope\":0,\"output\":{\"snake_case\": [1, 2], \"attempt\": {\"a_b\": 1}},\
             \"attempt\":{\"peakMemory\":65536}}}"
        );
    }

    #[test]
    fn texts_the_journal_wraps_come_out_as_they_were() {
        for text in [" [1]\n", "{\"$text\":\"x\"}"] {
            let output = Payload::from_text(text).expect("JSON");
            let json = written(EventKind::ExecutionSucceeded { output });
            assert!(
                json.ends_with(&format!("\"details\":{{\"output\":{text}}}}}")),
                "{json}"
            );
        }
    }
}
