//! Versions, aliases and tags.

use serde_json::{Value, json};

use super::world::{PREFIX, ROLE, World, pass, wait};

fn arn(qualifier: &str) -> String {
    format!("{PREFIX}stateMachine:m{qualifier}")
}

/// A machine `m` with two published revisions.
async fn two_versions() -> World {
    let world = World::new().await;
    let asked = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true, "versionDescription": "first",
    });
    let created = world.ok("CreateStateMachine", asked.clone()).await;
    assert_eq!(created["stateMachineVersionArn"], arn(":1"));
    assert_eq!(world.ok("CreateStateMachine", asked).await, created, "asked again");
    let update = json!({"stateMachineArn": arn(""), "definition": wait().to_string(), "publish": true});
    let updated = world.ok("UpdateStateMachine", update.clone()).await;
    assert_eq!(updated["stateMachineVersionArn"], arn(":2"));
    assert_eq!(world.ok("UpdateStateMachine", update).await, updated, "asked again");
    world
}

fn routes(shares: &[(&str, u8)]) -> Value {
    shares
        .iter()
        .map(|(version, weight)| json!({"stateMachineVersionArn": arn(version), "weight": weight}))
        .collect()
}

async fn listed(world: &World, operation: &str, asked: Value, list: &str, member: &str) -> Vec<String> {
    let answer = world.ok(operation, asked).await;
    let entries = answer[list].as_array().expect("a list").iter();
    entries
        .map(|entry| entry[member].as_str().expect("a text").replace(PREFIX, ""))
        .collect()
}

async fn versions(world: &World) -> Vec<String> {
    let asked = json!({"stateMachineArn": arn("")});
    listed(
        world,
        "ListStateMachineVersions",
        asked,
        "stateMachineVersions",
        "stateMachineVersionArn",
    )
    .await
}

async fn aliases(world: &World, of: &str) -> Vec<String> {
    let asked = json!({"stateMachineArn": arn(of)});
    listed(
        world,
        "ListStateMachineAliases",
        asked,
        "stateMachineAliases",
        "stateMachineAliasArn",
    )
    .await
}

#[tokio::test]
async fn a_version_shows_the_machine_as_it_was() {
    let world = two_versions().await;
    let described = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn(":1")}))
        .await;
    assert_eq!(described["definition"], pass().to_string());
    assert_eq!(
        (&described["stateMachineArn"], &described["description"]),
        (&json!(arn(":1")), &json!("first"))
    );
    assert!(
        described.get("revisionId").is_none(),
        "it froze the machine's first revision"
    );
    let second = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn(":2")}))
        .await;
    let latest = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn("")}))
        .await;
    assert_eq!(second["definition"], wait().to_string());
    assert_eq!(second["revisionId"], latest["revisionId"]);
    assert!(second["revisionId"].is_string());
    for missing in [":3", ":PROD", ":99999999999"] {
        let (error, message) = world
            .refused("DescribeStateMachine", json!({"stateMachineArn": arn(missing)}))
            .await;
        assert_eq!(error, "StateMachineDoesNotExist");
        assert_eq!(message, format!("State Machine Does Not Exist: '{}'", arn(missing)));
    }
}

#[tokio::test]
async fn a_revision_is_published_once_and_a_number_given_out_once() {
    let world = two_versions().await;
    let publish = json!({"stateMachineArn": arn("")});
    let again = world.ok("PublishStateMachineVersion", publish.clone()).await;
    assert_eq!(again["stateMachineVersionArn"], arn(":2"));
    let latest = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn("")}))
        .await;
    let revision = latest["revisionId"].as_str().expect("a revision");
    let guarded = json!({"stateMachineArn": arn(""), "revisionId": "INITIAL"});
    assert_eq!(
        world.refused("PublishStateMachineVersion", guarded).await,
        (
            "ConflictException".to_owned(),
            format!(
                "Failed to publish the State Machine version for revision INITIAL. \
                 The current State Machine revision is {revision}."
            )
        )
    );
    for _ in 0..2 {
        let delete = json!({"stateMachineVersionArn": arn(":2")});
        assert_eq!(world.ok("DeleteStateMachineVersion", delete).await, json!({}));
    }
    let guarded = json!({"stateMachineArn": arn(""), "revisionId": revision});
    let third = world.ok("PublishStateMachineVersion", guarded).await;
    assert_eq!(third["stateMachineVersionArn"], arn(":3"));
    assert_eq!(versions(&world).await, ["stateMachine:m:3", "stateMachine:m:1"]);

    let world = World::on(world.store.clone(), world.runner.clone()).await;
    assert_eq!(
        versions(&world).await,
        ["stateMachine:m:3", "stateMachine:m:1"],
        "also after a restart"
    );
}

