//! When a connection has nothing to do.
//!
//! It must be known for certain: whoever put hyper away in the middle of a request's body would take the rest of it for
//! another request. So a connection rests only where every request was read to its end, every answer was sent to its
//! end, and everything written has gone out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

/// What goes on at a connection. Only its own task changes it.
#[derive(Debug, Default)]
pub struct Activity {
    /// Requests that came since it was woken.
    requests: AtomicUsize,
    /// Answers that aren't sent to their end.
    answering: AtomicUsize,
    /// Requests whose body wasn't read to its end, or not yet.
    asking: AtomicUsize,
    /// Something may not have gone out.
    unflushed: AtomicBool,
}

impl Activity {
    /// A connection that begins, or goes on.
    pub fn wake_up(&self) {
        self.requests.store(0, Ordering::Relaxed);
    }

    /// Something is being written.
    pub fn writes(&self) {
        self.unflushed.store(true, Ordering::Relaxed);
    }

    /// Everything written has gone out.
    pub fn flushed(&self) {
        self.unflushed.store(false, Ordering::Relaxed);
    }

    /// Whether there was something to do, and it is done.
    pub fn is_at_rest(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
            && self.answering.load(Ordering::Relaxed) == 0
            && self.asking.load(Ordering::Relaxed) == 0
            && !self.unflushed.load(Ordering::Relaxed)
    }
}

/// A request's body.
pub struct Asking {
    body: Incoming,
    /// Until its end was seen. A body that is dropped before keeps the connection from ever resting again.
    open: Option<Arc<Activity>>,
}

impl Asking {
    /// Of a request that just came.
    pub fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        let open = (!body.is_end_stream()).then(|| {
            activity.asking.fetch_add(1, Ordering::Relaxed);
            Arc::clone(activity)
        });
        Self { body, open }
    }
}

impl HttpBody for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none()
            && let Some(activity) = self.open.take()
        {
            activity.asking.fetch_sub(1, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // Who reads to the end sees it, and not only that it would come.
        self.open.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer under way: from its request to the end of its body.
pub struct Answering(Arc<Activity>);

impl Answering {
    /// To a request that just came.
    pub fn new(activity: &Arc<Activity>) -> Self {
        activity.answering.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }

    /// Goes on as long as the body does.
    pub fn with(self, body: Body) -> AnswerBody {
        AnswerBody { body, _answering: self }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body.
pub struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
