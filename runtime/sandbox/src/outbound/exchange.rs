//! One request over one connection, within bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Answered, Network, Target, Written, in_time};

/// Longest wait for a connection, its name's address and TLS included.
const CONNECT: Duration = Duration::from_secs(30);

/// Longest wait for the head of an answer: some services think for minutes. The state's clocks run beside it.
const FIRST_BYTE: Duration = Duration::from_secs(300);

/// Longest silence within an answer.
const BETWEEN_BYTES: Duration = Duration::from_secs(60);

/// Longest exchange. Nobody waits for an answer that comes in drops for longer.
const WHOLE: Duration = Duration::from_secs(600);

/// Largest head of an answer, in bytes; the usual servers send a hundredth of it.
const HEAD_BYTES: usize = 64 << 10;

/// Largest body of an answer, in bytes: some times what a guest can hold, for those that look at it piece by piece.
const ANSWER_BYTES: u64 = 256 << 20;

/// How long is waited; a guest may want less.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Patience {
    /// As the guest wants it, within bounds.
    pub(super) fn of(connect: Option<Duration>, first_byte: Option<Duration>, between_bytes: Option<Duration>) -> Self {
        let at_most = |wanted: Option<Duration>, most: Duration| wanted.map_or(most, |wanted| wanted.min(most));
        Self {
            connect: at_most(connect, CONNECT),
            first_byte: at_most(first_byte, FIRST_BYTE),
            between_bytes: at_most(between_bytes, BETWEEN_BYTES),
        }
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) struct Failed {
    /// What the guest is told.
    pub(super) error: Error,
    /// What the attempt's log is told.
    pub(super) why: String,
    /// What would allow it, where it was refused.
    pub(super) advice: Option<&'static str>,
}

impl Failed {
    pub(super) fn new(error: Error, why: String) -> Self {
        Self {
            error,
            why,
            advice: None,
        }
    }

    fn too_slow(error: Error, what: &str) -> Self {
        Self::new(error, format!("{what} took too long"))
    }

    fn of_hyper(error: &hyper::Error) -> Self {
        Self::new(of_hyper(error), format!("the connection broke: {error}"))
    }
}

/// A request's place among those that are under way, given back when its answer is read or dropped.
pub(super) struct Turn {
    _of_attempt: OwnedSemaphorePermit,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Turn {
    pub(super) fn of_attempt(turn: OwnedSemaphorePermit) -> Self {
        Self {
            _of_attempt: turn,
            _of_all: None,
        }
    }
}

/// Sends a request; what is still to be read of the answer is read by whoever has it.
pub(super) async fn send(
    network: &Network,
    target: &Target,
    request: Request<WasiBody>,
    patience: Patience,
    mut turn: Turn,
) -> Result<Answered, Failed> {
    let end = Instant::now() + WHOLE;
    let connected = in_time(patience.connect, async {
        turn._of_all = network.turn().await;
        let stream = network.connect(target).await?;
        if !target.https {
            return Ok(Stream::Plain(stream));
        }
        let unknown = |_| Failed::new(Error::DestinationNotFound, format!("`{}` is no name", target.host));
        let name = ServerName::try_from(target.host.clone()).map_err(unknown)?;
        let tls = network.tls(target.certificates.as_ref())?;
        let stream = tls.connect(name, stream).await;
        stream.map(|stream| Stream::Tls(Box::new(stream))).map_err(|error| {
            let certificate = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            let what = match certificate {
                Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
                _ => Error::TlsProtocolError,
            };
            Failed::new(what, format!("no TLS with it: {error}"))
        })
    });
    let connected = connected.await;
    let stream = connected.ok_or_else(|| Failed::too_slow(Error::ConnectionTimeout, "the connection"))??;
    match stream {
        Stream::Plain(stream) => exchange(stream, request, patience, end, turn).await,
        Stream::Tls(stream) => exchange(*stream, request, patience, end, turn).await,
    }
}

enum Stream {
    Plain(tokio::net::TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>),
}

async fn exchange<S>(
    stream: S,
    request: Request<WasiBody>,
    patience: Patience,
    end: Instant,
    turn: Turn,
) -> Result<Answered, Failed>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| Failed::of_hyper(&error);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let mut connection = Box::pin(connection);
    let mut answer = Box::pin(sender.send_request(request));
    let answered = async {
        tokio::select! {
            biased;
            response = &mut answer => Ok::<_, Failed>((response.map_err(failed)?, false)),
            ended = &mut connection => {
                ended.map_err(failed)?;
                Ok((answer.await.map_err(failed)?, true))
            }
        }
    };
    let answered = in_time(patience.first_byte, answered).await;
    let (response, over) = answered.ok_or_else(|| Failed::too_slow(Error::ConnectionReadTimeout, "its answer"))??;
    let rest: Written = if over {
        Box::new(async { Ok(()) })
    } else {
        Box::new(async move {
            // Whoever reads the answer hears of it there.
            let _ = connection.await;
            Ok(())
        })
    };
    let response: Response<WasiBody> = response.map(|incoming| {
        let answer = Answer {
            incoming,
            left: ANSWER_BYTES,
            between_bytes: patience.between_bytes,
            silence: None,
            end: Box::pin(tokio::time::sleep_until(end)),
            _turn: turn,
        };
        answer.boxed_unsync()
    });
    Ok((response, rest))
}

/// An answer's body, with an end to it.
struct Answer {
    incoming: Incoming,
    left: u64,
    between_bytes: Duration,
    /// Runs while somebody waits.
    silence: Option<Pin<Box<Sleep>>>,
    end: Pin<Box<Sleep>>,
    _turn: Turn,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let between_bytes = self.between_bytes;
                let silence = &mut self.silence;
                let silence = silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(between_bytes)));
                ready!(silence.as_mut().poll(context));
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        self.silence = None;
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| of_hyper(&error))?;
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(bytes) {
                Some(left) => self.left = left,
                None => return Err(Error::HttpResponseBodySize(Some(ANSWER_BYTES))),
            }
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// What guests are told of a connection that broke.
fn of_hyper(error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else if error.is_closed() || error.is_canceled() {
        Error::ConnectionTerminated
    } else if error.is_timeout() {
        Error::HttpResponseTimeout
    } else {
        Error::HttpProtocolError
    }
}
