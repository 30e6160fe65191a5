//! Traces: what spans executions leave, whose parts they are, and that nobody waits for whoever takes them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use server::traces::{Attribute, ExportError, Sampler, Span, SpanExporter, SpanKind, Traces};
use server::{Config, Handle};

use super::http::{listen, request};
use super::world::{FakeRunner, ROLE, World, pass, task};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Keeps what it is given.
#[derive(Default)]
struct Collector(Mutex<Vec<Span>>);

impl SpanExporter for Collector {
    fn export(&self, spans: Vec<Span>) -> Result<(), ExportError> {
        self.0.lock().unwrap().extend(spans);
        Ok(())
    }
}

impl Collector {
    fn spans(&self) -> Vec<Span> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn traces(exporter: Arc<dyn SpanExporter>) -> Traces {
    Traces {
        exporter,
        sampler: Sampler {
            heeds_parent: true,
            ratio: 1.0,
        },
        queue: 2048,
        batch: 512,
        delay: Duration::ZERO,
    }
}

fn traced(exporter: &Arc<Collector>) -> Config {
    Config {
        traces: Some(traces(Arc::clone(exporter) as Arc<dyn SpanExporter>)),
        ..Config::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each span as `PARENT/NAME`, with ` !ERROR` where it failed; in the order of their names.
fn tree(spans: &[Span]) -> Vec<String> {
    let names: BTreeMap<_, _> = spans.iter().map(|span| (span.id, &span.name)).collect();
    assert_eq!(names.len(), spans.len(), "every span has an id of its own");
    let mut lines: Vec<String> = spans
        .iter()
        .map(|span| {
            let parent = span
                .parent
                .map_or("", |parent| names.get(&parent).map_or("?", |name| name));
            let error = span.error.as_ref().map_or(String::new(), |error| format!(" !{error}"));
            assert!(span.started <= span.ended);
            format!("{parent}/{}{error}", span.name)
        })
        .collect();
    lines.sort();
    lines
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Attribute> {
    let found = span.attributes.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value)
}

async fn closed(world: &World, execution: &str) {
    let asked = json!({"executionArn": execution});
    world
        .until("DescribeExecution", asked, |answer| answer["status"] != "RUNNING")
        .await;
}

async fn upload(handle: &Handle) {
    for module in ["echo", "fail", "hang"] {
        handle.upload(module, module.as_bytes().to_vec()).await.unwrap();
    }
}

fn of(name: &str, resource: &str, more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": resource, "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"StartAt": name, "States": {name: state}})
}

#[tokio::test]
async fn executions_states_and_attempts_are_spans_within_each_other() {
    let collector = Arc::new(Collector::default());
    let world = World::configured(traced(&collector)).await;
    upload(&world.handle).await;
    let retry = json!([{"ErrorEquals": ["Refused"], "MaxAttempts": 1, "IntervalSeconds": 1, "BackoffRate": 1.0}]);
    let caught = json!([{"ErrorEquals": ["States.ALL"], "Next": "After"}]);
    let definition = json!({"StartAt": "Both", "States": {
        "Both": {"Type": "Parallel", "Next": "Each", "Branches": [
            of("Echo", "wasm:echo", json!({})),
            {"StartAt": "Bad", "States": {
                "Bad": {"Type": "Task", "Resource": "wasm:fail", "Retry": retry, "Catch": caught, "End": true},
                "After": {"Type": "Pass", "End": true}}},
        ]},
        "Each": {"Type": "Map", "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}},
            "End": true},
    }});
    let arn = world.machine("m", &definition).await;
    let execution = world.start(&arn, r#"{"secret": 1}"#).await;
    closed(&world, &execution).await;
    world.server.close().await.unwrap();
    let spans = collector.spans();
    assert_eq!(
        tree(&spans),
        [
            "/m",
            "Bad/wasm:fail !Refused",
            "Bad/wasm:fail !Refused",
            "Both/After",
            "Both/Bad",
            "Both/Echo",
            "Each/One",
            "Each/One",
            "Echo/wasm:echo",
            "m/Both",
            "m/Each",
        ]
    );
    let by_name = |name: &str| spans.iter().rfind(|span| span.name == name).unwrap();
    let root = by_name("m");
    assert_eq!(root.kind, SpanKind::Execution);
    assert_eq!(
        attribute(root, "sandstep.execution.arn"),
        Some(&execution.as_str().into())
    );
    assert_eq!(attribute(root, "sandstep.execution.status"), Some(&"SUCCEEDED".into()));
    assert_eq!(
        attribute(root, "aws.step_functions.state_machine.arn"),
        Some(&arn.as_str().into())
    );
    let bad = by_name("Bad");
    assert_eq!(bad.kind, SpanKind::State);
    assert_eq!(attribute(bad, "sandstep.state.retries"), Some(&Attribute::Number(1)));
    assert_eq!(attribute(bad, "sandstep.state.caught"), Some(&"Refused".into()));
    assert_eq!(
        attribute(by_name("One"), "sandstep.map.index"),
        Some(&Attribute::Number(1))
    );
    let attempt = by_name("wasm:fail");
    assert_eq!(attempt.kind, SpanKind::Attempt);
    assert_eq!(
        attribute(attempt, "sandstep.task.retry_count"),
        Some(&Attribute::Number(1))
    );
    assert_eq!(attribute(attempt, "sandstep.task.fuel"), Some(&Attribute::Number(42)));
    assert!(spans.iter().all(|span| span.trace == root.trace));
    assert!(!format!("{spans:?}").contains("secret"));
}

#[tokio::test]
async fn what_is_torn_down_ends_with_what_tore_it_down() {
    let collector = Arc::new(Collector::default());
    let world = World::configured(traced(&collector)).await;
    upload(&world.handle).await;
    let definition = json!({"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
        of("Hangs", "wasm:hang", json!({})),
        {"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "E"}}},
    ]}}});
    let failing = world.machine("failing", &definition).await;
    let execution = world.start(&failing, "{}").await;
    closed(&world, &execution).await;
    let stopped = world.machine("stopped", &task("wasm:hang")).await;
    let execution = world.start(&stopped, "{}").await;
    world
        .ok("StopExecution", json!({"executionArn": execution, "error": "Why"}))
        .await;
    world.server.close().await.unwrap();
    let (failing, stopped): (Vec<_>, Vec<_>) = {
        let spans = collector.spans();
        let trace = spans.iter().find(|span| span.name == "failing").unwrap().trace;
        spans.into_iter().partition(|span| span.trace == trace)
    };
    assert_eq!(
        tree(&failing),
        [
            "/failing !E",
            "Both/Bad !E",
            "Both/Hangs !stopped",
            "Hangs/wasm:hang !stopped",
            "failing/Both !E",
        ]
    );
    assert_eq!(
        tree(&stopped),
        ["/stopped !Why", "T/wasm:hang !stopped", "stopped/T !stopped"]
    );
}

