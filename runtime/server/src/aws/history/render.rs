//! One AWS history event as JSON.

mod details;

use std::borrow::Cow;
use std::collections::BTreeMap;

use asl::execution::integration;
use asl::{Assignment, EventKind, Failure, Payload, TimeoutKind};
use engine::ids::{ExecutionId, TaskId};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use details::{Cost, Credentials, Details, Whole};

use super::pages::Events;
use super::timeline::{Entry, Shape};
use crate::aws::arn::Namespace;

/// An AWS history event, ready to be written.
#[derive(Debug, PartialEq)]
pub struct Rendered<'a> {
    pub(super) id: u32,
    pub(super) previous: u32,
    timestamp: f64,
    /// `PassStateEntered`.
    pub(super) kind: Cow<'static, str>,
    /// `stateEnteredEventDetails` and what it holds.
    pub(super) details: Option<(&'static str, Box<Details<'a>>)>,
}

impl Rendered<'_> {
    /// Its type, `PassStateEntered`.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.timestamp)?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("previousEventId", &self.previous)?;
        if let Some((key, details)) = &self.details {
            map.serialize_entry(key, details)?;
        }
        map.end()
    }
}

/// Writes the event with this `id` of a timeline; `None` where `events` lacks what it needs. Without `data` the inputs,
/// outputs and variables stay away.
pub fn render<'a>(
    entry: &Entry,
    id: u32,
    events: &'a Events,
    origin: &'a Origin<'a>,
    data: bool,
) -> Option<Rendered<'a>> {
    let event = events.get(entry.event)?;
    let context = &events.get(entry.context)?.kind;
    let region = origin.namespace.region();
    let (kind, details) = match entry.shape {
        Shape::StateAborted(kind) => (Cow::Owned(format!("{}StateAborted", kind.as_str())), None),
        Shape::EvaluationFailed => evaluation_failed(&event.kind, context),
        Shape::MapRunAborted => bare("MapRunAborted"),
        Shape::Plain => match &event.kind {
            EventKind::MapRunStarted { label, .. } => {
                let details = map_run(origin, label, entry.event);
                named("MapRunStarted", "mapRunStartedEventDetails", details)
            }
            EventKind::MapRunRedriven { count, .. } => map_run_redriven(origin, context, entry.context, *count),
            kind => plain(kind, context, region, data),
        },
    };
    Some(Rendered {
        id,
        previous: entry.previous,
        timestamp: event.at.as_seconds(),
        kind,
        details: details.map(|(key, details)| (key, Box::new(details))),
    })
}

/// Whose history it is.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// For the ARNs of Map Runs, and the region of tasks.
    pub namespace: &'a Namespace,
    /// Name of its state machine.
    pub machine: &'a str,
    /// The execution.
    pub execution: ExecutionId,
}

type Named<'a> = (Cow<'static, str>, Option<(&'static str, Details<'a>)>);

