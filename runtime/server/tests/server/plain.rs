//! Plain HTTP for people: what they ask for by name and get as JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::http::{listen, request};
use super::world::{World, pass, task};

/// A connection that follows an execution.
struct Stream(BufReader<TcpStream>);

impl Stream {
    /// After the answer's head.
    async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Self(BufReader::new(stream));
        assert!(stream.line().await.unwrap().contains(" 200 "));
        while !stream.line().await.unwrap().is_empty() {}
        stream
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await.unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event's id, 0 where it has none, its kind and its data.
    async fn event(&mut self) -> Option<(u64, String, Value)> {
        let (mut id, mut kind, mut data) = (0, String::new(), String::new());
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", text)) => id = text.parse().unwrap(),
                Some(("event", text)) => kind = text.to_owned(),
                Some(("data", text)) => data.push_str(text),
                _ if line.is_empty() && !data.is_empty() => break,
                _ => {}
            }
        }
        Some((id, kind, serde_json::from_str(&data).unwrap()))
    }

    async fn kinds(&mut self) -> Vec<(u64, String)> {
        let mut kinds = Vec::new();
        while let Some((id, kind, _)) = self.event().await {
            kinds.push((id, kind));
        }
        kinds
    }
}

const WHOLE: [&str; 7] = [
    "ExecutionStarted",
    "StateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskSucceeded",
    "StateExited",
    "ExecutionSucceeded",
];

fn numbered(from: u64) -> Vec<(u64, String)> {
    let numbered = (1..).zip(WHOLE.map(str::to_owned));
    numbered.filter(|(id, _)| *id > from).collect()
}

#[tokio::test]
async fn followers_see_every_event_once_as_it_becomes_durable_and_resume_where_they_were() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    world.machine("m", &task("wasm:hang")).await;
    let runner = std::sync::Arc::clone(&world.runner);
    let listening = listen(world).await;
    let started = request(
        listening.address,
        "POST",
        "/v1/state-machines/m/executions?name=e",
        "",
        b" {\n\"a\": 1}",
    )
    .await;
    assert_eq!(started.status, 201);
    let path = "/v1/executions/m:e/events";
    let mut stream = Stream::open(listening.address, path, "").await;
    let (id, kind, data) = stream.event().await.unwrap();
    assert_eq!((id, &*kind), (1, "ExecutionStarted"));
    assert_eq!(
        (&data["position"], &data["type"]),
        (&json!(1), &json!("ExecutionStarted"))
    );
    assert_eq!(data["details"]["input"], json!({"a": 1}));
    assert_eq!(data["details"]["machineName"], "m");
    let mut seen = vec![(id, kind)];
    for _ in 0..2 {
        let (id, kind, _) = stream.event().await.unwrap();
        seen.push((id, kind));
    }
    // The task is under way; the rest comes when it ends.
    while runner.release(&json!(2)) == 0 {
        tokio::task::yield_now().await;
    }
    seen.extend(stream.kinds().await);
    assert_eq!(seen, numbered(0));
    let mut resumed = Stream::open(listening.address, path, "last-event-id: 4\r\n").await;
    assert_eq!(resumed.kinds().await, numbered(4));
    let mut resumed = Stream::open(listening.address, &format!("{path}?after=2"), "").await;
    assert_eq!(resumed.kinds().await, numbered(2));
    let over = request(listening.address, "GET", path, "last-event-id: 7\r\n", b"").await;
    assert_eq!(over.status, 204, "nothing is left to follow");
}

#[tokio::test]
async fn heartbeats_of_attempts_that_run_are_shown_live() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    world.machine("m", &task("wasm:hang")).await;
    let runner = std::sync::Arc::clone(&world.runner);
    let listening = listen(world).await;
    let path = "/v1/executions/m:e";
    let start = "/v1/state-machines/m/executions?name=e";
    request(listening.address, "POST", start, "", b"").await;
    let running = loop {
        let shown = request(listening.address, "GET", path, "", b"").await.json();
        match shown["running"].get(0) {
            Some(running) => break running.clone(),
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!((&running["state"], &running["retryCount"]), (&json!("T"), &json!(0)));
    assert_eq!(running["lastHeartbeat"], Value::Null, "it said nothing yet");
    *runner.last_beat.lock().unwrap() = Some(std::time::Duration::from_millis(1500));
    let shown = request(listening.address, "GET", path, "", b"").await.json();
    assert!(shown["running"][0]["lastHeartbeat"].is_string(), "{shown}");
    let mut stream = Stream::open(listening.address, &format!("{path}/events"), "").await;
    let (id, data) = loop {
        let (id, kind, data) = stream.event().await.unwrap();
        if kind == "heartbeat" {
            break (id, data);
        }
    };
    assert_eq!((id, &data["state"]), (0, &json!("T")));
    assert!(data["lastHeartbeat"].is_string(), "{data}");
    while runner.release(&json!(2)) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.kinds().await.last(), Some(&(7, "ExecutionSucceeded".to_owned())));
    let shown = request(listening.address, "GET", path, "", b"").await.json();
    assert_eq!(shown.get("running"), None);
}

