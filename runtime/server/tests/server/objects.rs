//! Objects over a real port.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{Listening, listen, request};
use super::world::World;

async fn ask(listening: &Listening, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let answer = request(listening.address, method, path, "", body).await;
    (answer.status, answer.body)
}

fn json_of(answer: &(u16, Vec<u8>)) -> Value {
    serde_json::from_slice(&answer.1).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.1)))
}

#[tokio::test]
async fn objects_are_put_listed_fetched_and_deleted() {
    let listening = listen(World::new().await).await;
    let put = ask(&listening, "PUT", "/v1/objects/data/in%2Fa%20b.csv", b"1,2\n").await;
    assert_eq!(put.0, 200, "{}", String::from_utf8_lossy(&put.1));
    assert_eq!(json_of(&put)["key"], "in/a b.csv");
    ask(&listening, "PUT", "/v1/objects/data/in/c", b"").await;
    ask(&listening, "PUT", "/v1/objects/data/z", b"z").await;

    let got = request(listening.address, "GET", "/v1/objects/data/in/a%20b.csv", "", b"").await;
    assert_eq!((got.status, &got.body[..]), (200, &b"1,2\n"[..]));
    assert!(got.head.contains("content-length: 4") && got.head.contains("last-modified: thu, 01 jan 1970"));
    let part = request(
        listening.address,
        "GET",
        "/v1/objects/data/in/a%20b.csv",
        "range: bytes=2-\r\n",
        b"",
    )
    .await;
    assert_eq!((part.status, &part.body[..]), (206, &b"2\n"[..]));
    assert!(part.head.contains("content-range: bytes 2-3/4"), "{}", part.head);
    let behind = request(
        listening.address,
        "GET",
        "/v1/objects/data/z",
        "range: bytes=7-\r\n",
        b"",
    )
    .await;
    assert_eq!(behind.status, 416);
    let head = request(listening.address, "HEAD", "/v1/objects/data/z", "", b"").await;
    assert!(head.status == 200 && head.head.contains("content-length: 1") && head.body.is_empty());

    let listed = json_of(&ask(&listening, "GET", "/v1/objects/data?prefix=in/&limit=1", b"").await);
    assert_eq!(listed["objects"][0]["key"], "in/a b.csv");
    assert_eq!(listed["next"], "in/a b.csv");
    let rest = json_of(&ask(&listening, "GET", "/v1/objects/data?prefix=in/&after=in/a%20b.csv", b"").await);
    assert_eq!(
        (rest["objects"].as_array().unwrap().len(), &rest["next"]),
        (1, &Value::Null)
    );
    assert_eq!(
        json_of(&ask(&listening, "GET", "/v1/objects", b"").await),
        json!({"buckets": ["data"]})
    );

    let kept = ask(&listening, "DELETE", "/v1/objects/data", b"").await;
    assert_eq!((kept.0, json_of(&kept)["code"].as_str()), (409, Some("BucketNotEmpty")));
    for key in ["in/a%20b.csv", "in/c", "z", "z"] {
        let deleted = ask(&listening, "DELETE", &format!("/v1/objects/data/{key}"), b"").await;
        assert_eq!(deleted, (204, Vec::new()), "{key}");
    }
    assert_eq!(ask(&listening, "DELETE", "/v1/objects/data", b"").await.0, 200);
}

#[tokio::test]
async fn what_is_not_there_or_cannot_be_is_refused_in_words() {
    let listening = listen(World::new().await).await;
    assert_eq!(ask(&listening, "PUT", "/v1/objects/data", b"").await.0, 200);
    for (method, path, status, code) in [
        ("GET", "/v1/objects/nowhere/k", 404, "NoSuchBucket"),
        ("GET", "/v1/objects/nowhere", 404, "NoSuchBucket"),
        ("DELETE", "/v1/objects/nowhere/k", 404, "NoSuchBucket"),
        ("GET", "/v1/objects/data/k", 404, "NoSuchKey"),
        ("PUT", "/v1/objects/UPPER/k", 400, "InvalidName"),
        ("PUT", "/v1/objects/%2E%2E/k", 400, "InvalidName"),
        ("GET", "/v1/objects/data?limit=x", 400, "InvalidQuery"),
        ("POST", "/v1/objects/data/k", 405, "MethodNotAllowed"),
    ] {
        let answer = ask(&listening, method, path, b"").await;
        assert_eq!(answer.0, status, "{method} {path}");
        let problem = json_of(&answer);
        assert_eq!(problem["code"], code, "{method} {path}");
        assert!(!problem["hint"].as_str().unwrap().is_empty());
    }
    let announced = format!("content-length: {}\r\n", 6_u64 << 30);
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let head = format!("PUT /v1/objects/data/large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{announced}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn large_objects_pass_piece_by_piece_and_broken_ones_leave_nothing() {
    let world = World::new().await;
    let objects = world.handle.objects().clone();
    let listening = listen(world).await;
    let large: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(ask(&listening, "PUT", "/v1/objects/data/large", &large).await.0, 200);
    let got = ask(&listening, "GET", "/v1/objects/data/large", b"").await;
    assert!(got == (200, large));

    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let head = "PUT /v1/objects/data/broken HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(objects.head("data", "broken").is_err());
}
