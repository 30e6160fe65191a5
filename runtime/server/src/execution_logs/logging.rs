//! What a state machine wants logged.

use std::sync::Arc;

use serde_json::Value;

/// A `loggingConfiguration` that asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logging {
    level: Level,
    /// `includeExecutionData`.
    pub(crate) data: bool,
    /// The ARN of the log group.
    pub(crate) group: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    All,
    Error,
    Fatal,
}

impl Logging {
    /// Of a machine's or a version's configuration as it is stored; `None` where nothing is to be logged.
    pub(crate) fn of(configuration: &Value) -> Option<Self> {
        let asked = &configuration["loggingConfiguration"];
        let level = match asked["level"].as_str() {
            Some("ALL") => Level::All,
            Some("ERROR") => Level::Error,
            Some("FATAL") => Level::Fatal,
            _ => return None,
        };
        let group = &asked["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"];
        Some(Self {
            level,
            data: asked["includeExecutionData"].as_bool().unwrap_or(false),
            group: group.as_str().unwrap_or_default().into(),
        })
    }

    /// Whether an entry of this type is logged: the table of log levels in AWS's guide, by its rule.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        let ends_badly = || ["Failed", "Aborted", "TimedOut"].iter().any(|end| kind.ends_with(end));
        match self.level {
            Level::All => true,
            Level::Error => ends_badly() || kind == "FailStateEntered",
            Level::Fatal => kind.starts_with("Execution") && ends_badly(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(level: &str) -> Option<Logging> {
        Logging::of(&json!({"loggingConfiguration": {
            "level": level,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:x"}}],
        }}))
    }

    #[test]
    fn levels_take_what_the_guide_says() {
        let all = [
            ("ExecutionStarted", false, false),
            ("ExecutionSucceeded", false, false),
            ("ExecutionRedriven", false, false),
            ("ExecutionFailed", true, true),
            ("ExecutionAborted", true, true),
            ("ExecutionTimedOut", true, true),
            ("FailStateEntered", true, false),
            ("EvaluationFailed", true, false),
            ("LambdaFunctionTimedOut", true, false),
            ("LambdaFunctionScheduleFailed", true, false),
            ("MapIterationAborted", true, false),
            ("MapRunFailed", true, false),
            ("TaskSubmitFailed", true, false),
            ("WaitStateAborted", true, false),
            ("TaskScheduled", false, false),
            ("PassStateEntered", false, false),
            ("MapStateSucceeded", false, false),
        ];
        let (every, error, fatal) = (
            at("ALL").expect("works"),
            at("ERROR").expect("works"),
            at("FATAL").expect("works"),
        );
        for (kind, at_error, at_fatal) in all {
            assert!(every.takes(kind));
            assert_eq!((error.takes(kind), fatal.takes(kind)), (at_error, at_fatal), "{kind}");
        }
    }

    #[test]
    fn nothing_is_logged_unless_it_is_asked_for() {
        assert_eq!(at("OFF"), None);
        assert_eq!(Logging::of(&json!({})), None);
        assert_eq!(Logging::of(&json!({"loggingConfiguration": {}})), None);
        let asked = at("ALL").expect("works");
        assert_eq!((&*asked.group, asked.data), ("arn:x", false));
    }
}
