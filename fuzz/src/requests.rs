//! What is thrown at the server's door: bytes on a connection, to a server with nothing real below it.
//!
//! A text is some requests as they are sent, with `\n` for line ends and `###` on a line between them. What nobody could
//! write by chance is filled in: the length of a body whose head doesn't say it, and for the line `sign` the headers
//! of a signature. A text that begins with `closed` goes to a server that asks for keys. Fails where an answer is a
//! fault of the server's or says nothing, where a signature made by the book is refused, and on every panic.

use std::cell::RefCell;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde_json::{Value, json};
use server::access::{AccessKey, Caller, Credentials, Entrance, Keyring, Policy, Role, Secret};
use server::aws::signature;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use super::world::{ROLE, World, pass, task};

const KEY: &str = "SSAKEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
/// Texts that one server is asked for; what it was told by then is forgotten.
const TEXTS: usize = 256;
/// Time for all answers. Polls and followers take longer, and their client goes away.
const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes on the way.
const PIPE: usize = 64 << 10;

/// A server, and how often it was asked.
struct Asked {
    runtime: Runtime,
    world: World,
    open: Arc<Entrance>,
    closed: Arc<Entrance>,
    texts: usize,
}

thread_local! {
    static ASKED: RefCell<Option<Asked>> = const { RefCell::new(None) };
}

/// Sends one text.
pub fn play(text: &str) {
    ASKED.with_borrow_mut(|asked| {
        if asked.as_ref().is_some_and(|asked| asked.texts >= TEXTS) {
            let Asked { runtime, world, .. } = asked.take().expect("there is one");
            runtime.block_on(world.server.close()).expect("the driver lives");
        }
        let asked = asked.get_or_insert_with(Asked::new);
        asked.texts += 1;
        asked.send(text);
    });
}

impl Asked {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let world = runtime.block_on(furnished());
        let caller = Caller {
            name: "signer".to_owned(),
            policy: Policy::new(vec![Role::Admin], None),
        };
        let key = AccessKey {
            id: KEY.to_owned(),
            secret: Secret::new(SECRET),
            caller,
        };
        let closed = Entrance {
            keyring: Some(Keyring::new(Credentials::new(vec![key], Vec::new()))),
            ..Entrance::default()
        };
        Self {
            runtime,
            world,
            open: Arc::default(),
            closed: Arc::new(closed),
            texts: 0,
        }
    }

    fn send(&self, text: &str) {
        let (entrance, text) = match text.strip_prefix("closed\n") {
            Some(rest) => (&self.closed, rest),
            None => (&self.open, text),
        };
        let requests: Vec<Sent> = text.split("\n###\n").map(Sent::new).collect();
        let answers = self.runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(PIPE);
            let mut answers = Vec::new();
            let talk = async {
                for request in &requests {
                    if client.write_all(&request.bytes).await.is_err() {
                        break;
                    }
                }
                while whole(&answers).len() < requests.len() {
                    match client.read_buf(&mut answers).await {
                        Ok(0) | Err(_) => break,
                        Ok(_) => {}
                    }
                }
                drop(client);
            };
            let both = async { tokio::join!(self.world.server.answer(Arc::clone(entrance), server), talk) };
            let _ = tokio::time::timeout(PATIENCE, both).await;
            answers
        });
        // What answers a request without a body in return can't be told apart from what follows.
        if requests.iter().any(|request| request.bytes.starts_with(b"HEAD")) {
            return;
        }
        for (answer, request) in whole(&answers).iter().zip(&requests) {
            answer.check(request);
        }
    }
}

/// A server that has one of each.
async fn furnished() -> World {
    let world = World::new().await;
    let machine = world.machine("m", &pass()).await;
    world
        .machine("t", &task("arn:aws:states:us-east-1:000000000000:activity:a"))
        .await;
    world.ok("CreateActivity", json!({"name": "a"})).await;
    let parameters = json!({"name": "e", "type": "EXPRESS", "definition": pass().to_string(), "roleArn": ROLE});
    world.ok("CreateStateMachine", parameters).await;
    let version = world
        .ok("PublishStateMachineVersion", json!({"stateMachineArn": machine}))
        .await;
    let routes = json!([{"stateMachineVersionArn": version["stateMachineVersionArn"], "weight": 100}]);
    let alias = json!({"name": "live", "routingConfiguration": routes});
    world.ok("CreateStateMachineAlias", alias).await;
    world.run("m", "x", "{}").await;
    world
}

/// A request as it goes out.
struct Sent {
    bytes: Vec<u8>,
    /// Signed by the book, and nothing else in it that is part of a signature.
    is_signed: bool,
}

