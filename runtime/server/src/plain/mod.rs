//! Plain HTTP for people: state machines and executions by name, JSON as JSON, times as ISO 8601.
//!
//! This room translates to the operations of [`crate::aws`] and back, and owns the document that describes every
//! route. It decides nothing, and knows no other way to start or stop anything.

mod events;
mod executions;
mod express;
mod gc;
mod history;
mod journal_event;
mod logs;
mod names;
mod openapi;
mod reach;
mod refusals;
mod state_machines;
mod under_way;

pub(crate) use names::machine_of;
#[cfg(test)]
pub(crate) use openapi::DOCUMENT;

use asl::Timestamp;
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::handle::Handle;
use crate::http::{Problem, Routes};

/// The routes.
pub(crate) fn routes() -> Routes {
    vec![
        ("/v1/openapi.json", get(openapi::document)),
        ("/v1/state-machines", get(state_machines::list)),
        (
            "/v1/state-machines/{name}",
            get(state_machines::definition)
                .put(state_machines::put)
                .delete(state_machines::delete),
        ),
        ("/v1/state-machines/{name}/reach", get(reach::of_machine)),
        ("/v1/reach", post(reach::of_definition)),
        (
            "/v1/state-machines/{name}/executions",
            get(executions::list).post(executions::start),
        ),
        ("/v1/executions/{id}", get(executions::describe)),
        ("/v1/executions/{id}/history", get(history::page)),
        ("/v1/executions/{id}/logs", get(logs::lines)),
        ("/v1/executions/{id}/events", get(events::follow)),
        ("/v1/executions/{id}/stop", post(executions::stop)),
        ("/v1/gc", get(gc::count).post(gc::collect)),
    ]
}

/// One operation of the AWS API.
async fn ask<T: DeserializeOwned>(handle: &Handle, operation: &str, parameters: &impl Serialize) -> Result<T, Problem> {
    let parameters = serde_json::to_vec(parameters).map_err(|error| refusals::fault(&error.to_string()))?;
    let answer = handle.call(operation, &parameters).await?;
    serde_json::from_slice(&answer).map_err(|error| refusals::fault(&format!("{operation} answered: {error}")))
}

/// How long a page may be, as asked for.
///
/// # Errors
/// A length beyond `most`, and none.
fn page_length(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let length = asked.unwrap_or(usual);
    if (1..=most).contains(&length) {
        return Ok(length);
    }
    Err(Problem::new(
        400,
        "InvalidQuery",
        format!("a page of `limit={length}` isn't answered"),
        format!("ask for 1 to {most}"),
    ))
}

/// A point in time as AWS's protocol has it.
fn iso(seconds: f64) -> String {
    Timestamp((seconds * 1000.0).round() as i64).to_string()
}

/// JSON from its text; a text that is none, which no execution has, reads as null.
fn json(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
