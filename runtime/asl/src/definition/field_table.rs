//! Which fields a state may have, by its kind and its query language.

use super::state_machine::QueryLanguage;

type Names = &'static [&'static str];

const COMMON: Names = &["Type", "Comment", "QueryLanguage"];
const MOVES: Names = &["Next", "End"];
const PATHS: Names = &["InputPath", "OutputPath"];
const ASSIGN: Names = &["Assign"];
const OUTPUT: Names = &["Output"];
const RESULTS: Names = &["ResultSelector", "ResultPath"];
const ERRORS: Names = &["Retry", "Catch"];
const TASK: Names = &["Resource", "Credentials", "TimeoutSeconds", "HeartbeatSeconds"];
const MAP: Names = &[
    "ItemProcessor",
    "Iterator",
    "ItemSelector",
    "MaxConcurrency",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
    "Label",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
];

/// Groups of fields a state may have.
pub(super) fn allowed(kind: &str, language: QueryLanguage) -> &'static [Names] {
    match (language, kind) {
        (QueryLanguage::JsonPath, "Pass") => &[COMMON, MOVES, PATHS, ASSIGN, &["Result", "ResultPath", "Parameters"]],
        (QueryLanguage::JsonPath, "Task") => &[
            COMMON,
            MOVES,
            PATHS,
            ASSIGN,
            RESULTS,
            ERRORS,
            TASK,
            &["Parameters", "TimeoutSecondsPath", "HeartbeatSecondsPath"],
        ],
        (QueryLanguage::JsonPath, "Choice") => &[COMMON, PATHS, ASSIGN, &["Choices", "Default"]],
        (QueryLanguage::JsonPath, "Wait") => &[
            COMMON,
            MOVES,
            PATHS,
            ASSIGN,
            &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"],
        ],
        (QueryLanguage::JsonPath, "Succeed") => &[COMMON, PATHS],
        (QueryLanguage::JsonPath, "Fail") => &[COMMON, &["Error", "ErrorPath", "Cause", "CausePath"]],
        (QueryLanguage::JsonPath, "Parallel") => &[
            COMMON,
            MOVES,
            PATHS,
            ASSIGN,
            RESULTS,
            ERRORS,
            &["Branches", "Parameters"],
        ],
        (QueryLanguage::JsonPath, _) => &[
            COMMON,
            MOVES,
            PATHS,
            ASSIGN,
            RESULTS,
            ERRORS,
            MAP,
            &[
                "ItemsPath",
                "Parameters",
                "MaxConcurrencyPath",
                "ToleratedFailureCountPath",
                "ToleratedFailurePercentagePath",
            ],
        ],
        (QueryLanguage::JsonAta, "Pass") => &[COMMON, MOVES, ASSIGN, OUTPUT],
        (QueryLanguage::JsonAta, "Task") => &[COMMON, MOVES, ASSIGN, OUTPUT, ERRORS, TASK, &["Arguments"]],
        (QueryLanguage::JsonAta, "Choice") => &[COMMON, ASSIGN, OUTPUT, &["Choices", "Default"]],
        (QueryLanguage::JsonAta, "Wait") => &[COMMON, MOVES, ASSIGN, OUTPUT, &["Seconds", "Timestamp"]],
        (QueryLanguage::JsonAta, "Succeed") => &[COMMON, OUTPUT],
        (QueryLanguage::JsonAta, "Fail") => &[COMMON, &["Error", "Cause"]],
        (QueryLanguage::JsonAta, "Parallel") => &[COMMON, MOVES, ASSIGN, OUTPUT, ERRORS, &["Branches", "Arguments"]],
        (QueryLanguage::JsonAta, _) => &[COMMON, MOVES, ASSIGN, OUTPUT, ERRORS, MAP, &["Items"]],
    }
}
