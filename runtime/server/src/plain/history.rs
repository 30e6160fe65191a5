//! An execution's history, as AWS shows it, page by page.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::ask;
use super::names::execution_arn;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};

/// Events in one answer.
const PAGE: u16 = 1000;

/// Which part of it, and how.
#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u16>,
    reverse: Option<bool>,
    data: Option<bool>,
}

/// One page.
pub(super) async fn page(
    State(handle): State<Handle>,
    Place(id): Place<String>,
    Asked(page): Asked<Page>,
) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read {
        events: Box<RawValue>,
        next_token: Option<String>,
    }
    #[derive(Serialize)]
    struct History {
        events: Box<RawValue>,
        /// What to ask for as `after` to get the next page; absent on the last one.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    let mut parameters = json!({
        "executionArn": execution_arn(&handle.inner().namespace, &id)?,
        "maxResults": page.limit.unwrap_or(PAGE),
        "reverseOrder": page.reverse.unwrap_or(false),
        "includeExecutionData": page.data.unwrap_or(true),
    });
    if let Some(after) = page.after {
        parameters["nextToken"] = json!(after);
    }
    let read: Read = ask(&handle, "GetExecutionHistory", &parameters).await?;
    Ok(axum::Json(History {
        events: read.events,
        next: read.next_token,
    })
    .into_response())
}
