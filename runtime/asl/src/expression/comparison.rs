//! The comparison operators of Choice rules.

use std::cmp::Ordering;

use serde_json::Value;

use super::Fault;
use super::context::Bindings;
use super::json_path::Path;
use crate::timestamp::Timestamp;

/// What a rule compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeTest {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Value(Value),
    Path(Path),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Compare(Kind, Relation, Operand),
    CompareTime(Relation, Timestamp),
    Matches(Option<Pattern>),
    Is(TypeTest, bool),
}

/// One comparison: a variable, an operator and its operand.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    variable: Path,
    test: Test,
}

/// Every operator a rule may use, in the order of the specification.
pub const OPERATORS: [&str; 39] = [
    "StringEquals",
    "StringEqualsPath",
    "StringLessThan",
    "StringLessThanPath",
    "StringGreaterThan",
    "StringGreaterThanPath",
    "StringLessThanEquals",
    "StringLessThanEqualsPath",
    "StringGreaterThanEquals",
    "StringGreaterThanEqualsPath",
    "StringMatches",
    "NumericEquals",
    "NumericEqualsPath",
    "NumericLessThan",
    "NumericLessThanPath",
    "NumericGreaterThan",
    "NumericGreaterThanPath",
    "NumericLessThanEquals",
    "NumericLessThanEqualsPath",
    "NumericGreaterThanEquals",
    "NumericGreaterThanEqualsPath",
    "BooleanEquals",
    "BooleanEqualsPath",
    "TimestampEquals",
    "TimestampEqualsPath",
    "TimestampLessThan",
    "TimestampLessThanPath",
    "TimestampGreaterThan",
    "TimestampGreaterThanPath",
    "TimestampLessThanEquals",
    "TimestampLessThanEqualsPath",
    "TimestampGreaterThanEquals",
    "TimestampGreaterThanEqualsPath",
    "IsNull",
    "IsPresent",
    "IsNumeric",
    "IsString",
    "IsBoolean",
    "IsTimestamp",
];

impl Comparison {
    /// Reads the operator `name` with its operand.
    ///
    /// # Errors
    /// What is wrong with the operand, for the definition's author; [`OPERATORS`] holds the names.
    pub fn parse(variable: Path, name: &str, operand: &Value) -> Result<Self, String> {
        let test = match name {
            "StringMatches" => match operand {
                Value::String(pattern) => Test::Matches(Pattern::of(pattern)),
                _ => return Err("Expected value of type String".into()),
            },
            "IsNull" => Test::Is(TypeTest::Null, boolean(operand)?),
            "IsPresent" => Test::Is(TypeTest::Present, boolean(operand)?),
            "IsNumeric" => Test::Is(TypeTest::Numeric, boolean(operand)?),
            "IsString" => Test::Is(TypeTest::String, boolean(operand)?),
            "IsBoolean" => Test::Is(TypeTest::Boolean, boolean(operand)?),
            "IsTimestamp" => Test::Is(TypeTest::Timestamp, boolean(operand)?),
            _ => comparing(name, operand)?,
        };
        Ok(Self { variable, test })
    }

    /// The paths it reads.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let operand = match &self.test {
            Test::Compare(_, _, Operand::Path(path)) => Some(path),
            _ => None,
        };
        std::iter::once(&self.variable).chain(operand)
    }

    /// Whether the comparison holds.
    ///
    /// # Errors
    /// A [`Fault`] when the variable isn't there (but `IsPresent` asks just that), or the operand's path isn't.
    pub fn holds(&self, bindings: &Bindings<'_>) -> Result<bool, Fault> {
        let found = self.variable.find(bindings).ok();
        if let Test::Is(TypeTest::Present, wanted) = &self.test {
            return Ok(found.is_some() == *wanted);
        }
        let invalid = |path: &Path| {
            Fault::runtime(format!(
                "Invalid path '{}': The choice state's condition path references an invalid value.",
                path.text()
            ))
        };
        let value = found.ok_or_else(|| invalid(&self.variable))?;
        match &self.test {
            Test::Matches(pattern) => {
                let open = || Fault::runtime("An open escape backslash \\ is found in the StringMatches string");
                let pattern = pattern.as_ref().ok_or_else(open)?;
                Ok(value.as_str().is_some_and(|text| pattern.matches(text)))
            }
            Test::Is(test, wanted) => Ok(is(*test, &value) == *wanted),
            Test::CompareTime(relation, operand) => {
                let time = value.as_str().and_then(Timestamp::parse);
                Ok(time.is_some_and(|time| relation.holds(time.cmp(operand))))
            }
            Test::Compare(kind, relation, Operand::Value(operand)) => Ok(compare(*kind, *relation, &value, operand)),
            Test::Compare(kind, relation, Operand::Path(path)) => {
                let operand = path.find(bindings).map_err(|_| invalid(path))?;
                Ok(compare(*kind, *relation, &value, &operand))
            }
        }
    }
}

