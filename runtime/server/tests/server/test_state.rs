//! TestState: requests and what comes of them, and tasks that are run for real.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::world::{PREFIX, World, pass};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Fields that hold JSON texts may be given as JSON.
    request: Map<String, Value>,
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    error: Option<String>,
    /// The error's text, where it counts.
    #[serde(default)]
    message: Option<String>,
}

/// Fields of a request that are JSON texts.
const TEXTS: [&str; 7] = [
    "definition",
    "input",
    "variables",
    "context",
    "result",
    "mapItemReaderData",
    "output",
];

/// Writes out the JSON texts of a request. A text is left alone where it is one already.
fn request(fields: &Map<String, Value>) -> Value {
    let written = |name: &String, value: &Value| match value {
        Value::String(_) => value.clone(),
        _ if TEXTS.contains(&name.as_str()) => Value::String(value.to_string()),
        Value::Object(inner) => request(inner),
        other => other.clone(),
    };
    let fields = fields.iter().map(|(name, value)| (name.clone(), written(name, value)));
    Value::Object(fields.collect())
}

/// Reads the texts of an answer where JSON is expected of them.
fn read(answered: &Value, expected: Option<&Value>) -> Value {
    match (answered, expected) {
        (Value::String(text), Some(Value::Object(_) | Value::Array(_))) => {
            serde_json::from_str(text).unwrap_or_else(|_| answered.clone())
        }
        (Value::Object(fields), Some(expected)) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), read(value, expected.get(name))));
            Value::Object(fields.collect())
        }
        _ => answered.clone(),
    }
}

