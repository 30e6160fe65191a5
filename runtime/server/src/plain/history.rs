//! An execution's history, as AWS shows it, page by page.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::names::{self, execution_arn};
use super::{ask, express, page_length};
use crate::aws::history::Part;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};

/// Events in one answer.
const PAGE: u32 = 1000;

/// Which part of it, and how.
#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
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
    let arn = execution_arn(&handle.inner().namespace, &id)?;
    let limit = page_length(page.limit, PAGE, PAGE)?;
    if names::is_express(&arn) {
        let part = Part {
            after: page.after.map(|after| read_after(&after)).transpose()?,
            limit: limit as usize,
            reverse: page.reverse.unwrap_or(false),
            data: page.data.unwrap_or(true),
        };
        return express::history(&handle, arn, part).await;
    }
    let mut parameters = json!({
        "executionArn": arn,
        "maxResults": limit,
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

/// An Express history's pages follow the number of an event: there is no other question they could answer.
fn read_after(after: &str) -> Result<u32, Problem> {
    after.parse().map_err(|_| {
        Problem::new(
            400,
            "InvalidQuery",
            format!("`after={after}` is no event's number"),
            "leave `after` out, or give the `next` of the page before",
        )
    })
}
