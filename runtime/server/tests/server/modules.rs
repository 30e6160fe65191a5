//! `/v1/modules`.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http::{Answer, listen, request};
use super::world::{World, task};

#[tokio::test]
async fn versions_are_numbered_listed_and_deleted() {
    let world = World::new().await;
    let listening = listen(world).await;
    let address = listening.address;
    let put = |name: &'static str, body: &'static [u8]| request(address, "PUT", name, "", body);
    let first = put("/v1/modules/charge", b"echo").await;
    assert_eq!(first.status, 201);
    let shown = first.json();
    assert_eq!(
        (&shown["name"], &shown["version"], &shown["size"]),
        (&json!("charge"), &json!(1), &json!(4))
    );
    assert_eq!(shown["digest"], *store::digest_of(b"echo").0);
    assert_eq!(shown["limits"], json!({"fuel": 10_000_000_000_u64, "memory": 64 << 20}));
    assert_eq!(
        (&shown["entry"], &shown["uploadedAs"]),
        (&json!("sandstep:task"), &json!("component"))
    );
    assert!(shown["exports"].is_array() && shown["imports"].is_array() && shown["created"].is_string());

    let same = put("/v1/modules/charge", b"echo").await;
    assert_eq!(
        (same.status, same.json()),
        (200, shown.clone()),
        "the same bytes are the same version"
    );
    let second = put("/v1/modules/charge", b"fail").await;
    assert_eq!((second.status, &second.json()["version"]), (201, &json!(2)));

    let described = request(address, "GET", "/v1/modules/charge", "", b"").await.json();
    assert_eq!(described["version"], 2);
    let versions = |value: &Value| {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["version"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&described["versions"]), [2, 1]);
    let listed = request(address, "GET", "/v1/modules", "", b"").await.json();
    assert_eq!(versions(&listed["modules"]), [2, 1]);

    for (query, bytes) in [("", b"fail"), ("?version=1", b"echo")] {
        let path = format!("/v1/modules/charge/component{query}");
        let component = request(address, "GET", &path, "", b"").await;
        assert_eq!((component.status, &*component.body), (200, &bytes[..]));
    }

    let deleted = request(address, "DELETE", "/v1/modules/charge", "", b"").await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (200, json!({"name": "charge", "deletedVersions": 2}))
    );
    for method in ["GET", "DELETE"] {
        let gone = request(address, method, "/v1/modules/charge", "", b"").await;
        assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("NoSuchModule")));
    }
}

#[tokio::test]
async fn bad_uploads_are_refused_with_a_hint() {
    let listening = listen(World::new().await).await;
    let address = listening.address;
    let truncated = request(address, "PUT", "/v1/modules/x", "", b"\0asm\x0d\0").await;
    assert_eq!(truncated.status, 422);
    assert_eq!(
        truncated.json(),
        json!({"code": "NotWasm", "message": "6 bytes that are not WebAssembly", "hint": "build it first"})
    );
    for name in ["a%20b", "a%7Cb", "a%2Fb", "a@1", &"x".repeat(81)] {
        let refused = request(address, "PUT", &format!("/v1/modules/{name}"), "", b"echo").await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &json!("InvalidName")),
            "{name}"
        );
    }
    let listed = request(address, "GET", "/v1/modules", "", b"").await.json();
    assert_eq!(listed, json!({"modules": []}));
}

#[tokio::test]
async fn three_hundred_megabytes_are_refused_while_they_come() {
    let listening = listen(World::new().await).await;
    let address = listening.address;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "PUT /v1/modules/big HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 314572800\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // A client that sends everything before it listens still gets its answer.
    let chunk = vec![0; 1 << 20];
    for _ in 0..300 {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["code"], "TooLarge");
    assert!(body["message"].is_string() && body["hint"].is_string());
}