#[tokio::test]
async fn every_case_is_answered_as_it_says() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("test_state.json")).expect("the cases are well-formed");
    let world = World::new().await;
    let mut wrong = Vec::new();
    for case in &cases {
        let asked = request(&case.request).to_string();
        let answered = match world.handle.call("TestState", asked.as_bytes()).await {
            Ok(body) => read(&serde_json::from_slice(&body).expect("JSON"), case.answer.as_ref()),
            Err(error) if case.message.is_none() => json!({"error": error.kind}),
            Err(error) => json!({"error": error.kind, "message": error.message}),
        };
        let expected = match (&case.answer, &case.message) {
            (Some(answer), _) => answer.clone(),
            (None, None) => json!({"error": case.error}),
            (None, Some(message)) => json!({"error": case.error, "message": message}),
        };
        if answered != expected {
            wrong.push(format!("{}\n  expected {expected}\n  got      {answered}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        world.runner.jobs.lock().unwrap().is_empty(),
        "a mock keeps every task from running"
    );
}

fn asked(definition: &Value, input: &Value) -> Value {
    json!({"definition": definition.to_string(), "input": input.to_string(), "inspectionLevel": "DEBUG"})
}

fn task(resource: &str) -> Value {
    json!({"Type": "Task", "Resource": resource, "End": true})
}

#[tokio::test]
async fn the_context_object_is_that_of_an_express_execution() {
    let world = World::new().await;
    let definition =
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.context %}", "End": true});
    let mut request = asked(&definition, &json!({"in": 1}));
    request["roleArn"] = json!("arn:aws:iam::000000000000:role/r");
    let answered = world.ok("TestState", request).await;
    let context: Value = serde_json::from_str(answered["output"].as_str().unwrap()).unwrap();
    let (machine, execution) = (
        context["StateMachine"]["Name"].as_str().unwrap(),
        context["Execution"]["Name"].as_str().unwrap(),
    );
    assert_eq!(
        context["Execution"]["Id"],
        format!("{PREFIX}express:{machine}:{execution}")
    );
    assert_eq!(context["StateMachine"]["Id"], format!("{PREFIX}stateMachine:{machine}"));
    assert_eq!(context["Execution"]["Input"], json!({"in": 1}));
    assert_eq!(context["Execution"]["RoleArn"], "arn:aws:iam::000000000000:role/r");
    assert_eq!(context["State"]["Name"], "StateName");
    assert_eq!(context["State"].get("RetryCount"), None, "a Pass state isn't retried");
}

#[tokio::test]
async fn a_task_that_is_not_mocked_runs() {
    let world = World::new().await;
    for program in ["echo", "fail"] {
        world.handle.upload(program, program.into()).await.unwrap();
    }
    let answered = world.ok("TestState", asked(&task("wasm:echo"), &json!([1]))).await;
    assert_eq!(
        (
            &answered["status"],
            &answered["output"],
            &answered["inspectionData"]["result"]
        ),
        (&json!("SUCCEEDED"), &json!("[1]"), &json!("[1]"))
    );

    let mut invoke = task("arn:aws:states:::lambda:invoke");
    invoke["Parameters"] = json!({"FunctionName": "echo", "Payload": {"a": 1}});
    invoke["OutputPath"] = json!("$.Payload");
    let answered = world.ok("TestState", asked(&invoke, &json!({}))).await;
    assert_eq!(answered["output"], r#"{"a":1}"#);

    let mut failing = task("wasm:fail");
    failing["Retry"] = json!([{"ErrorEquals": ["Refused"]}]);
    let answered = world.ok("TestState", asked(&failing, &json!({}))).await;
    assert_eq!(
        (&answered["status"], &answered["error"], &answered["cause"]),
        (&json!("RETRIABLE"), &json!("Refused"), &json!("on purpose"))
    );

    for resource in ["wasm:absent", "arn:aws:states:::sqs:sendMessage"] {
        let answered = world.ok("TestState", asked(&task(resource), &json!({}))).await;
        assert_eq!(answered["status"], "FAILED", "{resource}: {answered}");
        assert!(answered["cause"].as_str().unwrap().contains("upload") || answered["error"] == "States.Runtime");
    }
    assert_eq!(world.runner.jobs.lock().unwrap().len(), 3);
    assert_eq!(
        world.ok("ListStateMachines", json!({})).await["stateMachines"],
        json!([])
    );
}

#[tokio::test]
async fn a_task_may_ask_this_server_itself() {
    let world = World::new().await;
    let machine = world.machine("m", &pass()).await;
    let mut list = task("arn:aws:states:::aws-sdk:sfn:listStateMachines");
    list["OutputPath"] = json!("$.StateMachines[0].Name");
    list["Parameters"] = json!({});
    assert_eq!(world.ok("TestState", asked(&list, &json!({}))).await["output"], "\"m\"");
    let mut start = task("arn:aws:states:::states:startExecution");
    start["Parameters"] = json!({"StateMachineArn": machine, "Input": {"n": 1}});
    start["OutputPath"] = json!("$.ExecutionArn");
    for _ in 0..2 {
        let answered = world.ok("TestState", asked(&start, &json!({}))).await;
        let arn: Value = serde_json::from_str(answered["output"].as_str().unwrap()).unwrap();
        let described = json!({"executionArn": arn});
        let described = world
            .until("DescribeExecution", described, |described| {
                described["status"] == "SUCCEEDED"
            })
            .await;
        assert_eq!(described["input"], r#"{"n":1}"#);
    }
    let mut nested = task("arn:aws:states:::aws-sdk:sfn:testState");
    nested["Parameters"] = json!({"Definition": {"Type": "Succeed"}, "Input": "7"});
    nested["OutputPath"] = json!("$.Output");
    assert_eq!(
        world.ok("TestState", asked(&nested, &json!({}))).await["output"],
        "\"7\""
    );
}

#[tokio::test]
async fn a_task_whose_caller_goes_away_is_stopped() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".into()).await.unwrap();
    let handle = world.handle.clone();
    let request = asked(&task("wasm:hang"), &json!({})).to_string();
    let test = tokio::spawn(async move { handle.call("TestState", request.as_bytes()).await });
    world.jobs(1).await;
    test.abort();
    assert!(test.await.expect_err("it was aborted").is_cancelled());
    let task = world.runner.jobs.lock().unwrap()[0].task;
    assert_eq!(*world.runner.cancelled.lock().unwrap(), [task]);
}

/// Every request with one of its values taken away or made something else.
fn distorted(value: &Value) -> Vec<Value> {
    let others = [json!(null), json!(-1), json!("{% $x %}"), json!([]), json!({})];
    let mut found: Vec<Value> = others.into_iter().filter(|other| other != value).collect();
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let mut without = fields.clone();
                without.shift_remove(name);
                found.push(Value::Object(without));
                found.extend(distorted(inner).into_iter().map(|inner| {
                    let mut with = fields.clone();
                    with.insert(name.clone(), inner);
                    Value::Object(with)
                }));
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                found.extend(distorted(inner).into_iter().map(|inner| {
                    let mut with = items.clone();
                    with[index] = inner;
                    Value::Array(with)
                }));
            }
        }
        _ => {}
    }
    found
}

#[tokio::test]
async fn no_request_makes_the_server_fail() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("test_state.json")).expect("the cases are well-formed");
    let world = World::new().await;
    let mut asked = 0;
    for case in &cases {
        for request in distorted(&Value::Object(case.request.clone())) {
            let Value::Object(fields) = &request else { continue };
            let request = self::request(fields).to_string();
            asked += 1;
            if let Err(error) = world.handle.call("TestState", request.as_bytes()).await {
                assert_eq!(error.status, 400, "{request}: {error:?}");
            }
        }
    }
    assert!(asked > 4_000, "{asked} requests");
}
