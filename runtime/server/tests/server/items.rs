//! Data sets read from objects, and results written to them.

use std::io::Read as _;
use std::sync::Arc;

use asl::{Failure, Payload, Status, Timestamp};
use engine::ports::SharedObjects;
use serde_json::{Value, json};
use server::items::{self, ChildResult, Item, ReadRequest, WriteRequest};

const GET: &str = "arn:aws:states:::s3:getObject";
const LIST: &str = "arn:aws:states:::s3:listObjectsV2";
const RUN: &str = "arn:aws:states:us-east-1:000000000000:mapRun:m/Map:8d0a";

fn objects(files: &[(&str, &str)]) -> SharedObjects {
    let objects: SharedObjects = Arc::new(store::memory::Objects::default());
    objects.create_bucket("data").unwrap();
    for (key, content) in files {
        objects.put("data", key, &mut content.as_bytes()).unwrap();
    }
    objects
}

fn read(objects: &SharedObjects, resource: &str, parameters: Value, config: Value) -> Result<Vec<Item>, Failure> {
    let request = ReadRequest {
        resource: resource.to_owned(),
        parameters: parameters.into(),
        config: config.into(),
    };
    items::open(objects, &request)?.collect()
}

fn get(objects: &SharedObjects, key: &str, config: Value) -> Result<Vec<String>, Failure> {
    let items = read(objects, GET, json!({"Bucket": "data", "Key": key}), config)?;
    Ok(items.iter().map(|item| item.value.to_string()).collect())
}

fn cause(result: Result<Vec<String>, Failure>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("States.ItemReaderFailed"));
    failure.cause.unwrap()
}

