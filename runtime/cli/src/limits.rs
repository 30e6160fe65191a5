//! `--limits`: AWS's quotas, none, or a file of those that differ from AWS's.

use std::fmt;
use std::path::Path;

use asl::{Limit, Limits};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::args;
use crate::config::read_text;
use crate::problem::{Problem, Result};
use crate::source::{Finding, Source};

/// A file of eight keys with a page of comments; whatever is larger is another file.
const LARGEST_FILE: u64 = 64 << 10;
/// What lifts a limit, on the command line and in files.
const OFF: &str = "off";
/// What a finding in such a file is called.
const CODE: &str = "LIMITS";

/// The limits that were asked for.
pub fn limits(asked: &args::Limits) -> Result<Limits> {
    match asked.limits.as_str() {
        "aws" => Ok(Limits::default()),
        OFF => Ok(Limits::OFF),
        file => {
            let path = Path::new(file);
            let hint = "--limits takes `aws`, `off` or a TOML or JSON file";
            let text = read_text(path, LARGEST_FILE, "a file of limits", hint)?;
            let source = Source::new(file.to_owned(), text);
            let is_json = path.extension().is_some_and(|extension| extension == "json")
                || source.text.trim_start().starts_with('{');
            let read = if is_json {
                json(&source.text)
            } else {
                toml(&source.text)
            };
            read.and_then(|entries| apply(&entries)).map_err(|mistake| {
                let finding = mistake.finding(&source.text);
                Problem::usage(
                    format!("the limits can't be used\n{}", finding.render(&source, false)),
                    format!("its keys are {}; a number, or \"off\"", names()),
                )
            })
        }
    }
}

fn names() -> String {
    Limit::ALL.map(|limit| format!("`{}`", limit.name())).join(", ")
}

/// One key of the file, the offset of its name and what it is set to.
struct Entry {
    name: String,
    offset: usize,
    value: Setting,
}

enum Setting {
    To(u64),
    Off,
    /// Neither: the text of it.
    Wrong(String),
}

/// What is wrong with the file, and the byte it is wrong at.
struct Mistake {
    offset: usize,
    message: String,
}

impl Mistake {
    fn finding(&self, text: &str) -> Finding {
        let before = text.get(..self.offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Finding {
            is_error: true,
            code: CODE.to_owned(),
            message: self.message.clone(),
            location: String::new(),
            place: Some((
                before.matches('\n').count() + 1,
                before[line_start..].chars().count() + 1,
            )),
        }
    }
}

fn apply(entries: &[Entry]) -> std::result::Result<Limits, Mistake> {
    let mut limits = Limits::default();
    for (index, entry) in entries.iter().enumerate() {
        let mistake = |message: String| Mistake {
            offset: entry.offset,
            message,
        };
        let name = &entry.name;
        let Some(limit) = Limit::ALL.into_iter().find(|limit| limit.name() == name) else {
            return Err(mistake(format!("`{name}` is not a limit")));
        };
        if entries[..index].iter().any(|other| other.name == *name) {
            return Err(mistake(format!("`{name}` is set a second time")));
        }
        let value = match &entry.value {
            Setting::To(value) => Some(*value),
            Setting::Off => None,
            Setting::Wrong(text) => {
                return Err(mistake(format!(
                    "`{name}` is `{text}`, and not a whole number that isn't negative or \"off\""
                )));
            }
        };
        limits.set(limit, value).map_err(|error| mistake(error.to_string()))?;
    }
    Ok(limits)
}

fn toml(text: &str) -> std::result::Result<Vec<Entry>, Mistake> {
    let table = DeTable::parse(text).map_err(|error| Mistake {
        offset: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    })?;
    let entries = table.get_ref().iter().map(|(name, value)| Entry {
        name: name.get_ref().to_string(),
        offset: name.span().start,
        value: match value.get_ref() {
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Setting::To(number),
                Err(_) => Setting::Wrong(number.to_string()),
            },
            DeValue::String(text) if text == OFF => Setting::Off,
            _ => Setting::Wrong(text.get(value.span()).unwrap_or_default().to_owned()),
        },
    });
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by_key(|entry| entry.offset);
    Ok(entries)
}

