//! JSONPath with the semantics of Jayway's JsonPath, which AWS evaluates paths with: a definite path gives
//! a value or fails, an indefinite one gives the list of what it finds.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::context::{Bindings, EXECUTION_INPUT};
use super::filter::{self, Filter};
use super::path_parser::Parser;
pub use super::path_parser::PathSyntaxError;
use crate::payload::Payload;

/// What a path starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// `$`: the state's input.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(String),
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    root: Root,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Segment {
    Child(String),
    /// Several properties at once, put together in one object: a path's last step, or it finds nothing.
    Children(Vec<String>),
    Index(i64),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Wildcard,
    Filter(Filter),
    /// `..` in front of the segment that follows.
    Descendants,
}

/// A definite path that leads nowhere, in Jayway's words: `No results for path: $['a']['b']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoResult(pub String);

/// Longest path text, in bytes: a definition may be 1 MiB, no sensible path is.
const MAX_PATH_BYTES: usize = 64 * 1024;

impl Path {
    /// Parses `$.a`, `$$.Execution.Id` or `$variable.a`.
    ///
    /// # Errors
    /// [`PathSyntaxError`] when the text isn't a path.
    pub fn parse(text: &str) -> Result<Self, PathSyntaxError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PathSyntaxError {
                message: "a path this long is not supported".into(),
                position: MAX_PATH_BYTES,
            });
        }
        let mut parser = Parser { text, at: 0 };
        parser.expect('$', "a path starts with `$`")?;
        let root = if parser.eat('$') {
            Root::Context
        } else if parser.peek().is_some_and(|c| c.is_alphabetic() || c == '_') {
            Root::Variable(parser.identifier())
        } else {
            Root::Input
        };
        let segments = parser.segments(false)?;
        if parser.at < text.len() {
            return Err(parser.error("unexpected character"));
        }
        Ok(Self {
            text: text.to_owned(),
            root,
            segments,
        })
    }

    pub(super) fn parse_relative(parser: &mut Parser<'_>) -> Result<Vec<Segment>, PathSyntaxError> {
        parser.segments(true)
    }

    /// The path as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it starts from.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What AWS says it looked in when it finds nothing: the input even for a variable.
    pub fn searched<'v>(&self, bindings: &'v Bindings<'_>) -> &'v Value {
        match self.root {
            Root::Context => bindings.context(),
            Root::Input | Root::Variable(_) => bindings.input,
        }
    }

    /// The variable it starts from.
    pub fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    /// Whether it is the root alone.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether it names at most one place.
    pub fn is_definite(&self) -> bool {
        is_definite(&self.segments)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The value at this path, among the input, the context object and the variables.
    ///
    /// # Errors
    /// [`NoResult`] when a definite path names a place that isn't there, or a variable isn't set.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, NoResult> {
        self.find(bindings).map(Cow::into_owned)
    }

    /// The same for whoever only looks at it: what a definite path names isn't copied.
    ///
    /// # Errors
    /// See [`Path::evaluate`].
    pub fn find<'v>(&self, bindings: &'v Bindings<'_>) -> Result<Cow<'v, Value>, NoResult> {
        match &self.root {
            Root::Input => found(&self.segments, bindings.input, bindings.input),
            Root::Context => self.find_in_context(bindings),
            Root::Variable(name) => match bindings.variable(name) {
                Some(value) => found(&self.segments, value, value),
                None => Err(NoResult(format!("No results for path: $['{name}']"))),
            },
        }
    }

    /// Builds no more of the context object than a path that finds something needs.
    fn find_in_context<'v>(&self, bindings: &'v Bindings<'_>) -> Result<Cow<'v, Value>, NoResult> {
        if let [Segment::Child(first), rest @ ..] = self.segments.as_slice()
            && is_definite(rest)
        {
            let [execution, input] = EXECUTION_INPUT;
            let found = match rest {
                [Segment::Child(second), rest @ ..] if first == execution && second == input => {
                    bindings.execution_input().and_then(|input| definite(rest, input).ok())
                }
                [Segment::Child(_), ..] => definite(&self.segments, bindings.context_without_input()).ok(),
                _ if first != execution => definite(&self.segments, bindings.context_without_input()).ok(),
                _ => None,
            };
            if let Some(found) = found {
                return Ok(Cow::Borrowed(found));
            }
        }
        found(&self.segments, bindings.context(), bindings.context())
    }

    /// What a definite path finds in `whole`, letter by letter.
    pub fn cut_out(&self, whole: &Payload) -> Option<Payload> {
        self.segments
            .iter()
            .try_fold(whole.clone(), |part, segment| match segment {
                Segment::Child(name) => part.field(name),
                Segment::Index(index) => part.element(usize::try_from(*index).ok()?),
                _ => None,
            })
    }

    /// The value at this path below `root`.
    ///
    /// # Errors
    /// See [`Path::evaluate`].
    pub fn select(&self, root: &Value) -> Result<Value, NoResult> {
        found(&self.segments, root, root).map(Cow::into_owned)
    }
}