#[tokio::test]
async fn a_version_is_described_only_where_it_is_published() {
    let world = World::new().await;
    let mut asked = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "versionDescription": "first",
    });
    let refusal = (
        "ValidationException".to_owned(),
        "Version description can only be set when publish is true".to_owned(),
    );
    assert_eq!(world.refused("CreateStateMachine", asked.clone()).await, refusal);
    asked["publish"] = json!(true);
    world.ok("CreateStateMachine", asked.clone()).await;
    let update = json!({"stateMachineArn": arn(""), "definition": wait().to_string(), "versionDescription": "x"});
    assert_eq!(world.refused("UpdateStateMachine", update).await, refusal);
    asked["versionDescription"] = json!("other");
    let (error, _) = world.refused("CreateStateMachine", asked).await;
    assert_eq!(
        error, "StateMachineAlreadyExists",
        "another description is another request"
    );
    let plain = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE});
    let (error, _) = world.refused("CreateStateMachine", plain).await;
    assert_eq!(error, "StateMachineAlreadyExists", "and so is publishing nothing");
}

#[tokio::test]
async fn an_execution_runs_the_version_it_was_started_through_and_says_so() {
    let world = two_versions().await;
    let live = json!({"name": "live", "routingConfiguration": routes(&[(":1", 100)])});
    world.ok("CreateStateMachineAlias", live).await;
    let mut executions = Vec::new();
    for qualifier in ["", ":1", ":2", ":live"] {
        let started = world
            .ok("StartExecution", json!({"stateMachineArn": arn(qualifier)}))
            .await;
        let execution = started["executionArn"].as_str().expect("an ARN").to_owned();
        assert!(execution.starts_with(&format!("{PREFIX}execution:m:")), "{execution}");
        executions.push(execution);
    }
    let mut shown = Vec::new();
    for execution in &executions {
        let described = world.ok("DescribeExecution", json!({"executionArn": execution})).await;
        assert_eq!(described["stateMachineArn"], arn(""));
        shown.push((
            described["stateMachineVersionArn"].clone(),
            described["stateMachineAliasArn"].clone(),
        ));
    }
    assert_eq!(
        shown,
        [
            (Value::Null, Value::Null),
            (json!(arn(":1")), Value::Null),
            (json!(arn(":2")), Value::Null),
            (json!(arn(":1")), json!(arn(":live"))),
        ]
    );
    let of = async |qualifier: &str| {
        let asked = json!({"stateMachineArn": arn(qualifier)});
        let answer = world.ok("ListExecutions", asked).await;
        let entries = answer["executions"].as_array().expect("a list");
        let place = |entry: &Value| executions.iter().position(|arn| entry["executionArn"] == *arn);
        entries
            .iter()
            .map(|entry| place(entry).expect("is one of them"))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("").await, [3, 2, 1, 0]);
    assert_eq!(of(":1").await, [3, 1], "also those an alias led there");
    assert_eq!(of(":2").await, [2]);
    assert_eq!(of(":live").await, [3]);
    let pinned = json!({"executionArn": executions[3]});
    let pinned = world.ok("DescribeStateMachineForExecution", pinned).await;
    assert_eq!(pinned["definition"], pass().to_string());
    assert!(pinned.get("revisionId").is_none(), "the first revision");

    for gone in ["DeleteStateMachineAlias", "DeleteStateMachineVersion"] {
        let (field, qualifier) = match gone {
            "DeleteStateMachineAlias" => ("stateMachineAliasArn", ":live"),
            _ => ("stateMachineVersionArn", ":1"),
        };
        world.ok(gone, json!({field: arn(qualifier)})).await;
        let (error, _) = world
            .refused("StartExecution", json!({"stateMachineArn": arn(qualifier)}))
            .await;
        assert_eq!(error, "StateMachineDoesNotExist");
    }
    let described = world
        .ok("DescribeExecution", json!({"executionArn": executions[3]}))
        .await;
    assert_eq!(described["stateMachineAliasArn"], arn(":live"), "what was stays");
}

