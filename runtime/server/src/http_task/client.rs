//! One request over one connection, within bounds.

use std::sync::Arc;
use std::time::Duration;

use asl::Failure;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connections::ConnectionsError;
use super::runtime;

/// Longest request, as AWS has it.
const LONGEST: Duration = Duration::from_secs(60);
/// Requests under way at once. Each holds a socket and up to a payload; what is more waits, and its time doesn't run.
const AT_ONCE: usize = 256;
/// Largest head of an answer, in bytes; the usual servers send a hundredth of it.
const HEAD_LIMIT: usize = 64 << 10;

/// Sends requests.
pub(super) struct Client {
    tls: TlsConnector,
    permits: Semaphore,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// Trusts what the world trusts, and `certificates` (PEM) beside it.
    pub(super) fn new(certificates: Option<&str>) -> Result<Self, ConnectionsError> {
        let unusable = |reason: String| ConnectionsError::Certificates(reason);
        let roots = roots(certificates).map_err(unusable)?;
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            permits: Semaphore::new(AT_ONCE),
        })
    }

    /// Waits for its turn.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// Sends a request and takes the answer, up to `limit` bytes of it.
    ///
    /// # Errors
    /// `States.Http.Socket` where nothing comes back within [`LONGEST`], `States.DataLimitExceeded` where too much does.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Answer, Failure> {
        match tokio::time::timeout(LONGEST, self.exchange(request, limit)).await {
            Ok(answer) => answer,
            Err(_) => Err(socket(format!("the request took longer than {} s", LONGEST.as_secs()))),
        }
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>, limit: usize) -> Result<Answer, Failure> {
        let uri = std::mem::take(request.uri_mut());
        let (Some(host), Some(scheme)) = (uri.host(), uri.scheme_str()) else {
            return Err(runtime(
                "the ApiEndpoint can't be asked for as it is; percent-encode what isn't a letter or a digit",
            ));
        };
        let is_tls = scheme == "https";
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let failed = |what: &str, error: &dyn std::fmt::Display| socket(format!("{what} `{host}:{port}`: {error}"));
        prepare_for_the_wire(&mut request, &uri)?;
        let stream = TcpStream::connect((name, port))
            .await
            .map_err(|error| failed("can't connect to", &error))?;
        // Requests are small and wanted at once.
        let _ = stream.set_nodelay(true);
        if !is_tls {
            return talk(stream, request, limit).await;
        }
        let server =
            ServerName::try_from(name.to_owned()).map_err(|error| failed("can't make out the name", &error))?;
        let stream = self
            .tls
            .connect(server, stream)
            .await
            .map_err(|error| failed("can't speak TLS with", &error))?;
        talk(stream, request, limit).await
    }
}

/// A server is asked for a path, and told apart what host was meant.
fn prepare_for_the_wire(request: &mut Request<Full<Bytes>>, uri: &Uri) -> Result<(), Failure> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority).map_err(|error| runtime(error.to_string()))?;
    request.headers_mut().insert(HOST, host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path
        .parse()
        .map_err(|_| runtime("the ApiEndpoint has no path that can be asked for"))?;
    Ok(())
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>, limit: usize) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| socket(format!("the connection broke: {error}"));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let _connection = EndsWithIt(tokio::spawn(async move {
        // What goes wrong with it is heard where it is waited for.
        let _ = connection.await;
    }));
    let (parts, mut body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        bytes.extend_from_slice(&data);
        if bytes.len() > limit {
            return Err(Failure::new(
                "States.DataLimitExceeded",
                "The state/task 'arn:aws:states:::http:invoke' returned a result with a size exceeding the maximum \
                 number of bytes service limit.",
            ));
        }
    }
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: bytes,
    })
}

/// What the world trusts, and `certificates` (PEM) beside it.
///
/// # Errors
/// Why these can't be used.
pub(crate) fn roots(certificates: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let Some(pem) = certificates else { return Ok(roots) };
    let mut any = false;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        any = true;
    }
    any.then_some(roots)
        .ok_or_else(|| "there is none in the file".to_owned())
}

/// A connection nobody waits for any more is closed.
struct EndsWithIt(JoinHandle<()>);

impl Drop for EndsWithIt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn socket(cause: String) -> Failure {
    Failure::new("States.Http.Socket", cause)
}
