//! Connections: how many, how long, how they end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use crate::http::Guarded;
use crate::tls::Tls;

/// Connections at once. An idle one costs a socket and some 10 KB; the limit of open files, which the program raises as
/// far as it may, is usually lower, and whoever comes then waits in the system's queue.
const CONNECTIONS: usize = 16_384;
/// Time a client has to send the head of a request. Also ends connections that stay idle: every AWS client opens another.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Time a client has to agree on a key.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head, all its headers together. The largest tokens have some kilobytes; hyper takes 100 headers.
const HEAD_BYTES: usize = 32 << 10;
/// Time a client may take to read an answer, and ...
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// ... the bytes a second that let it take longer: less than any line has.
const READ_PACE: u64 = 8 << 10;
/// Time connections have to finish their request when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// Pause after the system gave no connection, out of files for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then lets requests under way finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, tls: Option<Tls>, shutdown: impl Future<Output = ()>) {
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
        let connection = converse(Patient::new(stream), router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open after {} s and are cut", FAREWELL.as_secs());
    }
}

/// One connection, to its end. A client that breaks off is its own affair.
async fn converse(stream: Patient<TcpStream>, router: Router, tls: Option<Tls>, watcher: Watcher) {
    match tls {
        None => answer(stream, router, watcher).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => answer(stream, router, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client and this server found no common key"),
            Err(_) => tracing::debug!("a client took too long to agree on a key"),
        },
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, watcher: Watcher) {
    let service = tower::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        Guarded(Box::pin(router.clone().oneshot(request.map(Body::new))))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let _ = watcher.watch(connection).await;
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

/// A stream that is cut off when its client doesn't read what it asked for.
struct Patient<S> {
    stream: S,
    /// When the client must have read what waits for it.
    deadline: Option<Instant>,
    /// Only while something waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            deadline: None,
            alarm: None,
        }
    }

    /// After an attempt to write: every byte taken gives time for more, nothing gives none.
    fn wrote(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(deadline) = &mut self.deadline {
                    let earned = Duration::from_micros(*bytes as u64 * 1_000_000 / READ_PACE);
                    *deadline = (*deadline + earned).min(Instant::now() + READ_TIMEOUT);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + READ_TIMEOUT);
                let alarm = self
                    .alarm
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                if alarm.deadline() != deadline {
                    alarm.as_mut().reset(deadline);
                }
                if alarm.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for only once everything is written: the client is up to date.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.deadline = None;
            self.alarm = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Bytes between the two ends.
    const PIPE: usize = 1024;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut_off() {
        let (server, _client) = tokio::io::duplex(PIPE);
        let began = Instant::now();
        let error = Patient::new(server).write_all(&[0; 10 * PIPE]).await;
        assert_eq!(error.expect_err("nobody reads").kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), READ_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_too_little_is_cut_off() {
        let (server, mut client) = tokio::io::duplex(PIPE);
        tokio::spawn(async move {
            let mut byte = [0];
            while client.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let began = Instant::now();
        let error = Patient::new(server).write_all(&[0; 10 * PIPE]).await;
        assert_eq!(error.expect_err("a byte a second").kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < READ_TIMEOUT * 2, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_on_a_slow_line_gets_everything_and_may_idle_afterwards() {
        let (server, mut client) = tokio::io::duplex(PIPE);
        let bytes = vec![7; READ_PACE as usize * 200];
        let expected = bytes.len();
        let reader = tokio::spawn(async move {
            let mut all = 0;
            let mut buffer = [0; PIPE];
            while all < expected {
                all += client.read(&mut buffer).await.expect("not cut off");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            client
        });
        let mut server = Patient::new(server);
        server.write_all(&bytes).await.expect("slow, but it goes on");
        server.flush().await.expect("flushes");
        let _client = reader.await.expect("reads to the end");
        tokio::time::sleep(READ_TIMEOUT * 10).await;
        server.write_all(&[1]).await.expect("idle time doesn't count");
    }
}
