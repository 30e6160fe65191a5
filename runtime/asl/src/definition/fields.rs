//! Typed access to the fields of one object of a definition, each mistake recorded where it is made.

use serde_json::{Map, Value};

use super::diagnostic::{Code, Diagnostic, Step};
use super::state_machine::{Dynamic, DynamicText, PayloadPath, QueryLanguage, ResultPath};
use crate::expression::jsonata::StatesField;
use crate::expression::{Jsonata, Path, ReferencePath, Selector, Template};

/// One object of the definition and where it stands.
pub(super) struct Fields<'d> {
    pub map: &'d Map<String, Value>,
    pub path: Vec<Step>,
    pub language: QueryLanguage,
    /// What Assign and Output may read of `$states` beside the input and the context.
    pub outcome: Option<StatesField>,
}

/// Where findings go.
pub(super) type Findings = Vec<Diagnostic>;

impl<'d> Fields<'d> {
    /// The fields of `value`; a finding when it isn't an object.
    pub fn of(value: &'d Value, path: Vec<Step>, language: QueryLanguage, findings: &mut Findings) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self {
                map,
                path,
                language,
                outcome: None,
            }),
            _ => {
                findings.push(Diagnostic::error(
                    Code::SchemaValidationFailed,
                    "Expected value of type Object",
                    &path,
                ));
                None
            }
        }
    }

    pub fn at(&self, name: &str) -> Vec<Step> {
        let mut path = self.path.clone();
        path.push(Step::Field(name.to_owned()));
        path
    }

    pub fn refuse(&self, name: &str, message: impl Into<String>, findings: &mut Findings) {
        findings.push(Diagnostic::error(Code::SchemaValidationFailed, message, &self.at(name)));
    }

    /// A finding about the object as a whole.
    pub fn refuse_whole(&self, message: impl Into<String>, findings: &mut Findings) {
        findings.push(Diagnostic::error(Code::SchemaValidationFailed, message, &self.path));
    }

    /// Every field that isn't among `allowed` is a finding.
    pub fn only(&self, allowed: &[&[&str]], findings: &mut Findings) {
        for name in self.map.keys() {
            if !allowed.iter().any(|group| group.contains(&name.as_str())) {
                self.refuse_whole(format!("Field '{name}' is not supported"), findings);
            }
        }
    }

    /// The same for an object whose fields depend on the query language: those of the `other` one are told apart.
    pub fn only_in_language(&self, own: &[&[&str]], other: &[&[&str]], findings: &mut Findings) {
        let (here, elsewhere) = match self.language {
            QueryLanguage::JsonPath => ("JSONPath", "JSONata"),
            QueryLanguage::JsonAta => ("JSONata", "JSONPath"),
        };
        let among = |groups: &[&[&str]], name: &str| groups.iter().any(|group| group.contains(&name));
        for name in self.map.keys().filter(|name| !among(own, name)) {
            self.refuse_whole(
                if among(other, name) {
                    format!(
                        "The QueryLanguage is set to '{here}', but field '{name}' is only supported for the '{elsewhere}' \
                         QueryLanguage"
                    )
                } else {
                    format!("Field '{name}' is not supported")
                },
                findings,
            );
        }
    }

    /// One finding for all of `names` that are missing.
    pub fn require(&self, names: &[&str], findings: &mut Findings) {
        let missing: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !self.map.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            self.refuse_whole(format!("These fields are required: [{}]", missing.join(", ")), findings);
        }
    }

    /// One finding when two of `names` are there.
    pub fn at_most_one(&self, names: &[&str], findings: &mut Findings) {
        let found: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| self.map.contains_key(*name))
            .collect();
        if found.len() > 1 {
            self.refuse_whole(
                format!("Only one of these fields may be given: [{}]", found.join(", ")),
                findings,
            );
        }
    }

    fn typed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'d Value) -> Option<T>,
        findings: &mut Findings,
    ) -> Option<T> {
        let value = self.map.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.refuse(name, format!("Expected value of type {wanted}"), findings);
        }
        read
    }

    pub fn text(&self, name: &str, findings: &mut Findings) -> Option<String> {
        self.typed(name, "String", |value| value.as_str().map(str::to_owned), findings)
    }

    pub fn boolean(&self, name: &str, findings: &mut Findings) -> Option<bool> {
        self.typed(name, "Boolean", Value::as_bool, findings)
    }

    pub fn array(&self, name: &str, findings: &mut Findings) -> Option<&'d Vec<Value>> {
        self.typed(name, "Array", Value::as_array, findings)
    }

    pub fn object(&self, name: &str, findings: &mut Findings) -> Option<&'d Map<String, Value>> {
        self.typed(name, "Object", Value::as_object, findings)
    }

    /// An integer within `range`.
    pub fn integer(&self, name: &str, range: std::ops::RangeInclusive<u64>, findings: &mut Findings) -> Option<u64> {
        let number = self.typed(
            name,
            "Integer",
            |value| value.as_i64().map(i128::from).or(value.as_u64().map(i128::from)),
            findings,
        )?;
        match u64::try_from(number).ok().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                self.refuse(
                    name,
                    format!("Value must be between {} and {}", range.start(), range.end()),
                    findings,
                );
                None
            }
        }
    }

    pub fn number(&self, name: &str, findings: &mut Findings) -> Option<f64> {
        self.typed(name, "Number", Value::as_f64, findings)
    }

    pub fn one_of(&self, name: &str, values: &[&str], findings: &mut Findings) -> Option<String> {
        let text = self.text(name, findings)?;
        if values.contains(&text.as_str()) {
            return Some(text);
        }
        self.refuse(
            name,
            format!(
                "The field '{name}' should have one of these values: [{}]",
                values.join(", ")
            ),
            findings,
        );
        None
    }

    pub fn json_path(&self, name: &str, findings: &mut Findings) -> Option<Path> {
        let text = self.text(name, findings)?;
        Path::parse(&text)
            .map_err(|_| self.refuse(name, "Value is not a valid JSONPath", findings))
            .ok()
    }

    /// A path in the words AWS has for that of a Choice rule.
    pub fn variable(&self, name: &str, findings: &mut Findings) -> Option<Path> {
        let text = self.text(name, findings)?;
        Path::parse(&text)
            .map_err(|error| self.refuse(name, format!("Value is not a Reference Path: {error}"), findings))
            .ok()
    }

    /// A path that names one place, for the `...Path` forms of fields.
    pub fn single_path(&self, name: &str, findings: &mut Findings) -> Option<Path> {
        let path = self.json_path(name, findings)?;
        if !path.is_definite() {
            self.refuse(name, "Value is not a Reference Path", findings);
            return None;
        }
        Some(path)
    }

    /// InputPath and OutputPath.
    pub fn payload_path(&self, name: &str, findings: &mut Findings) -> PayloadPath {
        match self.map.get(name) {
            None => PayloadPath::Whole,
            Some(Value::Null) => PayloadPath::Discard,
            Some(_) => match self.json_path(name, findings) {
                Some(path) if path.is_root() && *path.root() == crate::expression::json_path::Root::Input => {
                    PayloadPath::Whole
                }
                Some(path) => PayloadPath::Path(path),
                None => PayloadPath::Whole,
            },
        }
    }

    pub fn result_path(&self, findings: &mut Findings) -> ResultPath {
        match self.map.get("ResultPath") {
            None => ResultPath::Replace,
            Some(Value::Null) => ResultPath::Discard,
            Some(_) => {
                let Some(text) = self.text("ResultPath", findings) else {
                    return ResultPath::Replace;
                };
                match ReferencePath::parse(&text) {
                    Ok(path) if path.is_root() => ResultPath::Replace,
                    Ok(path) => ResultPath::Write(path),
                    Err(error) => {
                        self.refuse(
                            "ResultPath",
                            format!("Value is not a Reference Path: {error}"),
                            findings,
                        );
                        ResultPath::Replace
                    }
                }
            }
        }
    }

    /// A payload template; every broken expression in it is a finding of its own.
    pub fn template(&self, name: &str, findings: &mut Findings) -> Option<Template> {
        let value = self.map.get(name)?;
        let at = self.at(name);
        if self.language == QueryLanguage::JsonPath {
            warn_of_bare_paths(value, &at, findings);
        }
        match Template::parse(value, self.language, name) {
            Ok(template) => {
                template.expressions(&mut |place, expression| {
                    self.refuse_references(expression, name, place, findings);
                });
                Some(template)
            }
            Err(errors) => {
                for error in errors {
                    let code = match error.language {
                        QueryLanguage::JsonPath => Code::SchemaValidationFailed,
                        QueryLanguage::JsonAta => Code::InvalidJsonataExpression,
                    };
                    findings.push(Diagnostic::error(code, error.message, &below(&at, &error.place)));
                }
                None
            }
        }
    }

    /// A finding for each thing an expression refers to and can't.
    fn refuse_references(&self, expression: &Jsonata, name: &str, place: &[String], findings: &mut Findings) {
        const ALWAYS: [StatesField; 2] = [StatesField::Input, StatesField::Context];
        let outcome = self.outcome.filter(|_| matches!(name, "Assign" | "Output"));
        let available: Vec<StatesField> = ALWAYS.into_iter().chain(outcome).collect();
        for message in expression.unsupported(&available) {
            let place = below(&self.at(name), place);
            findings.push(Diagnostic::error(Code::UnsupportedJsonataExpression, message, &place));
        }
    }

    /// Assign: an object. Its names are checked together with those of other scopes.
    pub fn assign(&self, findings: &mut Findings) -> Option<Template> {
        self.object("Assign", findings)?;
        self.template("Assign", findings)
    }

    /// A JSONata expression under `name`, in a state whose language it is.
    pub fn expression(&self, name: &str, findings: &mut Findings) -> Option<Jsonata> {
        let text = self
            .map
            .get(name)?
            .as_str()
            .filter(|text| self.language == QueryLanguage::JsonAta && Jsonata::looks_like(text))?;
        match Jsonata::parse(text, name) {
            Ok(expression) => {
                self.refuse_references(&expression, name, &[], findings);
                Some(expression)
            }
            Err(message) => {
                findings.push(Diagnostic::error(
                    Code::InvalidJsonataExpression,
                    message,
                    &self.at(name),
                ));
                None
            }
        }
    }

    /// Whether `name` holds a JSONata expression.
    pub fn is_expression(&self, name: &str) -> bool {
        self.language == QueryLanguage::JsonAta
            && self
                .map
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(Jsonata::looks_like)
    }

    /// AWS's NO_PATH warning: a text that looks like a path where the field's Path form would read it.
    pub fn warn_of_path(&self, name: &str, findings: &mut Findings) {
        let is_path = self.map.get(name).and_then(Value::as_str).is_some_and(looks_like_path);
        if is_path && self.language == QueryLanguage::JsonPath {
            findings.push(Diagnostic::warning(
                Code::NoPath,
                format!("The value looks like a JSONPath; use '{name}Path' to have it evaluated"),
                &self.at(name),
            ));
        }
    }

    /// `Error` and `Cause`, literal, evaluated or read at their Path forms.
    pub fn dynamic_text(&self, name: &str, findings: &mut Findings) -> Option<DynamicText> {
        let path_name = format!("{name}Path");
        self.at_most_one(&[name, &path_name], findings);
        if self.is_expression(name) {
            return self.expression(name, findings).map(DynamicText::Expression);
        }
        if self.map.contains_key(&path_name) {
            let text = self.text(&path_name, findings)?;
            return match Selector::parse(&text) {
                Ok(selector) => Some(DynamicText::Selector(selector)),
                Err(_) => {
                    self.refuse(
                        &path_name,
                        "Value must be a valid JSONPath or a valid intrinsic function call",
                        findings,
                    );
                    None
                }
            };
        }
        self.warn_of_path(name, findings);
        self.text(name, findings).map(DynamicText::Literal)
    }

    /// `Name` or `NamePath`, of which one may be given.
    pub fn dynamic<T>(
        &self,
        name: &str,
        literal: impl FnOnce(&Self, &mut Findings) -> Option<T>,
        findings: &mut Findings,
    ) -> Option<Dynamic<T>> {
        let path_name = format!("{name}Path");
        self.at_most_one(&[name, &path_name], findings);
        if self.map.contains_key(&path_name) {
            return self.single_path(&path_name, findings).map(Dynamic::Path);
        }
        if self.is_expression(name) {
            return self.expression(name, findings).map(Dynamic::Expression);
        }
        literal(self, findings).map(Dynamic::Literal)
    }
}

