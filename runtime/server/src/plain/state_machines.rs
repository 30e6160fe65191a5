//! `/v1/state-machines`: definitions under their names.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::ports::MachineType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ask;
use crate::aws::errors::ApiError;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};
use crate::machines::Machine;

/// AWS wants a role; nothing here reads it.
const ROLE: &str = "arn:aws:iam::000000000000:role/sandstep";
/// Requests that put the same new state machine at once: the second finds it made, a third look is never needed.
const LOOKS: usize = 2;

/// A state machine, as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    arn: String,
    #[serde(rename = "type")]
    machine_type: &'static str,
    revision: String,
    /// Numbers of its versions, the newest first.
    versions: Vec<u32>,
    aliases: Vec<String>,
    /// Names of the modules its tasks run.
    modules: Vec<String>,
    created: String,
    updated: String,
}

fn shown(handle: &Handle, machine: &Machine) -> Shown {
    let record = &machine.record;
    Shown {
        name: record.name.clone(),
        arn: handle.inner().namespace.machine(&record.name),
        machine_type: match record.machine_type {
            MachineType::Standard => "STANDARD",
            MachineType::Express => "EXPRESS",
        },
        revision: record.revision.clone(),
        versions: machine.versions.keys().rev().copied().collect(),
        aliases: machine.aliases.iter().map(|alias| alias.name.clone()).collect(),
        modules: record.modules.clone(),
        created: record.created.to_string(),
        updated: record.updated.to_string(),
    }
}

/// Every state machine, in the order they were made.
pub(super) async fn list(State(handle): State<Handle>) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Machines {
        state_machines: Vec<Shown>,
    }
    let machines = handle.inner().machines.list();
    let state_machines = machines.iter().map(|machine| shown(&handle, machine)).collect();
    axum::Json(Machines { state_machines }).into_response()
}

/// The definition, letter by letter; its revision as entity tag.
pub(super) async fn definition(State(handle): State<Handle>, Place(name): Place<String>) -> Result<Response, Problem> {
    let arn = handle.inner().namespace.machine(&name);
    let Some(machine) = handle.inner().machines.get(&name) else {
        return Err(ApiError::state_machine_does_not_exist(arn).into());
    };
    let (digest, revision) = (machine.record.definition.clone(), &machine.record.revision);
    let text = handle
        .blocking(move |inner| inner.machines.text(&digest))
        .await?
        .map_err(ApiError::from)?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\"")) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// A machine's definition, read.
pub(super) async fn definition_of(handle: &Handle, name: &str) -> Result<Value, Problem> {
    let arn = handle.inner().namespace.machine(name);
    let Some(machine) = handle.inner().machines.get(name) else {
        return Err(ApiError::state_machine_does_not_exist(arn).into());
    };
    let digest = machine.record.definition.clone();
    let text = handle
        .blocking(move |inner| inner.machines.text(&digest))
        .await?
        .map_err(ApiError::from)?;
    serde_json::from_str(&text).map_err(|error| super::refusals::fault(&error.to_string()))
}

/// What a new state machine may be given beside its definition.
#[derive(Deserialize)]
pub(super) struct Making {
    r#type: Option<Kind>,
    role: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Standard,
    Express,
}

/// Makes a state machine or changes its definition.
pub(super) async fn put(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(making): Asked<Making>,
    body: Body,
) -> Result<Response, Problem> {
    let definition = handle.inner().bodies.receive(body).await?.bytes;
    let definition = String::from_utf8(definition.to_vec()).map_err(|error| {
        let message = format!("the definition is no text in UTF-8: {error}");
        Problem::new(
            422,
            "InvalidDefinition",
            message,
            "send the definition's JSON as the body",
        )
    })?;
    let arn = handle.inner().namespace.machine(&name);
    for _ in 0..LOOKS {
        let status = match handle.inner().machines.get(&name) {
            Some(known) => {
                refuse_another_type(&known, making.r#type, &arn)?;
                let mut update = json!({ "stateMachineArn": arn, "definition": definition });
                if let Some(role) = &making.role {
                    update["roleArn"] = json!(role);
                }
                let _: Value = ask(&handle, "UpdateStateMachine", &update).await?;
                StatusCode::OK
            }
            None => {
                let new = json!({
                    "name": name,
                    "definition": definition,
                    "roleArn": making.role.as_deref().unwrap_or(ROLE),
                    "type": if making.r#type == Some(Kind::Express) { "EXPRESS" } else { "STANDARD" },
                });
                match ask::<Value>(&handle, "CreateStateMachine", &new).await {
                    // Somebody else was first.
                    Err(problem) if problem.code == "StateMachineAlreadyExists" => continue,
                    created => created.map(|_| StatusCode::CREATED)?,
                }
            }
        };
        if let Some(machine) = handle.inner().machines.get(&name) {
            return Ok((status, axum::Json(shown(&handle, &machine))).into_response());
        }
    }
    Err(Problem::new(
        409,
        "Changing",
        format!("state machine `{name}` is being changed by somebody else"),
        "send it again",
    ))
}

fn refuse_another_type(known: &Machine, asked: Option<Kind>, arn: &str) -> Result<(), Problem> {
    let is = match known.record.machine_type {
        MachineType::Standard => Kind::Standard,
        MachineType::Express => Kind::Express,
    };
    match asked {
        Some(asked) if asked != is => Err(ApiError::state_machine_already_exists(arn).into()),
        Some(_) | None => Ok(()),
    }
}

/// Takes a state machine away; its running executions end by themselves.
pub(super) async fn delete(State(handle): State<Handle>, Place(name): Place<String>) -> Result<StatusCode, Problem> {
    let arn = handle.inner().namespace.machine(&name);
    if handle.inner().machines.get(&name).is_none() {
        return Err(ApiError::state_machine_does_not_exist(arn).into());
    }
    let _: Value = ask(&handle, "DeleteStateMachine", &json!({ "stateMachineArn": arn })).await?;
    Ok(StatusCode::NO_CONTENT)
}
