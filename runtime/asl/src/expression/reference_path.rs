//! Reference paths: paths that name exactly one place, so that ResultPath can write there.

use serde_json::{Map, Value};

use super::json_path::{Path, PathSyntaxError, Root, Segment};
use crate::payload::MAX_DEPTH;

/// A path of names and non-negative indexes below the state's input.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePath {
    path: Path,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// A value that can't be written where a reference path points.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to apply path to transformed value")]
pub struct CannotWrite;

impl ReferencePath {
    /// Parses a reference path.
    ///
    /// # Errors
    /// [`PathSyntaxError`] when the text isn't a path or could name several places.
    pub fn parse(text: &str) -> Result<Self, PathSyntaxError> {
        let path = Path::parse(text)?;
        let refuse = |message: &str| PathSyntaxError {
            message: message.to_owned(),
            position: 0,
        };
        if *path.root() != Root::Input {
            return Err(refuse("a reference path starts with `$.`"));
        }
        let steps = path
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Child(name) => Some(Step::Name(name.clone())),
                Segment::Index(index) => usize::try_from(*index).ok().map(Step::Index),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                refuse("a reference path names one place: no `*`, `..`, slice, union, filter or negative index")
            })?;
        if steps.len() > MAX_DEPTH {
            return Err(refuse("a reference path this long leads deeper than any value"));
        }
        Ok(Self { path, steps })
    }

    /// The path as written.
    pub fn text(&self) -> &str {
        self.path.text()
    }

    /// Whether it is `$`.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// `document` with `value` written at this path; objects on the way are made where they are missing.
    ///
    /// # Errors
    /// [`CannotWrite`] when something on the way is neither an object nor an array long enough.
    pub fn write(&self, mut document: Value, value: Value) -> Result<Value, CannotWrite> {
        let mut place = &mut document;
        for step in &self.steps {
            place = match step {
                Step::Name(name) => {
                    if place.is_null() {
                        *place = Value::Object(Map::new());
                    }
                    let Value::Object(map) = place else {
                        return Err(CannotWrite);
                    };
                    map.entry(name.clone()).or_insert(Value::Null)
                }
                Step::Index(index) => {
                    let Value::Array(items) = place else {
                        return Err(CannotWrite);
                    };
                    items.get_mut(*index).ok_or(CannotWrite)?
                }
            };
        }
        *place = value;
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_where_it_points_and_keeps_the_order_of_keys() {
        let write = |path: &str, document: Value| {
            ReferencePath::parse(path)
                .expect("a reference path")
                .write(document, json!(1))
        };
        assert_eq!(write("$.a.b", json!({"z": 0})), Ok(json!({"z": 0, "a": {"b": 1}})));
        assert_eq!(write("$", json!({"z": 0})), Ok(json!(1)));
        assert_eq!(write("$.l[1]", json!({"l": [5, 6]})), Ok(json!({"l": [5, 1]})));
        assert_eq!(write("$.l[2]", json!({"l": [5, 6]})), Err(CannotWrite));
        assert_eq!(write("$.a", json!([1])), Err(CannotWrite));
        assert!(ReferencePath::parse("$.a[*]").is_err());
        assert!(ReferencePath::parse("$$.a").is_err());
        assert!(ReferencePath::parse(&format!("${}", ".a".repeat(MAX_DEPTH + 1))).is_err());
    }
}
