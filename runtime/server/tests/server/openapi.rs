//! The OpenAPI document, held against what the server answers.

mod schema;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Answer, listen, request};
use super::world::{World, pass, task, wait};

/// A client that believes the document and nothing else.
struct Reader {
    document: Value,
    address: SocketAddr,
    /// Method, path and status of every answer.
    seen: BTreeSet<(String, String, u16)>,
}

impl Reader {
    async fn new(address: SocketAddr) -> Self {
        let document = request(address, "GET", "/v1/openapi.json", "", b"").await.json();
        let mut reader = Self {
            document,
            address,
            seen: BTreeSet::new(),
        };
        reader.ok("GET", "/v1/openapi.json", &[], "", b"").await;
        reader
    }

    /// Asks, and checks that the document describes the answer.
    async fn ask(&mut self, method: &str, path: &str, places: &[&str], tail: &str, body: &[u8]) -> Answer {
        let (mut concrete, mut places) = (String::new(), places.iter());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            concrete.push_str(before);
            concrete.push_str(places.next().expect("as many as the path has"));
            rest = after.split_once('}').unwrap().1;
        }
        concrete.push_str(rest);
        let (query, headers) = tail.split_once('\n').unwrap_or((tail, ""));
        concrete.push_str(query);
        let answer = request(self.address, method, &concrete, headers, body).await;
        self.check(method, path, &answer);
        answer
    }

    async fn ok(&mut self, method: &str, path: &str, places: &[&str], tail: &str, body: &[u8]) -> Answer {
        let answer = self.ask(method, path, places, tail, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status < 300, "{method} {path}: {} {text}", answer.status);
        answer
    }

    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let at = format!("{method} {path}: {}", answer.status);
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{at} is not described");
        self.seen.insert((method.to_owned(), path.to_owned(), answer.status));
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "{at} has a body");
            return;
        };
        let kind = answer.head.lines().find_map(|line| line.strip_prefix("content-type: "));
        let kind = kind.unwrap_or_default().split(';').next().unwrap();
        let schema = content.get(kind).unwrap_or_else(|| panic!("{at} is `{kind}`"));
        if kind.ends_with("json") || kind.ends_with("json-1.0") {
            schema::check(&self.document, &schema["schema"], &answer.json(), &at);
        }
    }
}

#[tokio::test]
async fn every_method_is_described_and_the_other_way_round() {
    let listening = listen(World::new().await).await;
    let reader = Reader::new(listening.address).await;
    for (path, operations) in reader.document["paths"].as_object().unwrap() {
        let concrete: String = path.split(['{', '}']).collect();
        let answer = request(listening.address, "PROBE", &concrete, "", b"").await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("allow: "))
            .unwrap();
        let allowed: BTreeSet<&str> = allowed.split(',').collect();
        let mut described: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
        if described.contains("get") {
            described.insert("head".to_owned());
        }
        assert_eq!(allowed, described.iter().map(String::as_str).collect(), "{path}");
    }
}