/// A place below `at`, from the steps of a template.
fn below(at: &[Step], place: &[String]) -> Vec<Step> {
    let index = |step: &str| step.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let steps = place
        .iter()
        .map(|step| index(step).map_or_else(|| Step::Field(step.clone()), Step::Index));
    at.iter().cloned().chain(steps).collect()
}

/// AWS's NO_DOLLAR warning: a text that looks like a path or an intrinsic function under a name without `.$`.
fn warn_of_bare_paths(value: &Value, path: &[Step], findings: &mut Findings) {
    let mut below = |step: Step, value: &Value| {
        let mut path = path.to_vec();
        path.push(step);
        match value {
            Value::String(text) if looks_like_path(text) || looks_like_call(text) => {
                let named = matches!(path.last(), Some(Step::Field(name)) if name.ends_with(".$"));
                if !named {
                    findings.push(Diagnostic::warning(
                        Code::NoDollar,
                        "The value looks like a JSONPath or an intrinsic function; end the field's name with `.$` to have it evaluated",
                        &path,
                    ));
                }
            }
            Value::Object(_) | Value::Array(_) => warn_of_bare_paths(value, &path, findings),
            _ => {}
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| below(Step::Field(name.clone()), value)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| below(Step::Index(index), value)),
        _ => {}
    }
}

/// Whether a text is probably meant as a path.
pub(super) fn looks_like_path(text: &str) -> bool {
    text.starts_with("$.") || text.starts_with("$$.")
}

fn looks_like_call(text: &str) -> bool {
    text.starts_with("States.") && text.ends_with(')') && Selector::parse(text).is_ok()
}
