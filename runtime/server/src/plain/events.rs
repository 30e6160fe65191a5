//! An execution's journal as server-sent events, while it grows.
//!
//! Nothing is kept for a follower but its position: events are read from the store when its connection takes more,
//! so one that doesn't read costs a connection and no memory. Between them go heartbeats, which are in no journal.

use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::ids::ExecutionId;
use hyper::body::Frame;
use serde::Deserialize;

use super::journal_event;
use super::names::execution_arn;
use super::under_way::Heartbeats;
use crate::aws::errors::ApiError;
use crate::aws::operations::execution::find;
use crate::handle::{Handle, Inner};
use crate::http::{Asked, Place, Problem};
use crate::observe::Following;

/// Bytes that are read for a follower at a time; one event may have more.
const PIECE: usize = 64 << 10;
/// Silence after which a follower is told that the server is there, so that what lies between keeps the connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How often a follower is told of new heartbeats at most.
const HEARTBEATS: Duration = Duration::from_secs(1);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to gather answers.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// From where on.
#[derive(Deserialize)]
pub(super) struct From {
    after: Option<u64>,
}

/// Follows an execution until its end.
pub(super) async fn follow(
    State(handle): State<Handle>,
    Place(id): Place<String>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let arn = execution_arn(&handle.inner().namespace, &id)?;
    let position = match headers.get(LAST_EVENT_ID) {
        None => from.after.unwrap_or(0),
        Some(last) => last.to_str().ok().and_then(|last| last.parse().ok()).ok_or_else(|| {
            Problem::new(
                400,
                "InvalidLastEventId",
                "`Last-Event-ID` is no position in a journal",
                "send the `id` of the last event you saw, or leave the header out",
            )
        })?,
    };
    let (_, execution) = handle.blocking(move |inner| find(inner, &arn)).await??;
    // Before the first look, so that nothing falls between.
    let following = handle
        .follow(execution.id)
        .ok_or_else(super::refusals::too_many_followers)?;
    let mut follower = Follower {
        handle,
        execution: execution.id,
        position,
        following,
        heartbeats: Heartbeats::default(),
        over: false,
    };
    let first = follower.read().await?;
    if first.is_empty() && follower.over {
        // What makes a browser's EventSource stop asking.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = Stream {
        first: Some(Bytes::from(first)),
        next: Some(Box::pin(follower.next())),
    };
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        UNBUFFERED,
    ];
    Ok((headers, Body::new(stream)).into_response())
}

/// Somebody who sees every event of an execution once.
struct Follower {
    handle: Handle,
    execution: ExecutionId,
    /// How many events were seen.
    position: u64,
    following: Following,
    heartbeats: Heartbeats,
    /// Whether the last event was the last.
    over: bool,
}

impl Follower {
    /// The next piece; nothing after the end, or when the server stops.
    async fn next(mut self) -> Option<(Self, io::Result<Bytes>)> {
        while !self.over {
            match self.read().await {
                Ok(piece) if !piece.is_empty() => return Some((self, Ok(Bytes::from(piece)))),
                Ok(_) => {}
                Err(problem) => return Some((self, Err(io::Error::other(problem.message)))),
            }
            if self.over {
                break;
            }
            match self.moved().await {
                Moved::Journal => {}
                Moved::Heartbeats(text) => return Some((self, Ok(Bytes::from(text)))),
                Moved::Nothing => return Some((self, Ok(Bytes::from_static(b": still here\n\n")))),
                Moved::Away => break,
            }
        }
        None
    }

    /// Waits for something to tell.
    async fn moved(&mut self) -> Moved {
        let since = Instant::now();
        while since.elapsed() < SIGN_OF_LIFE {
            match tokio::time::timeout(HEARTBEATS, self.following.moved()).await {
                Ok(true) => return Moved::Journal,
                Ok(false) => return Moved::Away,
                Err(_) => {}
            }
            let heartbeats = self.heartbeats.since_last_look(self.handle.inner(), self.execution);
            if !heartbeats.is_empty() {
                return Moved::Heartbeats(heartbeats);
            }
        }
        Moved::Nothing
    }

    /// Reads a piece of what there is beyond the position.
    async fn read(&mut self) -> Result<String, Problem> {
        let (execution, position) = (self.execution, self.position);
        let read = self
            .handle
            .blocking(move |inner| read(inner, execution, position))
            .await??;
        self.position = read.position;
        self.over = read.over;
        Ok(read.text)
    }
}

/// What a follower waits for.
enum Moved {
    /// There may be new events.
    Journal,
    /// Events of guests that said that they are alive.
    Heartbeats(String),
    /// It was silent for long enough.
    Nothing,
    /// The server stops.
    Away,
}

struct Read {
    text: String,
    position: u64,
    over: bool,
}

fn read(inner: &Inner, execution: ExecutionId, from: u64) -> Result<Read, Problem> {
    let mut read = Read {
        text: String::new(),
        position: from,
        over: false,
    };
    // An execution that has closed has nothing to come once its journal was read to its end. Looked at before, so
    // that what is true of it is true of the journal.
    let closed = inner
        .reader
        .execution(execution)
        .map_err(ApiError::from)?
        .is_none_or(|execution| execution.status.is_closed());
    let mut unwritten = None;
    let mut cut = false;
    inner
        .reader
        .visit_journal(execution, from, &mut |event| {
            if read.text.len() >= PIECE {
                cut = true;
                return ControlFlow::Break(());
            }
            match journal_event::write(&event, read.position + 1) {
                Ok(written) => {
                    read.position += 1;
                    append(&mut read.text, read.position, &written);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    unwritten = Some(format!("event {} can't be written: {error}", read.position + 1));
                    ControlFlow::Break(())
                }
            }
        })
        .map_err(ApiError::from)?;
    if let Some(reason) = unwritten {
        return Err(super::refusals::fault(&reason));
    }
    read.over = closed && !cut;
    Ok(read)
}

/// One event as the stream has it: a line end in JSON, which only white space has, begins another line of data.
fn append(text: &mut String, position: u64, event: &journal_event::Written) {
    text.push_str(&format!("id: {position}\nevent: {}\n", event.kind));
    for line in event.json.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
}

type Next = Pin<Box<dyn Future<Output = Option<(Follower, io::Result<Bytes>)>> + Send>>;

/// The follower as a body: asked for more when the connection takes more.
struct Stream {
    first: Option<Bytes>,
    next: Option<Next>,
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let polled = ready!(next.as_mut().poll(context));
        self.next = None;
        let Some((follower, piece)) = polled else {
            return Poll::Ready(None);
        };
        if let Err(error) = &piece {
            tracing::error!(%error, "a follower is cut off");
        } else {
            self.next = Some(Box::pin(follower.next()));
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }
}