#[tokio::test]
async fn a_callers_trace_goes_on_however_it_calls_and_is_not_made_where_it_is_not_wanted() {
    let collector = Arc::new(Collector::default());
    let world = World::configured(traced(&collector)).await;
    let express = world
        .ok(
            "CreateStateMachine",
            json!({"name": "express", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS"}),
        )
        .await["stateMachineArn"]
        .clone();
    let standard = world.machine("standard", &pass()).await;
    let handle = world.handle.clone();
    let listening = listen(world).await;
    let call = async |operation: &str, asked: Value, traceparent: &str| {
        let headers = format!("x-amz-target: AWSStepFunctions.{operation}\r\ntraceparent: {traceparent}\r\n");
        let answer = request(listening.address, "POST", "/", &headers, asked.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    };
    call("StartExecution", json!({"stateMachineArn": standard}), CALLER).await;
    call("StartExecution", json!({"stateMachineArn": express}), CALLER).await;
    call("StartSyncExecution", json!({"stateMachineArn": express}), CALLER).await;
    let path = "/v1/state-machines/standard/executions?wait=60";
    let headers = format!("content-type: application/json\r\ntraceparent: {CALLER}\r\n");
    let answer = request(listening.address, "POST", path, &headers, b"{}").await;
    assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
    let unwanted = format!("{}00", &CALLER[..CALLER.len() - 2]);
    call("StartSyncExecution", json!({"stateMachineArn": express}), &unwanted).await;
    call(
        "StartSyncExecution",
        json!({"stateMachineArn": express}),
        "no trace parent",
    )
    .await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let asked = json!({"stateMachineArn": express, "traceHeader": header});
    handle
        .call("StartSyncExecution", asked.to_string().as_bytes())
        .await
        .unwrap();
    listening.stop().await;
    let spans = collector.spans();
    let roots: Vec<&Span> = spans.iter().filter(|span| span.kind == SpanKind::Execution).collect();
    let of_caller = roots.iter().filter(|span| hex(&span.trace) == TRACE);
    let parents: Vec<_> = of_caller
        .map(|span| (hex(&span.parent.unwrap()), span.parent_is_remote))
        .collect();
    assert_eq!(parents, vec![("b7ad6b7169203331".to_owned(), true); 4]);
    let x_ray = roots
        .iter()
        .find(|span| hex(&span.trace) == "5759e988bd862e3fe1be46a994272793");
    assert_eq!(hex(&x_ray.unwrap().parent.unwrap()), "53995c3f42cd8ad8");
    let own: Vec<_> = roots.iter().filter(|span| span.parent.is_none()).collect();
    assert_eq!((own.len(), roots.len()), (1, 6));
}

#[tokio::test]
async fn nested_and_child_executions_are_parts_of_what_started_them() {
    let collector = Arc::new(Collector::default());
    let world = World::configured(traced(&collector)).await;
    let inner = world.machine("inner", &pass()).await;
    let nested = of(
        "Nested",
        "arn:aws:states:::states:startExecution.sync",
        json!({"Parameters": {"StateMachineArn": inner}}),
    );
    let outer = world.machine("outer", &nested).await;
    let execution = world.start(&outer, "{}").await;
    closed(&world, &execution).await;
    let mapping = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "Label": "each",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}}}});
    let mapping = world.machine("mapping", &mapping).await;
    let execution = world.start(&mapping, "[1, 2]").await;
    closed(&world, &execution).await;
    world.server.close().await.unwrap();
    assert_eq!(
        tree(&collector.spans()),
        [
            "/mapping",
            "/outer",
            "Nested/arn:aws:states:::states:startExecution.sync",
            "arn:aws:states:::states:startExecution.sync/inner",
            "inner/P",
            "mapping/Each",
            "mapping/each/One",
            "mapping/each/One",
            "mapping/mapping/each",
            "mapping/mapping/each",
            "outer/Nested",
        ]
    );
}

