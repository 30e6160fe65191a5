//! Bytes between a connection, which is polled, and a store, which blocks.

use std::io::{self, Read, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use engine::ports::ObjectWriter;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::handle::Handle;
use crate::http::Problem;
use crate::pace::Coming;

/// Bytes that go to or come from the store at a time. Each transfer holds at most two of them.
const PIECE: usize = 1 << 20;

/// Takes an upload to its end.
pub(super) async fn receive(
    handle: &Handle,
    body: Body,
    mut writer: Box<dyn ObjectWriter>,
    limit: u64,
) -> Result<Box<dyn ObjectWriter>, Problem> {
    let mut piece = BytesMut::new();
    let mut coming = Coming::new(body);
    while let Some(data) = coming.next().await? {
        if coming.size() > limit {
            return Err(super::too_large());
        }
        piece.extend_from_slice(&data);
        if piece.len() >= PIECE {
            writer = write(handle, writer, piece.split().freeze()).await?;
        }
    }
    write(handle, writer, piece.freeze()).await
}

async fn write(
    handle: &Handle,
    mut writer: Box<dyn ObjectWriter>,
    piece: Bytes,
) -> Result<Box<dyn ObjectWriter>, Problem> {
    if piece.is_empty() {
        return Ok(writer);
    }
    let written = handle
        .blocking(move |_| writer.write_all(&piece).map(|()| writer))
        .await;
    let written = written.map_err(|error| super::fault(&error.message))?;
    written.map_err(|error| super::fault(&format!("the object can't be written: {error}")))
}

/// An object on its way to a client, read as fast as the client takes it.
pub(super) struct Download {
    source: Source,
    left: u64,
}

enum Source {
    Idle(Box<dyn Read + Send>),
    Reading(JoinHandle<Piece>),
    Over,
}

type Piece = (Box<dyn Read + Send>, io::Result<Bytes>);

impl Download {
    /// `length` bytes of `content`.
    pub(super) fn new(content: Box<dyn Read + Send>, length: u64) -> Self {
        Self {
            source: Source::Idle(content),
            left: length,
        }
    }
}

fn read(mut content: Box<dyn Read + Send>, length: u64) -> Piece {
    let mut piece = Vec::new();
    let wanted = length.min(PIECE as u64);
    let read = content.by_ref().take(wanted).read_to_end(&mut piece);
    (content, read.map(|_| piece.into()))
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            match std::mem::replace(&mut self.source, Source::Over) {
                Source::Over => return Poll::Ready(None),
                Source::Idle(_) if self.left == 0 => {}
                Source::Idle(content) => {
                    let left = self.left;
                    self.source = Source::Reading(tokio::task::spawn_blocking(move || read(content, left)));
                }
                Source::Reading(mut reading) => {
                    let polled = Pin::new(&mut reading).poll(context);
                    if polled.is_pending() {
                        self.source = Source::Reading(reading);
                    }
                    let piece = match ready!(polled) {
                        Ok((_, Err(error))) => return Poll::Ready(Some(Err(error))),
                        Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                        Ok((_, Ok(piece))) if piece.is_empty() => {
                            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the object became shorter");
                            return Poll::Ready(Some(Err(error)));
                        }
                        Ok((content, Ok(piece))) => {
                            self.source = Source::Idle(content);
                            piece
                        }
                    };
                    self.left -= piece.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