fn plain<'a>(event: &'a EventKind, context: &'a EventKind, region: &'a str, data: bool) -> Named<'a> {
    let shown = |payload: &'a Payload| data.then_some(payload.text());
    let whole = data.then(Whole::default);
    match event {
        EventKind::ExecutionStarted { input, role, .. } => named(
            "ExecutionStarted",
            "executionStartedEventDetails",
            Details {
                input: shown(input),
                input_details: whole,
                role_arn: role.as_deref(),
                ..Details::default()
            },
        ),
        EventKind::StateEntered {
            state,
            state_kind,
            input,
            ..
        } => (
            Cow::Owned(format!("{}StateEntered", state_kind.as_str())),
            Some((
                "stateEnteredEventDetails",
                Details {
                    name: Some(state),
                    input: shown(input),
                    input_details: whole,
                    ..Details::default()
                },
            )),
        ),
        EventKind::StateExited {
            state,
            state_kind,
            output,
            assigned,
            ..
        } => (
            Cow::Owned(format!("{}StateExited", state_kind.as_str())),
            Some((
                "stateExitedEventDetails",
                Details {
                    name: Some(state),
                    output: shown(output),
                    output_details: whole,
                    assigned_variables: variables(assigned).filter(|_| data),
                    assigned_variables_details: whole.filter(|_| !assigned.is_empty()),
                    ..Details::default()
                },
            )),
        ),
        EventKind::TaskScheduled { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskSubmitted { .. }
        | EventKind::TaskSucceeded { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::TaskTimedOut { .. } => task(event, context, region, data),
        EventKind::ParallelStarted { .. } => bare("ParallelStateStarted"),
        EventKind::ParallelSucceeded { .. } => bare("ParallelStateSucceeded"),
        EventKind::ParallelFailed { .. } => bare("ParallelStateFailed"),
        EventKind::MapStarted { items, .. } => named(
            "MapStateStarted",
            "mapStateStartedEventDetails",
            Details {
                length: Some(items.value().as_array().map_or(0, Vec::len)),
                ..Details::default()
            },
        ),
        EventKind::MapRunSucceeded { .. } => bare("MapRunSucceeded"),
        EventKind::MapRunFailed { failure, .. } => named("MapRunFailed", "mapRunFailedEventDetails", failed(failure)),
        EventKind::MapSucceeded { .. } => bare("MapStateSucceeded"),
        EventKind::MapFailed { .. } => bare("MapStateFailed"),
        EventKind::IterationStarted { index, .. } => named(
            "MapIterationStarted",
            "mapIterationStartedEventDetails",
            iteration(context, *index),
        ),
        EventKind::IterationSucceeded { index, .. } => named(
            "MapIterationSucceeded",
            "mapIterationSucceededEventDetails",
            iteration(context, *index),
        ),
        EventKind::IterationFailed { index, .. } => named(
            "MapIterationFailed",
            "mapIterationFailedEventDetails",
            iteration(context, *index),
        ),
        EventKind::IterationAborted { index, .. } => named(
            "MapIterationAborted",
            "mapIterationAbortedEventDetails",
            iteration(context, *index),
        ),
        EventKind::ExecutionRedriven { count, .. } => named(
            "ExecutionRedriven",
            "executionRedrivenEventDetails",
            Details {
                redrive_count: Some(*count),
                ..Details::default()
            },
        ),
        EventKind::ExecutionSucceeded { output } => named(
            "ExecutionSucceeded",
            "executionSucceededEventDetails",
            Details {
                output: shown(output),
                output_details: whole,
                ..Details::default()
            },
        ),
        EventKind::ExecutionFailed { failure } => {
            named("ExecutionFailed", "executionFailedEventDetails", failed(failure))
        }
        EventKind::ExecutionAborted { failure } => {
            named("ExecutionAborted", "executionAbortedEventDetails", failed(failure))
        }
        EventKind::ExecutionTimedOut { failure } => {
            named("ExecutionTimedOut", "executionTimedOutEventDetails", failed(failure))
        }
        // The timeline gives these no entry of their own.
        EventKind::WaitStarted { .. }
        | EventKind::RetryScheduled { .. }
        | EventKind::IterationRedriven { .. }
        | EventKind::MapRunStarted { .. }
        | EventKind::MapRunRedriven { .. }
        | EventKind::MapRunUpdated { .. }
        | EventKind::StateFailed { .. } => bare(""),
    }
}

/// `position` is that of the MapRunStarted event, which names the run.
fn map_run<'a>(origin: &Origin<'_>, label: &str, position: u32) -> Details<'a> {
    let run = TaskId {
        execution: origin.execution,
        scheduled_at: u64::from(position),
    };
    Details {
        map_run_arn: Some(origin.namespace.map_run(origin.machine, label, run)),
        ..Details::default()
    }
}

/// `started` is the MapRunStarted event at `position`.
fn map_run_redriven<'a>(origin: &Origin<'_>, started: &EventKind, position: u32, count: u32) -> Named<'a> {
    let details = match started {
        EventKind::MapRunStarted { label, .. } => map_run(origin, label, position),
        _ => Details::default(),
    };
    named(
        "MapRunRedriven",
        "mapRunRedrivenEventDetails",
        Details {
            redrive_count: Some(count),
            ..details
        },
    )
}

fn named<'a>(kind: &'static str, key: &'static str, details: Details<'a>) -> Named<'a> {
    (Cow::Borrowed(kind), Some((key, details)))
}

fn bare<'a>(kind: &'static str) -> Named<'a> {
    (Cow::Borrowed(kind), None)
}

fn failed(failure: &Failure) -> Details<'_> {
    Details {
        error: failure.error.as_deref(),
        cause: failure.cause.as_deref(),
        ..Details::default()
    }
}

fn iteration(map: &EventKind, index: u32) -> Details<'_> {
    Details {
        name: state_name(map),
        index: Some(index),
        ..Details::default()
    }
}

fn state_name(entered: &EventKind) -> Option<&str> {
    match entered {
        EventKind::StateEntered { state, .. } => Some(state),
        _ => None,
    }
}

fn evaluation_failed<'a>(event: &'a EventKind, entered: &'a EventKind) -> Named<'a> {
    let details = match event {
        EventKind::StateFailed { failure, location, .. } => Details {
            location: location.as_deref(),
            state: state_name(entered),
            ..failed(failure)
        },
        _ => Details::default(),
    };
    named("EvaluationFailed", "evaluationFailedEventDetails", details)
}

fn variables(assigned: &[Assignment]) -> Option<BTreeMap<&str, &str>> {
    let texts = || {
        assigned
            .iter()
            .map(|variable| (&*variable.name, variable.value.text()))
            .collect()
    };
    (!assigned.is_empty()).then(texts)
}

/// What a task's `Resource` shows as.
enum Service<'a> {
    /// A function's ARN: `LambdaFunction…` events.
    Function,
    /// An activity's ARN: `Activity…` events.
    Activity,
    /// Everything else: `Task…` events with a resource and its type.
    Task { resource: &'a str, resource_type: &'a str },
}