#[tokio::test]
async fn a_trace_goes_on_after_a_restart_and_a_redrive() {
    let collector = Arc::new(Collector::default());
    let world = World::configured(traced(&collector)).await;
    let activity = world.ok("CreateActivity", json!({"name": "work"})).await["activityArn"].clone();
    let resource = activity.as_str().unwrap();
    let definition = json!({"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "End": true}}},
        of("Work", resource, json!({})),
    ]}}});
    let arn = world.machine("m", &definition).await;
    let execution = world.start(&arn, "{}").await;
    let taken = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
    let store = world.store.clone();
    world.server.close().await.unwrap();
    let first = collector.spans();
    assert_eq!(tree(&first), ["?/Good"]);

    let again = |store| World::open(traced(&collector), store, Arc::new(FakeRunner::default()));
    let world = again(store).await.unwrap();
    let failure = json!({"taskToken": taken["taskToken"], "error": "E"});
    world.ok("SendTaskFailure", failure).await;
    closed(&world, &execution).await;
    let store = world.store.clone();
    world.server.close().await.unwrap();
    let mut spans = first;
    spans.extend(collector.spans());
    let attempt = format!("Work/{resource} !E");
    assert_eq!(
        tree(&spans),
        ["/m !E", "Both/Good", "Both/Work !E", &attempt, "m/Both !E"]
    );

    let world = again(store).await.unwrap();
    world.ok("RedriveExecution", json!({"executionArn": execution})).await;
    let taken = world.ok("GetActivityTask", json!({"activityArn": activity})).await;
    let success = json!({"taskToken": taken["taskToken"], "output": "1"});
    world.ok("SendTaskSuccess", success).await;
    closed(&world, &execution).await;
    world.server.close().await.unwrap();
    let redriven = collector.spans();
    let attempt = format!("Work/{resource}");
    assert_eq!(tree(&redriven), ["/m", "Both/Work", &attempt, "m/Both"]);
    assert_eq!(redriven[0].trace, spans[0].trace);
    spans.extend(redriven);
    tree(&spans);
}

/// Never answers, or says no.
struct Down {
    hangs: Mutex<Receiver<()>>,
    fails: bool,
}

impl SpanExporter for Down {
    fn export(&self, _: Vec<Span>) -> Result<(), ExportError> {
        if self.fails {
            return Err(ExportError("nobody is there".into()));
        }
        let _ = self.hangs.lock().unwrap().recv();
        Ok(())
    }
}

#[tokio::test]
async fn whoever_takes_no_spans_loses_them_and_delays_nothing() {
    for fails in [false, true] {
        let (release, hangs): (Sender<()>, _) = channel();
        let down = Down {
            hangs: Mutex::new(hangs),
            fails,
        };
        let traces = Traces {
            queue: 4,
            batch: 1,
            ..traces(Arc::new(down))
        };
        let world = World::configured(Config {
            traces: Some(traces),
            ..Config::default()
        })
        .await;
        world.machine("m", &pass()).await;
        for number in 0..20 {
            let closed = world.run("m", &number.to_string(), "{}").await;
            assert_eq!(closed.status, asl::Status::Succeeded);
        }
        let listening = listen(world).await;
        let mut text = String::new();
        let lost = |text: &str| -> u64 {
            let line = text.lines().find(|line| line.contains("spans_total{result=\"lost\"}"));
            line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
        };
        for _ in 0..10_000 {
            text = String::from_utf8(request(listening.address, "GET", "/metrics", "", b"").await.body).unwrap();
            // One is with the exporter and four wait.
            if lost(&text) >= 35 {
                break;
            }
        }
        assert!(lost(&text) >= 35, "{text}");
        drop(release);
        listening.stop().await;
    }
}
