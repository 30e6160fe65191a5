//! ListStateMachineVersions.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use crate::aws::constraints::{ARN_LENGTH, Constraints, PAGE_SIZE, TOKEN_LENGTH, page_size};
use crate::aws::errors::Answer;
use crate::aws::page_token::Question;
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    state_machine_arn: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machine_versions: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    state_machine_version_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

/// The newest first. A machine that isn't there has no versions.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let namespace = &handle.inner().namespace;
    let parsed = namespace.parse_machine(&arn)?;
    let now = clock::now();
    let question = Question::new(&handle.inner().token_key, "ListStateMachineVersions", &[&arn]);
    let before = question.position(asked.next_token.as_deref(), now)?;
    let machine = handle.inner().machines.get(parsed.name);
    let machine = machine.filter(|_| parsed.qualifier.is_none());
    let limit = page_size(asked.max_results);
    let mut records: Vec<_> = machine
        .iter()
        .flat_map(|machine| machine.versions.values().rev())
        .map(|version| &version.record)
        .filter(|record| before.is_none_or(|before| u64::from(record.number) < before))
        // One more says whether there is a next page.
        .take(limit + 1)
        .collect();
    let more = records.len() > limit;
    records.truncate(limit);
    let last = records.last().filter(|_| more);
    let next_token = last.map(|last| question.token(u64::from(last.number), now));
    let state_machine_versions = records
        .iter()
        .map(|record| Version {
            state_machine_version_arn: namespace.qualified(parsed.name, record.number),
            creation_date: record.created,
        })
        .collect();
    Ok(Answered {
        state_machine_versions,
        next_token,
    })
}