#[tokio::test]
async fn answers_are_as_described_and_every_described_answer_is_given() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let runner = std::sync::Arc::clone(&world.runner);
    let listening = listen(world).await;
    let mut reader = Reader::new(listening.address).await;
    let (machines, machine) = ("/v1/state-machines", "/v1/state-machines/{name}");
    let (executions, execution) = ("/v1/state-machines/{name}/executions", "/v1/executions/{id}");

    reader.ok("GET", "/healthz", &[], "", b"").await;
    reader.ok("GET", "/metrics", &[], "", b"").await;
    for method in ["GET", "POST"] {
        reader.ok(method, "/v1/gc", &[], "", b"").await;
    }
    let aws = "\nx-amz-target: AWSStepFunctions.ListStateMachines\r\n";
    reader.ok("POST", "/", &[], aws, b"{}").await;
    reader
        .ask("POST", "/", &[], "\nx-amz-target: AWSStepFunctions.Nothing\r\n", b"{}")
        .await;

    for (module, bytes) in [("echo", b"echo"), ("echo", b"echo"), ("gone", b"fail")] {
        reader.ok("PUT", "/v1/modules/{name}", &[module], "", bytes).await;
    }
    reader.ask("PUT", "/v1/modules/{name}", &["x"], "", b"nonsense").await;
    reader.ask("PUT", "/v1/modules/{name}", &["a%20b"], "", b"echo").await;
    // [grants] env = ["HOME"], which nobody allowed; and a limit
    let manifest = "\nsandstep-manifest: W2dyYW50c10KZW52ID0gWyJIT01FIl0K\r\n";
    reader.ask("PUT", "/v1/modules/{name}", &["x"], manifest, b"echo").await;
    let manifest = "\nsandstep-manifest: W2xpbWl0c10KdGltZSA9ICIzMHMiCg==\r\n";
    reader
        .ok("PUT", "/v1/modules/{name}", &["echo"], manifest, b"echo")
        .await;
    let (labels, label) = ("/v1/modules/{name}/labels", "/v1/modules/{name}/labels/{label}");
    reader
        .ok("PUT", "/v1/modules/{name}", &["echo"], "?label=canary", b"echo")
        .await;
    for (tail, status) in [
        ("?version=1", 201),
        ("?version=2\nif-match: \"1\"\r\n", 200),
        ("?version=3\nif-match: \"1\"\r\n", 412),
        ("?version=9", 404),
        ("?version=x", 400),
    ] {
        let answer = reader.ask("PUT", label, &["echo", "prod"], tail, b"").await;
        assert_eq!(answer.status, status, "{tail}");
    }
    for number in 2..=engine::ports::LABELS {
        let number = format!("l{number}");
        let answer = reader.ask("PUT", label, &["echo", &number], "?version=1", b"").await;
        assert_eq!(answer.status, if number == "l100" { 409 } else { 201 });
    }
    reader.ok("GET", labels, &["echo"], "", b"").await;
    reader.ask("GET", labels, &["nobody"], "", b"").await;
    reader.ok("GET", label, &["echo", "prod"], "", b"").await;
    reader.ask("GET", label, &["echo", "nobody"], "", b"").await;
    for (name, tail) in [
        ("prod", "?force=perhaps"),
        ("nobody", ""),
        ("prod", "\nif-match: \"1\"\r\n"),
        ("prod", ""),
    ] {
        reader.ask("DELETE", label, &["echo", name], tail, b"").await;
    }
    reader.ok("GET", "/v1/modules", &[], "", b"").await;
    reader.ok("GET", "/v1/modules/{name}", &["echo"], "", b"").await;
    reader
        .ok("GET", "/v1/modules/{name}", &["echo"], "?version=canary", b"")
        .await;
    reader
        .ask("GET", "/v1/modules/{name}", &["echo"], "?version=%2B1", b"")
        .await;
    reader.ask("GET", "/v1/modules/{name}", &["nobody"], "", b"").await;
    reader.ok("DELETE", "/v1/modules/{name}", &["gone"], "", b"").await;
    reader.ask("DELETE", "/v1/modules/{name}", &["gone"], "", b"").await;
    reader
        .ask("DELETE", "/v1/modules/{name}", &["gone"], "?force=perhaps", b"")
        .await;

    let compiled = "/v1/modules/{name}/compiled";
    reader
        .ok("GET", compiled, &["echo"], "?target=fake&version=1", b"")
        .await;
    for (name, query) in [("echo", "?target=x"), ("echo", ""), ("nobody", "?target=fake")] {
        let status = if name == "nobody" { 404 } else { 400 };
        assert_eq!(reader.ask("GET", compiled, &[name], query, b"").await.status, status);
    }
    let component = "/v1/modules/{name}/component";
    reader.ok("GET", component, &["echo"], "?version=1", b"").await;
    let uploaded = reader
        .ok("GET", "/v1/modules/{name}/uploaded", &["echo"], "?version=1", b"")
        .await;
    assert_eq!(uploaded.body, b"echo", "byte for byte");
    for (name, query) in [("echo", "?version=99"), ("nobody", "")] {
        assert_eq!(reader.ask("GET", component, &[name], query, b"").await.status, 404);
    }
    assert_eq!(
        reader
            .ask("GET", component, &["echo"], "?version=x.y", b"")
            .await
            .status,
        400
    );
    reader.ok("GET", "/v1/modules/{name}/reach", &["echo"], "", b"").await;
    for (name, query) in [("nobody", ""), ("echo", "?version=latest")] {
        reader.ask("GET", "/v1/modules/{name}/reach", &[name], query, b"").await;
    }
    let definition = task("wasm:echo").to_string();
    reader.ok("POST", "/v1/reach", &[], "", definition.as_bytes()).await;
    for no_definition in [&b"no JSON"[..], b"[null]"] {
        let answer = reader.ask("POST", "/v1/reach", &[], "", no_definition).await;
        assert_eq!(answer.status, 400);
    }

    let put = |definition: &Value| definition.to_string().into_bytes();
    reader
        .ok("PUT", machine, &["calls"], "", &put(&task("wasm:echo")))
        .await;
    reader
        .ok("PUT", machine, &["calls"], "?type=STANDARD", &put(&task("wasm:echo")))
        .await;
    let reach = "/v1/state-machines/{name}/reach";
    reader.ok("GET", reach, &["calls"], "", b"").await;
    reader.ask("GET", reach, &["nobody"], "", b"").await;
    reader.ok("PUT", machine, &["waits"], "", &put(&wait())).await;
    reader
        .ok("PUT", machine, &["hangs"], "", &put(&task("wasm:hang")))
        .await;
    reader
        .ask("PUT", machine, &["calls"], "?type=EXPRESS", &put(&pass()))
        .await;
    reader
        .ask("PUT", machine, &["calls"], "?type=OTHER", &put(&pass()))
        .await;
    reader.ask("PUT", machine, &["calls"], "", b"{}").await;
    reader.ask("DELETE", "/v1/modules/{name}", &["echo"], "", b"").await;
    let labelled = task("wasm:echo@canary");
    reader.ok("PUT", machine, &["labelled"], "", &put(&labelled)).await;
    assert_eq!(
        reader.ask("DELETE", label, &["echo", "canary"], "", b"").await.status,
        409
    );
    reader.ok("GET", machines, &[], "", b"").await;
    reader.ok("GET", machine, &["calls"], "", b"").await;
    for method in ["GET", "DELETE"] {
        reader.ask(method, machine, &["nobody"], "", b"").await;
    }

    let started = reader
        .ok("POST", executions, &["calls"], "?name=one&wait=60", b"[1, 2]")
        .await;
    assert_eq!(started.status, 200, "{}", started.json());
    assert!(
        started.head.contains("location: /v1/executions/calls:one"),
        "{}",
        started.head
    );
    assert!(String::from_utf8_lossy(&started.body).contains("\"output\":[1, 2]"));
    reader.ok("POST", executions, &["waits"], "?name=one", b"").await;
    let waited = reader
        .ok("POST", executions, &["waits"], "?name=two&wait=0", b"{}")
        .await;
    assert_eq!((waited.status, &waited.json()["status"]), (202, &json!("RUNNING")));
    reader.ask("POST", executions, &["calls"], "?name=one", b"{}").await;
    reader.ask("POST", executions, &["calls"], "?wait=901", b"{}").await;
    reader.ask("POST", executions, &["calls"], "", b"{").await;
    reader.ask("POST", executions, &["nobody"], "", b"{}").await;
    let page = reader
        .ok("GET", executions, &["waits"], "?limit=1&status=RUNNING", b"")
        .await
        .json();
    let next = format!(
        "?limit=1&status=RUNNING&after={}",
        page["next"].as_str().unwrap().replace('+', "%2B")
    );
    reader.ok("GET", executions, &["waits"], &next, b"").await;
    reader.ask("GET", executions, &["waits"], "?limit=many", b"").await;
    reader.ask("GET", executions, &["nobody"], "", b"").await;

    // One that closes while it is waited for.
    reader.ok("POST", executions, &["hangs"], "?name=one", b"{}").await;
    let (address, released) = (
        listening.address,
        tokio::spawn(async move {
            while runner.release(&json!("done")) == 0 {
                tokio::task::yield_now().await;
            }
        }),
    );
    let ended = reader
        .ok("GET", execution, &["hangs:one"], "?wait=60", b"")
        .await
        .json();
    released.await.unwrap();
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&json!("SUCCEEDED"), &json!("done"))
    );
    let arn = ended["arn"].as_str().unwrap();
    let by_arn = request(address, "GET", &format!("/v1/executions/{arn}"), "", b"")
        .await
        .json();
    assert_eq!(by_arn, ended);

    reader
        .ok(
            "GET",
            "/v1/executions/{id}/history",
            &["calls:one"],
            "?limit=2&data=false&reverse=true",
            b"",
        )
        .await;
    reader
        .ok("GET", "/v1/executions/{id}/logs", &["calls:one"], "?limit=5", b"")
        .await;
    reader
        .ok(
            "GET",
            "/v1/executions/{id}/logs",
            &["calls:one"],
            "\naccept: text/plain\r\n",
            b"",
        )
        .await;
    reader
        .ok("GET", "/v1/executions/{id}/events", &["calls:one"], "", b"")
        .await;
    let over = "?after=3\nlast-event-id: 99\r\n";
    reader
        .ok("GET", "/v1/executions/{id}/events", &["calls:one"], over, b"")
        .await;
    reader
        .ask(
            "GET",
            "/v1/executions/{id}/events",
            &["calls:one"],
            "\nlast-event-id: x\r\n",
            b"",
        )
        .await;
    reader
        .ok(
            "POST",
            "/v1/executions/{id}/stop",
            &["waits:one"],
            "",
            b"{\"error\": \"Enough\"}",
        )
        .await;
    reader
        .ask("POST", "/v1/executions/{id}/stop", &["waits:one"], "", b"{\"eror\": 1}")
        .await;
    for (method, path) in [
        ("GET", execution),
        ("GET", "/v1/executions/{id}/history"),
        ("GET", "/v1/executions/{id}/logs"),
        ("GET", "/v1/executions/{id}/events"),
        ("POST", "/v1/executions/{id}/stop"),
    ] {
        assert_eq!(reader.ask(method, path, &["calls:nobody"], "", b"").await.status, 404);
        assert_eq!(reader.ask(method, path, &["calls"], "", b"").await.status, 400);
    }
    reader.ok("DELETE", machine, &["hangs"], "", b"").await;

    let object = "/v1/objects/{bucket}/{key}";
    reader.ok("PUT", "/v1/objects/{bucket}", &["data"], "", b"").await;
    for key in ["a", "b"] {
        reader.ok("PUT", object, &["data", key], "", b"content").await;
    }
    reader.ok("GET", "/v1/objects", &[], "", b"").await;
    reader
        .ok("GET", "/v1/objects/{bucket}", &["data"], "?limit=1", b"")
        .await;
    reader.ok("GET", object, &["data", "a"], "", b"").await;
    reader
        .ok("GET", object, &["data", "a"], "\nrange: bytes=1-2\r\n", b"")
        .await;
    reader
        .ask("GET", object, &["data", "a"], "\nrange: bytes=99-\r\n", b"")
        .await;
    reader.ok("HEAD", object, &["data", "a"], "", b"").await;
    reader.ask("HEAD", object, &["data", "nobody"], "", b"").await;
    reader.ask("GET", object, &["data", "nobody"], "", b"").await;
    reader.ask("DELETE", "/v1/objects/{bucket}", &["data"], "", b"").await;
    for key in ["a", "b"] {
        reader.ok("DELETE", object, &["data", key], "", b"").await;
    }
    reader.ok("DELETE", "/v1/objects/{bucket}", &["data"], "", b"").await;
    reader.ask("GET", "/v1/objects/{bucket}", &["data"], "", b"").await;

    for (path, operations) in reader.document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let Ok(status @ 200..300) = status.parse::<u16>() else {
                    continue;
                };
                let answer = (method.to_uppercase(), path.clone(), status);
                assert!(
                    reader.seen.contains(&answer),
                    "{answer:?} is described and was not given"
                );
            }
        }
    }
}
