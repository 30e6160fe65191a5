//! A guest's standard streams: standard error goes to the attempt's log, standard output there too, or into the answer
//! of a guest that answers on it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::guest_output::Source;
use crate::guest_threads::OpenAttempt;

/// Bytes a guest may write to a standard stream at once: WASI's own buffer size.
const WRITE_BYTES: usize = 64 << 10;

/// The standard output of a guest that answers on it.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

/// A guest wrote more than its answer may have.
#[derive(Debug, thiserror::Error)]
#[error("more than `{0}` bytes were written to standard output")]
pub(crate) struct WroteTooMuch(pub(crate) usize);

impl Written {
    /// Nothing yet, and at most `limit` bytes.
    pub(crate) fn at_most(limit: usize) -> Self {
        Self {
            bytes: Arc::default(),
            limit,
        }
    }

    /// What was written; nothing is left.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    fn append(&self, bytes: &[u8]) -> Result<(), WroteTooMuch> {
        let mut written = self.lock();
        if written.len().saturating_add(bytes.len()) > self.limit {
            return Err(WroteTooMuch(self.limit));
        }
        written.extend_from_slice(bytes);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standard stream of a guest.
#[derive(Clone)]
pub(crate) enum Stream {
    /// Ends in the attempt's log.
    Log(Arc<OpenAttempt>, Source),
    /// Is kept.
    Kept(Written),
}

impl Stream {
    fn append(&self, bytes: &[u8]) -> Result<(), WroteTooMuch> {
        match self {
            Stream::Log(attempt, source) => {
                attempt.output().write(*source, bytes);
                Ok(())
            }
            Stream::Kept(written) => written.append(bytes),
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes)
            .map_err(|error| StreamError::Trap(wasmtime::Error::new(error)))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(match self.append(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => Err(std::io::Error::other(error)),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
