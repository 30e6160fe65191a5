//! Connections: how many, how long, how they end; and what answers where no API does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::handle::Handle;
use crate::{aws, modules, objects};

/// Connections at once. Each costs a socket and some kilobytes; the usual limit of open files is 1,024 soft
/// and far more hard.
const CONNECTIONS: usize = 4096;
/// Time a client has to send the head of a request. Also ends connections that stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Time connections have to finish their request when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// Pause after the system gave no connection, out of files for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

/// Everything the server answers to.
pub(crate) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .merge(aws::routes())
        .merge(modules::routes())
        .merge(objects::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
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

/// Serves until `shutdown`, then lets requests under way finish.
pub(crate) async fn serve(listener: TcpListener, handle: Handle, shutdown: impl Future<Output = ()>) {
    let router = router(handle);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, slot)) = accepted else { continue };
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = tower::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            Guarded(Box::pin(router.clone().oneshot(request.map(Body::new))))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off is its own affair.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open after {} s and are cut", FAREWELL.as_secs());
    }
}

type Accepted = (tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!(%error, "no connection could be accepted; raise the limit of open files if this goes on");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Answers 500 where a handler panics, instead of cutting the connection.
struct Guarded<F>(Pin<Box<F>>);

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