#[tokio::test]
async fn a_module_in_use_is_deleted_by_force_only() {
    let world = World::new().await;
    world.machine("orders", &task("wasm:charge")).await;
    let listening = listen(world).await;
    let address = listening.address;
    request(address, "PUT", "/v1/modules/charge", "", b"echo").await;
    let delete = |query: &'static str| async move {
        let Answer { status, body, .. } = request(address, "DELETE", query, "", b"").await;
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let (status, body) = delete("/v1/modules/charge").await;
    assert_eq!((status, &body["code"]), (409, &json!("ModuleInUse")));
    assert!(body["message"].as_str().unwrap().contains("orders"), "{body}");
    assert_eq!(
        delete("/v1/modules/charge?force=perhaps").await.1["code"],
        "InvalidQuery"
    );
    assert_eq!(delete("/v1/modules/charge?force=true").await.0, 200);
}

#[tokio::test]
async fn what_a_definition_asks_of_modules_is_checked_against_what_is_uploaded() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "wasm:echo", "HeartbeatSeconds": 5, "TimeoutSeconds": 60, "Next": "B"},
        "B": {"Type": "Task", "Resource": "wasm:echo@7", "Next": "P"},
        "P": {"Type": "Parallel", "Next": "C", "Branches": [{"StartAt": "I", "States": {
            "I": {"Type": "Task", "Resource": "wasm:nowhere", "End": true}}}]},
        "C": {"Type": "Task", "Resource": "wasm:echo#shout", "Next": "D"},
        "D": {"Type": "Task", "Resource": "wasm:echo#add", "Parameters": {"a.$": "$.a"}, "Next": "E"},
        "E": {"Type": "Task", "Resource": "wasm:echo#add", "Parameters": {"a": "one"}, "Next": "F"},
        "F": {"Type": "Task", "Resource": "arn:aws:states:::wasm:invoke", "End": true,
            "Parameters": {"Module": "echo", "Function": "add", "Payload": {"a": []}}},
    }});
    let asked = json!({"definition": definition.to_string(), "severity": "WARNING"});
    let answer = world.ok("ValidateStateMachineDefinition", asked).await;
    assert_eq!(answer["result"], "OK");
    let found: Vec<String> = answer["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            format!(
                "{} {}",
                finding["code"].as_str().unwrap(),
                finding["location"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "HEARTBEAT_NEVER_SENT /States/A/HeartbeatSeconds",
            "UNKNOWN_MODULE /States/B/Resource",
            "UNKNOWN_MODULE /States/P/Branches[0]/States/I/Resource",
            "UNKNOWN_FUNCTION /States/C/Resource",
            "WRONG_ARGUMENTS /States/E/Parameters",
            "WRONG_ARGUMENTS /States/F/Parameters",
        ]
    );
    let asked = json!({"definition": definition.to_string(), "maxResults": 2, "severity": "WARNING"});
    let answer = world.ok("ValidateStateMachineDefinition", asked).await;
    assert_eq!(
        (answer["diagnostics"].as_array().unwrap().len(), &answer["truncated"]),
        (2, &json!(true))
    );
    let asked = json!({"definition": definition.to_string()});
    let answer = world.ok("ValidateStateMachineDefinition", asked).await;
    assert_eq!(
        (&answer["diagnostics"], &answer["truncated"]),
        (&json!([]), &json!(false))
    );
}

#[tokio::test]
async fn one_module_is_compiled_for_another_machine_at_a_time() {
    let world = World::new().await;
    world.handle.upload("echo", b"echo".to_vec()).await.unwrap();
    let (release, compiling) = std::sync::mpsc::channel();
    *world.runner.compiling_for_another.lock().unwrap() = Some(compiling);
    let runner = std::sync::Arc::clone(&world.runner);
    let listening = listen(world).await;
    let address = listening.address;
    let path = "/v1/modules/echo/compiled?target=fake";
    let first = tokio::spawn(request(address, "GET", path, "", b""));
    while runner.compiling_for_another.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    let second = request(address, "GET", path, "", b"").await;
    assert_eq!((second.status, &second.json()["code"]), (429, &json!("Busy")));
    drop(release);
    let first = first.await.unwrap();
    assert_eq!((first.status, &first.body[..]), (200, &b"compiled echo"[..]));
    assert!(first.head.contains("/fake\""), "{}", first.head);
    let third = request(address, "GET", "/v1/modules/echo/compiled?target=pdp-11", "", b"").await;
    assert_eq!((third.status, &third.json()["code"]), (400, &json!("UnknownTarget")));
    assert!(third.json()["hint"].as_str().unwrap().contains("`fake`"));
}
