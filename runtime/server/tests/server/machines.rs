//! State machines: create, describe, update, list, delete, validate.

use serde_json::json;

use super::world::{PREFIX, ROLE, World, pass, task, wait};

#[tokio::test]
async fn a_machine_is_created_described_updated_and_deleted() {
    let world = World::new().await;
    let arn = world.machine("orders", &pass()).await;
    assert_eq!(arn, format!("{PREFIX}stateMachine:orders"));

    let described = world.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(described["definition"], pass().to_string());
    assert_eq!(
        described["loggingConfiguration"],
        json!({"level": "OFF", "includeExecutionData": false})
    );
    assert_eq!(described["tracingConfiguration"], json!({"enabled": false}));
    assert_eq!(
        (&described["status"], &described["type"]),
        (&json!("ACTIVE"), &json!("STANDARD"))
    );
    assert!(
        described.get("revisionId").is_none(),
        "no revision before the first update"
    );

    let definition = wait().to_string();
    let update = json!({"stateMachineArn": arn, "definition": definition});
    let first = world.ok("UpdateStateMachine", update.clone()).await;
    let again = world.ok("UpdateStateMachine", update).await;
    assert_eq!(first, again, "an update that changes nothing makes no revision");
    let described = world.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(
        (&described["definition"], &described["revisionId"]),
        (&json!(definition), &first["revisionId"])
    );

    for _ in 0..2 {
        assert_eq!(
            world.ok("DeleteStateMachine", json!({"stateMachineArn": arn})).await,
            json!({})
        );
    }
    let (error, message) = world
        .refused("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await;
    assert_eq!(
        (&*error, message),
        (
            "StateMachineDoesNotExist",
            format!("State Machine Does Not Exist: '{arn}'")
        )
    );
    assert_eq!(world.machine("orders", &wait()).await, arn, "the name is free again");
}

#[tokio::test]
async fn creating_twice_answers_the_same_or_refuses() {
    let world = World::new().await;
    let asked = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE});
    let first = world.ok("CreateStateMachine", asked.clone()).await;
    let other_role = json!({"name": "m", "definition": pass().to_string(), "roleArn": "arn:aws:iam::1:role/x"});
    assert_eq!(world.ok("CreateStateMachine", asked).await, first);
    assert_eq!(
        world.ok("CreateStateMachine", other_role).await,
        first,
        "a different role is ignored"
    );
    let other = json!({"name": "m", "definition": wait().to_string(), "roleArn": ROLE});
    let (error, message) = world.refused("CreateStateMachine", other).await;
    assert_eq!(error, "StateMachineAlreadyExists");
    assert_eq!(
        message,
        format!("State Machine Already Exists: '{PREFIX}stateMachine:m'")
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for index in 0..5 {
        world.machine(&format!("m{index}"), &pass()).await;
    }
    let (mut names, mut token) = (Vec::new(), json!(null));
    loop {
        let page = world
            .ok("ListStateMachines", json!({"maxResults": 2, "nextToken": token}))
            .await;
        names.extend(
            page["stateMachines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|machine| machine["name"].clone()),
        );
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(json!(names), json!(["m0", "m1", "m2", "m3", "m4"]));
}

#[tokio::test]
async fn every_mistake_of_a_definition_is_listed() {
    let world = World::new().await;
    let definition = json!({"StartAt": "Nowhere", "States": {
        "A": {"Type": "Pass"},
        "B": {"Type": "Task", "End": true},
        "C": {"Type": "Wait", "Seconds": -1, "End": true},
        "D": {"Type": "Choice", "Choices": []},
        "E": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Next": "Gone"},
        "F": {"Type": "Nonsense"}}});
    let asked = json!({"name": "bad", "definition": definition.to_string(), "roleArn": ROLE});
    let (error, message) = world.refused("CreateStateMachine", asked).await;
    assert_eq!(error, "InvalidDefinition");
    assert!(
        message.starts_with("Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: "),
        "{message}"
    );
    for state in ["A", "B", "C", "D", "E", "F"] {
        assert!(
            message.contains(&format!("/States/{state}")),
            "{state} is missing in {message}"
        );
    }
    assert_eq!(
        world.ok("ListStateMachines", json!({})).await["stateMachines"],
        json!([]),
        "nothing is stored"
    );

    let validated = json!({"definition": definition.to_string()});
    let all = world.ok("ValidateStateMachineDefinition", validated).await;
    assert_eq!((&all["result"], &all["truncated"]), (&json!("FAIL"), &json!(false)));
    let few = json!({"definition": definition.to_string(), "maxResults": 2});
    let few = world.ok("ValidateStateMachineDefinition", few).await;
    assert_eq!(
        (few["diagnostics"].as_array().unwrap().len(), &few["truncated"]),
        (2, &json!(true))
    );
    let sound = world
        .ok(
            "ValidateStateMachineDefinition",
            json!({"definition": task("wasm:x").to_string()}),
        )
        .await;
    assert_eq!(sound, json!({"result": "OK", "diagnostics": [], "truncated": false}));
}

#[tokio::test]
async fn types_and_options_this_server_lacks_are_refused_clearly() {
    let world = World::new().await;
    let logging = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE,
        "loggingConfiguration": {"level": "ALL"}});
    assert_eq!(
        world.refused("CreateStateMachine", logging).await.0,
        "InvalidLoggingConfiguration"
    );
    let (error, message) = world.refused("MakeCoffee", json!({"name": "a"})).await;
    assert_eq!(error, "UnknownOperationException");
    assert!(
        message.contains("`MakeCoffee`") && message.contains("StartExecution"),
        "{message}"
    );
}

