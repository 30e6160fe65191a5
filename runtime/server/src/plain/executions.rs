//! Executions: starting them, waiting for them, looking at them, stopping them.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::ids::ExecutionId;
use engine::ports::MachineType;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::names::{self, execution_arn};
use super::{ask, express, iso, page_length, refusals, under_way};
use crate::access::{Action, Caller};
use crate::aws::Object;
use crate::aws::errors::ApiError;
use crate::aws::operations::execution::find;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};

/// Longest wait for an execution's end, in seconds: what proxies between let pass at most.
const LONGEST_WAIT: u64 = 900;
/// Executions in one answer.
const PAGE: u32 = 100;
/// The most a caller may ask for.
const LARGEST_PAGE: u32 = 1000;
/// Largest body of a stop, in bytes: an error name and a cause at their longest, escaped.
const STOP_BYTES: usize = 256 << 10;

/// An execution, as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    /// `MACHINE:NAME`, or `MACHINE:NAME:RUN` of an Express machine's.
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) state_machine: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// Attempts that run now; where one execution is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) running: Vec<under_way::Shown>,
}

/// The same as the AWS API has it, in lists and by itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    execution_arn: String,
    name: String,
    status: String,
    start_date: f64,
    stop_date: Option<f64>,
    input: Option<String>,
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

impl From<Described> for Shown {
    fn from(described: Described) -> Self {
        let id = names::short(&described.execution_arn).to_owned();
        Self {
            state_machine: names::machine(&id).to_owned(),
            id,
            arn: described.execution_arn,
            name: described.name,
            status: described.status,
            started: iso(described.start_date),
            stopped: described.stop_date.map(iso),
            input: described.input.map(super::json),
            output: described.output.map(super::json),
            error: described.error,
            cause: described.cause,
            running: Vec::new(),
        }
    }
}

/// What a list may be narrowed to.
#[derive(Deserialize)]
pub(super) struct Page {
    status: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// A state machine's executions, the newest first.
pub(super) async fn list(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(page): Asked<Page>,
) -> Result<Response, Problem> {
    let limit = page_length(page.limit, PAGE, LARGEST_PAGE)?;
    if is_express(&handle, &name) {
        return Ok(express::list(&handle, &name, page.status.as_deref(), limit as usize));
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        executions: Vec<Described>,
        next_token: Option<String>,
    }
    #[derive(Serialize)]
    struct Executions {
        executions: Vec<Shown>,
        /// What to ask for as `after` to get the next page; absent on the last one.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    let mut parameters = json!({
        "stateMachineArn": handle.inner().namespace.machine(&name),
        "maxResults": limit,
    });
    if let Some(status) = page.status {
        parameters["statusFilter"] = json!(status);
    }
    if let Some(after) = page.after {
        parameters["nextToken"] = json!(after);
    }
    let listed: Listed = ask(&handle, "ListExecutions", &parameters).await?;
    Ok(axum::Json(Executions {
        executions: listed.executions.into_iter().map(Shown::from).collect(),
        next: listed.next_token,
    })
    .into_response())
}

/// How an execution is started.
#[derive(Deserialize)]
pub(super) struct Starting {
    name: Option<String>,
    wait: Option<u64>,
}

/// Starts an execution with the body as its input, and answers how it stands once that is durable or, where
/// the caller waits, once it has closed.
pub(super) async fn start(
    State(handle): State<Handle>,
    Place(machine): Place<String>,
    Asked(starting): Asked<Starting>,
    caller: Option<Extension<Extension<Arc<Caller>>>>,
    body: Body,
) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Started {
        execution_arn: String,
    }
    let wait = waiting_time(starting.wait)?;
    if let Some(Extension(Extension(caller))) = caller.filter(|_| wait.is_some()) {
        may_see(&caller)?;
    }
    let input = handle.inner().bodies.receive(body).await?.bytes;
    let input = String::from_utf8(input.to_vec()).map_err(|error| {
        let message = format!("the input is no text in UTF-8: {error}");
        Problem::new(400, "InvalidExecutionInput", message, "send one JSON text as the body")
    })?;
    let mut parameters = json!({ "stateMachineArn": handle.inner().namespace.machine(&machine) });
    if !input.trim().is_empty() {
        parameters["input"] = json!(input);
    }
    if let Some(name) = starting.name {
        parameters["name"] = json!(name);
    }
    let Started { execution_arn } = ask(&handle, "StartExecution", &parameters).await?;
    let location = format!("/v1/executions/{}", names::in_path(names::short(&execution_arn)));
    let shown = described_within(&handle, execution_arn, wait).await?;
    let status = match wait {
        None => StatusCode::CREATED,
        Some(_) if shown.status == "RUNNING" => StatusCode::ACCEPTED,
        Some(_) => StatusCode::OK,
    };
    let mut response = (status, axum::Json(shown)).into_response();
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Whoever may start executions need not be allowed to see what becomes of them.
fn may_see(caller: &Caller) -> Result<(), Problem> {
    if caller.policy.allows(Action::Read) {
        return Ok(());
    }
    Err(Problem::new(
        403,
        "AccessDeniedException",
        format!(
            "the key of `{}` may start executions and not see how they end",
            caller.name
        ),
        "leave `wait` out, or ask the operator for a key with another role",
    ))
}

