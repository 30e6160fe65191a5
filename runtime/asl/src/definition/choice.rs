//! Reads the rules of a Choice state.

use serde_json::Value;

use super::diagnostic::Step;
use super::fields::{Fields, Findings};
use super::state_machine::{Choice, Condition, QueryLanguage, Rule};
use crate::expression::Jsonata;
use crate::expression::comparison::{Comparison, OPERATORS};

/// And, Or and Not within each other: the reader is recursive.
const MAX_NESTING: usize = 64;

/// Fields of a rule in both languages.
const RULE: &[&str] = &["Next", "Comment", "Assign"];
/// Fields of a rule in JSONata alone.
const JSONATA: &[&str] = &["Condition", "Output"];

pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<Choice> {
    fields.require(&["Choices"], findings);
    let default = fields.text("Default", findings);
    let entries = fields.array("Choices", findings)?;
    if entries.is_empty() {
        fields.refuse("Choices", "Value cannot be empty", findings);
        return None;
    }
    let rules = elements(fields, "Choices", entries, findings, |rule, findings| {
        rule.require(&["Next"], findings);
        let next = rule.text("Next", findings);
        rule.text("Comment", findings);
        let assign = rule.assign(findings);
        let (condition, output) = match rule.language {
            QueryLanguage::JsonPath => (condition(rule, RULE, 0, findings), None),
            QueryLanguage::JsonAta => {
                let paths: [&[&str]; 2] = [&["Variable", "And", "Or", "Not"], &OPERATORS];
                rule.only_in_language(&[RULE, &["Condition", "Output"]], &paths, findings);
                rule.require(&["Condition"], findings);
                (expression(rule, findings), rule.template("Output", findings))
            }
        };
        Some(Rule {
            condition: condition?,
            assign,
            output,
            next: next?,
        })
    });
    Some(Choice { rules: rules?, default })
}

/// A rule's Condition: an expression, or a plain true or false.
fn expression(rule: &Fields<'_>, findings: &mut Findings) -> Option<Condition> {
    match rule.map.get("Condition")? {
        Value::Bool(true) => Some(Condition::And(Vec::new())),
        Value::Bool(false) => Some(Condition::Or(Vec::new())),
        Value::String(text) if Jsonata::looks_like(text) => {
            rule.expression("Condition", findings).map(Condition::Expression)
        }
        _ => {
            rule.refuse("Condition", "Value must be a JSONata expression or a boolean", findings);
            None
        }
    }
}

/// Reads every element, and answers only when all of them could be read.
fn elements<T>(
    fields: &Fields<'_>,
    name: &str,
    entries: &[Value],
    findings: &mut Findings,
    read: impl Fn(&Fields<'_>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let mut path = fields.at(name);
            path.push(Step::Index(index));
            let entry = Fields::of(entry, path, fields.language, findings)?;
            read(&entry, findings)
        })
        .collect();
    read.into_iter().collect()
}

fn condition(rule: &Fields<'_>, also: &[&str], depth: usize, findings: &mut Findings) -> Option<Condition> {
    if depth > MAX_NESTING {
        rule.refuse_whole(format!("Conditions are nested more than {MAX_NESTING} deep"), findings);
        return None;
    }
    for (name, combine) in [
        ("And", Condition::And as fn(Vec<Condition>) -> Condition),
        ("Or", Condition::Or),
    ] {
        if rule.map.contains_key(name) {
            rule.only_in_language(&[also, &[name]], &[JSONATA], findings);
            let entries = rule.array(name, findings)?;
            if entries.is_empty() {
                rule.refuse(name, "Value cannot be empty", findings);
                return None;
            }
            return elements(rule, name, entries, findings, |entry, findings| {
                condition(entry, &["Comment"], depth + 1, findings)
            })
            .map(combine);
        }
    }
    if let Some(value) = rule.map.get("Not") {
        rule.only_in_language(&[also, &["Not"]], &[JSONATA], findings);
        let inner = Fields::of(value, rule.at("Not"), rule.language, findings)?;
        return condition(&inner, &["Comment"], depth + 1, findings).map(|inner| Condition::Not(Box::new(inner)));
    }
    rule.only_in_language(&[also, &["Variable"], &OPERATORS], &[JSONATA], findings);
    rule.require(&["Variable"], findings);
    let variable = rule.variable("Variable", findings);
    let operators: Vec<&str> = OPERATORS
        .into_iter()
        .filter(|name| rule.map.contains_key(*name))
        .collect();
    let [operator] = operators[..] else {
        rule.refuse_whole(
            if operators.is_empty() {
                "A comparison operator is required".to_owned()
            } else {
                format!("Only one of these fields may be given: [{}]", operators.join(", "))
            },
            findings,
        );
        return None;
    };
    if operator.starts_with("String") && !operator.ends_with("Path") && operator != "StringMatches" {
        rule.warn_of_path(operator, findings);
    }
    match Comparison::parse(variable?, operator, &rule.map[operator]) {
        Ok(comparison) => Some(Condition::Compare(comparison)),
        Err(message) => {
            rule.refuse(operator, message, findings);
            None
        }
    }
}
