//! What the details of AWS's history events hold.

use std::borrow::Cow;
use std::collections::BTreeMap;

use asl::{Attempt, LogLine, Payload};
use serde::{Deserialize, Serialize};

/// Every field any of the details has; each kind of event fills its own.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redrive_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_details: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_details: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) heartbeat_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task_credentials: Option<Credentials<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assigned_variables: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assigned_variables_details: Option<Whole>,
    /// Ours, beside AWS's fields: what the attempt cost and said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sandstep: Option<Cost<'a>>,
}

/// `{"truncated": false}`: texts are always whole here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Whole {
    pub(super) truncated: bool,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials<'a> {
    pub(super) role_arn: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) module: Option<&'a str>,
    /// Of the module, as its names meant it when the attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peak_memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_micros: Option<u64>,
    #[serde(skip_serializing_if = "<[LogLine]>::is_empty")]
    pub(super) log: &'a [LogLine],
}

impl<'a> Credentials<'a> {
    /// The role a task's credentials name.
    pub(super) fn of(credentials: &'a Payload) -> Option<Self> {
        #[derive(Deserialize)]
        struct Asked<'a> {
            #[serde(borrow, rename = "RoleArn")]
            role_arn: Cow<'a, str>,
        }
        let asked: Asked<'_> = serde_json::from_str(credentials.text()).ok()?;
        Some(Credentials {
            role_arn: asked.role_arn,
        })
    }
}

impl<'a> Cost<'a> {
    /// What is known of an attempt, where anything is.
    pub(super) fn of(attempt: &'a Attempt) -> Option<Self> {
        (*attempt != Attempt::default()).then(|| Cost {
            module: attempt.module.as_deref(),
            version: attempt.version,
            fuel: attempt.fuel,
            peak_memory_bytes: attempt.peak_memory,
            duration_micros: attempt.micros,
            log: &attempt.log,
        })
    }
}
