//! The names that Assign gives to variables: what a name may be, and which scope may use it.
//!
//! A variable belongs to the scope (the machine, a branch, a processor) in which a state, a choice rule or a catcher
//! assigns it. Scopes inside see it and can't assign it: a name assigned outside is refused inside. A name that only
//! catchers assign is not: AWS takes a branch that assigns what its Parallel state's catcher assigns, too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::diagnostic::{Code, Diagnostic, Step};
use crate::expression::QueryLanguage;
use crate::limits::Limits;

/// The name under which JSONata finds the input, the result and the context.
const RESERVED: &str = "states";
const CATCH: &str = "Catch";

/// Adds what is wrong with the names of variables in `document`.
pub(super) fn names(document: &Value, limits: &Limits, findings: &mut Vec<Diagnostic>) {
    let language = language_of(document, QueryLanguage::JsonPath);
    let mut names = Names {
        language,
        limits,
        findings,
    };
    names.scope(document, &mut Vec::new(), &BTreeSet::new());
}

struct Names<'a> {
    /// The machine's.
    language: QueryLanguage,
    limits: &'a Limits,
    findings: &'a mut Vec<Diagnostic>,
}

impl Names<'_> {
    /// A `States` with everything in it. Recursion ends where the JSON parser's does.
    fn scope(&mut self, flow: &Value, path: &mut Vec<Step>, outside: &BTreeSet<String>) {
        let Some(states) = flow.get("States").and_then(Value::as_object) else {
            return;
        };
        let mut seen = outside.clone();
        for (name, state) in states {
            let language = language_of(state, self.language);
            for (place, assign) in assigns(state) {
                for variable in assign.keys() {
                    let suffix = variable
                        .strip_suffix(".$")
                        .filter(|_| language == QueryLanguage::JsonPath);
                    let short = suffix.unwrap_or(variable);
                    let at = || [&path[..], &[field("States"), field(name)], &place, &[field(variable)]].concat();
                    if let Some(message) = self.mistake(short, outside) {
                        let finding = Diagnostic::error(Code::SchemaValidationFailed, message, &at());
                        self.findings.push(finding);
                    }
                    if !is_catcher(&place) {
                        seen.insert(short.to_owned());
                    }
                }
            }
        }
        for (name, state) in states {
            for (steps, inner) in inner_flows(state) {
                let length = path.len();
                path.extend([field("States"), field(name)]);
                path.extend(steps);
                self.scope(inner, path, &seen);
                path.truncate(length);
            }
        }
    }

    fn mistake(&self, name: &str, outside: &BTreeSet<String>) -> Option<String> {
        let most = self.limits.variable_name_characters;
        if name == RESERVED {
            return Some(format!("Variable name '{name}' is reserved"));
        }
        if name.chars().count() > most {
            return Some(format!("Variable name '{name}' is longer than {most} characters"));
        }
        if !is_identifier(name) {
            return Some(format!("Variable name '{name}' is not a valid identifier"));
        }
        outside
            .contains(name)
            .then(|| format!("Variable '{name}' is assigned in an outer scope and cannot be assigned here"))
    }
}

/// Unicode's identifiers (UAX #31), as AWS documents them.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(unicode_ident::is_xid_start) && characters.all(unicode_ident::is_xid_continue)
}

fn language_of(object: &Value, otherwise: QueryLanguage) -> QueryLanguage {
    match object.get("QueryLanguage").and_then(Value::as_str) {
        Some("JSONPath") => QueryLanguage::JsonPath,
        Some(_) => QueryLanguage::JsonAta,
        None => otherwise,
    }
}

/// Every Assign of a state: its own, its choice rules' and its catchers'.
fn assigns(state: &Value) -> Vec<(Vec<Step>, &Map<String, Value>)> {
    let mut found = Vec::new();
    let own = state.get("Assign").and_then(Value::as_object);
    found.extend(own.map(|assign| (vec![field("Assign")], assign)));
    for name in ["Choices", CATCH] {
        let entries = state.get(name).and_then(Value::as_array).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            let assign = entry.get("Assign").and_then(Value::as_object);
            found.extend(assign.map(|assign| (vec![field(name), Step::Index(index), field("Assign")], assign)));
        }
    }
    found
}

fn is_catcher(place: &[Step]) -> bool {
    place.first() == Some(&field(CATCH))
}

/// The branches of a Parallel state and the processor of a Map state, with their places below the state.
pub(super) fn inner_flows(state: &Value) -> impl Iterator<Item = (Vec<Step>, &Value)> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
    let branches = branches
        .enumerate()
        .map(|(index, branch)| (vec![field("Branches"), Step::Index(index)], branch));
    let processors = ["ItemProcessor", "Iterator"];
    let processors = processors
        .into_iter()
        .filter_map(|name| Some((vec![field(name)], state.get(name)?)));
    branches.chain(processors)
}

fn field(name: &str) -> Step {
    Step::Field(name.to_owned())
}
