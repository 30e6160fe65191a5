//! What the evaluator says, in the words of the reference implementation, which are AWS's.

/// The end of AWS's sentence for an expression that throws, after "threw an error during evaluation": a message with
/// its code, or the limit that was met.
pub(super) fn thrown(message: &str) -> String {
    let limit = match message.get(..5) {
        Some("D1011" | "U1001") => Some(
            "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive.",
        ),
        Some("D1012") => Some("Expression evaluation timeout: Check for infinite loop"),
        Some("D2015") => Some("Expression evaluation memory limit exceeded: Check for excessive memory usage"),
        _ => None,
    };
    // the evaluator names the function that isn't one; the reference doesn't
    const NOT_A_FUNCTION: &str = "T1006: Attempted to invoke a non-function";
    match limit {
        Some(limit) => format!(": {limit}"),
        None if message.starts_with(NOT_A_FUNCTION) => format!(". {NOT_A_FUNCTION}"),
        None => format!(". {message}"),
    }
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
        Some((code, rest)) if code.len() == 5 && code.bytes().skip(1).all(|byte| byte.is_ascii_digit()) => rest,
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
        assert_eq!(thrown("D3030: no number"), ". D3030: no number");
        assert_eq!(
            thrown("D1012: Evaluation timeout after 5000 milliseconds. Check for infinite loop"),
            ": Expression evaluation timeout: Check for infinite loop"
        );
        assert_eq!(
            thrown("T1006: Attempted to invoke a non-function: x"),
            ". T1006: Attempted to invoke a non-function"
        );
    }
}
