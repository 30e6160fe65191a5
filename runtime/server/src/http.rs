//! All routes together, and what answers where no API does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{self, Entrance, Gate};
use crate::handle::Handle;
use crate::pace::TooSlow;
use crate::{aws, metrics, modules, objects, plain, traces};

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

impl From<TooSlow> for Problem {
    fn from(error: TooSlow) -> Self {
        Self::new(
            408,
            "TimedOut",
            error.to_string(),
            "send it again, over a steadier connection",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(self)).into_response()
    }
}

/// Paths and what answers there.
pub(crate) type Routes = Vec<(&'static str, MethodRouter<Handle>)>;

/// Everything the server answers to.
pub(crate) fn routes() -> Routes {
    let mut routes: Routes = vec![("/healthz", get(healthz))];
    routes.extend(metrics::routes());
    routes.extend(aws::routes());
    routes.extend(plain::routes());
    routes.extend(modules::routes());
    routes.extend(objects::routes());
    routes
}

/// The same, ready to be asked, behind its gate.
pub(crate) fn router(handle: Handle, entrance: Arc<Entrance>) -> Router {
    let requests = Arc::clone(&handle.inner().metrics.requests);
    let gate = Gate::new(entrance, handle.clone());
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn(traces::carry))
        .layer(axum::middleware::from_fn_with_state(gate, access::pass))
        .layer(axum::middleware::from_fn_with_state(requests, metrics::count))
        .with_state(handle)
}

/// What stands in a path's places.
pub(crate) struct Place<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(place) = Path::from_request_parts(parts, state).await.map_err(|error| {
            Problem::new(
                400,
                "InvalidPath",
                error.body_text(),
                "percent-encode what is no plain letter, as UTF-8",
            )
        })?;
        Ok(Self(place))
    }
}

/// What was asked for behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::from_request_parts(parts, state).await.map_err(|error| {
            let hint = "`/v1/openapi.json` says which parameters there are and what they take";
            Problem::new(400, "InvalidQuery", error.body_text(), hint)
        })?;
        Ok(Self(asked))
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        404,
        "NoSuchPath",
        format!("nothing is at `{}`", uri.path()),
        "the AWS API is `POST /`; `/v1/openapi.json` lists everything else",
    )
}

/// The path exists, the method doesn't.
async fn method_not_allowed(request: Request) -> Problem {
    Problem::new(
        405,
        "MethodNotAllowed",
        format!("`{}` is not possible at `{}`", request.method(), request.uri().path()),
        "the header `Allow` lists what is; the AWS API is `POST /`, `/v1/openapi.json` describes everything else",
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
