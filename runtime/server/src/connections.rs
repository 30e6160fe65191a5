//! Connections: how many, how long, how they end.
//!
//! An idle connection is a socket and little else: between requests, hyper and its buffers are put away.

mod patient;
mod rest;

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use crate::http::Guarded;
use crate::tls::Tls;
use patient::Patient;
use rest::{Activity, Answering, Asking};

/// Connections at once. An idle one costs a socket and some kilobytes; the limit of open files, which the program raises as
/// far as it may, is usually lower, and whoever comes then waits in the system's queue.
const CONNECTIONS: usize = 16_384;
/// Time a client has to send the head of a request. Also ends connections that stay idle: every AWS client opens another.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Time a client has to agree on a key.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head, all its headers together. The largest tokens have some kilobytes; hyper takes 100 headers.
const HEAD_BYTES: usize = 32 << 10;
/// Bytes read to begin with: nearly all requests whole.
const FIRST_BYTES: usize = 4 << 10;
/// Time connections have to finish their request when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// Pause after the system gave no connection, out of files for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then lets requests under way finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, tls: Option<Tls>, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, slot)) = accepted else { continue };
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let (router, stopping) = (router.clone(), stopping.clone());
        match &tls {
            None => {
                tokio::spawn(async move {
                    answer(stream, router, stopping).await;
                    drop(slot);
                });
            }
            Some(tls) => {
                let handshake = Box::pin(handshake(tls.acceptor(), stream));
                tokio::spawn(async move {
                    let stream = handshake.await;
                    if let Some(stream) = stream {
                        answer(stream, router, stopping).await;
                    }
                    drop(slot);
                });
            }
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    // Every connection has the other end.
    if tokio::time::timeout(FAREWELL, stop.closed()).await.is_err() {
        tracing::warn!("connections were still open after {} s and are cut", FAREWELL.as_secs());
    }
}

/// Agrees on a key. What comes of it is boxed: it has kilobytes, and is moved about.
async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<Box<TlsStream<TcpStream>>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        Ok(Err(error)) => tracing::debug!(%error, "a client and this server found no common key"),
        Err(_) => tracing::debug!("a client took too long to agree on a key"),
    }
    None
}

type Accepted = (TcpStream, tokio::sync::OwnedSemaphorePermit);

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

/// One connection, to its end. A client that breaks off is its own affair.
pub(crate) async fn answer<S>(stream: S, router: Router, mut stopping: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let mut stream = Patient::new(stream, Arc::clone(&activity));
    while begins(&mut stream, &mut stopping).await {
        match converse(stream, &router, &activity, &mut stopping).await {
            Some(rested) => stream = rested,
            None => return,
        }
    }
    end(stream).await;
}

/// Waits for the first bytes of a request; false when none come any more.
async fn begins<S: AsyncRead + Unpin>(stream: &mut Patient<S>, stopping: &mut watch::Receiver<()>) -> bool {
    if stream.has_begun() {
        return true;
    }
    // The buffer is there while it is read into, not while it is waited.
    let read = std::future::poll_fn(|context| {
        let mut buffer = [MaybeUninit::uninit(); FIRST_BYTES];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        let read = Pin::new(&mut *stream).poll_read(context, &mut buffer);
        read.map_ok(|()| Bytes::copy_from_slice(buffer.filled()))
    });
    let read = tokio::select! {
        read = tokio::time::timeout(HEAD_TIMEOUT, read) => read,
        _ = stopping.changed() => return false,
    };
    match read {
        Ok(Ok(first)) if !first.is_empty() => {
            stream.put_back(first);
            true
        }
        Ok(Ok(_) | Err(_)) | Err(_) => false,
    }
}

/// Requests until there is nothing to do: the stream then. None at the end of the connection.
async fn converse<S>(
    stream: Patient<S>,
    router: &Router,
    activity: &Arc<Activity>,
    stopping: &mut watch::Receiver<()>,
) -> Option<Patient<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    activity.wake_up();
    let (router, busy) = (router.clone(), Arc::clone(activity));
    let service = tower::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let request = request.map(|body| Body::new(Asking::new(body, &busy)));
        let answering = Answering::new(&busy);
        let answered = router.clone().oneshot(request);
        Guarded(Box::pin(async move {
            let response = answered.await;
            response.map(|response| response.map(|body| Body::new(answering.with(body))))
        }))
    });
    // Boxed, so that it isn't part of what an idle connection is.
    let mut connection = Box::new(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)),
    );
    let mut told = false;
    let mut stop = pin!(stopping.changed());
    let ended = std::future::poll_fn(|context| {
        if !told && stop.as_mut().poll(context).is_ready() {
            told = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        match connection.poll_without_shutdown(context) {
            Poll::Ready(Ok(())) => Poll::Ready(Some(true)),
            Poll::Ready(Err(_)) => Poll::Ready(None),
            Poll::Pending if activity.is_at_rest() && !told => Poll::Ready(Some(false)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    let is_over = ended?;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if is_over {
        end(stream).await;
        return None;
    }
    stream.put_back(parts.read_buf);
    Some(stream)
}

async fn end(mut stream: impl AsyncWrite + Unpin) {
    let _ = tokio::time::timeout(FAREWELL, stream.shutdown()).await;
}
