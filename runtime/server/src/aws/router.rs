//! From `X-Amz-Target` to the operation.

use std::error::Error as _;
use std::time::Duration;

use asl::Limits;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use http_body_util::LengthLimitError;

use super::errors::{Answer, ApiError};
use super::{operations, wire};
use crate::handle::Handle;
use crate::http::Routes;

/// Bytes of a request for each byte of the largest text in it: escaped in JSON it may have six times as many, and
/// there is something around it.
const BODY_BYTES_A_BYTE: usize = 8;
/// No request is larger, whatever the limits: it is held in memory while it is read.
const LARGEST_BODY: usize = 1 << 30;
/// Time a request's body may take to come; a definition over the slowest link takes seconds.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// What stands before the operation in `X-Amz-Target`.
const SERVICE: &str = "AWSStepFunctions.";

/// `POST /`.
pub(crate) fn routes() -> Routes {
    vec![("/", post(operation))]
}

async fn operation(State(handle): State<Handle>, headers: HeaderMap, body: Body) -> Response<Body> {
    let answer = match (
        operation_of(&headers),
        receive(body, body_limit(&handle.inner().limits)).await,
    ) {
        (Ok(operation), Ok(body)) => operations::call(&handle, operation, &body).await,
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    };
    wire::respond(answer)
}

/// The most bytes a body may have that holds a definition or an input.
pub(crate) fn body_limit(limits: &Limits) -> usize {
    let largest = limits.definition_characters.max(limits.payload_bytes);
    largest.saturating_mul(BODY_BYTES_A_BYTE).min(LARGEST_BODY)
}

/// Takes a body into memory.
///
/// # Errors
/// One that is larger than `limit`, doesn't come in time or breaks off.
pub(crate) async fn receive(body: Body, limit: usize) -> Answer<Bytes> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => Err(ApiError {
            kind: "RequestEntityTooLargeException",
            message: format!("the request is larger than {limit} bytes; shorten the definition or the input"),
            status: 413,
            member: None,
        }),
        Ok(Err(error)) => Err(ApiError::serialization(format!("the body can't be read: {error}"))),
        Err(_) => Err(ApiError {
            kind: "RequestTimeoutException",
            message: format!(
                "the body did not come within {} s; send it again",
                BODY_TIMEOUT.as_secs()
            ),
            status: 408,
            member: None,
        }),
    }
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