/// How long a look may take.
#[derive(Deserialize)]
pub(super) struct Looking {
    wait: Option<u64>,
}

/// How an execution stands, or how it ended where the caller waits for that.
pub(super) async fn describe(
    State(handle): State<Handle>,
    Place(id): Place<String>,
    Asked(looking): Asked<Looking>,
) -> Result<Response, Problem> {
    let arn = execution_arn(&handle.inner().namespace, &id)?;
    let wait = waiting_time(looking.wait)?;
    Ok(axum::Json(described_within(&handle, arn, wait).await?).into_response())
}

fn waiting_time(seconds: Option<u64>) -> Result<Option<Duration>, Problem> {
    match seconds {
        Some(seconds) if seconds > LONGEST_WAIT => Err(Problem::new(
            400,
            "InvalidQuery",
            format!("`wait={seconds}` is longer than {LONGEST_WAIT} s"),
            "wait for less and ask again, or follow the execution's `/events`",
        )),
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Ok(None),
    }
}

fn is_express(handle: &Handle, machine: &str) -> bool {
    let machine = handle.inner().machines.get(machine);
    machine.is_some_and(|machine| machine.record.machine_type == MachineType::Express)
}

async fn described_within(handle: &Handle, arn: String, wait: Option<Duration>) -> Result<Shown, Problem> {
    if names::is_express(&arn) {
        return express::described_within(handle, arn, wait).await;
    }
    let parameters = json!({ "executionArn": arn });
    if let Some(wait) = wait {
        let at = arn.clone();
        let (_, execution) = handle.blocking(move |inner| find(inner, &at)).await??;
        // One that doesn't close in time is shown as it stands.
        if let Ok(waited) = tokio::time::timeout(wait, closed(handle, execution.id)).await {
            waited?;
        }
    }
    let described: Described = ask(handle, "DescribeExecution", &parameters).await?;
    let mut shown = Shown::from(described);
    if shown.status == "RUNNING" {
        let (_, execution) = handle.blocking(move |inner| find(inner, &arn)).await??;
        shown.running = under_way::under_way(handle.inner(), execution.id);
    }
    Ok(shown)
}

/// Waits until an execution has closed, or the server stops. Whoever stops waiting leaves nothing behind.
async fn closed(handle: &Handle, execution: ExecutionId) -> Result<(), Problem> {
    let mut following = handle.follow(execution).ok_or_else(refusals::too_many_followers)?;
    loop {
        let read = handle.blocking(move |inner| inner.reader.execution(execution)).await?;
        let record = read.map_err(ApiError::from)?;
        if record.is_none_or(|record| record.status.is_closed()) || !following.moved().await {
            return Ok(());
        }
    }
}

/// Why an execution is stopped.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Reason {
    error: Option<String>,
    cause: Option<String>,
}

/// Stops an execution; one that has closed stays as it is.
pub(super) async fn stop(
    State(handle): State<Handle>,
    Place(id): Place<String>,
    body: Body,
) -> Result<Response, Problem> {
    let arn = execution_arn(&handle.inner().namespace, &id)?;
    let body = handle.inner().bodies.receive_at_most(body, STOP_BYTES).await?.bytes;
    let reason = if body.trim_ascii().is_empty() {
        Reason::default()
    } else {
        let reason = serde_json::from_slice(&body).map(|Object(reason)| reason);
        reason.map_err(|error| {
            Problem::new(
                400,
                "InvalidBody",
                format!("the body is not what a stop takes: {error}"),
                "send `{\"error\": \"NAME\", \"cause\": \"TEXT\"}`, either or both, or nothing",
            )
        })?
    };
    let mut parameters = json!({ "executionArn": arn });
    for (key, value) in [("error", reason.error), ("cause", reason.cause)] {
        if let Some(value) = value {
            parameters[key] = json!(value);
        }
    }
    let _: Value = ask(&handle, "StopExecution", &parameters).await?;
    Ok(axum::Json(described_within(&handle, arn, None).await?).into_response())
}
