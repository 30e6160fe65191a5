//! Each bad input gets AWS's error, and changes nothing.

use serde_json::{Value, json};

use super::world::{PREFIX, ROLE, World, pass};

#[tokio::test]
async fn bodies_that_are_not_what_an_operation_takes() {
    let world = World::new().await;
    for body in [
        "{",
        "[]",
        "not JSON",
        "{\"name\": 5}",
        "{\"name\": \"a\", \"name\": \"b\"}",
    ] {
        let error = world
            .handle
            .call("CreateStateMachine", body.as_bytes())
            .await
            .expect_err(body);
        assert_eq!((error.kind, error.status), ("SerializationException", 400), "{body}");
    }
    let empty = world
        .handle
        .call("CreateStateMachine", b"")
        .await
        .expect_err("nothing is given");
    assert_eq!(
        empty.message,
        "3 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; \
         Value null at 'definition' failed to satisfy constraint: Member must not be null; \
         Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
    );
}

#[tokio::test]
async fn arns_names_and_tokens() {
    let world = World::new().await;
    let machine = world.machine("m", &pass()).await;
    let gone = format!("{PREFIX}execution:m:gone");
    let other = format!("{PREFIX}stateMachine:other");
    let versioned = format!("{machine}:1");
    let missing = |arn: &str| format!("Execution Does Not Exist: '{arn}'");
    let no_machine = |arn: &str| format!("State Machine Does Not Exist: '{arn}'");
    let cases: Vec<(&str, Value, &str, String)> = vec![
        (
            "DescribeExecution",
            json!({"executionArn": gone}),
            "ExecutionDoesNotExist",
            missing(&gone),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": gone}),
            "ExecutionDoesNotExist",
            missing(&gone),
        ),
        (
            "StopExecution",
            json!({"executionArn": gone}),
            "ExecutionDoesNotExist",
            missing(&gone),
        ),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": gone}),
            "ExecutionDoesNotExist",
            missing(&gone),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": "x"}),
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: x'".into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": "x"}),
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: x'".into(),
        ),
        (
            "DescribeExecution",
            json!({"executionArn": format!("{PREFIX}express:m:a:b")}),
            "InvalidArn",
            "Invalid Arn: 'Resource type not valid in this context: express'".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": other}),
            "StateMachineDoesNotExist",
            no_machine(&other),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": versioned}),
            "StateMachineDoesNotExist",
            no_machine(&versioned),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": other, "roleArn": ROLE}),
            "StateMachineDoesNotExist",
            no_machine(&other),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": machine}),
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration or the \
             EncryptionConfiguration must be specified"
                .into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "name": "a b"}),
            "InvalidName",
            "Invalid Name: 'a b'".into(),
        ),
        (
            "CreateStateMachine",
            json!({"name": "a|b", "definition": pass().to_string(), "roleArn": ROLE}),
            "InvalidName",
            "Invalid Name: 'a|b'".into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": machine, "nextToken": "nonsense"}),
            "InvalidToken",
            "Invalid Token: 'nonsense'".into(),
        ),
        (
            "ListStateMachines",
            json!({"maxResults": 1001}),
            "ValidationException",
            "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have \
             value less than or equal to 1000"
                .into(),
        ),
        (
            "CreateStateMachine",
            json!({"name": "m2", "definition": pass().to_string(), "roleArn": ROLE, "type": "FAST"}),
            "ValidationException",
            "1 validation error detected: Value 'FAST' at 'type' failed to satisfy constraint: Member must satisfy \
             enum value set: [STANDARD, EXPRESS]"
                .into(),
        ),
    ];
    for (operation, parameters, error, message) in cases {
        let label = format!("{operation} {parameters}");
        assert_eq!(
            world.refused(operation, parameters).await,
            (error.to_owned(), message),
            "{label}"
        );
    }
    assert_eq!(
        world.ok("ListExecutions", json!({"stateMachineArn": machine})).await["executions"],
        json!([])
    );
}

#[tokio::test]
async fn inputs_that_are_not_json_or_too_large() {
    let world = World::new().await;
    let machine = world.machine("m", &pass()).await;
    let start = |input: String| world.refused("StartExecution", json!({"stateMachineArn": machine, "input": input}));
    assert_eq!(
        start("not JSON".into()).await,
        (
            "InvalidExecutionInput".to_owned(),
            "Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, \
             Array, Object or token 'null', 'true' or 'false')'"
                .to_owned()
        )
    );
    let (error, message) = start(format!("\"{}\"", "x".repeat(262_143))).await;
    assert_eq!(error, "ValidationException");
    assert!(
        message.ends_with("Member must have length less than or equal to 262144"),
        "{message}"
    );
    // The longest that fits, in bytes.
    let longest = format!("\"{}\"", "é".repeat(131_071));
    assert_eq!(longest.len(), 262_144);
    world
        .ok("StartExecution", json!({"stateMachineArn": machine, "input": longest}))
        .await;
}

#[tokio::test]
async fn a_definition_over_a_megabyte() {
    let world = World::new().await;
    let mut definition = pass();
    definition["Comment"] = json!("x".repeat(1 << 20));
    let asked = json!({"name": "m", "definition": definition.to_string(), "roleArn": ROLE});
    let (error, message) = world.refused("CreateStateMachine", asked).await;
    assert_eq!(error, "ValidationException");
    assert_eq!(
        message,
        "1 validation error detected: Value at 'definition' failed to satisfy constraint: Member must have length less \
         than or equal to 1048576",
        "the model calls definitions sensitive: they aren't shown"
    );
}
