//! What the evaluator says, in the words of the reference implementation, which are AWS's.

use serde_json::Value;

/// The end of AWS's sentence for an expression that throws, after "threw an error during evaluation": a message with
/// its code, or the limit that was met. `functions` are those the expression calls.
pub(super) fn thrown(message: &str, functions: &[String]) -> String {
    let Some((code, words)) = message.split_once(": ").filter(|(code, _)| is_code(code)) else {
        return format!(". {message}");
    };
    let limit = match code {
        "D1011" | "U1001" => {
            "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive."
        }
        "D1012" => "Expression evaluation timeout: Check for infinite loop",
        "D2015" => "Expression evaluation memory limit exceeded: Check for excessive memory usage",
        _ => return format!(". {code}: {}", reference(code, words, functions)),
    };
    format!(": {limit}")
}

/// What the reference implementation says where the evaluator says something else.
fn reference(code: &str, words: &str, functions: &[String]) -> String {
    /// Messages of the reference that name no value.
    const FIXED: [(&str, &str); 18] = [
        ("D1004", "Regular expression matches zero length string"),
        ("T1006", "Attempted to invoke a non-function"),
        ("T1008", "Attempted to partially apply a non-function"),
        (
            "T2003",
            "The left side of the range operator (..) must evaluate to an integer",
        ),
        (
            "T2004",
            "The right side of the range operator (..) must evaluate to an integer",
        ),
        (
            "T2006",
            "The right side of the function application operator ~> must be a function",
        ),
        (
            "T2008",
            "The expressions within an order-by clause must evaluate to numeric or string values",
        ),
        ("D3001", "Attempting to invoke string function on Infinity or NaN"),
        ("D3010", "Second argument of replace function cannot be an empty string"),
        (
            "D3011",
            "Fourth argument of replace function must evaluate to a positive number",
        ),
        ("D3012", "Attempted to replace a matched string with a non-string value"),
        (
            "D3020",
            "Third argument of split function must evaluate to a positive number",
        ),
        (
            "D3040",
            "Third argument of match function must evaluate to a positive number",
        ),
        (
            "D3050",
            "The second argument of reduce function must be a function with at least two arguments",
        ),
        (
            "D3131",
            "In a decimal digit pattern, all digits must be from the same decimal group",
        ),
        (
            "D3134",
            "The timezone integer format specifier cannot have more than four digits",
        ),
        (
            "D3136",
            "The date/time picture string is missing specifiers required to parse the timestamp",
        ),
        (
            "D3138",
            "The $single() function expected exactly 1 matching result.  Instead it matched more.",
        ),
    ];
    if let Some((_, fixed)) = FIXED.into_iter().find(|(fixed, _)| *fixed == code) {
        return fixed.to_owned();
    }
    let said = match code {
        "T2001" | "T2002" => between(words, " of the ", " operator").map(|operator| {
            let side = if code == "T2001" { "left" } else { "right" };
            format!("The {side} side of the \"{operator}\" operator must evaluate to a number")
        }),
        "D3030" => between(words, "Cannot convert ", " to number").map(|value| {
            let text = value.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            let value = text.map_or_else(|| value.to_owned(), |text| Value::from(text).to_string());
            format!("Unable to cast value to a number: {value}")
        }),
        "D3100" => words.rsplit_once(' ').map(|(_, radix)| {
            format!("The radix of the formatBase function must be between 2 and 36.  It was given {radix}")
        }),
        "T0410" | "T0412" => argument(code, words, functions),
        _ => None,
    };
    said.unwrap_or_else(|| words.to_owned())
}

/// An argument of the wrong type. The evaluator doesn't always say whose: then it is told where only one can be meant.
fn argument(code: &str, words: &str, functions: &[String]) -> Option<String> {
    let rest = words.strip_prefix("Argument ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let index = match &rest[..digits] {
        "" => "1",
        index => index,
    };
    let named = rest[digits..].strip_prefix(" of function ").and_then(|rest| {
        let name = rest.split(' ').next()?.trim_matches('"').trim_start_matches('$');
        Some(name).filter(|name| !["", "does", "must", "undefined"].contains(name))
    });
    let name = match (named, functions) {
        (Some(name), _) => name,
        (None, [name]) => name,
        (None, _) => return None,
    };
    if code == "T0410" {
        return Some(format!(
            "Argument {index} of function \"{name}\" does not match function signature"
        ));
    }
    let elements = rest.rsplit_once(' ')?.1.to_lowercase();
    Some(format!(
        "Argument {index} of function \"{name}\" must be an array of \"{elements}s\""
    ))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.rsplit_once(after).map(|(inside, _)| inside)
}

fn is_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}

