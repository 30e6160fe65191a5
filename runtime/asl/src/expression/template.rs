//! Payload templates: Parameters, ResultSelector, ItemSelector. A JSON document in which fields whose names
//! end in `.$` are paths.

use serde_json::{Map, Value};

use super::Fault;
use super::context::Bindings;
use super::json_path::{Path, Root};

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// The field as written, with its `.$`.
    Path {
        field: String,
        path: Path,
    },
}

/// A field of a template that can't be read: its place below the template, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Names and indexes from the template's root.
    pub place: Vec<String>,
    /// What is wrong.
    pub message: String,
}

/// The suffix that makes a field's value an expression.
const SUFFIX: &str = ".$";

impl Template {
    /// Parses a template, every mistake in it listed.
    ///
    /// # Errors
    /// One [`TemplateError`] for each field whose expression can't be parsed.
    pub fn parse(value: &Value) -> Result<Self, Vec<TemplateError>> {
        let mut errors = Vec::new();
        let node = node(value, &mut Vec::new(), &mut errors);
        if errors.is_empty() {
            Ok(Self(node))
        } else {
            Err(errors)
        }
    }

    /// The document this template makes of `bindings`.
    ///
    /// # Errors
    /// A [`Fault`] when a path leads nowhere.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, Fault> {
        evaluate(&self.0, bindings)
    }
}

fn node(value: &Value, place: &mut Vec<String>, errors: &mut Vec<TemplateError>) -> Node {
    match value {
        Value::Object(map) => {
            let mut fields = Vec::with_capacity(map.len());
            for (name, value) in map {
                place.push(name.clone());
                let entry = match name.strip_suffix(SUFFIX) {
                    Some(short) => {
                        expression(name, value, place, errors).map(|node| (short.to_owned(), node))
                    }
                    None => Some((name.clone(), node(value, place, errors))),
                };
                fields.extend(entry);
                place.pop();
            }
            if fields
                .iter()
                .all(|(_, field)| matches!(field, Node::Literal(_)))
                && errors.is_empty()
            {
                return Node::Literal(value.clone());
            }
            Node::Object(fields)
        }
        Value::Array(items) => {
            let nodes: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    place.push(format!("[{index}]"));
                    let node = node(item, place, errors);
                    place.pop();
                    node
                })
                .collect();
            if nodes.iter().all(|node| matches!(node, Node::Literal(_))) {
                return Node::Literal(value.clone());
            }
            Node::Array(nodes)
        }
        scalar => Node::Literal(scalar.clone()),
    }
}

fn expression(
    field: &str,
    value: &Value,
    place: &[String],
    errors: &mut Vec<TemplateError>,
) -> Option<Node> {
    let parsed = value.as_str().and_then(|text| Path::parse(text).ok());
    match parsed {
        Some(path) => Some(Node::Path {
            field: field.to_owned(),
            path,
        }),
        None => {
            errors.push(TemplateError {
                place: place.to_vec(),
                message: format!("The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"),
            });
            None
        }
    }
}

fn evaluate(node: &Node, bindings: &Bindings<'_>) -> Result<Value, Fault> {
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Object(fields) => {
            let mut map = Map::with_capacity(fields.len());
            for (name, field) in fields {
                map.insert(name.clone(), evaluate(field, bindings)?);
            }
            Ok(Value::Object(map))
        }
        Node::Array(items) => items
            .iter()
            .map(|item| evaluate(item, bindings))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Node::Path { field, path } => path
            .evaluate(bindings)
            .map_err(|_| not_found(path, field, bindings)),
    }
}

/// AWS's words for a path of a field that finds nothing.
pub fn not_found(path: &Path, field: &str, bindings: &Bindings<'_>) -> Fault {
    let searched = match path.root() {
        Root::Context => bindings.context(),
        Root::Input | Root::Variable(_) => bindings.input,
    };
    Fault::runtime(format!(
        "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{searched}'",
        path.text()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_broken_field_is_named_with_its_place() {
        let errors = Template::parse(&json!({"a.$": "x", "b": {"c.$": 1, "d": [{"e.$": "$.["}]}}))
            .expect_err("three mistakes");
        let places: Vec<String> = errors.iter().map(|error| error.place.join("/")).collect();
        assert_eq!(places, ["a.$", "b/c.$", "b/d/[0]/e.$"]);
    }
}
