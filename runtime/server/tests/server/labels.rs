//! Labels of modules, from outside and as tasks name them.

use std::net::SocketAddr;

use serde_json::{Value, json};
use server::Config;
use server::modules::{Policy, PolicyInForce};

use super::http::{Answer, listen, request};
use super::world::{PREFIX, World, task};

async fn label(address: SocketAddr, method: &str, tail: &str, headers: &str) -> (u16, Value) {
    let Answer { status, body, .. } =
        request(address, method, &format!("/v1/modules/pay/labels{tail}"), headers, b"").await;
    (status, serde_json::from_slice(&body).unwrap())
}

/// Two versions of `pay`: the first answers its input, the second fails.
async fn world() -> World {
    let world = World::new().await;
    for program in [&b"echo"[..], b"fail"] {
        world.handle.upload("pay", program.to_vec()).await.unwrap();
    }
    world
}

#[tokio::test]
async fn a_label_is_set_moved_shown_and_removed() {
    let listening = listen(world().await).await;
    let address = listening.address;
    let (status, set) = label(address, "PUT", "/prod?version=1", "").await;
    assert_eq!(
        (status, &set["label"], &set["version"], &set["digest"]),
        (201, &json!("prod"), &json!(1), &json!(store::digest_of(b"echo").0))
    );
    let moved = request(address, "PUT", "/v1/modules/pay/labels/prod?version=2", "", b"").await;
    assert_eq!((moved.status, &moved.json()["version"]), (200, &json!(2)));
    assert!(moved.head.contains("etag: \"2\""), "{}", moved.head);
    let pushed = request(address, "PUT", "/v1/modules/pay?label=canary", "", b"fail").await;
    assert_eq!(
        (pushed.status, &pushed.json()["labels"]),
        (200, &json!(["canary", "prod"])),
        "the version was there, the label wasn't"
    );
    let (_, listed) = label(address, "GET", "", "").await;
    let labels: Vec<&Value> = listed["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| &label["label"])
        .collect();
    assert_eq!(labels, ["canary", "prod"]);
    for query in ["", "?version=prod", "?version=2"] {
        let described = request(address, "GET", &format!("/v1/modules/pay{query}"), "", b"")
            .await
            .json();
        assert_eq!(
            (
                &described["version"],
                &described["labels"],
                &described["versions"][1]["labels"]
            ),
            (&json!(2), &json!(["canary", "prod"]), &json!([])),
            "{query}"
        );
    }
    let digest = store::digest_of(b"echo").0;
    label(address, "PUT", "/prod?version=1", "").await;
    for query in ["prod", "1", &digest] {
        let path = format!("/v1/modules/pay/component?version={query}");
        let component = request(address, "GET", &path, "", b"").await;
        assert_eq!((component.status, &*component.body), (200, &b"echo"[..]), "{query}");
        let path = format!("/v1/modules/pay/reach?version={query}");
        let reach = request(address, "GET", &path, "", b"").await.json();
        assert_eq!((&reach["version"], &reach["labels"]), (&json!(1), &json!(["prod"])));
    }
    assert_eq!(label(address, "DELETE", "/prod", "").await.0, 200);
    let (status, gone) = label(address, "GET", "/prod", "").await;
    assert_eq!((status, &gone["code"]), (404, &json!("NoSuchLabel")));
    for query in ["prod", "7", "sha256:ab"] {
        let path = format!("/v1/modules/pay/component?version={query}");
        assert_eq!(request(address, "GET", &path, "", b"").await.status, 404, "{query}");
    }
}

#[tokio::test]
async fn what_cant_be_a_label_is_none() {
    let listening = listen(world().await).await;
    let address = listening.address;
    let digits = "a".repeat(64);
    for name in ["3", "latest", "sha256:ab", "a.b", "a%20b", &digits] {
        let (status, refused) = label(address, "PUT", &format!("/{name}?version=1"), "").await;
        assert_eq!((status, &refused["code"]), (400, &json!("InvalidLabel")), "{name}");
        let pushed = request(address, "PUT", &format!("/v1/modules/pay?label={name}"), "", b"echo").await;
        assert_eq!(pushed.json()["code"], "InvalidLabel");
    }
    let versions = request(address, "GET", "/v1/modules/pay", "", b"").await.json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2, "nothing was stored");
}

