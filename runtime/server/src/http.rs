//! All routes together, and what answers where no API does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;

use crate::access::{self, Entrance, Gate};
use crate::handle::Handle;
use crate::{aws, modules, objects};

/// An error in our own shape, where AWS has none.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// CamelCase, stable.
    pub code: String,
    /// What is wrong, with the value in backticks.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Problem {
    /// With all its parts.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(self)).into_response()
    }
}

/// Everything the server answers to, behind its gate.
pub(crate) fn router(handle: Handle, entrance: Arc<Entrance>) -> Router {
    let gate = Gate::new(entrance, handle.clone());
    Router::new()
        .route("/healthz", get(healthz))
        .merge(aws::routes())
        .merge(modules::routes())
        .merge(objects::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(gate, access::pass))
        .with_state(handle)
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        404,
        "NoSuchPath",
        format!("nothing is at `{}`", uri.path()),
        "the AWS API is `POST /`, modules are under `/v1/modules`, objects under `/v1/objects`, health is `/healthz`",
    )
}

/// The path exists, the method doesn't.
pub(crate) async fn method_not_allowed(request: Request) -> Problem {
    Problem::new(
        405,
        "MethodNotAllowed",
        format!("`{}` is not possible at `{}`", request.method(), request.uri().path()),
        "the AWS API is `POST /`; `/v1/modules` and `/v1/objects` take GET, what is in them takes GET, PUT and DELETE",
    )
}

/// Answers 500 where a handler panics, instead of cutting the connection.
pub(crate) struct Guarded<F>(pub(crate) Pin<Box<F>>);

impl<F, E> Future for Guarded<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = AssertUnwindSafe(|| self.0.as_mut().poll(context));
        match std::panic::catch_unwind(inner) {
            Ok(poll) => poll,
            Err(_) => {
                tracing::error!("a request panicked; the message before this line says where, please report it");
                Poll::Ready(Ok(Problem::new(
                    500,
                    "InternalFailure",
                    "the server failed to handle this request",
                    "the server's log says more; other requests are not affected",
                )
                .into_response()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_handler_answers_500() {
        let panics = Guarded(Box::pin(async { panic!("on purpose") as Result<Response<Body>, ()> }));
        assert_eq!(
            panics.await.expect("an answer").status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
