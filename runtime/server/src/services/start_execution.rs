//! `states:startExecution`: an execution inside an execution.

use asl::{EventKind, Failure, Payload, Timestamp};
use engine::ids::TaskId;
use engine::input::Release;
use engine::output::TaskRequest;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::sdk::{exception, in_pascal_case, parameters};
use super::{Fate, Services};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::operations::execution::find as find_execution;
use crate::aws::resource::Waits;
use crate::handle::{Handle, Inner};
use crate::traces::on_behalf_of;

/// What DescribeExecution says and this integration leaves out.
const LEFT_OUT: [&str; 4] = ["RedriveCount", "RedriveStatus", "RedriveStatusReason", "TraceHeader"];

/// The task's outcome; `None` where it comes with a task token, or with the next start of the server.
pub(super) async fn run(
    services: &Services,
    handle: &Handle,
    request: &TaskRequest,
    waits: Waits,
    fate: oneshot::Receiver<Fate>,
) -> Option<Result<Payload, Failure>> {
    match start(services, handle, request, waits, fate).await {
        Ok(outcome) => outcome,
        // what isn't done now is done at the next start
        Err(error) if error.kind == ApiError::unavailable().kind => None,
        Err(error) => Some(Err(failure(&error))),
    }
}

async fn start(
    services: &Services,
    handle: &Handle,
    request: &TaskRequest,
    waits: Waits,
    fate: oneshot::Receiver<Fate>,
) -> Answer<Option<Result<Payload, Failure>>> {
    let mut asked = parameters(&request.parameters);
    if asked.get("name").is_none() {
        // the same name after a crash, so that the execution is started once
        let name = handle.inner().token_key.name(request.task);
        let name = uuid::Builder::from_random_bytes(name).into_uuid();
        asked["name"] = json!(name.to_string());
    }
    let arn = if request.submitted {
        execution_arn(handle, &asked)?
    } else {
        let start = ask(handle, request.task, &asked);
        let answered = on_behalf_of(handle.part_of(request.task).await?, start).await?;
        let arn = text(&answered, "executionArn");
        let output = started(&answered);
        match waits {
            Waits::Response => return Ok(Some(Ok(output))),
            Waits::Token => services.release(request.task, Release::Callback, Some(output)),
            Waits::End | Waits::EndAsJson => services.release(request.task, Release::Elsewhere, Some(output)),
        }
        arn
    };
    if waits == Waits::Token {
        if request.submitted {
            services.release(request.task, Release::Callback, None);
        }
        return Ok(None);
    }
    let named = json!({"executionArn": arn}).to_string();
    tokio::select! {
        closed = handle.closed(&arn) => closed?,
        fate = fate => {
            // with its parent's task it ends too, unless that is asked for again
            if fate == Ok(Fate::Over) {
                handle.call("StopExecution", named.as_bytes()).await?;
            }
            return Ok(None);
        }
    }
    let described = handle.call("DescribeExecution", named.as_bytes()).await?;
    Ok(Some(ended(&described, waits)))
}

/// Starts an execution under a name of its own, and waits for nothing.
pub(super) async fn once(handle: &Handle, request: &TaskRequest) -> Result<Payload, Failure> {
    let asked = parameters(&request.parameters);
    let answered = Box::pin(ask(handle, request.task, &asked)).await;
    let answered = answered.map_err(|error| failure(&error))?;
    Ok(started(&answered))
}

tokio::task_local! {
    static STARTER: TaskId;
}

/// The attempt that the execution is started by which is being started.
pub(crate) fn starter() -> Option<TaskId> {
    STARTER.try_with(|task| *task).ok()
}

/// Starts an execution for an attempt. Where a crash came between that and its record, the execution is there already,
/// and may even be over.
async fn ask(handle: &Handle, task: TaskId, asked: &Value) -> Answer<Value> {
    let text = asked.to_string();
    let start = STARTER.scope(task, handle.call("StartExecution", text.as_bytes()));
    match start.await {
        Ok(answered) => Ok(serde_json::from_slice(&answered).unwrap_or_default()),
        Err(error) if error.kind == ApiError::EXECUTION_ALREADY_EXISTS => {
            let arn = execution_arn(handle, asked)?;
            let named = arn.clone();
            let begun = handle.blocking(move |inner| begun_by(inner, &named, task)).await??;
            let at = begun.ok_or(error)?;
            Ok(json!({"executionArn": arn, "startDate": at.as_seconds()}))
        }
        Err(error) => Err(error),
    }
}