fn service(resource: &str) -> Service<'_> {
    if let Some(module) = resource.strip_prefix("wasm:") {
        return Service::Task {
            resource: module,
            resource_type: "wasm",
        };
    }
    if let Some((resource_type, resource)) = integration(resource) {
        return Service::Task {
            resource,
            resource_type,
        };
    }
    let mut parts = resource.splitn(6, ':');
    let (arn, service) = (parts.next(), parts.nth(1));
    match (arn, service, parts.nth(2)) {
        (Some("arn"), Some("lambda"), _) => Service::Function,
        (Some("arn"), Some("states"), Some(activity)) if activity.starts_with("activity:") => Service::Activity,
        _ => Service::Task {
            resource,
            resource_type: "",
        },
    }
}

fn task<'a>(event: &'a EventKind, scheduled: &'a EventKind, region: &'a str, data: bool) -> Named<'a> {
    let asked = match scheduled {
        EventKind::TaskScheduled { resource, .. } => resource,
        _ => "",
    };
    let service = service(asked);
    let shown = |payload: &'a Payload| data.then_some(payload.text());
    let mut details = match event {
        EventKind::TaskScheduled {
            parameters,
            timeout_seconds,
            heartbeat_seconds,
            credentials,
            ..
        } => Details {
            parameters: shown(parameters),
            region: Some(region),
            timeout_in_seconds: *timeout_seconds,
            heartbeat_in_seconds: *heartbeat_seconds,
            task_credentials: credentials.as_ref().and_then(Credentials::of),
            ..Details::default()
        },
        EventKind::TaskStarted { worker, .. } => Details {
            worker_name: worker.as_deref(),
            ..Details::default()
        },
        EventKind::TaskSubmitted { output, .. } => Details {
            output: shown(output),
            output_details: data.then(Whole::default),
            ..Details::default()
        },
        EventKind::TaskSucceeded { output, attempt, .. } => Details {
            output: shown(output),
            output_details: data.then(Whole::default),
            sandstep: Cost::of(attempt),
            ..Details::default()
        },
        EventKind::TaskFailed { failure, attempt, .. } => Details {
            sandstep: Cost::of(attempt),
            ..failed(failure)
        },
        EventKind::TaskTimedOut { timeout, attempt, .. } => Details {
            error: Some(match timeout {
                TimeoutKind::Deadline => "States.Timeout",
                TimeoutKind::Heartbeat => "States.HeartbeatTimeout",
            }),
            sandstep: Cost::of(attempt),
            ..Details::default()
        },
        _ => Details::default(),
    };
    let scheduling = matches!(event, EventKind::TaskScheduled { .. });
    let names = names(event);
    match service {
        Service::Function | Service::Activity => {
            if scheduling {
                details.input = details.parameters.take();
                details.input_details = data.then(Whole::default);
                details.region = None;
                details.resource = Some(asked);
            }
            // AWS's LambdaFunctionStarted has no details.
            let (kind, key) = match service {
                Service::Activity => names.activity,
                _ => names.function,
            };
            (Cow::Borrowed(kind), (!key.is_empty()).then_some((key, details)))
        }
        Service::Task {
            resource,
            resource_type,
        } => {
            details.resource = Some(resource);
            details.resource_type = Some(resource_type);
            let (kind, key) = names.task;
            named(kind, key, details)
        }
    }
}

type Name = (&'static str, &'static str);

/// The names of a task's event and of its details, as each kind of service shows them.
struct Names {
    task: Name,
    function: Name,
    activity: Name,
}

fn names(event: &EventKind) -> Names {
    match event {
        EventKind::TaskScheduled { .. } => Names {
            task: ("TaskScheduled", "taskScheduledEventDetails"),
            function: ("LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails"),
            activity: ("ActivityScheduled", "activityScheduledEventDetails"),
        },
        EventKind::TaskSubmitted { .. } => Names {
            task: ("TaskSubmitted", "taskSubmittedEventDetails"),
            function: ("TaskSubmitted", ""),
            activity: ("TaskSubmitted", ""),
        },
        EventKind::TaskSucceeded { .. } => Names {
            task: ("TaskSucceeded", "taskSucceededEventDetails"),
            function: ("LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails"),
            activity: ("ActivitySucceeded", "activitySucceededEventDetails"),
        },
        EventKind::TaskFailed { .. } => Names {
            task: ("TaskFailed", "taskFailedEventDetails"),
            function: ("LambdaFunctionFailed", "lambdaFunctionFailedEventDetails"),
            activity: ("ActivityFailed", "activityFailedEventDetails"),
        },
        EventKind::TaskTimedOut { .. } => Names {
            task: ("TaskTimedOut", "taskTimedOutEventDetails"),
            function: ("LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails"),
            activity: ("ActivityTimedOut", "activityTimedOutEventDetails"),
        },
        _ => Names {
            task: ("TaskStarted", "taskStartedEventDetails"),
            function: ("LambdaFunctionStarted", ""),
            activity: ("ActivityStarted", "activityStartedEventDetails"),
        },
    }
}
