//! Reads what a state does with a result or a failure: ResultSelector, ResultPath, Retry, Catch.

use super::diagnostic::{Code, Diagnostic, Step};
use super::fields::Fields;
use super::reader::{MAX_SECONDS, Reader};
use super::state_machine::{Catcher, OutcomeFields, QueryLanguage, Retrier};
use crate::expression::jsonata::StatesField;

/// The wildcard.
const ALL: &str = "States.ALL";
/// What the names of the language's own errors start with.
const RESERVED: &str = "States.";
/// Every error of the language.
const RESERVED_NAMES: [&str; 16] = [
    ALL,
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

/// AWS's bound on MaxDelaySeconds: it must be less than 31,622,400.
const MAX_DELAY_SECONDS: u64 = 31_622_399;

impl Reader {
    pub(super) fn outcome(&mut self, fields: &Fields<'_>) -> OutcomeFields {
        let result_selector = fields.template("ResultSelector", &mut self.diagnostics);
        let result_path = fields.result_path(&mut self.diagnostics);
        let retry = self.each(fields, "Retry", Self::retrier);
        let catch = self.each(fields, "Catch", Self::catcher);
        OutcomeFields {
            result_selector,
            result_path,
            retry,
            catch,
        }
    }

    /// Reads the objects of an array whose `States.ALL` entry must come last.
    fn each<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        read: impl Fn(&mut Self, &Fields<'_>, bool) -> Option<T>,
    ) -> Vec<T> {
        let Some(entries) = fields.array(name, &mut self.diagnostics) else {
            return Vec::new();
        };
        let last = entries.len().saturating_sub(1);
        entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let mut path = fields.at(name);
                path.push(Step::Index(index));
                let mut entry = Fields::of(entry, path, fields.language, &mut self.diagnostics)?;
                entry.outcome = Some(StatesField::ErrorOutput);
                read(self, &entry, index == last)
            })
            .collect()
    }

    fn error_equals(&mut self, fields: &Fields<'_>, last: bool) -> Option<Vec<String>> {
        let findings = &mut self.diagnostics;
        fields.require(&["ErrorEquals"], findings);
        let names = fields.array("ErrorEquals", findings)?;
        if names.is_empty() {
            fields.refuse("ErrorEquals", "Value cannot be empty", findings);
            return None;
        }
        let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        let Some(names) = names else {
            fields.refuse("ErrorEquals", "Expected value of type String", findings);
            return None;
        };
        for (index, name) in names.iter().enumerate() {
            let mut place = fields.at("ErrorEquals");
            place.push(Step::Index(index));
            if name == ALL && (names.len() > 1 || !last) {
                let message = "States.ALL must appear alone and at end of list";
                findings.push(Diagnostic::error(Code::SchemaValidationFailed, message, &place));
            } else if is_unknown(name) {
                let message = format!("'{name}' is not an error of the language, whose names start with '{RESERVED}'");
                findings.push(Diagnostic::warning(Code::UnknownErrorName, message, &place));
            }
        }
        Some(names)
    }

    fn retrier(&mut self, fields: &Fields<'_>, last: bool) -> Option<Retrier> {
        let error_equals = self.error_equals(fields, last);
        let findings = &mut self.diagnostics;
        fields.only(
            &[&[
                "ErrorEquals",
                "IntervalSeconds",
                "MaxAttempts",
                "BackoffRate",
                "MaxDelaySeconds",
                "JitterStrategy",
                "Comment",
            ]],
            findings,
        );
        let interval_seconds = fields
            .integer("IntervalSeconds", 1..=MAX_SECONDS, findings)
            .unwrap_or(1);
        let max_attempts = fields.integer("MaxAttempts", 0..=MAX_SECONDS, findings).unwrap_or(3);
        let backoff_rate = fields.number("BackoffRate", findings).unwrap_or(2.0);
        if backoff_rate < 1.0 {
            fields.refuse(
                "BackoffRate",
                "BackoffRate must be greater than or equal to 1.0",
                findings,
            );
        }
        let max_delay_seconds = fields.integer("MaxDelaySeconds", 1..=MAX_DELAY_SECONDS, findings);
        if max_delay_seconds.is_some_and(|delay| delay <= interval_seconds) {
            fields.refuse(
                "MaxDelaySeconds",
                "MaxDelaySeconds must be greater than IntervalSeconds",
                findings,
            );
        }
        let jitter = fields.one_of("JitterStrategy", &["FULL", "NONE"], findings);
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds: interval_seconds as f64,
            max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
            backoff_rate,
            max_delay_seconds: max_delay_seconds.map(|seconds| seconds as f64),
            full_jitter: jitter.as_deref() == Some("FULL"),
        })
    }

    fn catcher(&mut self, fields: &Fields<'_>, last: bool) -> Option<Catcher> {
        let error_equals = self.error_equals(fields, last);
        let findings = &mut self.diagnostics;
        let (own, other): (&[&str], &[&str]) = match fields.language {
            QueryLanguage::JsonPath => (&["ResultPath"], &["Output"]),
            QueryLanguage::JsonAta => (&["Output"], &["ResultPath"]),
        };
        fields.only_in_language(
            &[&["ErrorEquals", "Next", "Comment", "Assign"], own],
            &[other],
            findings,
        );
        fields.text("Comment", findings);
        fields.require(&["Next"], findings);
        let next = fields.text("Next", findings);
        let result_path = fields.result_path(findings);
        let assign = fields.assign(findings);
        let output = fields.template("Output", findings);
        Some(Catcher {
            assign,
            output,
            error_equals: error_equals?,
            result_path,
            next: next?,
        })
    }
}

/// Whether a name is reserved and no error has it. `States.Http.StatusCode.404` and its siblings are not listed.
fn is_unknown(name: &str) -> bool {
    name.starts_with(RESERVED) && !name.starts_with("States.Http.") && !RESERVED_NAMES.contains(&name)
}
