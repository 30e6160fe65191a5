//! Keys, tokens, roles and names, over a real port.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use server::access::{
    AccessKey, BearerToken, Caller, Credentials, Entrance, Keyring, NamePattern, Policy, Role, Secret, TokenHash,
};
use server::aws::signature::{self, payload_digest};

use super::http::{Answer, Listening, listen_behind, request};
use super::world::{PREFIX, World, pass, task};

const KEY: &str = "SSAKEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

fn caller(name: &str, role: Role, names: Option<&[&str]>) -> Caller {
    let names = names.map(|names| names.iter().map(|name| NamePattern::new(*name)).collect());
    Caller {
        name: name.to_owned(),
        policy: Policy::new(vec![role], names),
    }
}

/// A token `token-NAME` for each role, some limited to `orders-*`, and one access key.
fn credentials() -> Credentials {
    let limited = Some(&["orders-*"][..]);
    let callers = [
        caller("reader", Role::ReadOnly, None),
        caller("starter", Role::StartOnly, None),
        caller("worker", Role::Worker, None),
        caller("operator", Role::Operator, None),
        caller("admin", Role::Admin, None),
        caller("orders-reader", Role::ReadOnly, limited),
        caller("orders-worker", Role::Worker, limited),
        caller("orders-admin", Role::Admin, limited),
    ];
    let token = |caller: Caller| BearerToken {
        hash: TokenHash::of(&Secret::new(format!("token-{}", caller.name))),
        caller,
    };
    let key = AccessKey {
        id: KEY.to_owned(),
        secret: Secret::new(SECRET),
        caller: caller("signer", Role::Admin, None),
    };
    Credentials::new(vec![key], callers.map(token).to_vec())
}

async fn listening(world: World) -> Listening {
    let entrance = Entrance {
        keyring: Some(Keyring::new(credentials())),
        ..Entrance::default()
    };
    listen_behind(entrance, world).await
}

fn bearer(name: &str) -> String {
    format!("authorization: Bearer token-{name}\r\n")
}

/// An operation with these headers: status, error and text.
async fn call(address: SocketAddr, headers: &str, operation: &str, parameters: &Value) -> (u16, String, String) {
    let headers = format!("x-amz-target: AWSStepFunctions.{operation}\r\n{headers}");
    outcome(&request(address, "POST", "/", &headers, parameters.to_string().as_bytes()).await)
}

fn outcome(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| body[*key].as_str());
        found.unwrap_or_default().to_owned()
    };
    (answer.status, text(["__type", "code"]), text(["message", "message"]))
}

fn now() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let text = asl::Timestamp(i64::try_from(seconds).unwrap()).to_string();
    let basic: String = text
        .split('.')
        .next()
        .unwrap()
        .chars()
        .filter(|letter| !"-:".contains(*letter))
        .collect();
    format!("{basic}Z")
}

