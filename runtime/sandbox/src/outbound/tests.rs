use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::ports::{Granted, GrantedRequests, SecretHeader, Sensitive};
use http_body_util::{BodyExt as _, Empty, Full};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

type Heads = Arc<Mutex<Vec<String>>>;

/// Keeps every request's head and answers it with these bytes, and never ends where they don't say so.
async fn server(answer: &'static str) -> (u16, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let heads = Heads::default();
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            kept.lock()
                .expect("no panic")
                .push(String::from_utf8_lossy(&head).into_owned());
            stream.write_all(answer.as_bytes()).await.expect("sent");
            open.push(stream);
        }
    });
    (port, heads)
}

fn heads(heads: &Heads) -> Vec<String> {
    heads.lock().expect("no panic").clone()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn granted(patterns: &[&str], private: bool, secret: Option<&str>) -> Granted {
    Granted {
        http: patterns
            .iter()
            .map(|pattern| GrantedRequests {
                pattern: pattern.parse().expect("a pattern"),
                private,
            })
            .collect(),
        headers: secret
            .map(|origin| SecretHeader {
                name: "authorization".to_owned(),
                origin: origin.to_owned(),
                prefix: "Bearer ".to_owned(),
                value: Sensitive::new("hush"),
            })
            .into_iter()
            .collect(),
        ..Granted::default()
    }
}

struct Guest {
    outbound: Outbound,
    attempt: Arc<OpenAttempt>,
    look_ups: Arc<AtomicUsize>,
}

impl Guest {
    /// A guest for whom every name leads to `addresses`, another one each time it is looked up.
    fn new(granted: Granted, addresses: &[&str]) -> Self {
        let attempt = OpenAttempt::alone(Some(granted));
        let look_ups = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&look_ups);
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        let network = Network::of(Box::new(move |_, port| {
            let turn = counter.fetch_add(1, Ordering::SeqCst);
            let address = addresses[turn.min(addresses.len() - 1)];
            Box::pin(async move { Ok(vec![SocketAddr::new(address, port)]) })
        }));
        Self {
            outbound: Outbound::new(&attempt, &Arc::new(network)),
            attempt,
            look_ups,
        }
    }

    async fn send(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>) -> Result<Answered, Error> {
        let sent = self.outbound.send_request(request, options, Box::new(async { Ok(()) }));
        Box::into_pin(sent).await
    }

    async fn ask(&mut self, request: Request<WasiBody>) -> Result<(u16, String), Error> {
        let (response, rest) = self.send(request, None).await?;
        let rest = tokio::spawn(Box::into_pin(rest));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        rest.abort();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn get(&mut self, uri: &str) -> Result<(u16, String), Error> {
        self.ask(get(uri)).await
    }

    fn log(&self) -> String {
        let lines = self.attempt.output().take();
        lines
            .into_iter()
            .map(|line| line.message)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn empty() -> WasiBody {
    Empty::new().map_err(|error| match error {}).boxed_unsync()
}

fn get(uri: &str) -> Request<WasiBody> {
    Request::get(uri).body(empty()).expect("a request")
}

#[tokio::test]
async fn what_is_granted_is_sent_with_its_secrets() {
    let (port, kept) = server(OK).await;
    let (pattern, origin) = (
        format!("* http://api.test:{port}/v1/*"),
        format!("http://api.test:{port}"),
    );
    let mut guest = Guest::new(granted(&[&pattern], true, Some(&origin)), &["127.0.0.1"]);
    let mut request = get(&format!("http://API.test:{port}/v1/a?b=c"));
    request
        .headers_mut()
        .insert("authorization", HeaderValue::from_static("mine"));
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("elsewhere.test"));
    assert_eq!(guest.ask(request).await.expect("an answer"), (200, "ok".to_owned()));
    let body = Full::from("text").map_err(|error| match error {}).boxed_unsync();
    let post = Request::post(format!("{origin}/v1/a")).body(body).expect("a request");
    guest.ask(post).await.expect("an answer");
    let mut other = Guest::new(granted(&[&pattern], true, Some("https://api.test")), &["127.0.0.1"]);
    other.get(&format!("{origin}/v1/a")).await.expect("an answer");
    let heads = heads(&kept);
    let lower: Vec<String> = heads.iter().map(|head| head.to_ascii_lowercase()).collect();
    assert!(heads[0].starts_with("GET /v1/a?b=c HTTP/1.1\r\n"), "{heads:?}");
    assert!(lower[0].contains("\r\nauthorization: bearer hush\r\n"), "{heads:?}");
    assert!(!lower[0].contains("mine"), "{heads:?}");
    assert!(
        lower[0].contains(&format!("\r\nhost: api.test:{port}\r\n")) && !lower[0].contains("elsewhere"),
        "{heads:?}"
    );
    assert!(
        lower[1].starts_with("post ") && lower[1].contains("content-length: 4"),
        "{heads:?}"
    );
    assert!(!lower[2].contains("hush"), "a secret of another origin: {heads:?}");
    assert!(!guest.log().contains("hush"));
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_told() {
    let (port, kept) = server(OK).await;
    let pattern = format!("GET http://api.test:{port}/v1/*");
    let mut guest = Guest::new(granted(&[&pattern], true, None), &["127.0.0.1"]);
    for uri in [
        format!("http://api.test:{port}/v2/a"),
        format!("http://api.test:{port}/v1/../v2/a"),
        format!("http://api.test:{port}/v1/%2e%2E/v2/a"),
        format!("http://api.test:{port}/v1/%252e%252e/v2/a"),
        format!("http://api.test:{port}//v1/a"),
        format!("http://other.test:{port}/v1/a"),
        format!("http://api.test.:{port}/v1/a"),
        format!("http://api.test.evil.test:{port}/v1/a"),
        format!("https://api.test:{port}/v1/a"),
        format!("http://127.0.0.1:{port}/v1/a"),
        format!("http://2130706433:{port}/v1/a"),
        format!("http://0177.0.0.1:{port}/v1/a"),
        format!("http://0x7f.1:{port}/v1/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/v1/a"),
        "http://api.test/v1/a".to_owned(),
    ] {
        let denied = guest.get(&uri).await;
        assert!(matches!(denied, Err(Error::HttpRequestDenied)), "{uri}: {denied:?}");
    }
    let log = guest.log();
    assert!(log.contains("http = [\"GET http://api.test/v1/a\"]"), "{log}");
    for authority in [
        format!("user@api.test:{port}"),
        format!("user:pass@api.test:{port}"),
        "api.test:".to_owned(),
    ] {
        let denied = guest.get(&format!("http://{authority}/v1/a")).await;
        assert!(
            matches!(denied, Err(Error::HttpRequestUriInvalid)),
            "{authority}: {denied:?}"
        );
    }
    let mut all = Guest::new(
        granted(&[&format!("* http://api.test:{port}/*")], true, None),
        &["127.0.0.1"],
    );
    for method in NEVER {
        let mut request = get(&format!("http://api.test:{port}/"));
        *request.method_mut() = method.parse().expect("a method");
        let denied = all.ask(request).await;
        assert!(
            matches!(denied, Err(Error::HttpRequestMethodInvalid)),
            "{method}: {denied:?}"
        );
    }
    let mut nobody = Guest::new(Granted::default(), &["127.0.0.1"]);
    assert!(nobody.get(&format!("http://api.test:{port}/v1/a")).await.is_err());
    assert_eq!(heads(&kept), Vec::<String>::new());
    assert_eq!(
        guest.look_ups.load(Ordering::SeqCst),
        0,
        "nobody is asked for a name that isn't granted"
    );
}

#[tokio::test]
async fn a_name_leads_to_no_private_address_however_often_it_changes() {
    let (port, kept) = server(OK).await;
    let (name, address) = (
        format!("GET http://api.test:{port}/*"),
        format!("GET http://127.0.0.1:{port}/*"),
    );
    let patterns = [name.as_str(), address.as_str()];
    for address in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "fd00::1",
        "0.0.0.0",
    ] {
        let mut guest = Guest::new(granted(&patterns, false, None), &[address, "127.0.0.1"]);
        let denied = guest.get(&format!("http://api.test:{port}/")).await;
        assert!(
            matches!(denied, Err(Error::DestinationIpProhibited)),
            "{address}: {denied:?}"
        );
        assert_eq!(
            guest.look_ups.load(Ordering::SeqCst),
            1,
            "the answer that is checked is the one that is used"
        );
        assert!(guest.log().contains("isn't public"));
    }
    for metadata in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1"] {
        let mut guest = Guest::new(granted(&patterns, true, None), &[metadata]);
        let denied = guest.get(&format!("http://api.test:{port}/")).await;
        assert!(
            matches!(denied, Err(Error::DestinationIpProhibited)),
            "{metadata}: {denied:?}"
        );
    }
    assert_eq!(heads(&kept), Vec::<String>::new());
    let mut guest = Guest::new(granted(&patterns, false, None), &["192.0.2.1"]);
    let answer = guest.get(&format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(answer.expect("an address that is named").0, 200);
}

/// Answers everybody over TLS with the certificate of `api.test`, which nobody but its own PEM vouches for.
async fn tls_server() -> (u16, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["api.test".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            let secret = head.windows(4).any(|bytes| bytes == b"hush");
            let answer = if secret { "key" } else { "non" };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{answer}");
            stream.write_all(answer.as_bytes()).await.expect("sent");
            stream.shutdown().await.expect("closed");
        }
    });
    (port, cert.pem())
}

