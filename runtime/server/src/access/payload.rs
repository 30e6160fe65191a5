//! A body that must be what its sender signed, checked while it is read.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use sha2::{Digest as _, Sha256};

/// Ends in an error where its bytes don't have the digest.
pub struct Checked {
    body: Body,
    hash: Option<Sha256>,
    expected: [u8; 32],
}

impl Checked {
    /// `expected` is part of what was signed.
    pub fn new(body: Body, expected: [u8; 32]) -> Self {
        Self {
            body,
            hash: Some(Sha256::new()),
            expected,
        }
    }
}

impl HttpBody for Checked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(hash)) = (frame.data_ref(), &mut self.hash) {
                    hash.update(data);
                }
            }
            Some(Err(_)) => {}
            None => {
                let digest: Option<[u8; 32]> = self.hash.take().map(|hash| hash.finalize().into());
                if digest.is_some_and(|digest| digest != self.expected) {
                    let error = "the bytes are not those that x-amz-content-sha256 was computed of";
                    return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other(error)))));
                }
            }
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn other_bytes_end_in_an_error() {
        let expected = Sha256::digest("all of it").into();
        let read = |text: &'static str| to_bytes(Body::new(Checked::new(Body::from(text), expected)), 100);
        assert_eq!(read("all of it").await.expect("as signed"), "all of it");
        read("some of it").await.expect_err("not as signed");
        read("").await.expect_err("not as signed");
    }
}
