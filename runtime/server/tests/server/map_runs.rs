//! Map Runs over the API: what is said of a run and of its children, while it goes on and afterwards.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::{PREFIX, World};

/// A machine of one distributed Map state with these fields, over a processor of one state.
fn map(fields: Value, state: Value) -> Value {
    let mut map = json!({"Type": "Map", "Label": "Lab", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "S", "States": {"S": state},
    }});
    let fields = fields.as_object().unwrap().clone();
    map.as_object_mut().unwrap().extend(fields);
    json!({"StartAt": "M", "States": {"M": map}})
}

fn pass() -> Value {
    json!({"Type": "Pass", "End": true})
}

fn task(resource: &str) -> Value {
    json!({"Type": "Task", "Resource": resource, "End": true})
}

async fn closed(world: &World, execution: &str) -> Value {
    let parameters = json!({"executionArn": execution});
    world
        .until("DescribeExecution", parameters, |answer| answer["status"] != "RUNNING")
        .await
}

async fn map_run(world: &World, execution: &str) -> String {
    let listed = world
        .until("ListMapRuns", json!({"executionArn": execution}), |answer| {
            answer["mapRuns"] != json!([])
        })
        .await;
    listed["mapRuns"][0]["mapRunArn"].as_str().unwrap().to_owned()
}

fn counts(described: &Value, of: &str) -> Vec<(String, u64)> {
    let counts = described[of].as_object().unwrap();
    let found = counts
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()));
    found.filter(|(_, count)| *count > 0).collect()
}

