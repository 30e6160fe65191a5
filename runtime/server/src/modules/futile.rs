//! Failures that come back: the same input makes a pure module fail the same way.

use asl::LogLine;
use engine::ports::{Outcome, Report};

/// Errors of the sandbox that follow from a module and its input alone. How much memory the server has, or how busy it
/// is, doesn't matter to any of them.
const FOLLOW_FROM_THE_INPUT: [&str; 11] = [
    "Panic",
    "Sandbox.Exited",
    "Sandbox.FuelExhausted",
    "Sandbox.FunctionNotFound",
    "Sandbox.InstantiationFailed",
    "Sandbox.InvalidInput",
    "Sandbox.InvalidOutput",
    "Sandbox.MemoryExceeded",
    "Sandbox.OutputTooLarge",
    "Sandbox.StackExhausted",
    "Sandbox.Trapped",
];

/// Whether a pure module that failed with this error fails with it again.
pub(crate) fn comes_back(error: &str) -> bool {
    FOLLOW_FROM_THE_INPUT.contains(&error)
}

/// Notes in the log of a pure module's attempt that it was retried in vain.
pub(crate) fn note(report: &mut Report, retry_count: u32) {
    let Outcome::Failed(failure) = &report.outcome else {
        return;
    };
    if retry_count == 0 || !failure.error.as_deref().is_some_and(comes_back) {
        return;
    }
    report.attempt.log.push(LogLine {
        level: "warn".to_owned(),
        message:
            "retried in vain: the module is pure, so the same input fails the same way every time; leave this error \
                  out of the state's Retry"
                .to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use asl::{Attempt, Failure};

    use super::*;

    #[test]
    fn a_retry_in_vain_is_noted_where_the_error_comes_back() {
        let noted = |error: &str, retry_count: u32| {
            let mut report = Report {
                outcome: Outcome::Failed(Failure::new(error, "why")),
                attempt: Attempt::default(),
            };
            note(&mut report, retry_count);
            !report.attempt.log.is_empty()
        };
        assert!(noted("Sandbox.FuelExhausted", 1));
        assert!(!noted("Sandbox.FuelExhausted", 0), "nobody has retried it");
        assert!(!noted("Sandbox.TimeExceeded", 1), "another time it may be faster");
        assert!(!noted("OutOfStock", 1));
    }
}
