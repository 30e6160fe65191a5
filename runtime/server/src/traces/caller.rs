//! The trace a request belongs to goes with the task that answers it.

use std::future::Future;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::TraceParent;

tokio::task_local! {
    static CALLER: TraceParent;
}

/// What the request that is being answered is a part of.
pub(crate) fn current() -> Option<TraceParent> {
    CALLER.try_with(|caller| *caller).ok()
}

/// Does something as a part of `parent`.
pub(crate) async fn on_behalf_of<T>(parent: Option<TraceParent>, work: impl Future<Output = T>) -> T {
    match parent {
        Some(parent) => CALLER.scope(parent, work).await,
        None => work.await,
    }
}

/// Takes the caller's `traceparent` along; one that can't be read is none, as W3C wants it.
pub(crate) async fn carry(request: Request, next: Next) -> Response {
    let header = request.headers().get("traceparent");
    let parent = header
        .and_then(|value| value.to_str().ok())
        .and_then(TraceParent::parse);
    on_behalf_of(parent, next.run(request)).await
}
