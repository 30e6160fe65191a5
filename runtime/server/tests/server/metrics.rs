//! `/metrics`, read as Prometheus reads it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use super::http::{listen, request};
use super::world::{World, pass, task, wait};

/// Series and their values. Waits until `wanted` holds: commits are counted beside whoever asks.
async fn scraped(address: SocketAddr, wanted: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
    for _ in 0..10_000 {
        let answer = request(address, "GET", "/metrics", "", b"").await;
        assert!(
            answer.head.contains("content-type: text/plain; version=0.0.4"),
            "{}",
            answer.head
        );
        let text = String::from_utf8(answer.body).unwrap();
        let mut series = BTreeMap::new();
        let mut typed = Vec::new();
        for line in text.lines() {
            if let Some(metric) = line.strip_prefix("# TYPE ") {
                typed.push(metric.split(' ').next().unwrap().to_owned());
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let base = name.split('{').next().unwrap();
                assert!(
                    typed.iter().any(|metric| base.starts_with(metric.as_str())),
                    "{line} has no type"
                );
                let twice = series.insert(name.to_owned(), value.parse().unwrap());
                assert_eq!(twice, None, "{line}");
            }
        }
        if wanted(&series) {
            return series;
        }
    }
    panic!("the numbers never came");
}

#[tokio::test]
async fn what_executions_came_to_is_counted_once_it_is_on_disk() {
    let world = World::new().await;
    for module in ["echo", "fail"] {
        world.handle.upload(module, module.as_bytes().to_vec()).await.unwrap();
    }
    world.machine("ok", &task("wasm:echo")).await;
    world.machine("bad", &task("wasm:fail")).await;
    let waits = world.machine("waits", &wait()).await;
    let passes = world.machine("passes", &pass()).await;
    for name in ["a", "b"] {
        world.run("ok", name, "{}").await;
    }
    world.run("bad", "a", "{}").await;
    let waiting = world.start(&waits, "{}").await;
    world.start(&waits, "{}").await;
    world.ok("StopExecution", json!({"executionArn": waiting})).await;
    world.refused("StartExecution", json!({"stateMachineArn": "x"})).await;
    let listening = listen(world).await;
    let headers = "x-amz-target: AWSStepFunctions.DescribeStateMachine\r\n";
    let asked = json!({"stateMachineArn": passes}).to_string();
    request(listening.address, "POST", "/", headers, asked.as_bytes()).await;
    request(listening.address, "POST", "/", headers, b"{}").await;
    request(
        listening.address,
        "POST",
        "/",
        "x-amz-target: AWSStepFunctions.Nothing\r\n",
        b"{}",
    )
    .await;
    for nowhere in ["/a", "/b", "/v1/executions/nobody:x"] {
        request(listening.address, "GET", nowhere, "", b"").await;
    }
    let aborted = "sandstep_executions_closed_total{type=\"standard\",outcome=\"aborted\"}";
    let series = scraped(listening.address, |series| series[aborted] == 1.0).await;
    for (name, value) in [
        ("sandstep_executions_started_total{type=\"standard\"}", 5.0),
        (
            "sandstep_executions_closed_total{type=\"standard\",outcome=\"succeeded\"}",
            2.0,
        ),
        (
            "sandstep_executions_closed_total{type=\"standard\",outcome=\"failed\"}",
            1.0,
        ),
        (
            "sandstep_executions_closed_total{type=\"express\",outcome=\"succeeded\"}",
            0.0,
        ),
        ("sandstep_executions_running{type=\"standard\"}", 1.0),
        ("sandstep_state_transitions_total{state=\"Task\"}", 3.0),
        ("sandstep_state_transitions_total{state=\"Wait\"}", 2.0),
        ("sandstep_task_attempts_total{outcome=\"succeeded\"}", 2.0),
        ("sandstep_task_attempts_total{outcome=\"failed\"}", 1.0),
        ("sandstep_task_seconds_count", 3.0),
        ("sandstep_task_seconds_sum", 0.000_021),
        ("sandstep_task_fuel_sum", 126.0),
        ("sandstep_task_fuel_bucket{le=\"1000\"}", 3.0),
        ("sandstep_task_slots", 16.0),
        ("sandstep_task_slots_taken", 0.0),
        ("sandstep_tasks_waiting", 0.0),
        ("sandstep_commits_total{result=\"failed\"}", 0.0),
        ("sandstep_unobserved_batches_total", 0.0),
        (
            "sandstep_http_requests_total{operation=\"DescribeStateMachine\",status=\"200\"}",
            1.0,
        ),
        (
            "sandstep_http_requests_total{operation=\"DescribeStateMachine\",status=\"400\"}",
            1.0,
        ),
        (
            "sandstep_http_requests_total{operation=\"unknown\",status=\"400\"}",
            1.0,
        ),
        (
            "sandstep_http_requests_total{operation=\"unknown\",status=\"404\"}",
            2.0,
        ),
        (
            "sandstep_http_requests_total{operation=\"GET /v1/executions/{id}\",status=\"404\"}",
            1.0,
        ),
        (
            "sandstep_http_request_seconds_count{operation=\"DescribeStateMachine\"}",
            2.0,
        ),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
    assert!(series["sandstep_commits_total{result=\"written\"}"] >= 4.0);
    assert_eq!(
        series["sandstep_commit_events_count"],
        series["sandstep_commits_total{result=\"written\"}"]
    );
}