fn expected(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn a_run_and_its_children_are_shown_as_they_ended() {
    let world = World::new().await;
    let batches = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}, "ToleratedFailurePercentage": 12.5});
    let machine = world.machine("m", &map(batches, pass())).await;
    let arn = world.start(&machine, "[1, 2, 3]").await;
    let parent = closed(&world, &arn).await;
    assert_eq!(parent["output"], r#"[{"Items":[1,2]},{"Items":[3]}]"#);
    assert_eq!(parent.get("mapRunArn"), None);

    let run_arn = map_run(&world, &arn).await;
    assert!(run_arn.starts_with(&format!("{PREFIX}mapRun:m/Lab:")), "{run_arn}");
    let listed = world.ok("ListMapRuns", json!({"executionArn": arn})).await;
    assert_eq!(listed["mapRuns"][0]["stateMachineArn"], format!("{machine}/Lab"));
    assert_eq!(listed["mapRuns"][0]["executionArn"], arn);
    assert!(listed["mapRuns"][0]["stopDate"].is_number());

    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run_arn})).await;
    assert_eq!(
        (&described["status"], &described["executionArn"]),
        (&json!("SUCCEEDED"), &json!(arn))
    );
    assert_eq!(described["toleratedFailurePercentage"], json!(12.5));
    assert_eq!(
        (&described["maxConcurrency"], &described["toleratedFailureCount"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        counts(&described, "itemCounts"),
        expected(&[("succeeded", 3), ("total", 3)])
    );
    assert_eq!(
        counts(&described, "executionCounts"),
        expected(&[("succeeded", 2), ("total", 2)])
    );

    let children = world.ok("ListExecutions", json!({"mapRunArn": run_arn})).await;
    let children = children["executions"].as_array().unwrap();
    let items: Vec<&Value> = children.iter().map(|child| &child["itemCount"]).collect();
    assert_eq!(items, [&json!(1), &json!(2)], "the newest first");
    assert!(children.iter().all(|child| child["mapRunArn"] == run_arn));
    let page = json!({"mapRunArn": run_arn, "maxResults": 1, "statusFilter": "SUCCEEDED"});
    let page = world.ok("ListExecutions", page).await;
    assert!(page["nextToken"].is_string());
    let failed = json!({"mapRunArn": run_arn, "statusFilter": "FAILED"});
    assert_eq!(world.ok("ListExecutions", failed).await["executions"], json!([]));
    let started = world.ok("ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(
        started["executions"].as_array().unwrap().len(),
        1,
        "children are on no machine's list"
    );

    let child = children[0]["executionArn"].as_str().unwrap();
    assert!(child.starts_with(&format!("{PREFIX}execution:m/Lab:")), "{child}");
    let described = world.ok("DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!(described["mapRunArn"], run_arn);
    assert_eq!(described["stateMachineArn"], format!("{machine}/Lab"));
    assert_eq!(
        (&described["input"], &described["status"]),
        (&json!(r#"{"Items":[3]}"#), &json!("SUCCEEDED"))
    );
    let history = world.chain(child).await;
    assert_eq!(
        history,
        [
            "1<0 ExecutionStarted",
            "2<0 PassStateEntered",
            "3<2 PassStateExited",
            "4<3 ExecutionSucceeded"
        ]
    );
    let labelled = format!("{machine}/Lab");
    let of_map = world
        .ok("DescribeStateMachine", json!({"stateMachineArn": labelled}))
        .await;
    assert_eq!(
        (&of_map["label"], &of_map["stateMachineArn"], &of_map["name"]),
        (&json!("Lab"), &json!(labelled), &json!("m"))
    );
    let other = json!({"stateMachineArn": format!("{machine}/Other")});
    assert_eq!(
        world.refused("DescribeStateMachine", other).await.0,
        "StateMachineDoesNotExist"
    );
    let of_child = world
        .ok("DescribeStateMachineForExecution", json!({"executionArn": child}))
        .await;
    assert_eq!(
        (&of_child["label"], &of_child["mapRunArn"]),
        (&json!("Lab"), &json!(run_arn))
    );
}

#[tokio::test]
async fn arns_that_lead_nowhere_are_refused() {
    let world = World::new().await;
    let machine = world.machine("m", &map(json!({}), pass())).await;
    let arn = world.start(&machine, "[1]").await;
    closed(&world, &arn).await;
    let run = map_run(&world, &arn).await;
    let child = world.ok("ListExecutions", json!({"mapRunArn": run})).await;
    let child = child["executions"][0]["executionArn"].as_str().unwrap().to_owned();
    for wrong in [
        run.replace("Lab", "Other"),
        run.replace(":m/", ":n/"),
        format!("{}f", &run[..run.len() - 1]),
    ] {
        let (kind, message) = world.refused("DescribeMapRun", json!({"mapRunArn": wrong})).await;
        assert_eq!(
            (&*kind, message),
            ("ResourceNotFound", format!("Resource not found: '{wrong}'"))
        );
        assert_eq!(
            world.refused("ListExecutions", json!({"mapRunArn": wrong})).await.0,
            "ResourceNotFound"
        );
    }
    for wrong in [arn.clone(), format!("{PREFIX}mapRun:m:x"), "mapRun".into()] {
        assert_eq!(
            world.refused("DescribeMapRun", json!({"mapRunArn": wrong})).await.0,
            "InvalidArn",
            "{wrong}"
        );
    }
    for wrong in [
        child.replace("Lab", "Other"),
        child.replace("m/Lab", "m"),
        child.replace("m/Lab", "n/Lab"),
    ] {
        let refusal = world.refused("DescribeExecution", json!({"executionArn": wrong})).await;
        assert_eq!(refusal.0, "ExecutionDoesNotExist", "{wrong}");
    }
    assert_eq!(
        world
            .refused("UpdateMapRun", json!({"mapRunArn": run, "maxConcurrency": 1}))
            .await
            .0,
        "ValidationException",
        "it is over"
    );
    assert_eq!(
        world.refused("UpdateMapRun", json!({"mapRunArn": run})).await.0,
        "ValidationException"
    );
}

#[tokio::test]
async fn a_run_that_goes_on_can_be_widened_and_ends_with_its_parent() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let machine = world
        .machine("m", &map(json!({"MaxConcurrency": 2}), task("wasm:hang")))
        .await;
    let arn = world.start(&machine, "[1, 2, 3, 4]").await;
    world.jobs(2).await;
    let run = map_run(&world, &arn).await;
    let described = world
        .until("DescribeMapRun", json!({"mapRunArn": run}), |answer| {
            answer["executionCounts"]["running"] == 2
        })
        .await;
    assert_eq!(
        counts(&described, "itemCounts"),
        expected(&[("pending", 2), ("running", 2), ("total", 4)])
    );
    assert_eq!(
        (&described["status"], described.get("stopDate")),
        (&json!("RUNNING"), None)
    );

    world
        .ok(
            "UpdateMapRun",
            json!({"mapRunArn": run, "maxConcurrency": 3, "toleratedFailureCount": 7}),
        )
        .await;
    world.jobs(3).await;
    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        (&described["maxConcurrency"], &described["toleratedFailureCount"]),
        (&json!(3), &json!(7))
    );

    world.ok("StopExecution", json!({"executionArn": arn})).await;
    let described = world
        .until("DescribeMapRun", json!({"mapRunArn": run}), |answer| {
            answer["executionCounts"]["aborted"] == 3
        })
        .await;
    assert_eq!(described["status"], "ABORTED");
    assert!(described["stopDate"].is_number());
    world.cancelled(3).await;
    assert_eq!(
        counts(&described, "itemCounts"),
        expected(&[("aborted", 3), ("total", 3)])
    );
}

#[tokio::test]
async fn more_failures_than_tolerated_fail_the_run() {
    let world = World::new().await;
    world.handle.upload("fail", b"fail".to_vec()).await.unwrap();
    let fields = json!({"MaxConcurrency": 1, "ToleratedFailureCount": 1});
    let machine = world.machine("m", &map(fields, task("wasm:fail"))).await;
    let arn = world.start(&machine, "[1, 2, 3, 4]").await;
    let parent = closed(&world, &arn).await;
    assert_eq!(parent["error"], "States.ExceedToleratedFailureThreshold");
    assert_eq!(
        parent["cause"],
        "The specified tolerated failure threshold was exceeded"
    );
    let run = map_run(&world, &arn).await;
    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(described["status"], "FAILED");
    assert_eq!(
        counts(&described, "itemCounts"),
        expected(&[("failed", 2), ("total", 2)])
    );
    let history = world.chain(&arn).await;
    assert_eq!(
        history[3..],
        [
            "4<3 MapRunStarted",
            "5<4 MapRunFailed",
            "6<5 MapStateFailed",
            "7<6 ExecutionFailed"
        ]
    );
    let failed = world.ok("ListExecutions", json!({"mapRunArn": run})).await;
    let failed = json!({"executionArn": failed["executions"][0]["executionArn"]});
    assert_eq!(
        world.ok("DescribeExecution", failed).await["redriveStatus"],
        "REDRIVABLE_BY_MAP_RUN"
    );
}

#[tokio::test]
async fn items_are_read_from_objects_and_results_written_to_them() {
    let world = World::new().await;
    let objects = Arc::clone(world.handle.objects());
    objects.create_bucket("data").unwrap();
    let rows: String = (0..2_500).map(|row| format!("{row},x\n")).collect();
    objects
        .put("data", "rows.csv", &mut format!("n,t\n{rows}").as_bytes())
        .unwrap();
    let fields = json!({
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": "data", "Key.$": "$.key"},
        },
        "ItemSelector": {"n.$": "$$.Map.Item.Value.n", "at.$": "$$.Map.Item.Index", "from.$": "$$.Map.Item.Source"},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "data", "Prefix": "out"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"},
        },
    });
    let machine = world.machine("m", &map(fields, pass())).await;
    let arn = world.start(&machine, r#"{"key": "rows.csv"}"#).await;
    let parent = closed(&world, &arn).await;
    assert_eq!(parent["status"], "SUCCEEDED", "{parent}");
    let run = map_run(&world, &arn).await;
    let output: Value = serde_json::from_str(parent["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["MapRunArn"], run);
    let manifest = output["ResultWriterDetails"]["Key"].as_str().unwrap();
    let written = read(&world, &manifest.replace("manifest.json", "SUCCEEDED_0.jsonl"));
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 2_500);
    for (index, line) in lines.iter().enumerate() {
        let expected = format!(r#"{{"n":"{index}","at":{index},"from":"S3://data/rows.csv"}}"#);
        assert_eq!(*line, expected, "results are in the order of items");
    }
    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    let all = expected(&[("resultsWritten", 2_500), ("succeeded", 2_500), ("total", 2_500)]);
    let mut found = counts(&described, "itemCounts");
    found.sort();
    assert_eq!(found, all);
    let history = world.chain(&arn).await;
    assert_eq!(history.len(), 8, "no item is in the parent's history: {history:?}");

    let arn = world.start(&machine, r#"{"key": "none.csv"}"#).await;
    let parent = closed(&world, &arn).await;
    assert_eq!(parent["error"], "States.ItemReaderFailed");
    let cause = parent["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("An error occurred while executing the state 'M' (entered at the event id #2). "),
        "{cause}"
    );
}

fn read(world: &World, key: &str) -> String {
    let mut text = String::new();
    let mut object = world.handle.objects().open("data", key, 0).unwrap();
    std::io::Read::read_to_string(&mut object.content, &mut text).unwrap();
    text
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_and_no_item_has_two_children() {
    let world = World::new().await;
    world.handle.upload("hang", b"hang".to_vec()).await.unwrap();
    let machine = world
        .machine("m", &map(json!({"MaxConcurrency": 2}), task("wasm:hang")))
        .await;
    let arn = world.start(&machine, "[1, 2, 3, 4, 5]").await;
    world.jobs(2).await;
    assert_eq!(world.runner.release(&json!("before")), 2);
    world.jobs(4).await;
    let World { server, store, .. } = world;
    server.close().await.unwrap();

    let again = World::on(store, Arc::default()).await;
    again.jobs(2).await;
    let run = map_run(&again, &arn).await;
    let described = again.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        counts(&described, "itemCounts"),
        expected(&[("pending", 1), ("running", 2), ("succeeded", 2), ("total", 5)])
    );
    assert_eq!(again.runner.release(&json!("after")), 2);
    again.jobs(3).await;
    assert_eq!(again.runner.release(&json!("last")), 1);
    let parent = closed(&again, &arn).await;
    assert_eq!(parent["output"], r#"["before","before","after","after","last"]"#);
    let children = again.ok("ListExecutions", json!({"mapRunArn": run})).await;
    assert_eq!(children["executions"].as_array().unwrap().len(), 5);
}

/// A task for each of `count` children, from their activity.
async fn take(world: &World, activity: &str, count: usize) -> Vec<(Value, Value)> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let task = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
        taken.push((task["input"].clone(), task["taskToken"].clone()));
    }
    taken.sort_by_key(|(input, _)| input.to_string());
    taken
}

#[tokio::test]
async fn a_redriven_run_goes_on_with_what_did_not_succeed() {
    let world = World::new().await;
    let activity = world.ok("CreateActivity", json!({"name": "work"})).await["activityArn"].clone();
    let activity = activity.as_str().unwrap();
    let fields = json!({"MaxConcurrency": 3});
    let machine = world.machine("m", &map(fields, task(activity))).await;
    let arn = world.start(&machine, "[1, 2, 3, 4, 5]").await;
    let first = take(&world, activity, 3).await;
    let run = map_run(&world, &arn).await;
    world
        .ok("SendTaskSuccess", json!({"taskToken": first[0].1, "output": "\"one\""}))
        .await;
    let fourth = take(&world, activity, 1).await;
    world
        .ok("SendTaskFailure", json!({"taskToken": fourth[0].1, "error": "E"}))
        .await;
    assert_eq!(closed(&world, &arn).await["status"], "FAILED");
    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        counts(&described, "executionCounts"),
        expected(&[("succeeded", 1), ("failed", 1), ("aborted", 2), ("total", 4)])
    );

    // the process is another one when it is redriven, and dies again meanwhile
    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;
    world.ok("RedriveExecution", json!({"executionArn": arn})).await;
    let again = take(&world, activity, 3).await;
    let inputs: Vec<&Value> = again.iter().map(|(input, _)| input).collect();
    assert_eq!(
        inputs,
        ["2", "3", "4"],
        "those that failed or were stopped, and no other"
    );
    let World { server, store, .. } = world;
    server.close().await.unwrap();
    let world = World::on(store, Default::default()).await;

    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        (
            &described["status"],
            &described["redriveCount"],
            described.get("stopDate")
        ),
        (&json!("RUNNING"), &json!(1), None)
    );
    assert!(described["redriveDate"].is_number());
    assert_eq!(
        counts(&described, "executionCounts"),
        expected(&[("pending", 1), ("running", 3), ("succeeded", 1), ("total", 5)])
    );
    for (_, token) in &again[..2] {
        world
            .ok("SendTaskSuccess", json!({"taskToken": token, "output": "\"again\""}))
            .await;
    }
    let fifth = take(&world, activity, 1).await;
    assert_eq!(fifth[0].0, "5", "the item that had no child gets one");
    world
        .ok("SendTaskFailure", json!({"taskToken": fifth[0].1, "error": "E"}))
        .await;
    assert_eq!(
        closed(&world, &arn).await["status"],
        "FAILED",
        "it failed in this redrive"
    );
    world.ok("RedriveExecution", json!({"executionArn": arn})).await;
    for (input, token) in take(&world, activity, 2).await {
        assert!(input == "4" || input == "5", "{input}");
        world
            .ok("SendTaskSuccess", json!({"taskToken": token, "output": "\"last\""}))
            .await;
    }
    let done = closed(&world, &arn).await;
    assert_eq!(done["output"], r#"["one","again","again","last","last"]"#, "{done}");
    for (filter, found) in [("REDRIVEN", 4), ("NOT_REDRIVEN", 1)] {
        let listed = world
            .ok("ListExecutions", json!({"mapRunArn": run, "redriveFilter": filter}))
            .await;
        assert_eq!(listed["executions"].as_array().unwrap().len(), found, "{filter}");
    }
    let chain = world.chain(&arn).await;
    assert_eq!(
        chain[3..],
        [
            "4<3 MapRunStarted",
            "5<4 MapRunFailed",
            "6<5 MapStateFailed",
            "7<6 ExecutionFailed",
            "8<7 ExecutionRedriven",
            "9<8 MapRunRedriven",
            "10<9 MapRunFailed",
            "11<10 MapStateFailed",
            "12<11 ExecutionFailed",
            "13<12 ExecutionRedriven",
            "14<13 MapRunRedriven",
            "15<14 MapRunSucceeded",
            "16<15 MapStateSucceeded",
            "17<15 MapStateExited",
            "18<17 ExecutionSucceeded",
        ]
    );
    let history = world
        .ok("GetExecutionHistory", json!({"executionArn": arn, "maxResults": 1_000}))
        .await;
    let details = |type_: &str| {
        let events = history["events"].as_array().unwrap().iter();
        let of_type: Vec<&Value> = events.filter(|event| event["type"] == type_).collect();
        of_type.last().map(|event| event["mapRunRedrivenEventDetails"].clone())
    };
    assert_eq!(
        details("MapRunRedriven"),
        Some(json!({"mapRunArn": run, "redriveCount": 2}))
    );
}

#[tokio::test]
async fn children_that_a_redrive_has_yet_to_come_to_are_pending() {
    let world = World::new().await;
    let activity = world.ok("CreateActivity", json!({"name": "work"})).await["activityArn"].clone();
    let activity = activity.as_str().unwrap();
    let fields = json!({"ToleratedFailureCount": 2});
    let machine = world.machine("m", &map(fields, task(activity))).await;
    let arn = world.start(&machine, "[1, 2, 3]").await;
    let first = take(&world, activity, 3).await;
    let run = map_run(&world, &arn).await;
    // one at a time from here on, and so in the redrive
    world
        .ok("UpdateMapRun", json!({"mapRunArn": run, "maxConcurrency": 1}))
        .await;
    for (_, token) in &first {
        world
            .ok("SendTaskFailure", json!({"taskToken": token, "error": "E"}))
            .await;
    }
    assert_eq!(closed(&world, &arn).await["status"], "FAILED");
    world.ok("RedriveExecution", json!({"executionArn": arn})).await;
    let again = take(&world, activity, 1).await;
    let described = world.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    for of in ["executionCounts", "itemCounts"] {
        assert_eq!(
            counts(&described, of),
            expected(&[("running", 1), ("total", 3), ("pendingRedrive", 2)])
        );
    }
    let list = |filter: &'static str| {
        let asked = json!({"mapRunArn": run, "statusFilter": filter});
        let world = &world;
        async move {
            let listed = world.ok("ListExecutions", asked).await;
            let statuses = listed["executions"].as_array().unwrap().iter();
            statuses.map(|child| child["status"].clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(list("PENDING_REDRIVE").await, ["PENDING_REDRIVE", "PENDING_REDRIVE"]);
    assert_eq!(list("FAILED").await, Vec::<Value>::new());
    // what fails again is tolerated, as it was in the first place
    world
        .ok("SendTaskFailure", json!({"taskToken": again[0].1, "error": "E"}))
        .await;
    for _ in 0..2 {
        let next = take(&world, activity, 1).await;
        world
            .ok("SendTaskSuccess", json!({"taskToken": next[0].1, "output": "0"}))
            .await;
    }
    assert_eq!(closed(&world, &arn).await["output"], "[0,0]");
}