#[test]
fn each_input_type_has_its_reader() {
    let objects = objects(&[
        ("a.json", r#"{"orders": [{"id": 1}, 2, 3]}"#),
        ("a.jsonl", "{\"id\":1}\n2\n3\n"),
        ("a.csv", "id;name\n1;x\n2;y\n"),
    ]);
    assert_eq!(
        get(
            &objects,
            "a.json",
            json!({"InputType": "JSON", "ItemsPointer": "/orders", "MaxItems": 2})
        )
        .unwrap(),
        [r#"{"id":1}"#, "2"]
    );
    assert_eq!(
        get(&objects, "a.jsonl", json!({"InputType": "JSONL", "MaxItems": 2.0})).unwrap(),
        [r#"{"id":1}"#, "2"]
    );
    assert_eq!(
        get(
            &objects,
            "a.csv",
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": "SEMICOLON"})
        )
        .unwrap(),
        [r#"{"id":"1","name":"x"}"#, r#"{"id":"2","name":"y"}"#]
    );
    assert_eq!(
        get(
            &objects,
            "a.csv",
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["c"], "MaxItems": 1})
        )
        .unwrap(),
        [r#"{"c":"id;name"}"#]
    );
}

#[test]
fn entries_of_an_object_have_keys_and_every_item_its_source() {
    let objects = objects(&[("o.json", r#"{"a": 1, "b": [2]}"#)]);
    let items = read(
        &objects,
        GET,
        json!({"Bucket": "data", "Key": "o.json"}),
        json!({"InputType": "JSON"}),
    )
    .unwrap();
    let shown: Vec<_> = items
        .iter()
        .map(|item| (item.key.as_deref(), item.value.text(), &*item.source))
        .collect();
    assert_eq!(
        shown,
        [
            (Some("a"), "1", "S3://data/o.json"),
            (Some("b"), "[2]", "S3://data/o.json")
        ]
    );
}

#[test]
fn listed_objects_are_items_or_hold_them() {
    let objects = objects(&[
        ("in/", ""),
        ("in/1.jsonl", "1\n2"),
        ("in/2.jsonl", "3"),
        ("out/3.jsonl", "4"),
    ]);
    let parameters = json!({"Bucket": "data", "Prefix": "in/"});
    let items = read(&objects, LIST, parameters.clone(), json!({})).unwrap();
    let keys: Vec<_> = items.iter().map(|item| &item.value.value()["Key"]).collect();
    assert_eq!(keys, ["in/", "in/1.jsonl", "in/2.jsonl"]);
    assert_eq!(&*items[0].source, "S3://data");
    let flat = json!({"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"});
    let items = read(&objects, LIST, parameters, flat).unwrap();
    let shown: Vec<_> = items.iter().map(|item| (item.value.text(), &*item.source)).collect();
    assert_eq!(
        shown,
        [
            ("1", "S3://data/in/1.jsonl"),
            ("2", "S3://data/in/1.jsonl"),
            ("3", "S3://data/in/2.jsonl")
        ]
    );
}

#[test]
fn manifests_lead_to_their_files() {
    let inventory = json!({
        "sourceBucket": "source",
        "destinationBucket": "arn:aws:s3:::data",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inv/1.csv", "size": 1, "MD5checksum": "x"}, {"key": "inv/2.csv", "size": 1}],
    });
    let objects = objects(&[
        ("manifest.json", &inventory.to_string()),
        ("inv/1.csv", "\"source\",\"a b.txt\",\"12\"\n"),
        ("inv/2.csv", "\"source\",\"c.txt\",\"0\"\n"),
        ("athena.csv", "s3://data/u/1\ns3://data/u/2\n"),
        ("u/1", "{\"x\":1}\n"),
        ("u/2", "{\"x\":2}\n"),
        ("broken.csv", "elsewhere\n"),
        ("orc.json", r#"{"fileFormat":"ORC","fileSchema":"s","files":[]}"#),
    ]);
    let rows = [
        r#"{"Bucket":"source","Key":"a b.txt","Size":"12"}"#,
        r#"{"Bucket":"source","Key":"c.txt","Size":"0"}"#,
    ];
    assert_eq!(
        get(&objects, "manifest.json", json!({"InputType": "MANIFEST"})).unwrap(),
        rows
    );
    assert_eq!(
        get(&objects, "manifest.json", json!({"ManifestType": "S3_INVENTORY"})).unwrap(),
        rows
    );
    let athena = json!({"ManifestType": "ATHENA_DATA", "InputType": "JSONL"});
    assert_eq!(
        get(&objects, "athena.csv", athena.clone()).unwrap(),
        [r#"{"x":1}"#, r#"{"x":2}"#]
    );
    assert!(cause(get(&objects, "broken.csv", athena)).contains("`elsewhere`"));
    assert!(cause(get(&objects, "orc.json", json!({"InputType": "MANIFEST"}))).contains("`ORC`"));
    assert!(cause(get(&objects, "u/1", json!({"InputType": "MANIFEST"}))).contains("u/1"));
}

#[test]
fn what_cannot_be_read_says_why() {
    let objects = objects(&[("n.json", "1"), ("bad.jsonl", "1\n{\n3\n"), ("a.csv", "a\n")]);
    let json_type = || json!({"InputType": "JSON"});
    assert!(cause(get(&objects, "x", json_type())).starts_with("The specified key does not exist. (Service: S3, "));
    let elsewhere = read(&objects, GET, json!({"Bucket": "elsewhere", "Key": "x"}), json_type());
    let elsewhere = elsewhere.unwrap_err().cause.unwrap();
    assert!(
        elsewhere.starts_with("The specified bucket does not exist (Service: S3, Status Code: 404, "),
        "{elsewhere}"
    );
    assert_eq!(
        cause(get(&objects, "n.json", json_type())),
        "Attempting to map over non-iterable node."
    );
    for (config, word) in [
        (json!({}), "InputType"),
        (json!({"InputType": "PARQUET"}), "JSONL"),
        (json!({"InputType": "XML"}), "`XML`"),
        (json!({"InputType": "CSV"}), "CSVHeaderLocation"),
        (json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}), "CSVHeaders"),
        (
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": "!"}),
            "`!`",
        ),
        (json!({"InputType": "JSON", "MaxItems": -1}), "-1"),
        (json!({"InputType": "JSON", "MaxItems": 1.5}), "1.5"),
        (json!({"ManifestType": "X"}), "`X`"),
        (json!([]), "ReaderConfig"),
    ] {
        let cause = cause(get(&objects, "a.csv", config.clone()));
        assert!(cause.contains(word), "{config}: {cause}");
    }
    assert!(read(&objects, "arn:aws:states:::sqs:sendMessage", json!({}), json!({})).is_err());
    assert!(read(&objects, GET, json!({"Bucket": "data"}), json_type()).is_err());
    let versioned = json!({"Bucket": "data", "Key": "a.csv", "VersionId": "1"});
    assert!(read(&objects, GET, versioned, json_type()).is_err());

    // What came before the broken line has come; behind it nothing does.
    let request = ReadRequest {
        resource: GET.to_owned(),
        parameters: json!({"Bucket": "data", "Key": "bad.jsonl"}).into(),
        config: json!({"InputType": "JSONL"}).into(),
    };
    let mut items = items::open(&objects, &request).unwrap();
    assert!(items.next().unwrap().is_ok());
    assert!(items.next().unwrap().unwrap_err().cause.unwrap().contains("line 2"));
    assert!(items.next().is_none());
}

fn child(number: u32, status: Status, output: Option<&str>) -> ChildResult {
    let failed = !matches!(status, Status::Succeeded | Status::Running);
    ChildResult {
        execution_arn: format!("arn:aws:states:us-east-1:000000000000:execution:m/Map:{number}"),
        name: number.to_string(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m/Map".to_owned(),
        status,
        input: Payload::from_text("[1, 2]").unwrap(),
        output: output.map(|output| Payload::from_text(output).unwrap()),
        failure: failed.then(|| Failure::new("E", "on purpose")),
        started: (status != Status::Running).then_some(Timestamp(0)),
        stopped: (status != Status::Running).then_some(Timestamp(1500)),
        redrive_count: 0,
    }
}

fn children() -> Vec<Result<ChildResult, Failure>> {
    vec![
        Ok(child(1, Status::Succeeded, Some("[1, [2]]"))),
        Ok(child(2, Status::Failed, None)),
        Ok(child(3, Status::Succeeded, Some("{\"a\": 1}"))),
        Ok(child(4, Status::Running, None)),
    ]
}

fn request(resource: Option<&str>, config: Value) -> WriteRequest {
    WriteRequest {
        resource: resource.map(str::to_owned),
        parameters: json!({"Bucket": "data", "Prefix": "results/"}).into(),
        config: config.into(),
        map_run_arn: RUN.to_owned(),
    }
}

const PUT: Option<&str> = Some("arn:aws:states:::s3:putObject");

fn content(objects: &SharedObjects, key: &str) -> String {
    let mut text = String::new();
    let mut object = objects.open("data", key, 0).unwrap();
    object.content.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn results_go_to_files_and_a_manifest_names_them() {
    let objects = objects(&[]);
    let request = request(PUT, json!({}));
    items::check_destination(&objects, &request).unwrap();
    let result = items::write_results(&objects, &request, children().into_iter()).unwrap();
    assert_eq!(
        result.value(),
        &json!({"MapRunArn": RUN, "ResultWriterDetails": {"Bucket": "data", "Key": "results/8d0a/manifest.json"}})
    );
    let manifest: Value = serde_json::from_str(&content(&objects, "results/8d0a/manifest.json")).unwrap();
    let size = |name: &str| objects.head("data", name).unwrap().size;
    let file = |kind: &str| {
        let key = format!("results/8d0a/{kind}_0.json");
        json!([{"Key": key, "Size": size(&key)}])
    };
    assert_eq!(
        manifest,
        json!({
            "DestinationBucket": "data",
            "MapRunArn": RUN,
            "ResultFiles": {"FAILED": file("FAILED"), "PENDING": file("PENDING"), "SUCCEEDED": file("SUCCEEDED")},
        })
    );
    let succeeded: Value = serde_json::from_str(&content(&objects, "results/8d0a/SUCCEEDED_0.json")).unwrap();
    assert_eq!(succeeded.as_array().unwrap().len(), 2);
    assert_eq!(
        succeeded[0],
        json!({
            "ExecutionArn": "arn:aws:states:us-east-1:000000000000:execution:m/Map:1",
            "Input": "[1, 2]",
            "InputDetails": {"Included": true},
            "Name": "1",
            "Output": "[1, [2]]",
            "OutputDetails": {"Included": true},
            "RedriveCount": 0,
            "RedriveStatus": "NOT_REDRIVABLE",
            "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
            "StartDate": "1970-01-01T00:00:00.000Z",
            "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m/Map",
            "Status": "SUCCEEDED",
            "StopDate": "1970-01-01T00:00:01.500Z",
        })
    );
    let failed: Value = serde_json::from_str(&content(&objects, "results/8d0a/FAILED_0.json")).unwrap();
    assert_eq!(
        (&failed[0]["Error"], &failed[0]["Status"], &failed[0]["RedriveStatus"]),
        (&json!("E"), &json!("FAILED"), &json!("REDRIVABLE_BY_MAP_RUN"))
    );
    let pending: Value = serde_json::from_str(&content(&objects, "results/8d0a/PENDING_0.json")).unwrap();
    assert_eq!(pending[0]["Status"], "PENDING");
}

#[test]
fn transformations_leave_outputs_or_their_elements() {
    let objects = objects(&[]);
    let jsonl = request(PUT, json!({"Transformation": "FLATTEN", "OutputType": "JSONL"}));
    items::write_results(&objects, &jsonl, children().into_iter()).unwrap();
    assert_eq!(
        content(&objects, "results/8d0a/SUCCEEDED_0.jsonl"),
        "1\n[2]\n{\"a\": 1}\n"
    );
    let compact = request(PUT, json!({"Transformation": "COMPACT"}));
    items::write_results(&objects, &compact, children().into_iter()).unwrap();
    assert_eq!(
        content(&objects, "results/8d0a/SUCCEEDED_0.json"),
        "[[1, [2]],{\"a\": 1}]"
    );
    let failed: Value = serde_json::from_str(&content(&objects, "results/8d0a/FAILED_0.json")).unwrap();
    assert_eq!(failed[0]["Cause"], "on purpose", "failures are told of whole");
    // Nothing written, nothing named.
    let none = items::write_results(&objects, &compact, std::iter::empty()).unwrap();
    assert_eq!(none.value()["ResultWriterDetails"]["Key"], "results/8d0a/manifest.json");
    let manifest: Value = serde_json::from_str(&content(&objects, "results/8d0a/manifest.json")).unwrap();
    assert_eq!(
        manifest["ResultFiles"],
        json!({"FAILED": [], "PENDING": [], "SUCCEEDED": []})
    );
}

#[test]
fn without_a_resource_the_results_are_the_answer() {
    let objects = objects(&[]);
    let flat = request(None, json!({"Transformation": "FLATTEN"}));
    let succeeded = || {
        vec![
            Ok(child(1, Status::Succeeded, Some("[1, [2]]"))),
            Ok(child(2, Status::Succeeded, Some("3"))),
        ]
    };
    let result = items::write_results(&objects, &flat, succeeded().into_iter()).unwrap();
    assert_eq!(result.text(), "[1,[2],3]");
    let whole = request(None, json!({"Transformation": "NONE"}));
    let result = items::write_results(&objects, &whole, succeeded().into_iter()).unwrap();
    assert_eq!(result.value()[1]["Output"], "3");
}

#[test]
fn a_missing_bucket_is_noticed_before_anything_runs() {
    let objects = objects(&[]);
    objects.delete_bucket("data").unwrap();
    let failure = items::check_destination(&objects, &request(PUT, json!({}))).unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("States.ResultWriterFailed"));
    let cause = failure.cause.unwrap();
    assert!(
        cause.starts_with("Failed to write a test manifest into the specified output bucket."),
        "{cause}"
    );
    assert!(
        cause.contains("Message from S3: The specified bucket does not exist (Service: S3, "),
        "{cause}"
    );
    assert!(items::write_results(&objects, &request(PUT, json!({})), children().into_iter()).is_err());
    assert!(items::check_destination(&objects, &request(PUT, json!({"Transformation": "X"}))).is_err());
    // A child that can't be read ends it, and leaves no half of a file.
    objects.create_bucket("data").unwrap();
    let broken = vec![Ok(child(1, Status::Succeeded, Some("1"))), Err(Failure::new("X", "y"))];
    let failure = items::write_results(&objects, &request(PUT, json!({})), broken.into_iter()).unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("X"));
    assert_eq!(objects.list("data", "", None).unwrap().count(), 0);
}
