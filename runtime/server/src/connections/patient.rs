//! Streams whose clients must read what they asked for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::rest::Activity;

/// Time a client may take to read an answer, and ...
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// ... the bytes a second that let it take longer: less than any line has.
const READ_PACE: u64 = 8 << 10;

/// A stream that is cut off when its client doesn't read what it asked for.
pub struct Patient<S> {
    stream: S,
    /// Read before, and to be read again.
    begun: Bytes,
    activity: Arc<Activity>,
    /// When the client must have read what waits for it.
    deadline: Option<Instant>,
    /// Only while something waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Tells `activity` whether everything written has gone out.
    pub fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            begun: Bytes::new(),
            activity,
            deadline: None,
            alarm: None,
        }
    }

    /// Whether there is something to read already.
    pub fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Gives back what was read too early.
    pub fn put_back(&mut self, bytes: Bytes) {
        self.begun = bytes;
    }

    /// After an attempt to write: every byte taken gives time for more, nothing gives none.
    fn wrote(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.writes();
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
        if self.begun.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.begun.len().min(buffer.remaining());
        buffer.put_slice(&self.begun.split_to(length));
        Poll::Ready(Ok(()))
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
            self.activity.flushed();
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
        let error = Patient::new(server, Arc::default()).write_all(&[0; 10 * PIPE]).await;
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
        let error = Patient::new(server, Arc::default()).write_all(&[0; 10 * PIPE]).await;
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
        let mut server = Patient::new(server, Arc::default());
        server.write_all(&bytes).await.expect("slow, but it goes on");
        server.flush().await.expect("flushes");
        let _client = reader.await.expect("reads to the end");
        tokio::time::sleep(READ_TIMEOUT * 10).await;
        server.write_all(&[1]).await.expect("idle time doesn't count");
    }
}
