//! ListStateMachineAliases.

use asl::Timestamp;
use engine::ports::AliasRecord;
use serde::{Deserialize, Serialize};

use crate::aws::constraints::{ARN_LENGTH, Constraints, PAGE_SIZE, TOKEN_LENGTH, page_size};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::page_token::Question;
use crate::aws::target::Qualifier;
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
    state_machine_aliases: Vec<Alias>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alias {
    state_machine_alias_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

/// In the order they were created; with a version's ARN only those that point to it.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("stateMachineArn", asked.state_machine_arn.as_deref(), ARN_LENGTH)
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    let arn = asked.state_machine_arn.unwrap_or_default();
    let namespace = &handle.inner().namespace;
    let parsed = namespace.parse_machine(&arn)?;
    let missing = || ApiError::state_machine_does_not_exist(&arn);
    let Some(machine) = handle.inner().machines.get(parsed.name) else {
        return Err(handle.missing(&arn, parsed.name).await);
    };
    let version = match parsed.qualifier.map(Qualifier::read) {
        None => None,
        Some(Some(Qualifier::Version(number))) if machine.versions.contains_key(&number) => Some(number),
        Some(_) => return Err(missing()),
    };
    let now = clock::now();
    let question = Question::new(&handle.inner().token_key, "ListStateMachineAliases", &[&arn]);
    let after = question.position(asked.next_token.as_deref(), now)?;
    let points_there =
        |alias: &AliasRecord| version.is_none_or(|version| alias.routes.iter().any(|route| route.version == version));
    let limit = page_size(asked.max_results);
    let mut aliases: Vec<_> = machine
        .aliases
        .iter()
        .filter(|alias| points_there(alias) && after.is_none_or(|after| alias.id > after))
        // One more says whether there is a next page.
        .take(limit + 1)
        .collect();
    let more = aliases.len() > limit;
    aliases.truncate(limit);
    let next_token = aliases.last().filter(|_| more).map(|last| question.token(last.id, now));
    let state_machine_aliases = aliases
        .iter()
        .map(|alias| Alias {
            state_machine_alias_arn: namespace.qualified(parsed.name, &alias.name),
            creation_date: alias.created,
        })
        .collect();
    Ok(Answered {
        state_machine_aliases,
        next_token,
    })
}
