//! `/v1/gc`: what there is to delete, and deleting it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::ports::{StoreError, Tally};
use serde::Serialize;

use super::refusals::fault;
use crate::handle::{Handle, Inner};
use crate::http::Problem;
use crate::upkeep::Collected;

/// How long a request deletes before it answers how far it came: clients wait for an answer half a minute, and a server
/// that is told to stop waits for its requests.
const TIME: Duration = Duration::from_secs(10);

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// What was deleted, or would be.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_days: Option<u64>,
    executions: u64,
    state_machines: u64,
    definitions: Counted,
    components: Counted,
    compiled: Counted,
    database: Database,
}

#[derive(Serialize)]
struct Counted {
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Database {
    bytes: u64,
    free: u64,
    returned: u64,
    shrinks: bool,
}

impl From<Tally> for Counted {
    fn from(Tally { count, bytes }: Tally) -> Self {
        Self { count, bytes }
    }
}

/// Says what a collection would delete.
pub async fn count(State(handle): State<Handle>) -> Result<Response, Problem> {
    answered(&handle, |inner| inner.keeper.count()).await
}

/// Deletes it, as far as there is time.
pub async fn collect(State(handle): State<Handle>) -> Result<Response, Problem> {
    answered(&handle, |inner| inner.keeper.collect(TIME)).await
}

async fn answered(
    handle: &Handle,
    work: impl FnOnce(&Inner) -> Result<Collected, StoreError> + Send + 'static,
) -> Result<Response, Problem> {
    let collected = handle.blocking(work).await.map_err(|error| fault(&error.message))?;
    let collected = collected.map_err(|error| fault(&error.to_string()))?;
    let retention = handle.inner().keeper.retention();
    let shown = Shown {
        done: collected.done,
        retention_days: retention.map(|kept| kept.as_secs() / DAY),
        executions: collected.executions,
        state_machines: collected.swept.machines,
        definitions: collected.swept.definitions.into(),
        components: collected.swept.components.into(),
        compiled: collected.compiled.into(),
        database: Database {
            bytes: collected.space.bytes,
            free: collected.space.free,
            returned: collected.returned,
            shrinks: collected.space.shrinks,
        },
    };
    Ok(axum::Json(shown).into_response())
}
