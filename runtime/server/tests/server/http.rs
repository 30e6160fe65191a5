//! Over a real port.

use std::net::SocketAddr;

use serde_json::{Value, json};
use server::access::Entrance;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::world::{World, pass, wait};

/// A listening server; dropping the sender stops it.
pub struct Listening {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), server::Error>>,
}

pub async fn listen(world: World) -> Listening {
    listen_behind(Entrance::default(), world).await
}

pub async fn listen_behind(entrance: Entrance, world: World) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(world.server.serve_behind(entrance, listener, async {
        let _ = stopped.await;
    }));
    Listening { address, stop, ended }
}

impl Listening {
    /// Stops the server and waits until it has.
    pub async fn stop(self) {
        drop(self.stop);
        self.ended.await.unwrap().unwrap();
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

pub async fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> Answer {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let split = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a whole head");
    let head = String::from_utf8_lossy(&answer[..split]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: answer[split + 4..].to_vec(),
    }
}

async fn aws(address: SocketAddr, operation: &str, parameters: Value) -> Answer {
    let headers = format!("content-type: application/x-amz-json-1.0\r\nx-amz-target: AWSStepFunctions.{operation}\r\n");
    request(address, "POST", "/", &headers, parameters.to_string().as_bytes()).await
}

#[tokio::test]
async fn the_aws_api_speaks_json_1_0() {
    let listening = listen(World::new().await).await;
    let definition = pass().to_string();
    let created = aws(
        listening.address,
        "CreateStateMachine",
        json!({"name": "m", "definition": definition, "roleArn": "arn:aws:iam::1:role/r"}),
    )
    .await;
    assert_eq!(created.status, 200, "{}", created.json());
    assert!(
        created.head.contains("content-type: application/x-amz-json-1.0"),
        "{}",
        created.head
    );
    assert!(created.head.contains("x-amzn-requestid: "), "{}", created.head);
    let refused = aws(
        listening.address,
        "DescribeStateMachine",
        json!({"stateMachineArn": "x"}),
    )
    .await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({"__type": "InvalidArn", "message": "Invalid Arn: 'Invalid ARN prefix: x'"})
    );

    let untargeted = request(listening.address, "POST", "/", "", b"{}").await;
    assert_eq!(
        (untargeted.status, &untargeted.json()["__type"]),
        (400, &json!("UnknownOperationException"))
    );
    let foreign = request(
        listening.address,
        "POST",
        "/",
        "x-amz-target: DynamoDB_20120810.GetItem\r\n",
        b"{}",
    )
    .await;
    assert_eq!(
        (foreign.status, &foreign.json()["__type"]),
        (400, &json!("UnknownOperationException"))
    );
    let huge = aws(
        listening.address,
        "StartExecution",
        json!({"input": "x".repeat(9 << 20)}),
    )
    .await;
    assert_eq!(
        (huge.status, &huge.json()["__type"]),
        (413, &json!("RequestEntityTooLargeException"))
    );
}

#[tokio::test]
async fn other_paths_answer_in_our_own_shape() {
    let listening = listen(World::new().await).await;
    let healthy = request(listening.address, "GET", "/healthz", "", b"").await;
    assert_eq!((healthy.status, &healthy.body[..]), (200, &b"ok\n"[..]));
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("GET", "/", 405),
        ("POST", "/v1/modules", 405),
        ("PATCH", "/v1/modules/x", 405),
    ] {
        let answer = request(listening.address, method, path, "", b"").await;
        assert_eq!(answer.status, status, "{method} {path}");
        let body = answer.json();
        for field in ["code", "message", "hint"] {
            assert!(body[field].is_string(), "{method} {path}: {body}");
        }
    }
}

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let listening = listen(World::new().await).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        &[b'x'; 100_000],
    ] {
        let mut stream = TcpStream::connect(listening.address).await.unwrap();
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    assert_eq!(request(listening.address, "GET", "/healthz", "", b"").await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_finish() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    let Listening { address, stop, ended } = listen(world).await;
    // The head is there, the body isn't: the request is under way when the stop comes.
    let body = json!({"stateMachineArn": machine}).to_string();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nx-amz-target: AWSStepFunctions.StartExecution\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut goes_on = [0; 25];
    stream.read_exact(&mut goes_on).await.unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    drop(stop);
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// One answer on a connection that stays: its status and its body.
async fn next_answer(stream: &mut TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        answer.push(byte[0]);
        let Some(head) = answer.strip_suffix(b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(head).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        return (status, String::from_utf8_lossy(&body).into_owned());
    }
}

#[tokio::test]
async fn connections_go_on_after_they_rested() {
    let listening = listen(World::new().await).await;
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let list =
        "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSStepFunctions.ListActivities\r\ncontent-length: 2\r\n\r\n{}";
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSStepFunctions.ListActivities\r\n\
                   transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    for request in [list, chunked, list] {
        // Bit by bit, so that reads end anywhere.
        for bytes in request.as_bytes().chunks(7) {
            stream.write_all(bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
        let (status, body) = next_answer(&mut stream).await;
        assert_eq!((status, body.as_str()), (200, r#"{"activities":[]}"#));
    }
    // One and a half at once, and the rest afterwards.
    let (half, rest) = list.split_at(50);
    stream.write_all(format!("{list}{half}").as_bytes()).await.unwrap();
    assert_eq!(next_answer(&mut stream).await.0, 200);
    stream.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(next_answer(&mut stream).await.0, 200);
    // Five at once.
    stream.write_all(list.repeat(5).as_bytes()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(next_answer(&mut stream).await.0, 200);
    }
}

#[tokio::test]
async fn a_body_nobody_reads_is_never_taken_for_a_request() {
    let listening = listen(World::new().await).await;
    let smuggled = "GET /v1/modules HTTP/1.1\r\nhost: x\r\n\r\n";
    for (encoding, body) in [
        (format!("content-length: {}", smuggled.len()), smuggled.to_owned()),
        (
            "transfer-encoding: chunked".to_owned(),
            format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()),
        ),
    ] {
        let mut stream = TcpStream::connect(listening.address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{encoding}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(next_answer(&mut stream).await, (200, "ok\n".to_owned()));
        stream.write_all(body.as_bytes()).await.unwrap();
        let _ = stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        let mut after = Vec::new();
        let _ = stream.read_to_end(&mut after).await;
        let after = String::from_utf8_lossy(&after);
        assert!(!after.contains("modules"), "{after}");
    }
}

#[tokio::test]
async fn idle_connections_end_with_the_server() {
    let Listening { address, stop, ended } = listen(World::new().await).await;
    let mut rested = TcpStream::connect(address).await.unwrap();
    rested
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(next_answer(&mut rested).await.0, 200);
    let mut silent = TcpStream::connect(address).await.unwrap();
    request(address, "GET", "/healthz", "", b"").await;
    drop(stop);
    ended.await.unwrap().unwrap();
    for stream in [&mut rested, &mut silent] {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
    }
}
