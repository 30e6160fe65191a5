//! HTTP tasks against servers of the tests' own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use asl::Status;
use serde_json::{Value, json};
use server::http_task::{Connections, Written};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::world::World;

const AUTHORITY: &str = include_str!("tls/authority.pem");
const CERTIFICATE: &str = include_str!("tls/localhost.pem");
const KEY: &str = include_str!("tls/localhost.key.pem");
const ARN: &str = "arn:aws:events:us-east-1:000000000000:connection/api/0d7f";

/// An API that gives one answer after the other, the last one again and again, and keeps what it was asked.
struct Api {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    async fn new(answers: &[&str]) -> Self {
        Self::with(answers, None).await
    }

    async fn with(answers: &[&str], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&asked);
        let mut answers: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = match answers.len() {
                    0 | 1 => answers.front().cloned().unwrap_or_default(),
                    _ => answers.pop_front().unwrap_or_default(),
                };
                let (tls, kept) = (tls.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    match tls {
                        None => answer_one(stream, &kept, &answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer_one(stream, &kept, &answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer_one(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: &Mutex<Vec<String>>, answer: &str) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let complete = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        (body.len() >= length).then_some(text)
    };
    let request = loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
        if let Some(request) = complete(&request) {
            break request;
        }
    };
    asked.lock().unwrap().push(request);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A server with one connection, called `api`.
async fn world(entry: Value, certificates: Option<&str>) -> World {
    World::configured(config(entry, certificates)).await
}

fn config(entry: Value, certificates: Option<&str>) -> server::Config {
    let file = serde_json::from_value(json!({"connections": {"api": entry}})).unwrap();
    let look_up = |_: &Written| Err("nothing is elsewhere".to_owned());
    let connections = Connections::new(file, certificates.map(str::to_owned), look_up).unwrap();
    server::Config {
        connections,
        ..server::Config::default()
    }
}

/// Runs a machine of one HTTP task: its output, or its error and cause.
async fn run(world: &World, parameters: Value) -> Result<Value, (String, String)> {
    static RUNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let name = format!("m{}", RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut parameters = parameters;
    parameters["Authentication"] = json!({"ConnectionArn": ARN});
    let definition = json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": true}}});
    world.machine(&name, &definition).await;
    let closed = world.run(&name, "e", "{}").await;
    match closed.status {
        Status::Succeeded => Ok(closed.output.unwrap().value().clone()),
        _ => {
            let failure = closed.failure.unwrap();
            Err((failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()))
        }
    }
}

#[tokio::test]
async fn an_api_is_called_and_its_answer_is_the_result() {
    let api = Api::new(&[&answer("200 OK", "application/json", r#"{"id": 7}"#)]).await;
    let world = world(
        json!({"endpoints": [api.url("/v1/*")], "basic": {"username": "u", "password": "p"}}),
        None,
    )
    .await;
    let parameters = json!({"ApiEndpoint": api.url("/v1/orders"), "Method": "POST", "RequestBody": {"a": 1}});
    let output = run(&world, parameters).await.unwrap();
    assert_eq!(output["ResponseBody"], json!({"id": 7}));
    assert_eq!(
        (&output["StatusCode"], &output["StatusText"]),
        (&json!(200), &json!("OK"))
    );
    assert_eq!(output["Headers"]["content-type"], json!(["application/json"]));
    let asked = api.asked();
    assert!(asked[0].starts_with("POST /v1/orders HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Basic dTpw\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(&format!("host: {}\r\n", api.address)), "{}", asked[0]);
    assert!(asked[0].ends_with("\r\n\r\n{\"a\":1}"), "{}", asked[0]);
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let large = answer("200 OK", "text/plain", &"a".repeat(262_145));
    let api = Api::new(&[
        &answer("429 Too Many Requests", "text/plain", "slow down"),
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        &answer("200 OK", "image/png", "x"),
        &large,
        "no http at all",
    ])
    .await;
    let world = world(json!({"endpoints": [api.url(""), "http://127.0.0.1:1"]}), None).await;
    let get = || run(&world, json!({"ApiEndpoint": api.url("/"), "Method": "GET"}));
    let error = |result: Result<Value, (String, String)>| result.unwrap_err();
    assert_eq!(
        error(get().await),
        ("States.Http.StatusCode.429".to_owned(), "slow down".to_owned())
    );
    assert_eq!(
        error(get().await).0,
        "States.Http.StatusCode.302",
        "redirects lead nowhere"
    );
    assert_eq!(error(get().await).0, "States.Runtime");
    let (name, cause) = error(get().await);
    assert_eq!(name, "States.DataLimitExceeded");
    assert!(cause.ends_with("returned a result with a size exceeding the maximum number of bytes service limit."));
    assert_eq!(error(get().await).0, "States.Http.Socket");
    assert_eq!(api.asked().len(), 5);
    let closed = run(&world, json!({"ApiEndpoint": "http://127.0.0.1:1/", "Method": "GET"})).await;
    assert_eq!(error(closed).0, "States.Http.Socket");
    let elsewhere = run(&world, json!({"ApiEndpoint": "http://127.0.0.1:2/", "Method": "GET"})).await;
    assert_eq!(error(elsewhere).0, "Events.ConnectionResource.AccessDenied");
}

#[tokio::test]
async fn errors_of_apis_are_caught_and_retried() {
    let api = Api::new(&[
        &answer("503 Service Unavailable", "text/plain", ""),
        &answer("200 OK", "text/plain", "done"),
    ])
    .await;
    let world = world(json!({"endpoints": [api.url("")]}), None).await;
    let definition = json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": true,
        "Parameters": {"ApiEndpoint": api.url("/"), "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}},
        "Retry": [{"ErrorEquals": ["States.Http.StatusCode.503"], "IntervalSeconds": 1, "MaxAttempts": 1}]}}});
    world.machine("m", &definition).await;
    let closed = world.run("m", "e", "{}").await;
    assert_eq!(closed.output.unwrap().value()["ResponseBody"], "done");
}

#[tokio::test]
async fn tokens_are_fetched_once_and_again_when_they_are_refused() {
    let tokens = Api::new(&[
        &answer(
            "200 OK",
            "application/json",
            r#"{"access_token": "one", "expires_in": 3600}"#,
        ),
        &answer(
            "200 OK",
            "application/json",
            r#"{"access_token": "two", "expires_in": "3600"}"#,
        ),
    ])
    .await;
    let ok = answer("200 OK", "text/plain", "");
    let api = Api::new(&[&ok, &ok, &answer("401 Unauthorized", "text/plain", ""), &ok]).await;
    let oauth =
        json!({"endpoint": tokens.url("/token"), "client_id": "me", "client_secret": "s&t", "body": {"scope": "all"}});
    let world = world(json!({"endpoints": [api.url("")], "oauth": oauth}), None).await;
    for _ in 0..3 {
        run(&world, json!({"ApiEndpoint": api.url("/"), "Method": "GET"}))
            .await
            .unwrap();
    }
    let sent: Vec<bool> = api
        .asked()
        .iter()
        .map(|asked| asked.contains("authorization: Bearer one"))
        .collect();
    assert_eq!(sent, [true, true, true, false]);
    assert!(api.asked()[3].contains("authorization: Bearer two"));
    let asked = tokens.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(
        asked[0].ends_with("grant_type=client_credentials&client_id=me&client_secret=s%26t&scope=all"),
        "{}",
        asked[0]
    );
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_operator_trusts() {
    let certificates = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let api = Api::with(
        &[&answer("200 OK", "text/plain", "hello")],
        Some(TlsAcceptor::from(Arc::new(config))),
    )
    .await;
    let url = format!("https://localhost:{}", api.address.port());
    let parameters = json!({"ApiEndpoint": url, "Method": "GET"});
    let trusting = world(json!({"endpoints": [url]}), Some(AUTHORITY)).await;
    assert_eq!(
        run(&trusting, parameters.clone()).await.unwrap()["ResponseBody"],
        "hello"
    );
    let strict = world(json!({"endpoints": [url]}), None).await;
    let (error, cause) = run(&strict, parameters).await.unwrap_err();
    assert_eq!(error, "States.Http.Socket");
    assert!(cause.contains("TLS"), "{cause}");
}

#[tokio::test]
async fn certificates_that_are_none_keep_the_server_from_starting() {
    let connections = Connections::new(Default::default(), Some("nothing".into()), |_| Err(String::new())).unwrap();
    let config = server::Config {
        connections,
        ..server::Config::default()
    };
    let error = World::try_configured(config).await.err().expect("no certificates");
    assert!(error.to_string().contains("certificates"), "{error}");
}

#[tokio::test]
async fn a_request_that_may_have_been_heard_is_not_sent_again() {
    // Answers nothing, so that the server stops while it waits.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let config = config(json!({"endpoints": [url]}), None);
    let first = World::configured(config.clone()).await;
    let mut executions = Vec::new();
    for method in ["POST", "GET"] {
        let definition = json!({"StartAt": "T", "States": {"T": {
            "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": true,
            "Parameters": {"ApiEndpoint": url, "Method": method, "InvocationConfig": {"ConnectionArn": ARN}}}}});
        let machine = first.machine(method, &definition).await;
        executions.push(first.start(&machine, "{}").await);
    }
    for execution in &executions {
        let started = |history: &Value| {
            let events = history["events"].as_array().unwrap();
            events.iter().any(|event| event["type"] == "TaskStarted")
        };
        first
            .until("GetExecutionHistory", json!({"executionArn": execution}), started)
            .await;
    }
    let World {
        server, runner, store, ..
    } = first;
    server.close().await.unwrap();
    let second = World::open(config, store, runner).await.unwrap();
    let over = |described: &Value| described["status"] != "RUNNING";
    let described = second
        .until("DescribeExecution", json!({"executionArn": executions[0]}), over)
        .await;
    assert_eq!(described["error"], "Sandbox.HostRestarted");
    let described = second
        .ok("DescribeExecution", json!({"executionArn": executions[1]}))
        .await;
    assert_eq!(described["status"], "RUNNING", "reading twice harms nobody");
}

#[tokio::test]
async fn a_test_shows_what_was_said_and_keeps_the_connections_secrets() {
    let api = Api::new(&[&answer("200 OK", "application/json", r#"{"id":1}"#)]).await;
    let entry = json!({"endpoints": [api.url("/*")], "basic": {"username": "u", "password": "p"},
        "headers": {"X-Team": "hidden"}, "query": {"key": "hidden"}, "body": {"account": "hidden"}});
    let world = world(entry, None).await;
    let definition = json!({"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": true,
        "OutputPath": "$.ResponseBody.id", "Parameters": {"ApiEndpoint": api.url("/orders"), "Method": "POST",
            "QueryParameters": {"q": "1"}, "RequestBody": {"n": 2}, "Headers": {"X-Own": "shown"},
            "InvocationConfig": {"ConnectionArn": ARN}}});
    let asked = |level: &str, reveal: bool| json!({"definition": definition.to_string(), "inspectionLevel": level, "revealSecrets": reveal});
    let answered = world.ok("TestState", asked("TRACE", false)).await;
    assert_eq!(
        (&answered["status"], &answered["output"]),
        (&json!("SUCCEEDED"), &json!("1"))
    );
    assert!(!answered.to_string().contains("hidden"), "{answered}");
    let request = &answered["inspectionData"]["request"];
    assert_eq!(request["url"], api.url("/orders?q=1"));
    assert_eq!(
        (&request["protocol"], &request["method"], &request["body"]),
        (&json!("http"), &json!("POST"), &json!(r#"{"n":2}"#))
    );
    assert!(
        request["headers"]
            .as_str()
            .unwrap()
            .starts_with("[x-own: shown, user-agent: "),
        "{request}"
    );
    assert!(
        !request["headers"].as_str().unwrap().contains("authorization"),
        "{request}"
    );
    let response = &answered["inspectionData"]["response"];
    assert_eq!(
        *response,
        json!({"protocol": "http", "statusCode": "200", "statusMessage": "OK", "body": r#"{"id":1}"#,
            "headers": "[content-type: application/json, content-length: 8, connection: close]"})
    );

    let revealed = world.ok("TestState", asked("TRACE", true)).await["inspectionData"]["request"].clone();
    assert_eq!(revealed["url"], api.url("/orders?q=1&key=hidden"));
    assert_eq!(revealed["body"], r#"{"n":2,"account":"hidden"}"#);
    assert!(
        revealed["headers"]
            .as_str()
            .unwrap()
            .contains("authorization: Basic dTpw"),
        "{revealed}"
    );
    let debug = world.ok("TestState", asked("DEBUG", true)).await;
    assert_eq!(debug["inspectionData"].get("request"), None, "only TRACE shows it");
    assert!(
        api.asked()[0].contains("key=hidden"),
        "what is hidden is sent all the same"
    );
}
