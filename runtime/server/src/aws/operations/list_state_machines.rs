//! ListStateMachines.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::describe_state_machine::type_word;
use crate::aws::constraints::{Constraints, PAGE_SIZE, TOKEN_LENGTH, page_size};
use crate::aws::errors::Answer;
use crate::aws::page_token::Question;
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    state_machines: Vec<Machine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    state_machine_arn: String,
    name: String,
    r#type: &'static str,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    let now = clock::now();
    let question = Question::new(&handle.inner().token_key, "ListStateMachines", &[]);
    let after = question.position(asked.next_token.as_deref(), now)?;
    let mut machines = handle.inner().machines.list();
    machines.retain(|machine| after.is_none_or(|after| machine.record.id.0 > after));
    let limit = page_size(asked.max_results);
    let more = machines.len() > limit;
    machines.truncate(limit);
    let next_token = machines
        .last()
        .filter(|_| more)
        .map(|last| question.token(last.record.id.0, now));
    let namespace = &handle.inner().namespace;
    let state_machines = machines
        .iter()
        .map(|machine| Machine {
            state_machine_arn: namespace.machine(&machine.record.name),
            name: machine.record.name.clone(),
            r#type: type_word(machine.record.machine_type),
            creation_date: machine.record.created,
        })
        .collect();
    Ok(Answered {
        state_machines,
        next_token,
    })
}
