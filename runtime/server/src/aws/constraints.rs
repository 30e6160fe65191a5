//! The constraints of the service's model, reported all at once in the service's own words.

use std::fmt::Write as _;

use super::errors::{Answer, ApiError};

/// Longest name of a machine or an execution, in characters.
pub const NAME_LENGTH: usize = 80;
/// Longest ARN, in characters.
pub const ARN_LENGTH: usize = 256;
/// Longest ARN where the model allows for long ones, in characters.
pub const LONG_ARN_LENGTH: usize = 2000;
/// Longest description of a version or an alias, in characters.
pub const DESCRIPTION_LENGTH: usize = 256;
/// Longest error name, in characters.
pub const ERROR_LENGTH: usize = 256;
/// Longest cause, in characters.
pub const CAUSE_LENGTH: usize = 32_768;
/// Longest page token of most lists, in characters.
pub const TOKEN_LENGTH: usize = 1024;
/// Longest page token of ListExecutions, in characters.
pub const EXECUTIONS_TOKEN_LENGTH: usize = 3096;
/// Most entries on one page.
pub const PAGE_SIZE: i64 = 1000;

/// Longer values are cut in messages, so that a refused megabyte isn't sent back; longer than the longest page token,
/// which AWS shows whole.
const SHOWN_LENGTH: usize = 4096;

/// Collects violations; [`Constraints::check`] answers them together.
#[derive(Default)]
pub struct Constraints {
    text: String,
    count: usize,
}

impl Constraints {
    /// Nothing violated yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The field must be there.
    pub fn required<T>(&mut self, field: &str, value: Option<&T>) -> &mut Self
    where
        T: ?Sized,
    {
        if value.is_none() {
            self.violated(format_args!("Value null at '{field}'"), "Member must not be null");
        }
        self
    }

    /// A text must be there and have between one and `max` characters.
    pub fn text(&mut self, field: &str, value: Option<&str>, max: usize) -> &mut Self {
        self.required(field, value).length(field, value, 1, max)
    }