impl Sent {
    fn new(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        let says_length = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.starts_with("content-length") || line.starts_with("transfer-encoding")
        };
        if !lines.iter().any(says_length) {
            lines.push(format!("content-length: {}", body.len()));
        }
        let mut is_signed = false;
        if let Some(at) = lines.iter().position(|line| line == "sign") {
            lines.remove(at);
            if let Some(added) = signed(&lines, body) {
                is_signed = lines.iter().all(|line| is_plain(line)) && has_one_host(&lines);
                lines.extend(added);
            }
        }
        let mut bytes = lines.join("\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(body.as_bytes());
        Self { bytes, is_signed }
    }
}

/// Whether a line can't make a signature wrong.
fn is_plain(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let is_framing = ["content-length", "transfer-encoding", "connection", "expect", "upgrade"]
        .iter()
        .any(|name| line.starts_with(name));
    let is_own = line.contains("x-amz-") && !line.starts_with("x-amz-target: ");
    let is_computed = line.starts_with("content-length: ");
    (!is_framing || is_computed) && !is_own && !line.starts_with("authorization")
}

/// Without a host nothing is asked of anybody, with two nobody knows of whom.
fn has_one_host(lines: &[String]) -> bool {
    let is_host = |line: &&String| line.to_ascii_lowercase().starts_with("host:");
    lines.iter().filter(is_host).count() == 1
}

/// The headers that sign these lines.
fn signed(lines: &[String], body: &str) -> Option<[String; 2]> {
    let (first, headers) = lines.split_first()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, Uri::from_str(words.next()?).ok()?);
    let mut all = HeaderMap::new();
    for header in headers {
        let (name, value) = header.split_once(':')?;
        all.append(
            HeaderName::from_str(name).ok()?,
            HeaderValue::from_str(value.trim_matches([' ', '\t'])).ok()?,
        );
    }
    let at = now();
    all.insert("x-amz-date", HeaderValue::from_str(&at).ok()?);
    let request = signature::Request {
        method,
        path: target.path(),
        query: target.query().unwrap_or_default(),
        headers: &all,
    };
    let digest = signature::payload_digest(body.as_bytes());
    let authorization = signature::authorization(request, KEY, &Secret::new(SECRET), "us-east-1", &at, &digest);
    Some([format!("x-amz-date: {at}"), format!("authorization: {authorization}")])
}

fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let at = asl::Timestamp(i64::try_from(elapsed.as_millis()).expect("before the year 292 million")).to_string();
    let seconds = at.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|letter| !"-:Z".contains(*letter)).collect();
    format!("{digits}Z")
}

/// An answer that came whole.
struct Answer<'a> {
    status: u16,
    head: &'a str,
    body: &'a [u8],
}

impl Answer<'_> {
    fn check(&self, request: &Sent) {
        let (body, sent) = (
            String::from_utf8_lossy(self.body),
            String::from_utf8_lossy(&request.bytes),
        );
        let shown = || format!("{} {}\n{body}\nto\n{sent}", self.status, self.head);
        assert!(self.status < 500, "{}", shown());
        // HTTP that is none is answered with a status alone.
        if self.status < 400 || self.body.is_empty() {
            return;
        }
        let said: Value = serde_json::from_slice(self.body).unwrap_or_else(|_| panic!("no JSON: {}", shown()));
        let name = said["__type"].as_str().or(said["code"].as_str()).unwrap_or_default();
        assert!(!name.is_empty() && said["message"].is_string(), "{}", shown());
        if request.is_signed {
            assert!(
                !matches!(name, "InvalidSignatureException" | "IncompleteSignatureException"),
                "{}",
                shown()
            );
        }
    }
}

/// The answers that came whole, as far as they say how long they are.
fn whole(mut bytes: &[u8]) -> Vec<Answer<'_>> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let Ok(head) = std::str::from_utf8(&bytes[..end]) else {
            break;
        };
        let small = head.to_ascii_lowercase();
        let length = small.lines().find_map(|line| line.strip_prefix("content-length: "));
        let status = small.split(' ').nth(1).and_then(|status| status.parse().ok());
        let Some(status) = status else { break };
        let length: usize = match (length.map(str::parse), status) {
            (Some(Ok(length)), _) => length,
            (None, 204 | 304 | 100) => 0,
            (None | Some(Err(_)), _) => break,
        };
        let Some(body) = bytes.get(end + 4..end + 4 + length) else {
            break;
        };
        if status != 100 {
            answers.push(Answer { status, head, body });
        }
        bytes = &bytes[end + 4 + length..];
    }
    answers
}
