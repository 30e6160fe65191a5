//! From `X-Amz-Target` to the operation.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Response};
use axum::routing::post;

use super::errors::{Answer, ApiError};
use super::{operations, wire};
use crate::handle::Handle;
use crate::http;

/// Largest request in bytes: a definition of a million characters, escaped in JSON, and what is around it.
const BODY_LIMIT: usize = 8 << 20;
/// What stands before the operation in `X-Amz-Target`.
const SERVICE: &str = "AWSStepFunctions.";

/// `POST /`.
pub fn routes() -> Router<Handle> {
    Router::new()
        .route("/", post(operation))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
        .method_not_allowed_fallback(http::method_not_allowed)
}

async fn operation(
    State(handle): State<Handle>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<Body> {
    wire::respond(match (target(&headers), body) {
        (Ok(operation), Ok(body)) => operations::call(&handle, operation, &body).await,
        (Err(error), _) => Err(error),
        (Ok(_), Err(rejection)) => Err(too_large_or_broken(&rejection)),
    })
}

fn target(headers: &HeaderMap) -> Answer<&str> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.and_then(|target| target.strip_prefix(SERVICE)).ok_or_else(|| {
        ApiError::unknown_operation(format!(
            "the header X-Amz-Target is {}; send {SERVICE}<Operation>, as the AWS CLI and SDKs do",
            target.map_or_else(|| "missing".to_owned(), |target| format!("`{target}`"))
        ))
    })
}

fn too_large_or_broken(rejection: &BytesRejection) -> ApiError {
    let status = rejection.status().as_u16();
    if status == 413 {
        ApiError {
            kind: "RequestEntityTooLargeException",
            message: format!("the request is larger than {BODY_LIMIT} bytes; shorten the definition or the input"),
            status,
        }
    } else {
        ApiError::serialization(format!("the body can't be read: {}", rejection.body_text()))
    }
}
