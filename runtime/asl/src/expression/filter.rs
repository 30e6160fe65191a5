//! JSONPath filters, `[?(@.price < 10 && @.title)]`, as Jayway compares.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use super::json_path::{self, Path, Segment};
use super::path_parser::{Parser, PathSyntaxError};

/// Deepest nesting of parentheses and filters within filters: the parser is recursive.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Clone)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Operator, Operand),
    Exists(Operand),
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// `@...`, relative to the item.
    Item(Vec<Segment>),
    /// `$...`, relative to the document.
    Root(Vec<Segment>),
    Literal(Value),
    Pattern(Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    Contains,
    Size,
    Empty,
}

const OPERATORS: [(&str, Operator); 16] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("=~", Operator::Matches),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in ", Operator::In),
    ("in[", Operator::In),
    ("nin", Operator::NotIn),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("contains", Operator::Contains),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
];

pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Filter, PathSyntaxError> {
    alternatives(parser, 0)
}

fn alternatives(parser: &mut Parser<'_>, depth: usize) -> Result<Filter, PathSyntaxError> {
    if depth > MAX_DEPTH {
        return Err(parser.error("a filter nested this deeply is not supported"));
    }
    let mut filters = vec![conjunction(parser, depth)?];
    while parser.eat_text("||") {
        filters.push(conjunction(parser, depth)?);
    }
    Ok(if filters.len() == 1 {
        filters.remove(0)
    } else {
        Filter::Or(filters)
    })
}

fn conjunction(parser: &mut Parser<'_>, depth: usize) -> Result<Filter, PathSyntaxError> {
    let mut filters = vec![term(parser, depth)?];
    while parser.eat_text("&&") {
        filters.push(term(parser, depth)?);
    }
    Ok(if filters.len() == 1 {
        filters.remove(0)
    } else {
        Filter::And(filters)
    })
}

fn term(parser: &mut Parser<'_>, depth: usize) -> Result<Filter, PathSyntaxError> {
    parser.spaces();
    if parser.eat('!') {
        if depth > MAX_DEPTH {
            return Err(parser.error("a filter nested this deeply is not supported"));
        }
        return Ok(Filter::Not(Box::new(term(parser, depth + 1)?)));
    }
    if parser.eat('(') {
        let inner = alternatives(parser, depth + 1)?;
        parser.expect(')', "`)` is missing")?;
        parser.spaces();
        return Ok(inner);
    }
    let left = operand(parser)?;
    parser.spaces();
    let Some((text, operator)) = OPERATORS.iter().find(|(text, _)| parser.eat_text(text)) else {
        return Ok(Filter::Exists(left));
    };
    if text.ends_with('[') {
        parser.at -= 1;
    }
    parser.spaces();
    let right = operand(parser)?;
    parser.spaces();
    Ok(Filter::Compare(left, *operator, right))
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, PathSyntaxError> {
    match parser.peek() {
        Some('@') => {
            parser.at += 1;
            Ok(Operand::Item(Path::parse_relative(parser)?))
        }
        Some('$') => {
            parser.at += 1;
            Ok(Operand::Root(Path::parse_relative(parser)?))
        }
        Some('\'' | '"') => Ok(Operand::Literal(Value::String(parser.quoted()?))),
        Some('/') => pattern(parser),
        Some(_) => json_literal(parser),
        None => Err(parser.error("an operand is missing")),
    }
}

fn pattern(parser: &mut Parser<'_>) -> Result<Operand, PathSyntaxError> {
    parser.at += 1;
    let from = parser.at;
    let mut escaped = false;
    loop {
        match parser.peek() {
            None => return Err(parser.error("a regular expression is not closed")),
            Some('/') if !escaped => break,
            Some(c) => {
                escaped = c == '\\' && !escaped;
                parser.at += c.len_utf8();
            }
        }
    }
    let source = parser.text[from..parser.at].replace("\\/", "/");
    parser.at += 1;
    let flags = parser.identifier();
    // Java's matches(): the whole text must match
    RegexBuilder::new(&format!("^(?:{source})$"))
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .build()
        .map(Operand::Pattern)
        .map_err(|error| parser.error(&format!("not a regular expression: {error}")))
}

fn json_literal(parser: &mut Parser<'_>) -> Result<Operand, PathSyntaxError> {
    let rest = &parser.text[parser.at..];
    let open = rest.starts_with('[') || rest.starts_with('{');
    let end = if open {
        closing(rest).ok_or_else(|| parser.error("a literal is not closed"))?
    } else {
        rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '&' | '|' | ']' | ','))
            .unwrap_or(rest.len())
    };
    let text = &rest[..end];
    let value = serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&text.replace('\'', "\"")))
        .map_err(|_| parser.error("a literal is a number, a text in quotes, true, false, null or a list"))?;
    parser.at += end;
    Ok(Operand::Literal(value))
}