#[tokio::test]
async fn over_tls_only_who_is_vouched_for_is_asked() {
    let (port, certificate) = tls_server().await;
    let patterns = [
        format!("GET https://api.test:{port}/*"),
        format!("GET https://other.test:{port}/*"),
    ];
    let patterns = [patterns[0].as_str(), patterns[1].as_str()];
    let origin = format!("https://api.test:{port}");
    let mut trusts = granted(&patterns, true, Some(&origin));
    trusts.certificates = Some(certificate.as_str().into());
    let mut guest = Guest::new(trusts, &["127.0.0.1"]);
    for _ in 0..2 {
        let answer = guest.get(&format!("{origin}/")).await.expect("an answer");
        assert_eq!(answer, (200, "key".to_owned()));
    }
    let other_name = guest.get(&format!("https://other.test:{port}/")).await;
    assert!(matches!(other_name, Err(Error::TlsCertificateError)), "{other_name:?}");
    let mut stranger = Guest::new(granted(&patterns, true, Some(&origin)), &["127.0.0.1"]);
    let unknown = stranger.get(&format!("{origin}/")).await;
    assert!(matches!(unknown, Err(Error::TlsCertificateError)), "{unknown:?}");
    assert!(!stranger.log().contains("hush"));
}

#[tokio::test]
async fn redirects_lead_nowhere_by_themselves() {
    let (port, kept) = server("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    let pattern = format!("GET http://api.test:{port}/*");
    let mut guest = Guest::new(granted(&[&pattern], true, None), &["127.0.0.1"]);
    let answer = guest.get(&format!("http://api.test:{port}/")).await.expect("an answer");
    assert_eq!(answer.0, 302);
    assert_eq!(heads(&kept).len(), 1);
}

#[tokio::test]
async fn what_does_not_answer_is_given_up() {
    let soon = Some(Duration::from_millis(50));
    for (answer, option) in [
        (
            "",
            RequestOptions {
                first_byte_timeout: soon,
                ..RequestOptions::default()
            },
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            RequestOptions {
                between_bytes_timeout: soon,
                ..RequestOptions::default()
            },
        ),
    ] {
        let (port, _kept) = server(answer).await;
        let pattern = format!("GET http://api.test:{port}/*");
        let mut guest = Guest::new(granted(&[&pattern], true, None), &["127.0.0.1"]);
        let sent = guest.send(get(&format!("http://api.test:{port}/")), Some(option)).await;
        let ended = match sent {
            Err(error) => error,
            Ok((response, rest)) => {
                tokio::spawn(Box::into_pin(rest));
                let body = response.into_body().collect().await;
                body.expect_err("half an answer")
            }
        };
        assert!(matches!(ended, Error::ConnectionReadTimeout), "{answer}: {ended:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_not_read() {
    let endless: &'static str = Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)).into_boxed_str());
    let (port, _kept) = server(endless).await;
    let pattern = format!("GET http://api.test:{port}/*");
    let mut guest = Guest::new(granted(&[&pattern], true, None), &["127.0.0.1"]);
    let large = guest.get(&format!("http://api.test:{port}/")).await;
    assert!(
        matches!(large, Err(Error::HttpResponseHeaderSectionSize(_))),
        "{large:?}"
    );
}

#[tokio::test]
async fn an_attempt_has_a_few_connections_at_once() {
    let (port, _kept) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let pattern = format!("GET http://api.test:{port}/*");
    let mut guest = Guest::new(granted(&[&pattern], true, None), &["127.0.0.1"]);
    let uri = format!("http://api.test:{port}/");
    let mut open = Vec::new();
    for _ in 0..AT_ONCE {
        open.push(guest.send(get(&uri), None).await.expect("an answer"));
    }
    let one_more = guest.send(get(&uri), None).await.map(drop);
    assert!(matches!(one_more, Err(Error::ConnectionLimitReached)), "{one_more:?}");
    open.pop();
    guest.send(get(&uri), None).await.map(drop).expect("an answer");
}