#[tokio::test]
async fn an_alias_is_created_moved_and_deleted() {
    let world = two_versions().await;
    let asked = json!({"name": "live", "description": "d", "routingConfiguration": routes(&[(":1", 100)])});
    let created = world.ok("CreateStateMachineAlias", asked.clone()).await;
    assert_eq!(created["stateMachineAliasArn"], arn(":live"));
    assert_eq!(world.ok("CreateStateMachineAlias", asked.clone()).await, created);
    for (field, other) in [
        ("description", json!("other")),
        ("routingConfiguration", routes(&[(":2", 100)])),
    ] {
        let mut asked = asked.clone();
        asked[field] = other;
        let (error, message) = world.refused("CreateStateMachineAlias", asked).await;
        assert_eq!(error, "ConflictException");
        assert_eq!(
            message,
            "Failed to create alias because an alias with the same name and a different routing configuration \
             already exists."
        );
    }
    let next = json!({"name": "1.0", "routingConfiguration": routes(&[(":2", 100)])});
    world.ok("CreateStateMachineAlias", next).await;
    assert_eq!(aliases(&world, "").await, ["stateMachine:m:live", "stateMachine:m:1.0"]);
    assert_eq!(aliases(&world, ":2").await, ["stateMachine:m:1.0"]);

    let moved = routes(&[(":2", 10), (":1", 90)]);
    let update = json!({"stateMachineAliasArn": arn(":live"), "routingConfiguration": moved});
    let updated = world.ok("UpdateStateMachineAlias", update.clone()).await;
    assert_eq!(world.ok("UpdateStateMachineAlias", update).await, updated);
    let alias = json!({"stateMachineAliasArn": arn(":live")});
    let described = world.ok("DescribeStateMachineAlias", alias.clone()).await;
    assert_eq!(
        described,
        json!({
            "stateMachineAliasArn": arn(":live"), "name": "live", "description": "d", "routingConfiguration": moved,
            "creationDate": created["creationDate"], "updateDate": updated["updateDate"],
        })
    );
    let described = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn(":live")}))
        .await;
    assert_eq!(described["stateMachineArn"], arn(":1"), "the heavier one");
    let (error, message) = world
        .refused(
            "DeleteStateMachineVersion",
            json!({"stateMachineVersionArn": arn(":2")}),
        )
        .await;
    assert_eq!(error, "ConflictException");
    assert_eq!(
        message,
        "Version to be deleted must not be referenced by an alias. \
         Current list of aliases referencing this version: [live, 1.0]"
    );

    let world = World::on(world.store.clone(), world.runner.clone()).await;
    assert_eq!(
        world.ok("DescribeStateMachineAlias", alias.clone()).await["routingConfiguration"],
        moved,
        "also after a restart"
    );
    for _ in 0..2 {
        assert_eq!(world.ok("DeleteStateMachineAlias", alias.clone()).await, json!({}));
    }
    for operation in ["DescribeStateMachineAlias", "UpdateStateMachineAlias"] {
        let asked = json!({"stateMachineAliasArn": arn(":live"), "description": "x"});
        let (error, _) = world.refused(operation, asked).await;
        assert_eq!(error, "ResourceNotFound");
    }
    world
        .ok("DeleteStateMachine", json!({"stateMachineArn": arn("")}))
        .await;
    assert_eq!(versions(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn routes_that_do_not_work_out_are_refused() {
    let world = two_versions().await;
    world.machine("other", &pass()).await;
    let other = format!("{PREFIX}stateMachine:other:1");
    world
        .ok(
            "PublishStateMachineVersion",
            json!({"stateMachineArn": format!("{PREFIX}stateMachine:other")}),
        )
        .await;
    let (one, two, three) = (arn(":1"), arn(":2"), arn(":3"));
    let item = |arn: &str, weight: i64| json!({"stateMachineVersionArn": arn, "weight": weight});
    let shown =
        |arn: &str, weight: i64| format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={weight})");
    let constraint = |field: &str, value: &str, rule: &str| {
        let text = format!("1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: ");
        text + rule
    };
    let all = [shown(&one, 50), shown(&two, 25), shown(&three, 25)].join(", ");
    for (routes, error, expected) in [
        (
            json!([]),
            "ValidationException",
            constraint(
                "routingConfiguration",
                "[]",
                "Member must have length greater than or equal to 1",
            ),
        ),
        (
            json!([item(&one, 50), item(&two, 25), item(&three, 25)]),
            "ValidationException",
            constraint(
                "routingConfiguration",
                &format!("[{all}]"),
                "Member must have length less than or equal to 2",
            ),
        ),
        (
            json!([item(&one, 101)]),
            "ValidationException",
            constraint(
                "routingConfiguration.1.member.weight",
                "101",
                "Member must have value less than or equal to 100",
            ),
        ),
        (
            json!([item(&one, 60), item(&two, 30)]),
            "ValidationException",
            "Sum of routing configuration weights must equal 100. Received: [60, 30]".to_owned(),
        ),
        (
            json!([item(&one, 50), item(&one, 50)]),
            "ValidationException",
            format!("Routing configuration must contain distinct state machine version ARNs. Received: [{one}, {one}]"),
        ),
        (
            json!([item(&one, 50), item(&other, 50)]),
            "ValidationException",
            format!(
                "Routing configuration must contain versions of the same state machine. Received: [{one}, {other}]"
            ),
        ),
        (
            json!([item(&arn(""), 100)]),
            "ValidationException",
            format!(
                "Routing configuration must contain state machine version ARNs. Received: [{}]",
                arn("")
            ),
        ),
        (
            json!([item(&arn(":live"), 100)]),
            "ValidationException",
            format!(
                "Routing configuration must contain state machine version ARNs. Received: [{}]",
                arn(":live")
            ),
        ),
        (
            json!([item(&three, 100)]),
            "ResourceNotFound",
            "Request references a resource that doesn't exist.".to_owned(),
        ),
    ] {
        let asked = json!({"name": "a", "routingConfiguration": routes});
        let refusal = world.refused("CreateStateMachineAlias", asked).await;
        assert_eq!(refusal, (error.to_owned(), expected), "{routes}");
    }
    let asked = json!({"name": "12", "routingConfiguration": routes(&[(":1", 100)])});
    let (_, message) = world.refused("CreateStateMachineAlias", asked).await;
    assert_eq!(
        message,
        constraint(
            "name",
            "12",
            r"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"
        )
    );
}

#[tokio::test]
async fn versions_and_aliases_come_in_pages() {
    let world = two_versions().await;
    for alias in ["a", "b", "c"] {
        let asked = json!({"name": alias, "routingConfiguration": routes(&[(":1", 100)])});
        world.ok("CreateStateMachineAlias", asked).await;
    }
    for (operation, list, member, expected) in [
        (
            "ListStateMachineVersions",
            "stateMachineVersions",
            "stateMachineVersionArn",
            vec![":2", ":1"],
        ),
        (
            "ListStateMachineAliases",
            "stateMachineAliases",
            "stateMachineAliasArn",
            vec![":a", ":b", ":c"],
        ),
    ] {
        let mut asked = json!({"stateMachineArn": arn(""), "maxResults": 1});
        let mut found = Vec::new();
        loop {
            let page = world.ok(operation, asked.clone()).await;
            assert_eq!(page[list].as_array().map(Vec::len), Some(1));
            found.push(page[list][0][member].clone());
            let Some(token) = page.get("nextToken") else { break };
            asked["nextToken"] = token.clone();
        }
        assert_eq!(found, expected.iter().map(|end| json!(arn(end))).collect::<Vec<_>>());
        asked["nextToken"] = json!("nonsense");
        assert_eq!(world.refused(operation, asked).await.0, "InvalidToken");
    }
}

#[tokio::test]
async fn tags_are_added_replaced_listed_and_removed() {
    let world = World::new().await;
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let asked = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "tags": [tag("b", "1"), tag("a", "2")],
    });
    world.ok("CreateStateMachine", asked).await;
    let tags = async || world.ok("ListTagsForResource", json!({"resourceArn": arn("")})).await["tags"].clone();
    assert_eq!(tags().await, json!([tag("b", "1"), tag("a", "2")]));
    let more = json!({"resourceArn": arn(""), "tags": [tag("c", ""), tag("b", "3")]});
    assert_eq!(world.ok("TagResource", more).await, json!({}));
    assert_eq!(tags().await, json!([tag("b", "3"), tag("a", "2"), tag("c", "")]));
    let less = json!({"resourceArn": arn(""), "tagKeys": ["a", "nobody", "a"]});
    assert_eq!(world.ok("UntagResource", less).await, json!({}));
    assert_eq!(tags().await, json!([tag("b", "3"), tag("c", "")]));
    let described = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn("")}))
        .await;
    assert!(described.get("revisionId").is_none(), "tags make no revision");

    let many: Vec<Value> = (0..50).map(|number| tag(&format!("k{number}"), "")).collect();
    let (error, _) = world
        .refused("TagResource", json!({"resourceArn": arn(""), "tags": many}))
        .await;
    assert_eq!(error, "TooManyTags");
    for (bad, expected) in [
        (tag("", "x"), "at 'tags.1.member.key'"),
        (tag(&"k".repeat(129), "x"), "at 'tags.1.member.key'"),
        (tag("k", &"v".repeat(257)), "at 'tags.1.member.value'"),
        (tag("k;", "x"), "characters"),
        (tag("aws:k", "x"), "reserved"),
        (json!({"value": "x"}), "needs a key"),
    ] {
        let (error, message) = world
            .refused("TagResource", json!({"resourceArn": arn(""), "tags": [bad]}))
            .await;
        assert_eq!(error, "ValidationException");
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(tags().await, json!([tag("b", "3"), tag("c", "")]), "nothing changed");
    let activity = json!({"name": "a2", "tags": [tag("x", "y")]});
    let activity = world.ok("CreateActivity", activity).await["activityArn"].clone();
    let more = json!({"resourceArn": activity, "tags": [tag("z", "")]});
    world.ok("TagResource", more).await;
    let listed = world.ok("ListTagsForResource", json!({"resourceArn": activity})).await;
    assert_eq!(listed["tags"], json!([tag("x", "y"), tag("z", "")]));
    for missing in [arn(":1"), arn("x"), format!("{PREFIX}activity:a")] {
        for operation in ["TagResource", "UntagResource", "ListTagsForResource"] {
            let asked = json!({"resourceArn": missing, "tags": [], "tagKeys": []});
            assert_eq!(
                world.refused(operation, asked).await,
                (
                    "ResourceNotFound".to_owned(),
                    format!("Resource not found: '{missing}'")
                )
            );
        }
    }
    let execution = json!({"resourceArn": format!("{PREFIX}execution:m:e")});
    assert_eq!(world.refused("ListTagsForResource", execution).await.0, "InvalidArn");
}
