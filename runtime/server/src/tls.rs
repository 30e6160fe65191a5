//! TLS: the certificate in force, and connections that begin with it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The only protocol spoken over it.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates aren't any.
    #[error("the certificate file holds no certificate in PEM form: {0}")]
    Certificate(String),
    /// The key isn't one.
    #[error("the key file holds no private key in PEM form: {0}")]
    Key(String),
    /// They don't belong together, or are of a kind nobody speaks.
    #[error("the certificate and the key can't be used together: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate with its key. Clones share it; it can be replaced while connections go on with the one they began with.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// From PEM texts: the certificate with those that lead to a known authority, and its key.
    ///
    /// # Errors
    /// [`Error`] where they aren't that.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, Error> {
        let config = config(certificates, key)?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(config)))))
    }

    /// From now on this one.
    ///
    /// # Errors
    /// [`Error`]; the one before stays in force then.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), Error> {
        let config = Arc::new(config(certificates, key)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn config(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, Error> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(Error::Certificate("there is none".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| Error::Key(error.to_string()))?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(config)
}
