//! Certificates: what clients see, and how they are exchanged while the server runs.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use server::access::Entrance;
use server::tls::Tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http::listen_behind;
use super::world::World;

/// A certificate for `localhost` and its key, in PEM form.
fn certificate() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// A connection that trusts nothing but this certificate.
async fn connect(address: SocketAddr, certificate: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
}

/// One request on a connection that stays.
async fn is_healthy(stream: &mut TlsStream<TcpStream>) -> bool {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"ok\n") {
        if stream.read(&mut byte).await.unwrap() == 0 {
            return false;
        }
        answer.push(byte[0]);
    }
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let (first, first_key) = certificate();
    let (second, second_key) = certificate();
    let tls = Tls::new(first.as_bytes(), first_key.as_bytes()).unwrap();
    let entrance = Entrance {
        tls: Some(tls.clone()),
        ..Entrance::default()
    };
    let listening = listen_behind(entrance, World::new().await).await;
    let mut old = connect(listening.address, &first).await.unwrap();
    assert!(is_healthy(&mut old).await);
    connect(listening.address, &second)
        .await
        .expect_err("another certificate");

    tls.replace(first.as_bytes(), second_key.as_bytes())
        .expect_err("they don't belong together");
    connect(listening.address, &first)
        .await
        .expect("the first stays in force");
    tls.replace(second.as_bytes(), second_key.as_bytes()).unwrap();
    connect(listening.address, &first).await.expect_err("it is gone");
    let mut new = connect(listening.address, &second).await.unwrap();
    assert!(is_healthy(&mut new).await);
    assert!(is_healthy(&mut old).await, "a connection outlives its certificate");

    let mut plain = TcpStream::connect(listening.address).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "plain HTTP isn't spoken");
}

#[test]
fn what_is_no_certificate_is_refused_in_words() {
    let (certificate, key) = certificate();
    let refusal = |certificate: &str, key: &str| {
        Tls::new(certificate.as_bytes(), key.as_bytes())
            .expect_err("no pair")
            .to_string()
    };
    assert!(refusal("", &key).contains("no certificate"));
    assert!(refusal(&key, &key).contains("no certificate"));
    assert!(refusal(&certificate, &certificate).contains("no private key"));
    assert!(!refusal(&certificate, &certificate).contains("BEGIN"));
}