/// What a path's segments find below `start`, filters in them reading `root`.
pub(super) fn found<'v>(segments: &[Segment], root: &'v Value, start: &'v Value) -> Result<Cow<'v, Value>, NoResult> {
    let several = |segment: &Segment| matches!(segment, Segment::Children(_));
    if let Some(position) = segments.iter().position(several)
        && position + 1 < segments.len()
    {
        let walked = walked(&segments[..=position]);
        return Err(NoResult(format!(
            "Multi properties can only be used as path leafs: {walked}"
        )));
    }
    match segments {
        [before @ .., Segment::Children(names)] if is_definite(before) => {
            let value = walk(segments, before.len(), start)?;
            let Value::Object(map) = value else {
                return Err(not_an_object(&names.join("', '"), &walked(before)));
            };
            Ok(Cow::Owned(several_of(names, map)))
        }
        _ if is_definite(segments) => definite(segments, start).map(Cow::Borrowed),
        _ => {
            let mut found = Vec::new();
            collect(segments, root, start, &mut found);
            Ok(Cow::Owned(Value::Array(
                found.into_iter().map(Cow::into_owned).collect(),
            )))
        }
    }
}

fn is_definite(segments: &[Segment]) -> bool {
    segments
        .iter()
        .all(|segment| matches!(segment, Segment::Child(_) | Segment::Index(_)))
}

/// Walks a definite path, saying on failure how far it came.
fn definite<'v>(segments: &[Segment], root: &'v Value) -> Result<&'v Value, NoResult> {
    walk(segments, segments.len(), root)
}

/// Walks so many steps of a path, all of them definite.
fn walk<'v>(segments: &[Segment], steps: usize, root: &'v Value) -> Result<&'v Value, NoResult> {
    let no_results = || NoResult(format!("No results for path: {}", walked(segments)));
    let mut value = root;
    for (position, segment) in segments[..steps].iter().enumerate() {
        let to_here = || walked(&segments[..=position]);
        value = match segment {
            Segment::Child(name) => {
                let Value::Object(map) = value else {
                    return Err(not_an_object(name, &walked(&segments[..position])));
                };
                let is_last = position + 1 == segments.len();
                map.get(name).ok_or_else(|| match is_last {
                    true => no_results(),
                    false => NoResult(format!("Missing property in path {}", to_here())),
                })?
            }
            Segment::Index(index) => {
                let Value::Array(items) = value else {
                    return Err(NoResult(format!(
                        "Filter: [{index}] can only be applied to arrays. Current context is: {}",
                        java_value(value)
                    )));
                };
                at(items, *index).ok_or_else(no_results)?
            }
            // only definite steps are walked; anything else finds nothing
            _ => return Err(no_results()),
        }
    }
    Ok(value)
}

/// Those of an object's properties that are there.
fn several_of(names: &[String], map: &Map<String, Value>) -> Value {
    let there = names.iter().filter_map(|name| map.get_key_value(name));
    Value::Object(there.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The steps of a definite path as Jayway writes them: `$['a'][0]`.
fn walked(segments: &[Segment]) -> String {
    let mut text = String::from("$");
    for segment in segments {
        let _ = match segment {
            Segment::Child(name) => write!(text, "['{name}']"),
            Segment::Children(names) => write!(text, "['{}']", names.join("', '")),
            Segment::Index(index) => write!(text, "[{index}]"),
            _ => Ok(()),
        };
    }
    text
}

fn not_an_object(name: &str, walked: &str) -> NoResult {
    NoResult(format!("Property ['{name}'] not found in path {walked}"))
}

fn java_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn at(items: &[Value], index: i64) -> Option<&Value> {
    let position = if index < 0 {
        index.checked_add(i64::try_from(items.len()).ok()?)?
    } else {
        index
    };
    items.get(usize::try_from(position).ok()?)
}

/// Walks an indefinite path; what isn't there is left out.
fn collect<'v>(segments: &[Segment], root: &'v Value, value: &'v Value, found: &mut Vec<Cow<'v, Value>>) {
    let Some((segment, rest)) = segments.split_first() else {
        found.push(Cow::Borrowed(value));
        return;
    };
    if let (Segment::Children(names), Value::Object(map)) = (segment, value) {
        found.push(Cow::Owned(several_of(names, map)));
        return;
    }
    let mut on = |next: &'v Value| collect(rest, root, next, found);
    match (segment, value) {
        (Segment::Child(name), Value::Object(map)) => {
            if let Some(next) = map.get(name) {
                on(next);
            }
        }
        (Segment::Index(index), Value::Array(items)) => {
            if let Some(next) = at(items, *index) {
                on(next);
            }
        }
        (Segment::Indices(indices), Value::Array(items)) => {
            indices.iter().filter_map(|index| at(items, *index)).for_each(on);
        }
        (Segment::Slice(from, to), Value::Array(items)) => {
            let (from, to) = slice_bounds(*from, *to, items.len());
            items.get(from..to).unwrap_or_default().iter().for_each(on);
        }
        (Segment::Wildcard, Value::Array(items)) => items.iter().for_each(on),
        (Segment::Wildcard, Value::Object(map)) => map.values().for_each(on),
        (Segment::Filter(filter), Value::Array(items)) => {
            items
                .iter()
                .filter(|item| filter::matches(filter, root, item))
                .for_each(on);
        }
        (Segment::Filter(filter), Value::Object(_)) if filter::matches(filter, root, value) => on(value),
        (Segment::Descendants, _) => {
            let mut places = Vec::new();
            descend(value, &mut places);
            for place in places {
                collect(rest, root, place, found);
            }
        }
        _ => {}
    }
}

/// The value and everything below it, parents first.
fn descend<'v>(value: &'v Value, places: &mut Vec<&'v Value>) {
    places.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| descend(item, places)),
        Value::Object(map) => map.values().for_each(|item| descend(item, places)),
        _ => {}
    }
}

