//! What an expression reads, found in its text once: only that is handed to the evaluator.

use super::part::Part;

/// The reserved variable.
pub(super) const STATES: &str = "states";

/// A field of `$states`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatesField {
    /// `$states.input`
    Input,
    /// `$states.result`
    Result,
    /// `$states.errorOutput`
    ErrorOutput,
    /// `$states.context`
    Context,
}

impl StatesField {
    /// In the order of AWS's documentation.
    pub const ALL: [StatesField; 4] = [Self::Input, Self::Result, Self::ErrorOutput, Self::Context];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Result => "result",
            Self::ErrorOutput => "errorOutput",
            Self::Context => "context",
        }
    }
}

/// What an expression reads of the world outside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reads {
    /// Fields of `$states`, and how much of each: all where it is used as a whole.
    pub states: Vec<(StatesField, Part)>,
    /// Those of them that the text names.
    pub named_states: Vec<StatesField>,
    /// Every other name after a `$`, functions and parameters included, and how much of a variable of this name.
    pub names: Vec<(String, Part)>,
    /// Variables that states must have assigned: no functions, no parameters, none the expression binds itself.
    pub variables: Vec<String>,
    /// Functions it calls by a name that isn't its own.
    pub functions: Vec<String>,
}

impl Reads {
    /// Scans an expression.
    pub fn of(text: &str) -> Self {
        let found = names(text);
        let own = |name: &str| {
            found
                .iter()
                .any(|(other, rest)| *other == name && rest.starts_with(":="))
                || is_parameter(text, name)
        };
        // `%` may lead from a field to what it is a field of
        let climbs = text.contains('%');
        let mut reads = Self::default();
        for (name, rest) in &found {
            if *name == STATES {
                reads.add_states(rest, climbs);
                continue;
            }
            let kind = match rest.starts_with('(') {
                true => &mut reads.functions,
                false => &mut reads.variables,
            };
            if !own(name) && !kind.iter().any(|known| known == name) {
                kind.push((*name).to_owned());
            }
            let part = part_of(&mut reads.names, |known| known == name, || (*name).to_owned());
            part.add(if climbs { "" } else { rest });
        }
        reads
    }

    fn add_states(&mut self, rest: &str, climbs: bool) {
        let field = rest.strip_prefix('.').map(str::trim_start);
        let named = StatesField::ALL.into_iter().find_map(|known| {
            let rest = field?.strip_prefix(known.name())?;
            let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            ends.then_some((known, rest))
        });
        let Some((named, rest)) = named else {
            for field in StatesField::ALL {
                *part_of(&mut self.states, |known| *known == field, || field) = Part::Whole;
            }
            return;
        };
        part_of(&mut self.states, |known| *known == named, || named).add(if climbs { "" } else { rest });
        if !self.named_states.contains(&named) {
            self.named_states.push(named);
        }
    }
}

/// The part that is read of one of `reads`, nothing so far where it isn't among them.
fn part_of<T>(reads: &mut Vec<(T, Part)>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut Part {
    let index = reads.iter().position(|(known, _)| is(known)).unwrap_or_else(|| {
        reads.push((new(), Part::NOTHING));
        reads.len() - 1
    });
    &mut reads[index].1
}

/// Every `$name` outside quotes and comments, with the text that follows it.
fn names(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut escaped = false;
    let mut comment_ends = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if at < comment_ends => {}
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '/') if text[at..].starts_with("/*") => {
                comment_ends = text[at + 2..].find("*/").map_or(text.len(), |end| at + 2 + end + 2);
            }
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '$') => {
                let rest = &text[at + 1..];
                let length = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                if length > 0 {
                    found.push((&rest[..length], rest[length..].trim_start()));
                }
            }
            (None, _) => {}
        }
    }
    found
}

/// Whether `$name` is a parameter of a function the expression defines.
fn is_parameter(text: &str, name: &str) -> bool {
    text.match_indices("function")
        .chain(text.match_indices('λ'))
        .any(|(at, word)| {
            let rest = text[at + word.len()..].trim_start();
            let Some(parameters) = rest
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map(|(inside, _)| inside)
            else {
                return false;
            };
            parameters
                .split(',')
                .any(|parameter| parameter.trim().strip_prefix('$') == Some(name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_text_is_read() {
        let reads = Reads::of("$states.input.a & $map($states . result, function($v) { $v & $x }) & '$no' /* $nor */");
        let fields = |reads: &Reads| reads.states.iter().map(|(field, _)| *field).collect::<Vec<_>>();
        assert_eq!(fields(&reads), [StatesField::Input, StatesField::Result]);
        assert_eq!(reads.states[0].1.at(&["b"]), None);
        assert_eq!(reads.states[1].1, Part::Whole);
        assert_eq!(reads.variables, ["x"]);
        let names = reads.names.iter().map(|(name, _)| name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["map", "v", "x"]);
        assert_eq!(fields(&Reads::of("$lookup($states, 'input')")), StatesField::ALL);
        assert_eq!(fields(&Reads::of("$states.inputs")), StatesField::ALL);
        assert_eq!(Reads::of("$states.input.a.%.b").states[0].1, Part::Whole);
    }
}
