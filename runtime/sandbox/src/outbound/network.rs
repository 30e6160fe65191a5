//! The way out of this machine that all guests share: names, connections, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use super::addresses::Whose;
use super::exchange::Failed;
use super::{Target, in_time};

/// Connections open at once, of all attempts. Each holds a file descriptor and up to two heads.
const CONNECTIONS: usize = 512;

/// Names looked up at once. Each blocks a thread until the system's resolver gives up.
pub(crate) const LOOK_UPS: usize = 4;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 16;

/// Longest wait for one address of several.
const PATIENCE_EACH: Duration = Duration::from_secs(10);

/// Looks a name up; tests have one of their own.
pub(super) type LookUp = Box<dyn Fn(String, u16) -> Found + Send + Sync>;
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What a guest can do whose host has no address it may reach.
const PRIVATE: &str = "`private = true` beside the policy's `http` allows such addresses";
const BY_ADDRESS: &str = "a grant of the address itself, in manifest and policy, allows it";

/// What all requests share.
pub(crate) struct Network {
    look_up: LookUp,
    connections: Arc<Semaphore>,
    tls: TlsConnector,
    /// The last one that trusts more, and what: all attempts under one policy have the same.
    trusting: Mutex<Option<(Arc<str>, TlsConnector)>>,
}

impl Network {
    /// Asks the system for addresses, trusts what the world trusts.
    pub(crate) fn new() -> Self {
        let look_ups = Arc::new(Semaphore::new(LOOK_UPS));
        Self::of(Box::new(move |host, port| {
            let look_ups = Arc::clone(&look_ups);
            Box::pin(async move {
                let turn = look_ups.acquire_owned().await.map_err(io::Error::other)?;
                let asked = tokio::task::spawn_blocking(move || {
                    // Held for as long as the resolver takes, even when nobody waits any more.
                    let _turn = turn;
                    let found = (host.as_str(), port).to_socket_addrs()?;
                    Ok(found.take(ADDRESSES).collect())
                });
                asked.await.map_err(io::Error::other)?
            })
        }))
    }

    /// One that looks names up in this way.
    pub(super) fn of(look_up: LookUp) -> Self {
        Self {
            look_up,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            tls: trusting(roots()),
            trusting: Mutex::default(),
        }
    }

    /// Speaks TLS with whoever the world trusts, and whoever `certificates` (PEM) say.
    pub(super) fn tls(&self, certificates: Option<&Arc<str>>) -> Result<TlsConnector, Failed> {
        let Some(certificates) = certificates else {
            return Ok(self.tls.clone());
        };
        let mut last = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, tls)) = &*last
            && known == certificates
        {
            return Ok(tls.clone());
        }
        let mut roots = roots();
        for certificate in CertificateDer::pem_slice_iter(certificates.as_bytes()) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
            added.map_err(|error| {
                let why = format!("the policy's certificates can't be used: {error}");
                Failed::new(Error::ConfigurationError, why)
            })?;
        }
        let tls = trusting(roots);
        *last = Some((Arc::clone(certificates), tls.clone()));
        Ok(tls)
    }

    /// Waits for a connection to be free.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).acquire_owned().await.ok()
    }

    /// A connection to an address of the target that may be reached.
    pub(super) async fn connect(&self, target: &Target) -> Result<TcpStream, Failed> {
        let Target { host, port, .. } = target;
        let addresses = match host.parse::<IpAddr>() {
            // Whoever grants an address means it.
            Ok(address) => vec![address],
            Err(_) => self.addresses(target).await?,
        };
        let mut failed = Failed::new(Error::DestinationNotFound, format!("`{host}` has no address"));
        for address in addresses {
            let tried = in_time(PATIENCE_EACH, TcpStream::connect(SocketAddr::new(address, *port))).await;
            failed = match tried {
                Some(Ok(stream)) => {
                    // Requests are small and wanted at once.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    Failed::new(Error::ConnectionRefused, error.to_string())
                }
                Some(Err(error)) => Failed::new(Error::DestinationUnavailable, error.to_string()),
                None => Failed::new(Error::ConnectionTimeout, "nobody took the connection".to_owned()),
            };
        }
        Err(failed)
    }

    /// The addresses of a name that may be reached.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Failed> {
        let Target {
            host, port, private, ..
        } = target;
        let found = (self.look_up)(host.clone(), *port).await.map_err(|error| {
            let why = format!("the name can't be looked up: {error}");
            let error = Error::DnsError {
                rcode: Some(error.to_string()),
                info_code: None,
            };
            Failed::new(error, why)
        })?;
        let reached = |address: &IpAddr| match Whose::of(*address) {
            Whose::Public => true,
            Whose::Private => *private,
            Whose::Nobody => false,
        };
        let found = found.into_iter().map(|found| found.ip());
        let (reachable, hidden): (Vec<IpAddr>, Vec<IpAddr>) = found.partition(reached);
        match hidden.first() {
            Some(address) if reachable.is_empty() => Err(Failed {
                error: Error::DestinationIpProhibited,
                why: format!("`{host}` has the address `{address}`, which isn't public"),
                advice: Some(match Whose::of(*address) {
                    Whose::Public | Whose::Private => PRIVATE,
                    Whose::Nobody => BY_ADDRESS,
                }),
            }),
            _ => Ok(reachable),
        }
    }
}

/// What the world trusts.
fn roots() -> RootCertStore {
    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

fn trusting(roots: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
