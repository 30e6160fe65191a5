//! How much of a value an expression looks at, as its text shows: only that is handed to the evaluator, whose values
//! are copies.

use std::rc::Rc;

use jsonata_core::value::{JMap, JValue};
use serde_json::Value;

use super::super::context::Bindings;

/// A part of a value. Where the value isn't an object, all of it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Part {
    /// All of it.
    Whole,
    /// These fields, and no others.
    Fields(Vec<(String, Part)>),
}

/// Fields within fields that are followed; what is below is taken whole.
const MAX_DEPTH: usize = 3;

/// Whatever may stand behind a name without being part of it. Behind anything else the name is not what it seems.
const AFTER_A_NAME: &str = ".,;:[](){}@#%*/+-=<>!&|^~?\"'`";

impl Part {
    /// Nothing yet.
    pub(super) const NOTHING: Part = Part::Fields(Vec::new());

    /// Adds what an expression takes of a value it goes on from with `rest`: `.a.b + 1` takes `a.b`.
    pub(super) fn add(&mut self, rest: &str) {
        self.add_within(rest, MAX_DEPTH);
    }

    fn add_within(&mut self, rest: &str, depth: usize) {
        let Part::Fields(fields) = self else { return };
        let named = (depth > 0).then(|| name(rest)).flatten();
        let Some((name, rest)) = named else {
            *self = Part::Whole;
            return;
        };
        let index = fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            fields.push((name.to_owned(), Part::NOTHING));
            fields.len() - 1
        });
        fields[index].1.add_within(rest, depth - 1);
    }

    /// The part at a path of names: none where the expression doesn't look there.
    pub(in super::super) fn at(&self, names: &[&str]) -> Option<&Part> {
        names.iter().try_fold(self, |part, wanted| match part {
            Part::Whole => Some(part),
            Part::Fields(fields) => fields.iter().find(|(name, _)| name == wanted).map(|(_, part)| part),
        })
    }

    /// A copy for the evaluator, whose values can't be shared between threads. Expressions of one state share it.
    pub(super) fn of(&self, value: &Value, bindings: &Bindings<'_>) -> JValue {
        match (self, value) {
            (Part::Fields(fields), Value::Object(map)) => {
                let taken = map.iter().filter_map(|(name, value)| {
                    let (_, part) = fields.iter().find(|(wanted, _)| wanted == name)?;
                    Some((name.clone(), part.of(value, bindings)))
                });
                JValue::Object(Rc::new(taken.collect::<JMap>()))
            }
            (Part::Whole | Part::Fields(_), Value::Array(_) | Value::Object(_)) => {
                bindings.taken_over(value, || super::from_json(value))
            }
            (Part::Whole | Part::Fields(_), scalar) => super::from_json(scalar),
        }
    }
}

/// The name of a field that `rest` goes on to, and what follows it.
fn name(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start().strip_prefix('.')?.trim_start();
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let length = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(length);
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace() || AFTER_A_NAME.contains(c));
    // `function` and a name that is called aren't fields
    let called = rest.trim_start().starts_with('(');
    (ends && !called).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(texts: &[&str]) -> Part {
        let mut part = Part::NOTHING;
        texts.iter().for_each(|text| part.add(text));
        part
    }

    #[test]
    fn a_chain_of_names_takes_a_field_and_anything_else_takes_all() {
        let fields =
            |names: &[&str]| Part::Fields(names.iter().map(|name| ((*name).to_owned(), Part::Whole)).collect());
        assert_eq!(part(&[".a + 1", " . b[0]", ".a"]), fields(&["a", "b"]));
        assert_eq!(part(&[".a.b", ".a"]), fields(&["a"]));
        assert_eq!(part(&[".a.b"]).at(&["a", "b"]), Some(&Part::Whole));
        assert_eq!(part(&[".a.b"]).at(&["a", "c"]), None);
        for text in [
            "",
            " + 1",
            ".*",
            ".**",
            ".$keys()",
            ".(a)",
            ".f(1)",
            ".function($x){1}",
            "[0]",
            ".`a b`",
            ".\"a\"",
            ".a§b",
            ".größe",
            ".a\u{a0}b",
            ".%",
            "/**/.a",
            ".a./**/b",
        ] {
            let expected = if text == ".a./**/b" {
                fields(&["a"])
            } else {
                Part::Whole
            };
            assert_eq!(part(&[text]), expected, "{text}");
        }
    }
}