#[tokio::test]
async fn two_who_move_a_label_notice_each_other() {
    let listening = listen(world().await).await;
    let address = listening.address;
    let new = "if-none-match: *\r\n";
    assert_eq!(label(address, "PUT", "/prod?version=1", new).await.0, 201);
    let (status, refused) = label(address, "PUT", "/prod?version=2", new).await;
    assert_eq!((status, &refused["code"]), (412, &json!("LabelMoved")));
    let seen = "if-match: \"1\"\r\n";
    assert_eq!(label(address, "PUT", "/prod?version=2", seen).await.0, 200);
    let (status, refused) = label(address, "PUT", "/prod?version=1", seen).await;
    assert_eq!(status, 412);
    assert!(
        refused["message"].as_str().unwrap().contains("version `2` by now"),
        "{refused}"
    );
    assert_eq!(label(address, "DELETE", "/prod", seen).await.0, 412);
    for wrong in ["if-match: 1\r\n", "if-match: *\r\n", "if-none-match: \"1\"\r\n"] {
        assert_eq!(
            label(address, "PUT", "/prod?version=1", wrong).await.1["code"],
            "InvalidCondition"
        );
    }
}

#[tokio::test]
async fn tasks_run_what_a_label_points_at_when_they_begin() {
    let world = world().await;
    let (handle, runner) = (world.handle.clone(), world.runner.clone());
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay:prod";
    let invoke = |service: &str, parameters: Value| {
        let mut definition = task(&format!("arn:aws:states:::{service}:invoke"));
        definition["States"]["T"]["Parameters"] = parameters;
        definition
    };
    let definitions = [
        ("native", task("wasm:pay@prod")),
        ("function", task(arn)),
        ("invoked", invoke("wasm", json!({"Module": "pay@prod"}))),
        ("lambda", invoke("lambda", json!({"FunctionName": arn}))),
        (
            "qualified",
            invoke("lambda", json!({"FunctionName": "pay", "Qualifier": "prod"})),
        ),
    ];
    for (name, definition) in &definitions {
        world.machine(name, definition).await;
        let failure = world.run(name, "none", "{}").await.failure.unwrap();
        let missing = match *name {
            "native" | "invoked" => "Sandbox.ModuleNotFound",
            _ => "Lambda.ResourceNotFoundException",
        };
        assert_eq!(failure.error.as_deref(), Some(missing), "{name}");
    }
    let listening = listen(world).await;
    let run = async |name: &str, at: &str| {
        let input = asl::Payload::from_text("{}").unwrap();
        let started = handle.start(name, at.into(), input, true).await.unwrap();
        let ended = started.closed().await.unwrap();
        let history = json!({"executionArn": format!("{PREFIX}execution:{name}:{at}")}).to_string();
        let history = handle.call("GetExecutionHistory", history.as_bytes()).await.unwrap();
        let history: Value = serde_json::from_slice(&history).unwrap();
        let events = history["events"].as_array().unwrap().iter();
        let ran = events
            .flat_map(|event| event.as_object().unwrap().values())
            .find_map(|details| details.get("sandstep"))
            .cloned()
            .unwrap();
        (ended, ran)
    };
    for (version, program) in [(1, &b"echo"[..]), (2, b"fail"), (1, b"echo")] {
        label(listening.address, "PUT", &format!("/prod?version={version}"), "").await;
        let at = format!("at{}", runner.jobs.lock().unwrap().len());
        for (name, _) in &definitions {
            let (ended, ran) = run(name, &at).await;
            assert_eq!(ended.output.is_some(), program == b"echo", "{name}");
            assert_eq!(
                (&ran["version"], &ran["module"]),
                (&json!(version), &json!(store::digest_of(program).0)),
                "{name}"
            );
            if let Some(output) = ended.output.filter(|_| matches!(*name, "lambda" | "qualified")) {
                assert_eq!(output.value()["ExecutedVersion"], version.to_string(), "{output}");
            }
        }
    }
}

