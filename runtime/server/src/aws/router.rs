//! From `X-Amz-Target` to the operation.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use axum::routing::post;

use super::errors::{Answer, ApiError};
use super::{operations, wire};
use crate::bodies::Held;
use crate::handle::Handle;
use crate::http::Routes;

/// What stands before the operation in `X-Amz-Target`.
const SERVICE: &str = "AWSStepFunctions.";

/// `POST /`.
pub(crate) fn routes() -> Routes {
    vec![("/", post(operation))]
}

async fn operation(State(handle): State<Handle>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // Who looked at it before has it in memory.
    let held = match parts.extensions.get::<Held>() {
        Some(held) => Ok(held.clone()),
        None => handle.inner().bodies.receive(body).await,
    };
    let answer = match (operation_of(&parts.headers), held) {
        (Ok(operation), Ok(held)) => operations::call(&handle, operation, &held.bytes).await,
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    };
    wire::respond(answer)
}

/// The operation a request asks for.
pub(crate) fn operation_of(headers: &HeaderMap) -> Answer<&str> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.and_then(|target| target.strip_prefix(SERVICE)).ok_or_else(|| {
        ApiError::unknown_operation(format!(
            "the header X-Amz-Target is {}; send {SERVICE}<Operation>, as the AWS CLI and SDKs do",
            target.map_or_else(|| "missing".to_owned(), |target| format!("`{target}`"))
        ))
    })
}
