//! Bodies of requests in memory: each bounded, and all of them together.

use std::sync::Arc;
use std::time::Duration;

use asl::Limits;
use axum::body::{Body, Bytes};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::errors::{Answer, ApiError};

/// Bytes of a request for each byte of the largest text in it: escaped in JSON it may have six times as many, and
/// there is something around it.
const BODY_BYTES_A_BYTE: usize = 8;
/// No request is larger, whatever the limits: it is held in memory while it is read.
const LARGEST_BODY: usize = 1 << 30;
/// Bytes of all bodies together: thirty of the largest that AWS's limits allow.
const ALL_BODIES: usize = 256 << 20;
/// Bytes of each that aren't counted: nearly all requests have fewer, and those of every connection there may be have as
/// many again as the others.
const UNCOUNTED: usize = 16 << 10;
/// Bytes counted as one.
const UNIT: usize = 1 << 10;
/// Bytes that are read of a refused body, so that a client that sends before it listens gets its answer.
const DRAINED: usize = 64 << 20;
/// Time a request's body may take to come; a definition over the slowest link takes seconds.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The room for bodies.
pub struct Bodies {
    room: Arc<Semaphore>,
    limit: usize,
}

/// A body in memory. What it takes of the room comes back with the last clone.
#[derive(Debug, Clone)]
pub struct Held {
    /// All of it.
    pub bytes: Bytes,
    _room: Option<Arc<OwnedSemaphorePermit>>,
}

impl Bodies {
    /// Room for bodies with texts as large as the limits allow.
    pub fn new(limits: &Limits) -> Self {
        let largest = limits.definition_characters.max(limits.payload_bytes);
        let limit = largest.saturating_mul(BODY_BYTES_A_BYTE).min(LARGEST_BODY);
        Self {
            room: Arc::new(Semaphore::new(ALL_BODIES.max(limit) / UNIT)),
            limit,
        }
    }

    /// Takes a body into memory.
    ///
    /// # Errors
    /// A body that is too large, doesn't come in time, breaks off, or for which there is no room now.
    pub async fn receive(&self, body: Body) -> Answer<Held> {
        self.receive_at_most(body, self.limit).await
    }

    /// The same with fewer bytes.
    ///
    /// # Errors
    /// As [`Bodies::receive`].
    pub async fn receive_at_most(&self, body: Body, limit: usize) -> Answer<Held> {
        tokio::time::timeout(BODY_TIMEOUT, self.gather(body, limit.min(self.limit)))
            .await
            .unwrap_or_else(|_| {
                Err(ApiError {
                    kind: "RequestTimeoutException",
                    message: format!(
                        "the body did not come within {} s; send it again",
                        BODY_TIMEOUT.as_secs()
                    ),
                    status: 408,
                    member: None,
                })
            })
    }

    async fn gather(&self, mut body: Body, limit: usize) -> Answer<Held> {
        let mut bytes = BytesMut::new();
        let mut taken: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ApiError::serialization(format!("the body can't be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let size = bytes.len() + data.len();
            if size > limit {
                drop((bytes, taken));
                drain(body, size).await;
                return Err(ApiError {
                    kind: "RequestEntityTooLargeException",
                    message: format!("the request is larger than {limit} bytes; shorten the definition or the input"),
                    status: 413,
                    member: None,
                });
            }
            self.count(&mut taken, size)?;
            bytes.extend_from_slice(&data);
        }
        Ok(Held {
            bytes: bytes.freeze(),
            _room: taken.map(Arc::new),
        })
    }

    fn count(&self, taken: &mut Option<OwnedSemaphorePermit>, size: usize) -> Answer<()> {
        let wanted = size.saturating_sub(UNCOUNTED).div_ceil(UNIT);
        let more = wanted.saturating_sub(taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(more) else {
            return Err(ApiError {
                kind: "ServiceUnavailable",
                message: "more is being sent to this server than it holds at once; send it again".to_owned(),
                status: 503,
                member: None,
            });
        };
        match taken {
            Some(taken) => taken.merge(permit),
            None => *taken = Some(permit),
        }
        Ok(())
    }
}

/// Reads and drops what else comes of a refused body.
async fn drain(mut body: Body, mut size: usize) {
    while size < DRAINED
        && let Some(Ok(frame)) = body.frame().await
    {
        size += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_room_for_so_much_and_it_comes_back() {
        let bodies = Bodies::new(&Limits::default());
        let full = || Body::from(vec![b' '; bodies.limit]);
        let mut held = Vec::new();
        let refused = loop {
            match bodies.receive(full()).await {
                Ok(received) => held.push(received),
                Err(error) => break error,
            }
        };
        assert_eq!((refused.status, held.len()), (503, ALL_BODIES / bodies.limit));
        let small = bodies.receive(Body::from("{}")).await.expect("small ones pass");
        assert_eq!(small.bytes, "{}");
        held.pop();
        bodies.receive(full()).await.expect("there is room again");
        let too_large = Body::from(vec![b' '; bodies.limit + 1]);
        assert_eq!(bodies.receive(too_large).await.expect_err("too large").status, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let bodies = Bodies::new(&Limits::default());
        let never = Body::new(Never);
        assert_eq!(bodies.receive(never).await.expect_err("never").status, 408);
        assert_eq!(bodies.room.available_permits(), ALL_BODIES / UNIT);
    }

    struct Never;

    impl axum::body::HttpBody for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