/// When the execution of this ARN began, if it was this attempt that started it.
fn begun_by(inner: &Inner, arn: &str, task: TaskId) -> Answer<Option<Timestamp>> {
    let (_, execution) = find_execution(inner, arn)?;
    let first = inner.reader.first_and_last(execution.id)?.map(|(first, _)| first);
    let by = first.and_then(|first| match first.kind {
        EventKind::ExecutionStarted { starter, .. } => starter,
        _ => None,
    });
    let is_it = by.is_some_and(|by| (by.execution, by.position) == (task.execution.0, task.scheduled_at));
    Ok(is_it.then_some(execution.started))
}

/// What StartExecution answered, as the integration hands it on.
fn started(answered: &Value) -> Payload {
    let request_id = Uuid::new_v4().to_string();
    let length = length(answered).to_string();
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let headers = json!({
        "connection": "keep-alive",
        "Content-Length": length,
        "Content-Type": "application/x-amz-json-1.0",
        "Date": date,
        "x-amzn-RequestId": request_id,
    });
    let all: serde_json::Map<String, Value> = headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), json!([value])))
        .collect();
    let answer = in_pascal_case(answered.clone(), as_millis);
    Payload::from_value(json!({
        "ExecutionArn": answer["ExecutionArn"],
        "SdkHttpMetadata": {"AllHttpHeaders": all, "HttpHeaders": headers, "HttpStatusCode": 200},
        "SdkResponseMetadata": {"RequestId": request_id},
        "StartDate": answer["StartDate"],
    }))
}

/// Bytes of the answer as AWS sends it, which writes its times as Java does: `1.795347201265E9`.
fn length(answered: &Value) -> usize {
    let bytes = answered.to_string().len();
    match &answered["startDate"] {
        Value::Number(date) => {
            let javas = format!("{:e}", date.as_f64().unwrap_or_default());
            bytes - date.to_string().len() + javas.len()
        }
        _ => bytes,
    }
}

/// The task's outcome, from what DescribeExecution says of the closed execution.
fn ended(described: &[u8], waits: Waits) -> Result<Payload, Failure> {
    let described: Value = serde_json::from_slice(described).unwrap_or_default();
    let mut output = in_pascal_case(described, as_millis);
    if let Some(fields) = output.as_object_mut() {
        fields.retain(|name, _| !LEFT_OUT.contains(&&**name));
        if waits == Waits::EndAsJson {
            for name in ["Input", "Output"] {
                let parsed = fields
                    .get(name)
                    .and_then(Value::as_str)
                    .and_then(|text| serde_json::from_str(text).ok());
                if let Some(parsed) = parsed {
                    fields.insert(name.into(), parsed);
                }
            }
        }
    }
    if output["Status"] == "SUCCEEDED" {
        Ok(Payload::from_value(output))
    } else {
        Err(Failure::new("States.TaskFailed", output.to_string()))
    }
}

/// An error of the API in the words of the integration's client.
fn failure(error: &ApiError) -> Failure {
    let exception = exception(error.kind);
    Failure::new(
        format!("StepFunctions.{exception}"),
        format!(
            "{} (Service: AWSStepFunctions; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
            error.message,
            error.status,
            error.kind,
            Uuid::new_v4()
        ),
    )
}

/// The ARN of the execution these parameters started.
fn execution_arn(handle: &Handle, asked: &Value) -> Answer<String> {
    let namespace = &handle.inner().namespace;
    let machine = text(asked, "stateMachineArn");
    let machine = namespace.parse_machine(&machine)?.name.to_owned();
    Ok(namespace.execution(&machine, &text(asked, "name")))
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn as_millis(seconds: f64) -> Value {
    json!((seconds * 1000.0).round() as i64)
}