/// The headers of a signed request.
fn signed(method: &str, path: &str, more: &[(&str, &str)], body: &[u8], secret: &str, at: &str) -> String {
    let mut headers = axum::http::HeaderMap::new();
    for (name, value) in [("host", "x"), ("x-amz-date", at)].iter().chain(more) {
        headers.insert(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let asked = signature::Request {
        method,
        path,
        query: "",
        headers: &headers,
    };
    let digest = payload_digest(body);
    let value = signature::authorization(asked, KEY, &Secret::new(secret), "us-east-1", at, &digest);
    let sent = headers.iter().filter(|(name, _)| *name != "host");
    let lines: String = sent
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
        .collect();
    format!("{lines}authorization: {value}\r\n")
}

#[tokio::test]
async fn nobody_gets_in_without_a_key() {
    let listening = listening(World::new().await).await;
    let list =
        |headers: String| async move { call(listening.address, &headers, "ListStateMachines", &json!({})).await };
    let (status, error, text) = list(String::new()).await;
    assert_eq!(
        (status, error.as_str(), text.as_str()),
        (
            400,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token"
        )
    );
    for wrong in ["Bearer token-nobody", "bearer SSAKEXAMPLE"] {
        let (status, error, text) = list(format!("authorization: {wrong}\r\n")).await;
        assert_eq!(
            (status, error.as_str(), text.as_str()),
            (
                400,
                "UnrecognizedClientException",
                "The security token included in the request is invalid."
            )
        );
    }
    assert_eq!(
        list("authorization: Basic YTpi\r\n".to_owned()).await.1,
        "IncompleteSignatureException"
    );
    assert_eq!(list(bearer("reader")).await.0, 200);
    assert_eq!(list("authorization: BEARER token-reader\r\n".to_owned()).await.0, 200);

    for (method, path) in [
        ("GET", "/v1/modules"),
        ("PUT", "/v1/modules/m"),
        ("DELETE", "/v1/modules/m"),
    ] {
        let answer = request(listening.address, method, path, "", b"").await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
        assert!(answer.json()["hint"].is_string());
    }
    assert_eq!(request(listening.address, "GET", "/healthz", "", b"").await.status, 200);
    assert_eq!(request(listening.address, "GET", "/nowhere", "", b"").await.status, 404);
}

#[tokio::test]
async fn signed_requests_are_let_in_and_changed_ones_are_not() {
    let listening = listening(World::new().await).await;
    let target = ("x-amz-target", "AWSStepFunctions.ListStateMachines");
    let list = |headers: String, body: &'static [u8]| async move {
        outcome(&request(listening.address, "POST", "/", &headers, body).await)
    };
    let headers = |secret, at: &str| signed("POST", "/", &[target], b"{}", secret, at);
    assert_eq!(list(headers(SECRET, &now()), b"{}").await.0, 200);
    let (status, error, text) = list(headers(SECRET, &now()), b"{ }").await;
    assert_eq!((status, error.as_str()), (400, "InvalidSignatureException"));
    assert!(
        text.starts_with("The request signature we calculated does not match"),
        "{text}"
    );
    assert_eq!(
        list(headers("another", &now()), b"{}").await.1,
        "InvalidSignatureException"
    );
    let (_, error, text) = list(headers(SECRET, "20150830T123600Z"), b"{}").await;
    assert_eq!(error, "InvalidSignatureException");
    assert!(
        text.starts_with("Signature expired: 20150830T123600Z is now earlier than"),
        "{text}"
    );
    let other_target = headers(SECRET, &now()).replace("ListStateMachines", "ListActivities");
    assert_eq!(list(other_target, b"{}").await.1, "InvalidSignatureException");
    let other_key = headers(SECRET, &now()).replace(KEY, "SSAKNOBODY");
    assert_eq!(list(other_key, b"{}").await.1, "UnrecognizedClientException");
    let unsigned = signed("POST", "/", &[], b"{}", SECRET, &now());
    let unsigned = format!("x-amz-target: AWSStepFunctions.ListStateMachines\r\n{unsigned}");
    let (_, error, text) = list(unsigned, b"{}").await;
    assert_eq!(
        (error.as_str(), text.as_str()),
        (
            "InvalidSignatureException",
            "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
        )
    );
}

#[tokio::test]
async fn signed_uploads_are_checked_while_they_are_read() {
    let listening = listening(World::new().await).await;
    let path = "/v1/modules/echo";
    let digest = payload_digest(b"echo");
    let headers = signed(
        "PUT",
        path,
        &[("x-amz-content-sha256", &digest)],
        b"echo",
        SECRET,
        &now(),
    );
    let other = request(listening.address, "PUT", path, &headers, b"fail").await;
    assert_eq!((other.status, &other.json()["code"]), (400, &json!("Interrupted")));
    let taken = request(listening.address, "PUT", path, &headers, b"echo").await;
    assert_eq!(taken.status, 201, "{}", taken.json());
    // Without the digest the body is read first.
    let headers = signed("PUT", path, &[], b"echo", SECRET, &now());
    assert_eq!(
        request(listening.address, "PUT", path, &headers, b"echo").await.status,
        200
    );
    assert_eq!(
        request(listening.address, "PUT", path, &headers, b"fail").await.status,
        401
    );
    let headers = signed(
        "PUT",
        path,
        &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
        b"",
        SECRET,
        &now(),
    );
    let unsigned = request(listening.address, "PUT", path, &headers, b"echo").await;
    assert_eq!(
        (unsigned.status, &unsigned.json()["code"]),
        (401, &json!("InvalidSignatureException"))
    );
}

#[tokio::test]
async fn roles_bound_what_is_done() {
    let world = World::new().await;
    let machine = world.machine("orders-eu", &pass()).await;
    let listening = listening(world).await;
    let by_arn = json!({"stateMachineArn": machine});
    for (operation, parameters, allowed) in [
        (
            "DescribeStateMachine",
            &by_arn,
            ["reader", "operator", "admin"].as_slice(),
        ),
        ("StartExecution", &by_arn, &["starter", "operator", "admin"]),
        (
            "SendTaskHeartbeat",
            &json!({"taskToken": "x"}),
            &["worker", "operator", "admin"],
        ),
        ("StopExecution", &json!({"executionArn": "x"}), &["operator", "admin"]),
        ("TagResource", &json!({"resourceArn": machine, "tags": []}), &["admin"]),
    ] {
        for name in ["reader", "starter", "worker", "operator", "admin"] {
            let (_, error, text) = call(listening.address, &bearer(name), operation, parameters).await;
            let is_denied = error == "AccessDeniedException";
            assert_eq!(
                is_denied,
                !allowed.contains(&name),
                "{operation} by {name}: {error} {text}"
            );
        }
    }
    let (status, _, text) = call(listening.address, &bearer("reader"), "StartExecution", &by_arn).await;
    assert_eq!(status, 400);
    assert_eq!(
        text,
        format!(
            "User: arn:aws:iam::000000000000:user/reader is not authorized to perform: states:StartExecution on \
             resource: {machine} because no identity-based policy allows the states:StartExecution action"
        )
    );
    let upload = request(
        listening.address,
        "PUT",
        "/v1/modules/echo",
        &bearer("operator"),
        b"echo",
    )
    .await;
    assert_eq!(
        (upload.status, &upload.json()["code"]),
        (403, &json!("AccessDeniedException"))
    );
    let upload = request(listening.address, "PUT", "/v1/modules/echo", &bearer("admin"), b"echo").await;
    assert_eq!(upload.status, 201);
    let (_, error, _) = call(listening.address, &bearer("admin"), "DropTables", &json!({})).await;
    assert_eq!(error, "UnknownOperationException");
}

#[tokio::test]
async fn names_bound_what_it_is_done_to() {
    let world = World::new().await;
    let orders = world.machine("orders-eu", &pass()).await;
    let refunds = world.machine("refunds", &pass()).await;
    let refund = world.start(&refunds, "{}").await;
    let listening = listening(world).await;
    let address = listening.address;
    let read = bearer("orders-reader");
    let listed = request(
        address,
        "POST",
        "/",
        &format!("x-amz-target: AWSStepFunctions.ListStateMachines\r\n{read}"),
        b"{}",
    )
    .await;
    let names: Vec<Value> = listed.json()["stateMachines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|machine| machine["name"].clone())
        .collect();
    assert_eq!(names, ["orders-eu"]);
    let denied = |operation: &'static str, parameters: Value| async move {
        let (_, error, _) = call(address, &bearer("orders-admin"), operation, &parameters).await;
        error == "AccessDeniedException"
    };
    assert!(!denied("DescribeStateMachine", json!({"stateMachineArn": orders})).await);
    for (operation, parameters) in [
        ("DescribeStateMachine", json!({"stateMachineArn": refunds})),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": format!("{refunds}:1")}),
        ),
        ("DescribeStateMachine", json!({"stateMachineArn": "orders-eu"})),
        ("DescribeStateMachine", json!({})),
        ("DescribeExecution", json!({"executionArn": refund})),
        (
            "ListExecutions",
            json!({"stateMachineArn": orders, "mapRunArn": format!("{PREFIX}mapRun:refunds/m:1")}),
        ),
        ("CreateActivity", json!({"name": "refunds"})),
        ("TestState", json!({"definition": "{}"})),
        (
            "CreateStateMachineAlias",
            json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": format!("{refunds}:1"), "weight": 100}]}),
        ),
    ] {
        assert!(denied(operation, parameters.clone()).await, "{operation} {parameters}");
    }
    assert!(!denied("CreateActivity", json!({"name": "orders-pack"})).await);
    // A list in place of an object would be read by position.
    let (_, error, _) = call(address, &read, "DescribeStateMachine", &json!([refunds])).await;
    assert_eq!(error, "SerializationException");
    let upload = |name: &'static str| async move {
        request(
            address,
            "PUT",
            &format!("/v1/modules/{name}"),
            &bearer("orders-admin"),
            b"echo",
        )
        .await
    };
    assert_eq!(upload("orders-pack").await.status, 201);
    assert_eq!(upload("refund").await.status, 403);
    assert_eq!(
        upload("%6Frders-pack").await.status,
        200,
        "the name counts, not its spelling"
    );
    let everything = request(address, "PUT", "/v1/modules/refund", &bearer("admin"), b"echo").await;
    assert_eq!(everything.status, 201);
    let listed = request(address, "GET", "/v1/modules", &read, b"").await.json();
    assert_eq!(listed["modules"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn people_are_bound_by_the_machine_of_an_execution() {
    let world = World::new().await;
    for name in ["orders-1", "other"] {
        world.machine(name, &pass()).await;
    }
    let listening = listening(world).await;
    let ask = async |name: &str, method: &str, path: &str| {
        request(listening.address, method, path, &bearer(name), b"")
            .await
            .status
    };
    for machine in ["orders-1", "other"] {
        let path = format!("/v1/state-machines/{machine}/executions?name=e");
        assert_eq!(ask("starter", "POST", &path).await, 201);
        assert_eq!(
            ask("starter", "POST", &format!("{path}2&wait=1")).await,
            403,
            "that would show its end"
        );
        assert_eq!(ask("operator", "POST", &format!("{path}2&wait=60")).await, 200);
    }
    for (path, status) in [
        ("/v1/executions/orders-1:e", 200),
        (
            "/v1/executions/arn:aws:states:us-east-1:000000000000:execution:orders-1:e/history",
            200,
        ),
        ("/v1/executions/other:e", 403),
        (
            "/v1/executions/arn:aws:states:us-east-1:000000000000:execution:other:e/logs",
            403,
        ),
        ("/v1/executions/other:e/events", 403),
        ("/v1/executions/orders-1", 400),
        ("/v1/state-machines/other", 403),
    ] {
        assert_eq!(ask("orders-reader", "GET", path).await, status, "{path}");
    }
    assert_eq!(
        ask("orders-reader", "POST", "/v1/executions/orders-1:e/stop").await,
        403
    );
    assert_eq!(ask("orders-admin", "POST", "/v1/executions/orders-1:e/stop").await, 200);
    let headers = bearer("orders-reader");
    let listed = request(listening.address, "GET", "/v1/state-machines", &headers, b"")
        .await
        .json();
    let names: Vec<&Value> = listed["stateMachines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|machine| &machine["name"])
        .collect();
    assert_eq!(names, ["orders-1"]);
}

#[tokio::test]
async fn a_task_token_is_of_its_machines_name() {
    let world = World::new().await;
    for name in ["orders-pack", "refund"] {
        world.ok("CreateActivity", json!({"name": name})).await;
        let machine = world.machine(name, &task(&format!("{PREFIX}activity:{name}"))).await;
        world.start(&machine, "{}").await;
    }
    let mut tokens = Vec::new();
    for name in ["orders-pack", "refund"] {
        let arn = format!("{PREFIX}activity:{name}");
        let task = world.ok("GetActivityTask", json!({"activityArn": arn})).await;
        tokens.push(task["taskToken"].clone());
    }
    let listening = listening(world).await;
    let beat = |token: Value| async move {
        let parameters = json!({"taskToken": token});
        call(
            listening.address,
            &bearer("orders-worker"),
            "SendTaskHeartbeat",
            &parameters,
        )
        .await
    };
    assert_eq!(beat(tokens[0].clone()).await.0, 200);
    assert_eq!(beat(tokens[1].clone()).await.1, "AccessDeniedException");
    assert_eq!(beat(json!("forged")).await.1, "InvalidToken");
}

#[tokio::test]
async fn replaced_keys_count_from_the_next_request_on() {
    let keyring = Keyring::new(credentials());
    let entrance = Entrance {
        keyring: Some(keyring.clone()),
        ..Entrance::default()
    };
    let listening = listen_behind(entrance, World::new().await).await;
    let list = || async {
        call(listening.address, &bearer("reader"), "ListActivities", &json!({}))
            .await
            .0
    };
    assert_eq!(list().await, 200);
    keyring.replace(Credentials::default());
    assert_eq!(list().await, 400);
}

#[tokio::test]
async fn pages_from_elsewhere_are_kept_out_until_they_are_allowed() {
    let listening = super::http::listen(World::new().await).await;
    let address = listening.address;
    let evil = request(address, "GET", "/v1/modules", "origin: https://evil.example\r\n", b"").await;
    assert_eq!((evil.status, &evil.json()["code"]), (403, &json!("ForeignOrigin")));
    assert!(!evil.head.contains("access-control"), "{}", evil.head);
    let preflight = "origin: https://evil.example\r\naccess-control-request-method: POST\r\n";
    assert_eq!(request(address, "OPTIONS", "/", preflight, b"").await.status, 403);
    let entrance = Entrance {
        origins: vec!["https://console.example".to_owned()],
        ..Entrance::default()
    };
    let listening = listen_behind(entrance, World::new().await).await;
    let origin = "origin: https://console.example\r\n";
    let allowed = request(listening.address, "GET", "/v1/modules", origin, b"").await;
    assert_eq!(allowed.status, 200);
    assert!(
        allowed
            .head
            .contains("access-control-allow-origin: https://console.example"),
        "{}",
        allowed.head
    );
    let preflight = format!("{origin}access-control-request-method: POST\r\n");
    let answer = request(listening.address, "OPTIONS", "/", &preflight, b"").await;
    assert_eq!(answer.status, 204);
    assert!(
        answer.head.contains("access-control-allow-headers: authorization"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn an_open_server_is_for_this_machine_only() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = world.server.serve(listener, std::future::pending()).await;
    let text = refused.expect_err("others would reach it").to_string();
    assert!(text.contains("no credentials"), "{text}");
}

/// What is logged, in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The runtime of this test has this thread only.
    let _default = tracing::subscriber::set_default(subscriber);
    let listening = listening(World::new().await).await;
    let target = ("x-amz-target", "AWSStepFunctions.ListStateMachines");
    let mut secrets = vec![SECRET.to_owned(), "token-".to_owned()];
    for (secret, at) in [
        (SECRET, now()),
        ("wrong-secret", now()),
        (SECRET, "20150830T123600Z".to_owned()),
    ] {
        let headers = signed("POST", "/", &[target], b"{}", secret, &at);
        secrets.extend(
            headers
                .split("Signature=")
                .nth(1)
                .map(|signature| signature.trim().to_owned()),
        );
        request(listening.address, "POST", "/", &headers, b"{}").await;
    }
    for name in ["reader", "admin", "nobody"] {
        let stop = json!({"executionArn": "x"});
        call(listening.address, &bearer(name), "StopExecution", &stop).await;
        request(listening.address, "PUT", "/v1/modules/echo", &bearer(name), b"echo").await;
    }
    drop(listening);
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("its key doesn't allow it"), "{logged}");
    for secret in secrets {
        assert!(!logged.contains(&secret), "`{secret}` in {logged}");
    }
}