#[tokio::test]
async fn describing_says_which_variables_each_state_reads() {
    let world = World::new().await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"seconds": 1}, "Next": "B"},
        "B": {"Type": "Wait", "SecondsPath": "$seconds", "End": true}}});
    let arn = world.machine("m", &definition).await;
    let described = world.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(described["variableReferences"], json!({"B": ["seconds"]}));
    let bare = json!({"stateMachineArn": arn, "includedData": "METADATA_ONLY"});
    let bare = world.ok("DescribeStateMachine", bare).await;
    assert_eq!(
        (&bare["definition"], bare.get("variableReferences")),
        (&json!("{}"), None)
    );
}

#[tokio::test]
async fn a_deleted_machine_is_there_until_its_executions_have_ended() {
    let world = World::new().await;
    let machine = world.machine("m", &wait()).await;
    let execution = world.start(&machine, "{}").await;
    let named = json!({"stateMachineArn": machine});
    for _ in 0..2 {
        world.ok("DeleteStateMachine", named.clone()).await;
    }
    let deleting = |error: (String, String)| {
        assert_eq!(
            error,
            (
                "StateMachineDeleting".to_owned(),
                format!("State Machine is being deleted: '{machine}'")
            )
        );
    };
    let create = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE});
    let update = json!({"stateMachineArn": machine, "definition": pass().to_string()});
    let world = World::on(world.store.clone(), world.runner.clone()).await;
    deleting(world.refused("StartExecution", named.clone()).await);
    deleting(world.refused("PublishStateMachineVersion", named.clone()).await);
    deleting(world.refused("CreateStateMachine", create.clone()).await);
    deleting(world.refused("UpdateStateMachine", update).await);
    deleting(world.refused("ListStateMachineAliases", named.clone()).await);
    let described = world.ok("DescribeStateMachine", named.clone()).await;
    assert_eq!(
        (&described["status"], &described["definition"]),
        (&json!("DELETING"), &json!(wait().to_string()))
    );
    let listed = world.ok("ListExecutions", named.clone()).await;
    assert_eq!(listed["executions"][0]["status"], "RUNNING", "it goes on");
    assert_eq!(
        world.ok("ListStateMachines", json!({})).await["stateMachines"],
        json!([])
    );

    world.ok("StopExecution", json!({"executionArn": execution})).await;
    assert_eq!(
        world.refused("DescribeStateMachine", named).await.0,
        "StateMachineDoesNotExist"
    );
    world.ok("CreateStateMachine", create).await;
    let described = world.ok("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!(described["status"], "ABORTED", "its executions stay readable");
}

#[tokio::test]
async fn a_machine_of_another_type_is_another_machine() {
    let world = World::new().await;
    world.machine("m", &pass()).await;
    let express = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    assert_eq!(
        world.refused("CreateStateMachine", express).await.0,
        "StateMachineAlreadyExists"
    );
}