#[tokio::test]
async fn a_stop_of_the_server_lets_followers_go_at_once() {
    let world = World::new().await;
    world.machine("m", &super::world::wait()).await;
    let listening = listen(world).await;
    request(
        listening.address,
        "POST",
        "/v1/state-machines/m/executions?name=e",
        "",
        b"",
    )
    .await;
    let mut stream = Stream::open(listening.address, "/v1/executions/m:e/events", "").await;
    stream.event().await.unwrap();
    listening.stop().await;
    assert!(stream.kinds().await.len() <= 2, "the stream ends");
}

#[tokio::test]
async fn definitions_come_back_letter_by_letter() {
    let listening = listen(World::new().await).await;
    let definition = b"{ \"StartAt\": \"P\",\n  \"States\": {\"P\": {\"Type\": \"Pass\", \"End\": true}} }";
    let path = "/v1/state-machines/m";
    let made = request(listening.address, "PUT", path, "", definition).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let got = request(listening.address, "GET", path, "", b"").await;
    assert_eq!(got.body, definition);
    assert!(got.head.contains("etag: \"initial\""), "{}", got.head);
    let changed = request(listening.address, "PUT", path, "", pass().to_string().as_bytes()).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.json()["revision"], made.json()["revision"]);
    let refused = request(
        listening.address,
        "PUT",
        path,
        "",
        b"{\"StartAt\": \"X\", \"States\": {}}",
    )
    .await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (422, &json!("InvalidDefinition"))
    );
    assert_eq!(request(listening.address, "DELETE", path, "", b"").await.status, 204);
    assert_eq!(request(listening.address, "GET", path, "", b"").await.status, 404);
}

#[tokio::test]
async fn logs_are_those_of_every_attempt() {
    let world = World::new().await;
    world.handle.upload("talk", b"talk".to_vec()).await.unwrap();
    let mut definition = task("wasm:talk");
    definition["States"]["T"]["Retry"] =
        json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "MaxDelaySeconds": 2}]);
    world.machine("m", &definition).await;
    let listening = listen(world).await;
    let ended = request(
        listening.address,
        "POST",
        "/v1/state-machines/m/executions?name=e&wait=60",
        "",
        b"",
    )
    .await;
    assert_eq!((ended.status, &ended.json()["status"]), (200, &json!("FAILED")));
    let path = "/v1/executions/m:e/logs";
    let lines = request(listening.address, "GET", path, "", b"").await.json();
    let shown: Vec<_> = lines["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (&line["state"], &line["attempt"], &line["level"]))
        .collect();
    let (state, warn, out) = (json!("T"), json!("warn"), json!("stdout"));
    let (first, second) = (json!(0), json!(1));
    assert_eq!(
        shown,
        [
            (&state, &first, &warn),
            (&state, &first, &out),
            (&state, &second, &warn),
            (&state, &second, &out)
        ]
    );
    assert_eq!(lines["next"], Value::Null);
    let page = request(listening.address, "GET", &format!("{path}?limit=1"), "", b"")
        .await
        .json();
    assert_eq!(
        page["lines"].as_array().unwrap().len(),
        2,
        "a page ends with an attempt"
    );
    let rest = request(
        listening.address,
        "GET",
        &format!("{path}?after={}", page["next"]),
        "",
        b"",
    )
    .await
    .json();
    assert_eq!(
        rest["lines"].as_array().unwrap()[..],
        lines["lines"].as_array().unwrap()[2..]
    );
    let text = request(listening.address, "GET", path, "accept: text/plain\r\n", b"").await;
    let text = String::from_utf8(text.body).unwrap();
    assert!(
        text.lines().nth(2).unwrap().ends_with(" T#1 warn: about to fail"),
        "{text}"
    );
}

#[tokio::test]
async fn paths_that_are_no_text_are_refused_like_everything_else() {
    let listening = listen(World::new().await).await;
    for path in [
        "/v1/modules/%ff",
        "/v1/executions/%ff/logs",
        "/v1/objects/%ff/x",
        "/v1/state-machines/%ff",
    ] {
        let answer = request(listening.address, "GET", path, "", b"").await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!("InvalidPath")),
            "{path}"
        );
    }
}