fn json(text: &str) -> std::result::Result<Vec<Entry>, Mistake> {
    let fields: Fields = serde_json::from_str(text).map_err(|error| {
        let line: usize = text
            .split_inclusive('\n')
            .take(error.line().max(1) - 1)
            .map(str::len)
            .sum();
        let message = error.to_string();
        Mistake {
            offset: line + error.column().saturating_sub(1),
            message: message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(message, _)| message)
                .to_owned(),
        }
    })?;
    let mut from = 0;
    let entries = fields.0.into_iter().map(|(name, value)| {
        let offset = text[from..].find(&format!("\"{name}\"")).map_or(from, |at| from + at);
        from = offset;
        Entry {
            offset,
            value: match &value {
                Value::String(text) if text == OFF => Setting::Off,
                other => other
                    .as_u64()
                    .map_or_else(|| Setting::Wrong(other.to_string()), Setting::To),
            },
            name,
        }
    });
    Ok(entries.collect())
}

/// An object's fields in their order, none lost where a name stands twice.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of limits")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                    if fields.len() > 2 * Limit::ALL.len() {
                        return Err(de::Error::custom("more keys than there are limits"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Limits> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join(name);
        std::fs::write(&file, text).expect("writable");
        limits(&args::Limits {
            limits: file.to_str().expect("UTF-8").to_owned(),
        })
    }

    fn complaint(name: &str, text: &str) -> String {
        let message = read(name, text).expect_err("a mistake").to_string();
        let (_, place) = message.split_once(name).expect("names the file");
        place.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn both_formats_set_and_lift() {
        let toml = read(
            "l.toml",
            "# generous\npayload_bytes = 1_000_000\nhistory_entries = \"off\"\n",
        )
        .expect("reads");
        let json = read("l.json", r#"{"payload_bytes": 1000000, "history_entries": "off"}"#).expect("reads");
        let other = read(
            "limits",
            "\n {\"payload_bytes\": 1000000, \"history_entries\": \"off\"}",
        )
        .expect("reads");
        let wanted = Limits {
            payload_bytes: 1_000_000,
            history_entries: Limits::OFF.history_entries,
            ..Limits::default()
        };
        assert_eq!([toml, json, other], [wanted; 3]);
        assert_eq!(read("empty.toml", "").expect("reads"), Limits::default());
    }

    #[test]
    fn mistakes_point_at_the_key() {
        for (file, text, expected) in [
            (
                "l.toml",
                "payload_bytes = 5\npayload_byte = 5\n",
                ":2:1: error[LIMITS]: `payload_byte` is not a limit",
            ),
            (
                "l.toml",
                "  assign_bytes = -1",
                ":1:3: error[LIMITS]: `assign_bytes` is `-1`, and not a whole number that isn't negative or \"off\"",
            ),
            (
                "l.toml",
                "assign_bytes = [1]",
                ":1:1: error[LIMITS]: `assign_bytes` is `[1]`, and not a whole number that isn't negative or \"off\"",
            ),
            (
                "l.toml",
                "\npayload_bytes = 0",
                ":2:1: error[LIMITS]: `payload_bytes` is `0`; it can be from 2 to 209715200",
            ),
            (
                "l.toml",
                "payload_bytes 5",
                ":1:15: error[LIMITS]: key with no value, expected `=`",
            ),
            (
                "l.json",
                "{\"payload_bytes\": 5,\n \"payload_bytes\": 6}",
                ":1:2: error[LIMITS]: `payload_bytes` is set a second time",
            ),
            (
                "l.json",
                "{\"assign_bytes\": 5,\n \"x\": 6}",
                ":2:2: error[LIMITS]: `x` is not a limit",
            ),
            (
                "l.json",
                "{\"assign_bytes\": 1.5}",
                ":1:2: error[LIMITS]: `assign_bytes` is `1.5`, and not a whole number that isn't negative or \"off\"",
            ),
            ("l.json", "{\"assign_bytes\": }", ":1:18: error[LIMITS]: expected value"),
            (
                "l.json",
                "{\n\"assign_bytes\"",
                ":2:14: error[LIMITS]: EOF while parsing an object",
            ),
        ] {
            assert_eq!(complaint(file, text), expected, "{text}");
        }
        assert!(
            limits(&args::Limits {
                limits: "nowhere.toml".into()
            })
            .is_err()
        );
    }

    #[test]
    fn the_page_about_limits_is_true() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md"))
            .expect("the page is there");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `") && !line.contains("--"))
            .collect();
        let (aws, off) = (Limits::default(), Limits::OFF);
        let expected: Vec<String> = Limit::ALL
            .iter()
            .map(|limit| {
                let most = Some(off.get(*limit)).filter(|most| *most < usize::MAX as u64);
                let most = most.map_or_else(|| "any".to_owned(), |most| most.to_string());
                format!(
                    "| `{}` | {} | {} | {most} |",
                    limit.name(),
                    limit.describe(),
                    aws.get(*limit)
                )
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