/// Length of the bracketed literal `text` starts with.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (position, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(position + 1);
                }
            }
            (None, _) => {}
        }
    }
    None
}

pub(super) fn matches(filter: &Filter, root: &Value, item: &Value) -> bool {
    match filter {
        Filter::Or(filters) => filters.iter().any(|filter| matches(filter, root, item)),
        Filter::And(filters) => filters.iter().all(|filter| matches(filter, root, item)),
        Filter::Not(filter) => !matches(filter, root, item),
        Filter::Exists(operand) => resolve(operand, root, item).is_some(),
        Filter::Compare(left, operator, right) => {
            if let (Operator::Matches, Operand::Pattern(pattern)) = (operator, right) {
                return match resolve(left, root, item).as_deref() {
                    Some(Value::String(text)) => pattern.is_match(text),
                    Some(Value::Number(number)) => pattern.is_match(&number.to_string()),
                    _ => false,
                };
            }
            compare(
                resolve(left, root, item).as_deref(),
                *operator,
                resolve(right, root, item).as_deref(),
            )
        }
    }
}

fn resolve<'v>(operand: &'v Operand, root: &'v Value, item: &'v Value) -> Option<Cow<'v, Value>> {
    match operand {
        Operand::Literal(value) => Some(Cow::Borrowed(value)),
        Operand::Pattern(_) => None,
        Operand::Item(segments) => json_path::found(segments, root, item).ok(),
        Operand::Root(segments) => json_path::found(segments, root, root).ok(),
    }
}

fn compare(left: Option<&Value>, operator: Operator, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return operator == Operator::NotEqual && left.is_some() != right.is_some();
    };
    fn list(value: &Value) -> &[Value] {
        value.as_array().map_or(&[], Vec::as_slice)
    }
    let holds = |items: &[Value], wanted: &Value| items.iter().any(|item| equal(item, wanted));
    match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => !equal(left, right),
        Operator::Less => order(left, right) == Some(Ordering::Less),
        Operator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Operator::Greater => order(left, right) == Some(Ordering::Greater),
        Operator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Operator::Matches => false,
        Operator::In => holds(list(right), left),
        Operator::NotIn => !holds(list(right), left),
        Operator::SubsetOf => list(left).iter().all(|item| holds(list(right), item)),
        Operator::AnyOf => list(left).iter().any(|item| holds(list(right), item)),
        Operator::NoneOf => !list(left).iter().any(|item| holds(list(right), item)),
        Operator::Contains => match left {
            Value::String(text) => right.as_str().is_some_and(|part| text.contains(part)),
            _ => holds(list(left), right),
        },
        Operator::Size => size(left).is_some() && size(left) == right.as_u64(),
        Operator::Empty => size(left).is_some_and(|size| right.as_bool() == Some(size == 0)),
    }
}

fn size(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => Some(text.chars().count() as u64),
        Value::Array(items) => Some(items.len() as u64),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
