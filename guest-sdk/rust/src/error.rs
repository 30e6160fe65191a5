//! A task's failure as the state machine sees it.

use std::any::type_name;
use std::error::Error;
use std::fmt;

/// A failure that `Retry` and `Catch` match by its error name.
///
/// `?` turns every [`std::error::Error`] into one: the error name is the type's name without its path,
/// the cause is its message followed by those of its sources.
///
/// ```
/// use sandstep::TaskError;
///
/// fn quantity(text: &str) -> Result<u32, TaskError> {
///     Ok(text.parse()?)
/// }
///
/// let failure = quantity("three").expect_err("not a number");
/// assert_eq!(failure.error(), "ParseIntError");
/// assert_eq!(failure.cause(), "invalid digit found in string");
/// ```
///
/// It isn't a [`std::error::Error`] itself, which is what leaves `?` free to convert every type that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    error: String,
    cause: String,
}

impl TaskError {
    /// A failure with the error name that `Retry` and `Catch` match and a cause for people.
    /// Names beginning with `States.` are the language's own; CamelCase is the custom.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
        }
    }

    /// The error name.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The text for people.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.error, self.cause)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.cause)
    }
}

impl<E: Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let message = inner.to_string();
            // Many types print their source already; saying it twice helps nobody.
            if !cause.ends_with(&message) {
                cause.push_str(": ");
                cause.push_str(&message);
            }
            source = inner.source();
        }
        Self::new(short_name(type_name::<E>()), cause)
    }
}

/// `a::b::Failure<c::D>` is `Failure`.
fn short_name(path: &str) -> &str {
    let without_generics = path.split('<').next().unwrap_or(path);
    without_generics.rsplit("::").next().unwrap_or(without_generics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct GatewayDown<T>(T);

    impl<T: fmt::Debug> fmt::Display for GatewayDown<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("gateway is down")
        }
    }

    impl<T: Error + 'static> Error for GatewayDown<T> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn any_error_is_named_after_its_type_and_tells_its_whole_chain() {
        let inner = "x".parse::<u8>().expect_err("not a number");
        let failure = TaskError::from(GatewayDown(GatewayDown(inner)));
        assert_eq!(failure.error(), "GatewayDown");
        assert_eq!(failure.cause(), "gateway is down: invalid digit found in string");
    }

    #[test]
    fn names_lose_path_and_parameters() {
        assert_eq!(short_name("core::num::error::ParseIntError"), "ParseIntError");
        assert_eq!(short_name("a::Failure<b::C<d::E>>"), "Failure");
        assert_eq!(short_name("Plain"), "Plain");
    }
}