/// What is wrong with an expression that can't be parsed: `Expected "]", got ","`, without the code in front.
pub(super) fn syntax(message: &str) -> String {
    let message = without_code(message);
    for (before, between, after) in [
        ("Expected ", ", got ", ""),
        ("Expected ", " before end of expression", " before end of expression"),
        ("The symbol ", " cannot be used", " cannot be used as a unary operator"),
    ] {
        let parts = message.strip_prefix(before).and_then(|rest| rest.split_once(between));
        let Some((token, rest)) = parts else { continue };
        return if after.is_empty() {
            format!("{before}{}{between}{}", symbol(token), symbol(rest))
        } else {
            format!("{before}{}{after}", symbol(token))
        };
    }
    message.to_owned()
}

fn without_code(message: &str) -> &str {
    match message.split_once(": ") {
        Some((code, rest)) if is_code(code) => rest,
        _ => message,
    }
}

/// A token as it is written, in quotes; the parser gives its own name for it, `RightBracket` or `Identifier("a")`.
fn symbol(token: &str) -> String {
    const SYMBOLS: [(&str, &str); 34] = [
        ("True", "true"),
        ("False", "false"),
        ("Null", "null"),
        ("Plus", "+"),
        ("Minus", "-"),
        ("Star", "*"),
        ("StarStar", "**"),
        ("Slash", "/"),
        ("Percent", "%"),
        ("Equal", "="),
        ("NotEqual", "!="),
        ("LessThan", "<"),
        ("LessThanOrEqual", "<="),
        ("GreaterThan", ">"),
        ("GreaterThanOrEqual", ">="),
        ("And", "and"),
        ("Or", "or"),
        ("In", "in"),
        ("Ampersand", "&"),
        ("Dot", "."),
        ("DotDot", ".."),
        ("Question", "?"),
        ("Colon", ":"),
        ("ColonEqual", ":="),
        ("LeftParen", "("),
        ("RightParen", ")"),
        ("LeftBracket", "["),
        ("RightBracket", "]"),
        ("LeftBrace", "{"),
        ("RightBrace", "}"),
        ("Comma", ","),
        ("Semicolon", ";"),
        ("Caret", "^"),
        ("Eof", "(end)"),
    ];
    if let Some((_, symbol)) = SYMBOLS.into_iter().find(|(name, _)| *name == token) {
        return format!("\"{symbol}\"");
    }
    let inside = token.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    match inside {
        Some(text) if text.starts_with('"') => text.to_owned(),
        Some(number) => number.strip_suffix(".0").unwrap_or(number).to_owned(),
        None => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_name_what_was_written() {
        for (text, expected) in [
            ("a[1,2)", "Expected \"]\", got \",\""),
            ("(1", "Expected \")\" before end of expression"),
            ("{\"a\":}", "The symbol \"}\" cannot be used as a unary operator"),
            ("1 +", "Unexpected end of expression"),
            ("$x :=", "Unexpected end of expression"),
            (
                "\"unterminated",
                "String literal must be terminated by a matching quote",
            ),
        ] {
            let error = jsonata_core::parser::parse(text)
                .map(drop)
                .expect_err("not an expression");
            assert_eq!(syntax(&error.to_string()), expected, "{text}");
        }
    }

    #[test]
    fn limits_have_no_code() {
        assert_eq!(
            thrown(
                "D1012: Evaluation timeout after 5000 milliseconds. Check for infinite loop",
                &[]
            ),
            ": Expression evaluation timeout: Check for infinite loop"
        );
    }

    #[test]
    fn errors_are_told_as_the_reference_tells_them() {
        for (expression, said) in [
            (
                "1 + 'a'",
                "T2002: The right side of the \"+\" operator must evaluate to a number",
            ),
            (
                "null * 1",
                "T2001: The left side of the \"*\" operator must evaluate to a number",
            ),
            ("$number('a\"')", "D3030: Unable to cast value to a number: \"a\\\"\""),
            (
                "$length(1)",
                "T0410: Argument 1 of function \"length\" does not match function signature",
            ),
            (
                "$sum(['a'])",
                "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
            ),
            (
                "$formatBase(1, 99)",
                "D3100: The radix of the formatBase function must be between 2 and 36.  It was given 99",
            ),
            (
                "$single([1, 2])",
                "D3138: The $single() function expected exactly 1 matching result.  Instead it matched more.",
            ),
            (
                "[1.5..2]",
                "T2003: The left side of the range operator (..) must evaluate to an integer",
            ),
            ("$nothing()", "T1006: Attempted to invoke a non-function"),
            ("$error('no luck')", "D3137: no luck"),
        ] {
            let tree = jsonata_core::parser::parse(expression).expect("an expression");
            let error = jsonata_core::evaluator::Evaluator::new()
                .evaluate(&tree, &jsonata_core::value::JValue::Undefined)
                .expect_err("one that throws");
            let function = expression.strip_prefix('$').and_then(|rest| rest.split('(').next());
            let functions: Vec<String> = function.into_iter().map(str::to_owned).collect();
            assert_eq!(thrown(error.message(), &functions), format!(". {said}"), "{expression}");
        }
        assert_eq!(
            thrown(
                "T0410: Argument 2 must be Function",
                &["map".to_owned(), "sum".to_owned()]
            ),
            ". T0410: Argument 2 must be Function",
            "whose argument it is can't be told"
        );
    }
}