fn boolean(operand: &Value) -> Result<bool, String> {
    operand
        .as_bool()
        .ok_or_else(|| "Expected value of type Boolean".to_owned())
}

fn comparing(name: &str, operand: &Value) -> Result<Test, String> {
    let (stem, by_path) = match name.strip_suffix("Path") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let (kind, relation) = [
        ("String", Kind::String),
        ("Numeric", Kind::Numeric),
        ("Boolean", Kind::Boolean),
        ("Timestamp", Kind::Timestamp),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| stem.strip_prefix(prefix).map(|relation| (kind, relation)))
    .ok_or_else(|| format!("'{name}' is not a comparison operator"))?;
    let relation = match relation {
        "Equals" => Relation::Equals,
        "LessThan" => Relation::LessThan,
        "GreaterThan" => Relation::GreaterThan,
        "LessThanEquals" => Relation::LessThanEquals,
        "GreaterThanEquals" => Relation::GreaterThanEquals,
        _ => return Err(format!("'{name}' is not a comparison operator")),
    };
    let operand = if by_path {
        let path = operand
            .as_str()
            .and_then(|text| Path::parse(text).ok())
            .ok_or("Value is not a Reference Path")?;
        Operand::Path(path)
    } else {
        let fits = match kind {
            Kind::String => operand.is_string(),
            Kind::Numeric => operand.is_number(),
            Kind::Boolean => operand.is_boolean(),
            Kind::Timestamp => {
                let time = operand.as_str().and_then(Timestamp::parse);
                let time = time.ok_or("String does not match RFC3339 timestamp")?;
                return Ok(Test::CompareTime(relation, time));
            }
        };
        if !fits {
            return Err(format!("Expected value of type {}", type_name(kind)));
        }
        Operand::Value(operand.clone())
    };
    Ok(Test::Compare(kind, relation, operand))
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::Timestamp => "String",
        Kind::Numeric => "Number",
        Kind::Boolean => "Boolean",
    }
}

fn is(test: TypeTest, value: &Value) -> bool {
    match test {
        TypeTest::Null => value.is_null(),
        TypeTest::Present => true,
        TypeTest::Numeric => value.is_number(),
        TypeTest::String => value.is_string(),
        TypeTest::Boolean => value.is_boolean(),
        TypeTest::Timestamp => value.as_str().is_some_and(|text| Timestamp::parse(text).is_some()),
    }
}

/// Values of another kind than the operator's don't compare: the rule doesn't match.
fn compare(kind: Kind, relation: Relation, left: &Value, right: &Value) -> bool {
    let order = match (kind, left, right) {
        (Kind::String, Value::String(a), Value::String(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        (Kind::Numeric, Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b)),
        },
        (Kind::Boolean, Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Kind::Timestamp, Value::String(a), Value::String(b)) => {
            Timestamp::parse(a).zip(Timestamp::parse(b)).map(|(a, b)| a.cmp(&b))
        }
        _ => None,
    };
    order.is_some_and(|order| relation.holds(order))
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Equals => order == Ordering::Equal,
            Relation::LessThan => order == Ordering::Less,
            Relation::GreaterThan => order == Ordering::Greater,
            Relation::LessThanEquals => order.is_le(),
            Relation::GreaterThanEquals => order.is_ge(),
        }
    }
}

/// What StringMatches takes: `*`, here `None`, stands for any run of characters, `\*` and `\\` for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(Vec<Option<char>>);

impl Pattern {
    /// Nothing for a text with a backslash that escapes nothing: it is only missed when the rule is looked at.
    fn of(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            tokens.push(match c {
                '*' => None,
                '\\' => Some(characters.next().filter(|escaped| ['*', '\\'].contains(escaped))?),
                c => Some(c),
            });
        }
        Some(Self(tokens))
    }

    fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut t, mut p, mut retry) = (0, 0, None);
        while t < text.len() {
            match self.0.get(p) {
                Some(None) => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(Some(c)) if *c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        retry = Some((star, from + 1));
                        p = star + 1;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[p..].iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_runs_and_escapes_match_themselves() {
        for (pattern, text, expected) in [
            ("log-*.txt", "log-a.b.txt", true),
            ("log-*.txt", "log-.tx", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "aXb", false),
            ("a\\\\*", "a\\bc", true),
            ("", "", true),
            ("", "a", false),
            ("a\\b", "ab", false),
            ("a\\", "a\\", false),
        ] {
            let matches = Pattern::of(pattern).is_some_and(|pattern| pattern.matches(text));
            assert_eq!(matches, expected, "{pattern} {text}");
        }
    }
}
