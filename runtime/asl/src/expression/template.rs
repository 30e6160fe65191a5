//! Payload templates: JSON documents with expressions in them. In JSONPath a field whose name ends in `.$`
//! holds a path or an intrinsic function; in JSONata any text may be an expression.

use serde_json::{Map, Value};

use super::context::Bindings;
use super::json_path::Path;
use super::{Fault, Jsonata, QueryLanguage, Selector};

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// The field as written, with its `.$`.
    Selector {
        field: String,
        selector: Selector,
    },
    Jsonata(Jsonata),
}

/// A field of a template that can't be read: its place below the template, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Names and indexes from the template's root.
    pub place: Vec<String>,
    /// What kind of expression it should be.
    pub language: QueryLanguage,
    /// What is wrong.
    pub message: String,
}

/// The suffix that makes a field's value an expression in JSONPath.
const SUFFIX: &str = ".$";

struct Builder<'t> {
    language: QueryLanguage,
    field: &'t str,
    place: Vec<String>,
    errors: Vec<TemplateError>,
}

impl Template {
    /// Parses the template of the field `field`, every mistake in it listed.
    ///
    /// # Errors
    /// One [`TemplateError`] for each expression that can't be parsed.
    pub fn parse(value: &Value, language: QueryLanguage, field: &str) -> Result<Self, Vec<TemplateError>> {
        let mut builder = Builder {
            language,
            field,
            place: Vec::new(),
            errors: Vec::new(),
        };
        let node = builder.node(value);
        if builder.errors.is_empty() {
            Ok(Self(node))
        } else {
            Err(builder.errors)
        }
    }

    /// The document this template makes of `bindings`.
    ///
    /// # Errors
    /// A [`Fault`] when an expression can't be evaluated.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, Fault> {
        evaluate(&self.0, bindings)
    }

    /// The fields of a template that is an object, each evaluated by itself.
    ///
    /// # Errors
    /// A [`Fault`] when an expression can't be evaluated.
    pub fn evaluate_fields(&self, bindings: &Bindings<'_>) -> Result<Map<String, Value>, Fault> {
        match self.evaluate(bindings)? {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    /// Calls `visit` with the name of every variable the template reads.
    pub fn variables(&self, visit: &mut dyn FnMut(&str)) {
        fn walk(node: &Node, visit: &mut dyn FnMut(&str)) {
            match node {
                Node::Literal(_) => {}
                Node::Object(fields) => fields.iter().for_each(|(_, node)| walk(node, visit)),
                Node::Array(items) => items.iter().for_each(|node| walk(node, visit)),
                Node::Selector { selector, .. } => {
                    selector.paths().into_iter().filter_map(Path::variable).for_each(visit)
                }
                Node::Jsonata(expression) => expression.variables(visit),
            }
        }
        walk(&self.0, visit);
    }

    /// Calls `visit` with every JSONata expression and its place below the template.
    pub fn expressions(&self, visit: &mut dyn FnMut(&[String], &Jsonata)) {
        fn walk(node: &Node, place: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &Jsonata)) {
            match node {
                Node::Literal(_) | Node::Selector { .. } => {}
                Node::Object(fields) => {
                    for (name, node) in fields {
                        place.push(name.clone());
                        walk(node, place, visit);
                        place.pop();
                    }
                }
                Node::Array(items) => {
                    for (index, node) in items.iter().enumerate() {
                        place.push(format!("[{index}]"));
                        walk(node, place, visit);
                        place.pop();
                    }
                }
                Node::Jsonata(expression) => visit(place, expression),
            }
        }
        walk(&self.0, &mut Vec::new(), visit);
    }

    /// The JSONata expression, where the whole template is one.
    pub fn as_jsonata(&self) -> Option<&Jsonata> {
        match &self.0 {
            Node::Jsonata(expression) => Some(expression),
            _ => None,
        }
    }
}

impl Builder<'_> {
    fn node(&mut self, value: &Value) -> Node {
        match value {
            Value::Object(map) => {
                let mut fields = Vec::with_capacity(map.len());
                for (name, value) in map {
                    self.place.push(name.clone());
                    let short = name
                        .strip_suffix(SUFFIX)
                        .filter(|_| self.language == QueryLanguage::JsonPath);
                    let entry = match short {
                        Some(short) => self.selector(name, value).map(|node| (short.to_owned(), node)),
                        None => Some((name.clone(), self.node(value))),
                    };
                    fields.extend(entry);
                    self.place.pop();
                }
                if fields.iter().all(|(_, field)| matches!(field, Node::Literal(_))) {
                    return Node::Literal(value.clone());
                }
                Node::Object(fields)
            }
            Value::Array(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.place.push(format!("[{index}]"));
                    nodes.push(self.node(item));
                    self.place.pop();
                }
                if nodes.iter().all(|node| matches!(node, Node::Literal(_))) {
                    return Node::Literal(value.clone());
                }
                Node::Array(nodes)
            }
            Value::String(text) if self.language == QueryLanguage::JsonAta && Jsonata::looks_like(text) => {
                match Jsonata::parse(text, &self.location()) {
                    Ok(expression) => Node::Jsonata(expression),
                    Err(message) => {
                        self.error(message);
                        Node::Literal(Value::Null)
                    }
                }
            }
            scalar => Node::Literal(scalar.clone()),
        }
    }

    /// `Output/a[0]/b`, as AWS names the place of an expression.
    fn location(&self) -> String {
        self.place.iter().fold(self.field.to_owned(), |text, step| {
            if step.starts_with('[') {
                format!("{text}{step}")
            } else {
                format!("{text}/{step}")
            }
        })
    }

    fn error(&mut self, message: String) {
        self.errors.push(TemplateError {
            place: self.place.clone(),
            language: self.language,
            message,
        });
    }

    fn selector(&mut self, field: &str, value: &Value) -> Option<Node> {
        match value.as_str().map(Selector::parse) {
            Some(Ok(selector)) => Some(Node::Selector {
                field: field.to_owned(),
                selector,
            }),
            _ => {
                self.error(format!(
                    "The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
                ));
                None
            }
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
        Node::Selector { field, selector } => selector.evaluate(field, bindings),
        Node::Jsonata(expression) => expression.evaluate(bindings),
    }
}

/// AWS's words for a path of a field that finds nothing.
pub fn not_found(path: &Path, field: &str, bindings: &Bindings<'_>) -> Fault {
    Fault::runtime(format!(
        "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
        path.text(),
        path.searched(bindings)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_broken_field_is_named_with_its_place() {
        let template = json!({"a.$": "x", "b": {"c.$": 1, "d": [{"e.$": "$.["}]}});
        let errors = Template::parse(&template, QueryLanguage::JsonPath, "Parameters").expect_err("three mistakes");
        let places: Vec<String> = errors.iter().map(|error| error.place.join("/")).collect();
        assert_eq!(places, ["a.$", "b/c.$", "b/d/[0]/e.$"]);
    }
}