fn slice_bounds(from: Option<i64>, to: Option<i64>, length: usize) -> (usize, usize) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let clamp = |bound: i64| {
        if bound < 0 {
            (length + bound).max(0)
        } else {
            bound.min(length)
        }
    };
    let from = clamp(from.unwrap_or(0));
    let to = clamp(to.unwrap_or(length));
    (from as usize, to.max(from) as usize)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn select(path: &str, value: &Value) -> Result<Value, String> {
        Path::parse(path)
            .map_err(|error| error.to_string())?
            .select(value)
            .map_err(|NoResult(text)| text)
    }

    #[test]
    fn definite_paths_give_a_value_and_indefinite_ones_a_list() {
        let store = json!({"book": [{"price": 8, "title": "a"}, {"price": 12, "title": "b"}, {"price": 22.5}], "x y": {"k": null}, "it's \\\" \"": 1});
        for (path, expected) in [
            ("$", store.clone()),
            ("$.book[0].price", json!(8)),
            ("$['x y'].k", json!(null)),
            ("$.book[-1].price", json!(22.5)),
            ("$.book[*].price", json!([8, 12, 22.5])),
            ("$.book[0,2].price", json!([8, 22.5])),
            ("$.book[1:].price", json!([12, 22.5])),
            ("$.book[:2].title", json!(["a", "b"])),
            ("$.book[-2:].price", json!([12, 22.5])),
            ("$..price", json!([8, 12, 22.5])),
            ("$.book[?(@.price > 10)].price", json!([12, 22.5])),
            ("$.book[?(@.title == 'a' || @.price >= 22.5)].price", json!([8, 22.5])),
            ("$.book[?(@.title)].price", json!([8, 12])),
            ("$.book[?(!@.title)].price", json!([22.5])),
            ("$.book[?(@.title in ['b','c'])].price", json!([12])),
            ("$.book[?(@.title =~ /A/i)].price", json!([8])),
            ("$.none[*]", json!([])),
            (r#"$['it\'s \" "']"#, json!(1)),
            ("$.book[0]['price','no','title']", json!({"price": 8, "title": "a"})),
            (
                "$.book[*]['price','title']",
                json!([{"price": 8, "title": "a"}, {"price": 12, "title": "b"}, {"price": 22.5}]),
            ),
        ] {
            assert_eq!(select(path, &store), Ok(expected), "{path}");
        }
    }

    #[test]
    fn failures_speak_as_jayway_does() {
        let value = json!({"a": {"b": 1}, "s": "t", "l": [1]});
        for (path, text) in [
            ("$.x", "No results for path: $['x']"),
            ("$.a.x", "No results for path: $['a']['x']"),
            ("$.x.y", "Missing property in path $['x']"),
            ("$.l[3]", "No results for path: $['l'][3]"),
            ("$.l[3].x", "No results for path: $['l'][3]['x']"),
            ("$.l.length()", "Property ['length()'] not found in path $['l']"),
            ("$.a.length()", "No results for path: $['a']['length()']"),
            ("$.s['x','y']", "Property ['x', 'y'] not found in path $['s']"),
            ("$.x['x','y']", "Missing property in path $['x']"),
            (
                "$['a','s'].b",
                "Multi properties can only be used as path leafs: $['a', 's']",
            ),
        ] {
            assert_eq!(select(path, &value), Err(text.to_owned()), "{path}");
        }
    }

    #[test]
    fn broken_paths_are_refused_where_they_break() {
        for (path, position) in [
            ("a", 0),
            ("$.", 2),
            ("$.a[", 4),
            ("$.a['b", 6),
            ("$.a[?(@.x", 9),
            ("$ .a", 1),
            ("$.a]", 3),
        ] {
            assert_eq!(
                Path::parse(path).map_err(|error| error.position),
                Err(position),
                "{path}"
            );
        }
    }
}