#[tokio::test]
async fn a_retry_runs_what_the_label_points_at_by_then() {
    let world = World::new().await;
    for program in [&b"hang"[..], b"echo"] {
        world.handle.upload("pay", program.to_vec()).await.unwrap();
    }
    let (handle, runner) = (world.handle.clone(), world.runner.clone());
    let mut definition = task("wasm:pay@prod");
    definition["States"]["T"]["TimeoutSeconds"] = json!(1);
    definition["States"]["T"]["Retry"] = json!([{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1}]);
    world.machine("m", &definition).await;
    let listening = listen(world).await;
    label(listening.address, "PUT", "/prod?version=1", "").await;
    let input = asl::Payload::from_text("[1]").unwrap();
    let started = handle.start("m", "one".into(), input, true).await.unwrap();
    while runner.jobs.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    label(listening.address, "PUT", "/prod?version=2", "").await;
    assert_eq!(started.closed().await.unwrap().output.unwrap().text(), "[1]");
    let modules: Vec<_> = runner
        .jobs
        .lock()
        .unwrap()
        .iter()
        .map(|job| job.module.clone())
        .collect();
    assert_eq!(modules, [store::digest_of(b"hang"), store::digest_of(b"echo")]);
}

#[tokio::test]
async fn validation_tells_of_labels_that_arent_there() {
    let world = world().await;
    let listening = {
        let handle = world.handle.clone();
        (listen(world).await, handle)
    };
    let (listening, handle) = listening;
    label(listening.address, "PUT", "/prod?version=1", "").await;
    let codes = async |resource: &str| {
        let asked = json!({"definition": task(resource).to_string(), "severity": "WARNING"}).to_string();
        let answer = handle
            .call("ValidateStateMachineDefinition", asked.as_bytes())
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let found = answer["diagnostics"].as_array().unwrap().iter();
        found
            .map(|found| {
                format!(
                    "{}: {}",
                    found["code"].as_str().unwrap(),
                    found["message"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("wasm:pay@prod").await, [""; 0]);
    let found = codes("wasm:pay@canary").await;
    assert!(
        found[0].starts_with("UNKNOWN_LABEL: module `pay` has no label `canary`, it has `prod`"),
        "{found:?}"
    );
    assert!(
        found[0].contains("sandstep modules label pay canary VERSION"),
        "{found:?}"
    );
    let found = codes("wasm:nobody@prod").await;
    assert!(found[0].starts_with("UNKNOWN_MODULE: "), "{found:?}");
}

#[tokio::test]
async fn what_is_used_goes_by_force_only() {
    let world = World::new().await;
    for program in [&b"echo"[..], b"fail", b"hang", b"talk"] {
        world.handle.upload("pay", program.to_vec()).await.unwrap();
    }
    let digest = store::digest_of(b"fail").0;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay";
    world.machine("by-digest", &task(&format!("wasm:pay@{digest}"))).await;
    world.machine("by-label", &task("wasm:pay@prod")).await;
    world.machine("by-function", &task(&format!("{arn}:3"))).await;
    let published = json!({"name": "by-version", "definition": task("wasm:pay").to_string(),
        "roleArn": super::world::ROLE, "publish": true});
    let published = world.ok("CreateStateMachine", published).await;
    let update = json!({"stateMachineArn": published["stateMachineArn"], "definition": task("wasm:other").to_string()});
    world.ok("UpdateStateMachine", update).await;
    let listening = listen(world).await;
    let address = listening.address;
    label(address, "PUT", "/prod?version=1", "").await;
    let delete = async |query: &str| {
        let answer = request(address, "DELETE", &format!("/v1/modules/pay{query}"), "", b"").await;
        let body = answer.json();
        (answer.status, body["message"].as_str().unwrap_or_default().to_owned())
    };
    for (query, user) in [
        ("?version=1", "\"by-label\""),
        ("?version=2", "\"by-digest\""),
        ("?version=3", "\"by-function\""),
        ("?version=4", "\"by-version\""),
        ("", "\"by-digest\", \"by-label\", \"by-function\", \"by-version\""),
    ] {
        let (status, message) = delete(query).await;
        assert_eq!(status, 409, "{query}");
        assert!(message.ends_with(&format!("[{user}]")), "{query}: {message}");
    }
    let (status, refused) = label(address, "DELETE", "/prod", "").await;
    assert_eq!((status, &refused["code"]), (409, &json!("ModuleInUse")));
    label(address, "PUT", "/unused?version=3", "").await;
    assert_eq!(label(address, "DELETE", "/unused", "").await.0, 200);
    assert_eq!(delete("?version=9").await.0, 404);
    assert_eq!(delete("?version=2&force=true").await.0, 200);
    assert_eq!(label(address, "DELETE", "/prod?force=true", "").await.0, 200);
    assert_eq!(delete("?version=1").await.0, 200, "nobody names it any more");
    label(address, "PUT", "/kept?version=3", "").await;
    let versions = request(address, "GET", "/v1/modules/pay", "", b"").await.json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    assert_eq!(delete("?force=true").await.0, 200);
}

#[tokio::test]
async fn what_may_not_be_repeated_isnt_because_its_label_moved() {
    let policy = "[[allow]]\nmodules = [\"pay\"]\ndirs = [{ path = \"/srv/out\", write = true }]\n";
    let config = || Config {
        policy: PolicyInForce::new(Policy::read(policy, |_| Err(String::new())).unwrap()),
        ..Config::default()
    };
    let world = World::configured(config()).await;
    let writes = "[grants]\ndirs = [{ path = \"/srv/out\", guest = \"/out\", write = true }]\n";
    world
        .handle
        .upload_with_manifest("pay", b"hang".to_vec(), writes)
        .await
        .unwrap();
    world.handle.upload("pay", b"echo".to_vec()).await.unwrap();
    let machine = world.machine("m", &task("wasm:pay@prod")).await;
    let (runner, store) = (world.runner.clone(), world.store.clone());
    let at = |version| {
        let expected = engine::ports::Expected::Anything;
        engine::ports::Catalogue::put_label(&store, "pay", "prod", version, expected, asl::Timestamp(1)).unwrap();
    };
    at(1);
    let World { server, .. } = world;
    server.close().await.unwrap();
    let world = World::open(config(), store.clone(), runner).await.unwrap();
    let arn = world.start(&machine, "{}").await;
    world.jobs(1).await;
    let World { server, .. } = world;
    server.close().await.unwrap();

    at(2);
    let again = World::open(config(), store.clone(), Default::default()).await.unwrap();
    let ended = again
        .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
            answer["status"] != "RUNNING"
        })
        .await;
    assert_eq!(
        (&ended["status"], &ended["error"]),
        (&json!("FAILED"), &json!("Sandbox.HostRestarted"))
    );
    assert!(again.runner.jobs.lock().unwrap().is_empty());
    let history = again.ok("GetExecutionHistory", json!({"executionArn": arn})).await;
    let failed = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "TaskFailed")
        .unwrap();
    assert_eq!(failed["taskFailedEventDetails"]["sandstep"], json!({"version": 1}));
    let after = again.start(&machine, "[2]").await;
    let ended = again
        .until("DescribeExecution", json!({"executionArn": after}), |answer| {
            answer["status"] != "RUNNING"
        })
        .await;
    assert_eq!(
        ended["output"], "[2]",
        "what begins now runs what the label points at now"
    );
}
