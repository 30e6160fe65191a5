//! Components that answer HTTP requests: the input says the request, the output is the response.

mod world;

use std::time::Duration;

use asl::{Payload, TimeoutKind};
use engine::ids::Digest;
use engine::ports::{CallProblem, CallSketch, Outcome, TaskRunner, WayKind};
use serde_json::{Value, json};
use world::http::guest;
use world::{World, in_time, job};

fn serves(world: &World) -> Digest {
    let prepared = world.sandbox.prepare(&guest("serves"));
    prepared.expect("a handler").digest
}

fn output(world: &World, module: &Digest, input: &Value) -> Value {
    match world.call(module, None, &input.to_string()) {
        Outcome::Succeeded(answer) => serde_json::from_str(answer.text()).expect("JSON"),
        other => panic!("{input}: {other:?}"),
    }
}

fn failure(world: &World, module: &Digest, path: &str) -> (String, String) {
    world.refused(module, None, &json!({"path": path}).to_string())
}

#[test]
fn a_handler_is_found_and_described() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&guest("serves")).expect("a handler");
    let description = prepared.description;
    assert_eq!(description.entry, "wasi:http/incoming-handler");
    assert_eq!(description.ways.len(), 1, "{:?}", description.ways);
    let way = &description.ways[0];
    assert_eq!((way.kind, way.refused.as_ref()), (WayKind::Http, None));
    assert_eq!(way.input["properties"]["method"]["type"], "string");
    assert_eq!(way.output["required"], json!(["status", "headers", "body"]));
    let named = world.call(
        &prepared.digest,
        Some("wasi:http/incoming-handler"),
        r#"{"path": "/q"}"#,
    );
    assert!(matches!(named, Outcome::Succeeded(_)), "{named:?}");
}

#[test]
fn a_request_goes_in_and_its_response_comes_out() {
    let world = World::new();
    let module = serves(&world);
    for (input, wanted) in [
        (
            json!({"path": "/q?a=b", "query": {"c": "d e"}}),
            "0 localhost/q?a=b&c=d+e",
        ),
        (
            json!({"url": "https://shop.example:8443/q", "method": "DELETE"}),
            "4 shop.example:8443/q",
        ),
        (json!({"path": "/q", "body": ""}), "0 localhost/q"),
        (json!({"path": "/q", "body": 7}), "2 localhost/q"),
    ] {
        let output = output(&world, &module, &input);
        assert_eq!(output["body"], wanted, "{input}: {output}");
        assert_eq!(output["status"], 200);
    }
    for (body, content_type) in [
        (json!({"a": [1, 2.5, "é", null]}), "application/json"),
        (json!("a text"), "text/plain; charset=utf-8"),
        (json!(false), "application/json"),
        (Value::Null, ""),
        (json!("x".repeat(100_000)), "text/plain; charset=utf-8"),
    ] {
        let output = output(&world, &module, &json!({"path": "/e", "body": body}));
        assert_eq!(output["body"], body);
        let headers = if content_type.is_empty() {
            json!({})
        } else {
            json!({"content-type": content_type})
        };
        assert_eq!(output["headers"], headers);
    }
    let bytes = json!({"path": "/e", "body": "/wD+", "base64": true});
    let answered = output(&world, &module, &bytes);
    assert_eq!((&answered["body"], &answered["base64"]), (&json!("/wD+"), &json!(true)));
    let problem = json!({"path": "/e", "headers": {"content-type": "application/problem+json"}, "body": "{\"a\":1}"});
    assert_eq!(output(&world, &module, &problem)["body"], json!({"a": 1}));
    assert_eq!(output(&world, &module, &json!({"path": "/s304"}))["status"], 304);
}

#[test]
fn a_status_that_says_so_fails_the_task() {
    let world = World::new();
    let module = serves(&world);
    for status in ["404", "429", "500", "503"] {
        let failed = failure(&world, &module, &format!("/s{status}"));
        assert_eq!(failed, (format!("Sandbox.Http.StatusCode.{status}"), "said".to_owned()));
    }
}

#[test]
fn an_input_that_is_no_request_is_told_where() {
    let world = World::new();
    let module = serves(&world);
    for (input, words) in [
        ("[]", "`$`: wanted an object"),
        ("null", "`$`: wanted an object"),
        (r#"{"paht": "/"}"#, "`$.paht`"),
        (r#"{"headers": {"x": {}}}"#, "`$.headers.x`: wanted a text"),
    ] {
        let (error, cause) = world.refused(&module, None, input);
        assert_eq!(error, "Sandbox.InvalidInput", "{input}: {cause}");
        assert!(cause.contains(words), "{input}: {cause}");
    }
    let check = |input: Value| {
        let call = CallSketch {
            function: None,
            input: Some(&input),
            unknown: "?",
        };
        world.sandbox.check_call(&module, call)
    };
    assert_eq!(check(json!({"path": "?", "body": "?"})), Ok(()));
    assert!(matches!(check(json!({"method": 1})), Err(CallProblem::WrongInput(_))));
}

#[test]
fn what_is_left_open_ends_with_the_handler() {
    let world = World::new();
    let module = serves(&world);
    assert_eq!(output(&world, &module, &json!({"path": "/u"}))["body"], "said");
}

#[test]
fn a_handler_without_a_response_fails() {
    let world = World::new();
    let module = serves(&world);
    for (path, words) in [
        ("/d", "returned without a response"),
        ("/f", "the shelf is empty"),
        ("/c", "another length"),
    ] {
        let (error, cause) = failure(&world, &module, path);
        assert_eq!(error, "Sandbox.NoResponse", "{path}: {cause}");
        assert!(cause.contains(words), "{path}: {cause}");
    }
    for path in ["/t", "/x"] {
        assert_eq!(failure(&world, &module, path).0, "Sandbox.Trapped", "{path}");
    }
}

#[test]
fn handlers_run_under_the_limits_of_every_task() {
    let world = World::new();
    let module = serves(&world);
    let asked = |path: &str| {
        let mut job = job(&module);
        job.input = Payload::from_text(json!({"path": path}).to_string()).expect("JSON");
        job
    };
    for path in ["/n", "/l"] {
        let mut spins = asked(path);
        spins.limits.fuel = 1_000_000;
        world.fails(spins, "Sandbox.FuelExhausted");
    }
    let mut waits = asked("/w");
    waits.deadline = Some(in_time(Duration::from_millis(100)));
    assert_eq!(world.run(waits).outcome, Outcome::TimedOut(TimeoutKind::Deadline));
    let cause = world.fails(asked("/o"), "Sandbox.OutputTooLarge");
    assert!(cause.contains(&sandbox::OUTPUT_BYTES.to_string()), "{cause}");
    let mut small = asked("/o");
    small.limits.output = Some(10_000);
    let cause = world.fails(small, "Sandbox.OutputTooLarge");
    assert!(cause.contains("`10000`"), "{cause}");
}

#[test]
fn a_handler_asks_nobody_without_a_grant() {
    let world = World::new();
    let module = serves(&world);
    let asked = output(&world, &module, &json!({"path": "/h"}));
    assert_eq!(asked["status"], 201, "an error");
}