    /// A text, where given, has between `min` and `max` characters.
    pub fn length(&mut self, field: &str, value: Option<&str>, min: usize, max: usize) -> &mut Self {
        let Some(value) = value else { return self };
        if value.len() < min {
            self.violated(
                format_args!("Value '{value}' at '{field}'"),
                &format!("Member must have length greater than or equal to {min}"),
            );
        } else if value.len() > max && value.chars().count() > max {
            self.violated(
                format_args!("Value '{}' at '{field}'", shown(value)),
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        self
    }

    /// A text whose value isn't shown, measured in characters.
    pub fn sensitive_length(&mut self, field: &str, value: Option<&str>, max: usize) -> &mut Self {
        self.sensitive(field, value, 0, max)
    }

    /// The same with a least length.
    pub fn sensitive(&mut self, field: &str, value: Option<&str>, min: usize, max: usize) -> &mut Self {
        let Some(value) = value else { return self };
        if value.len() < min {
            self.violated(
                format_args!("Value at '{field}'"),
                &format!("Member must have length greater than or equal to {min}"),
            );
        } else if value.len() > max && value.chars().count() > max {
            self.violated(
                format_args!("Value at '{field}'"),
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        self
    }

    /// A text, where given, matches the pattern that `holds` stands for.
    pub fn pattern(
        &mut self,
        field: &str,
        value: Option<&str>,
        holds: impl Fn(&str) -> bool,
        pattern: &str,
    ) -> &mut Self {
        if let Some(value) = value.filter(|value| !holds(value)) {
            self.violated(
                format_args!("Value '{}' at '{field}'", shown(value)),
                &format!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
        self
    }

    /// A list, where given, has between `min` and `max` members; `shown` is how AWS writes it.
    pub fn members(&mut self, field: &str, shown: &str, count: usize, min: usize, max: usize) -> &mut Self {
        if count < min {
            self.violated(
                format_args!("Value '{shown}' at '{field}'"),
                &format!("Member must have length greater than or equal to {min}"),
            );
        } else if count > max {
            self.violated(
                format_args!("Value '{shown}' at '{field}'"),
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        self
    }

    /// A text whose value isn't shown, measured in bytes.
    pub fn sensitive_bytes(&mut self, field: &str, value: Option<&str>, max: usize) -> &mut Self {
        if value.is_some_and(|value| value.len() > max) {
            self.violated(
                format_args!("Value at '{field}'"),
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        self
    }

    /// A number, where given, lies between `min` and `max`.
    pub fn range(&mut self, field: &str, value: Option<i64>, min: i64, max: i64) -> &mut Self {
        let Some(value) = value else { return self };
        if value < min {
            self.violated(
                format_args!("Value '{value}' at '{field}'"),
                &format!("Member must have value greater than or equal to {min}"),
            );
        } else if value > max {
            self.violated(
                format_args!("Value '{value}' at '{field}'"),
                &format!("Member must have value less than or equal to {max}"),
            );
        }
        self
    }

    /// A percentage, where given, lies between 0 and 100.
    pub fn percentage(&mut self, field: &str, value: Option<f64>) -> &mut Self {
        let Some(value) = value else { return self };
        if value < 0.0 {
            self.violated(
                format_args!("Value '{value}' at '{field}'"),
                "Member must have value greater than or equal to 0",
            );
        } else if value > 100.0 {
            self.violated(
                format_args!("Value '{value}' at '{field}'"),
                "Member must have value less than or equal to 100",
            );
        }
        self
    }

    /// A text, where given, is one of `allowed`.
    pub fn one_of(&mut self, field: &str, value: Option<&str>, allowed: &[&str]) -> &mut Self {
        let Some(value) = value else { return self };
        if !allowed.contains(&value) {
            self.violated(
                format_args!("Value '{}' at '{field}'", shown(value)),
                &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
            );
        }
        self
    }

    fn violated(&mut self, value: std::fmt::Arguments<'_>, constraint: &str) {
        if self.count > 0 {
            self.text.push_str("; ");
        }
        self.count += 1;
        let _ = write!(self.text, "{value} failed to satisfy constraint: {constraint}");
    }

    /// The verdict.
    ///
    /// # Errors
    /// `ValidationException` listing every violation.
    pub fn check(&self) -> Answer<()> {
        if self.count == 0 {
            return Ok(());
        }
        let errors = if self.count == 1 { "error" } else { "errors" };
        Err(ApiError::validation(format!(
            "{} validation {errors} detected: {}",
            self.count, self.text
        )))
    }
}

fn shown(value: &str) -> String {
    if value.len() <= SHOWN_LENGTH {
        return value.to_owned();
    }
    let mut cut: String = value.chars().take(SHOWN_LENGTH).collect();
    cut.push_str("...");
    cut
}

/// Whether every character may stand in the name of a machine, an execution or a module.
///
/// The list is the one of the API's reference: no white space, no brackets, wildcards or special
/// characters, no control characters, no surrogates and noncharacters at the end of the first plane.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(is_forbidden)
}

fn is_forbidden(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
        || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// How many entries a page may have: 100 where the caller doesn't say or says 0.
pub fn page_size(asked: Option<i64>) -> usize {
    const DEFAULT: usize = 100;
    match asked {
        None | Some(0) => DEFAULT,
        Some(count) => usize::try_from(count).unwrap_or(DEFAULT).min(PAGE_SIZE as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_listed_in_the_services_words() {
        let mut one = Constraints::new();
        one.range("maxResults", Some(1001), 0, PAGE_SIZE);
        assert_eq!(
            one.check().expect_err("too many").message,
            "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: \
             Member must have value less than or equal to 1000"
        );
        let mut two = Constraints::new();
        two.text("name", Some(""), NAME_LENGTH).text("definition", None, 9);
        assert_eq!(
            two.check().expect_err("two").message,
            "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have \
             length greater than or equal to 1; Value null at 'definition' failed to satisfy constraint: \
             Member must not be null"
        );
    }

    #[test]
    fn lengths_count_characters_not_bytes() {
        let name = "ä".repeat(NAME_LENGTH);
        assert!(
            Constraints::new()
                .text("name", Some(&name), NAME_LENGTH)
                .check()
                .is_ok()
        );
        let long = "x".repeat(1_048_577);
        let message = Constraints::new()
            .text("definition", Some(&long), 1_048_576)
            .check()
            .expect_err("too long")
            .message;
        assert!(message.len() < 2 * SHOWN_LENGTH, "a refused megabyte is not sent back");
    }

    #[test]
    fn names_may_not_hold_what_the_reference_forbids() {
        for good in ["a", "order-2.v3_x", "Größe"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a|b",
            "a:b",
            "a/b",
            "a\u{1f}",
            "a\u{7f}",
            "a\u{85}",
            "a\u{2028}",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
