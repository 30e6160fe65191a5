//! Manifests, the policy above them, and what a module's class does to its tasks.

use serde_json::{Value, json};
use server::Config;
use server::modules::{Elsewhere, Error, Policy, PolicyInForce};

use super::http::{listen, request};
use super::world::{World, task};

const POLICY: &str = r#"
[limits]
memory = "256MiB"

[[allow]]
modules = ["pay"]
dirs = [{ path = "/srv/out", write = true }]
"#;

const WRITES: &str = "[grants]\ndirs = [{ path = \"/srv/out\", guest = \"/out\", write = true }]\n";

fn in_force(policy: &str) -> PolicyInForce {
    let nowhere = |elsewhere: Elsewhere<'_>| Err(format!("{elsewhere:?} isn't here"));
    PolicyInForce::new(Policy::read(policy, nowhere).unwrap())
}

fn config() -> Config {
    Config {
        policy: in_force(POLICY),
        ..Config::default()
    }
}

#[tokio::test]
async fn another_manifest_is_another_version() {
    let listening = listen(World::configured(config()).await).await;
    let put = |header: &'static str| request(listening.address, "PUT", "/v1/modules/pay", header, b"hang");
    // WRITES in base64, and the same with a limit
    let writes = "sandstep-manifest: W2dyYW50c10KZGlycyA9IFt7IHBhdGggPSAiL3Nydi9vdXQiLCBndWVzdCA9ICIvb3V0Iiwgd3JpdGUgPSB0cnVlIH1dCg==\r\n";
    let plain = put("").await;
    assert_eq!((plain.status, &plain.json()["class"]), (201, &json!("pure")));
    let with = put(writes).await;
    assert_eq!((with.status, &with.json()["version"]), (201, &json!(2)));
    assert_eq!(
        (&with.json()["class"], &with.json()["restart"]),
        (&json!("effectful"), &json!("fail"))
    );
    assert_eq!(with.json()["manifest"]["grants"]["dirs"][0]["path"], "/srv/out");
    assert_eq!(put(writes).await.status, 200, "the same bytes and the same wishes");
    // [limits] memory = "1GiB"
    let greedy = put("sandstep-manifest: W2xpbWl0c10KbWVtb3J5ID0gIjFHaUIiCg==\r\n").await;
    assert_eq!((greedy.status, &greedy.json()["code"]), (403, &json!("NotAllowed")));
    assert!(
        greedy.json()["hint"]
            .as_str()
            .unwrap()
            .contains("limits = { memory = \"1GiB\" }")
    );
    // [limits] memry = 1
    let wrong = put("sandstep-manifest: W2xpbWl0c10KbWVtcnkgPSAxCg==\r\n").await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (422, &json!("InvalidManifest")));
    assert!(wrong.json()["message"].as_str().unwrap().contains("line 2, column 1"));
    assert_eq!(put("sandstep-manifest: %\r\n").await.status, 422);
    let reach = request(listening.address, "GET", "/v1/modules/pay/reach", "", b"").await;
    assert_eq!(
        reach.json()["touches"],
        json!([{"kind": "dir", "what": "/srv/out", "how": "read and write, as /out"}])
    );
}

#[tokio::test]
async fn without_a_policy_nothing_outward_is_granted() {
    let world = World::new().await;
    let refused = world.handle.upload_with_manifest("pay", b"hang".to_vec(), WRITES).await;
    let Err(Error::NotAllowed(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        refused
            .hint()
            .contains("dirs = [{ path = \"/srv/out\", write = true }]")
    );
    let sets = "[grants]\nenv = [{ MODE = \"fast\" }]\n";
    world
        .handle
        .upload_with_manifest("pay", b"echo".to_vec(), sets)
        .await
        .unwrap();
}

#[tokio::test]
async fn attempts_get_what_the_policy_still_allows() {
    let policy = in_force(POLICY);
    let world = World::configured(Config {
        policy: policy.clone(),
        ..Config::default()
    })
    .await;
    let manifest = format!("[limits]\nmemory = \"128MiB\"\ntime = \"30s\"\n{WRITES}");
    world
        .handle
        .upload_with_manifest("pay", b"echo".to_vec(), &manifest)
        .await
        .unwrap();
    world.machine("m", &task("wasm:pay")).await;
    world.run("m", "one", "{}").await.output.unwrap();
    let job = world.runner.jobs.lock().unwrap()[0].clone();
    assert_eq!((job.limits.memory, job.limits.time_millis), (128 << 20, Some(30_000)));
    let granted = job.granted.unwrap();
    assert!(granted.dirs[0].directory.write && granted.dirs[0].root.ends_with("out"));

    policy.exchange(Policy::read("[limits]\nmemory = 65536", |_| Err(String::new())).unwrap());
    let failure = world.run("m", "two", "{}").await.failure.unwrap();
    assert_eq!(failure.error.as_deref(), Some("Sandbox.NotGranted"));
    assert!(failure.cause.unwrap().contains("[[allow]]"));
}

#[tokio::test]
async fn an_effectful_task_under_way_at_a_restart_is_not_run_again() {
    for (manifest, runs_again) in [
        (WRITES.to_owned(), false),
        (format!("restart = \"repeat\"\n{WRITES}"), true),
    ] {
        let world = World::configured(config()).await;
        world
            .handle
            .upload_with_manifest("pay", b"hang".to_vec(), &manifest)
            .await
            .unwrap();
        let machine = world.machine("m", &task("wasm:pay")).await;
        let arn = world.start(&machine, "{}").await;
        world.jobs(1).await;
        let World { server, store, .. } = world;
        server.close().await.unwrap();

        let again = World::open(config(), store, Default::default()).await.unwrap();
        if runs_again {
            again.jobs(1).await;
            assert_eq!(again.runner.release(&json!(1)), 1);
        }
        let ended = again
            .until("DescribeExecution", json!({"executionArn": arn}), |answer| {
                answer["status"] != "RUNNING"
            })
            .await;
        if runs_again {
            assert_eq!(ended["status"], "SUCCEEDED");
        } else {
            assert_eq!(
                (&ended["status"], &ended["error"]),
                (&json!("FAILED"), &json!("Sandbox.HostRestarted"))
            );
            assert!(again.runner.jobs.lock().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn validation_knows_what_is_retried_in_vain_and_what_is_not_repeated() {
    let world = World::configured(config()).await;
    world.handle.upload("pure", b"echo".to_vec()).await.unwrap();
    world
        .handle
        .upload_with_manifest("pay", b"echo".to_vec(), WRITES)
        .await
        .unwrap();
    let codes = async |resource: &str, rules: Value| {
        let mut definition = task(resource);
        for (field, rule) in rules.as_object().unwrap() {
            definition["States"]["T"][field] = rule.clone();
        }
        let answer = world
            .ok(
                "ValidateStateMachineDefinition",
                json!({"definition": definition.to_string(), "severity": "WARNING"}),
            )
            .await;
        let found = answer["diagnostics"].as_array().unwrap().iter();
        found
            .map(|found| {
                format!(
                    "{} {}",
                    found["code"].as_str().unwrap(),
                    found["location"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    let retry = |errors: &[&str]| json!({"Retry": [{"ErrorEquals": ["Busy"]}, {"ErrorEquals": errors}]});
    assert_eq!(
        codes("wasm:pure", retry(&["Sandbox.Trapped", "Sandbox.FuelExhausted"])).await,
        ["RETRY_IN_VAIN /States/T/Retry[1]"]
    );
    assert!(
        codes("wasm:pure", retry(&["Sandbox.Trapped", "Flaky"]))
            .await
            .is_empty()
    );
    assert!(codes("wasm:pure", retry(&["States.ALL"])).await.is_empty());
    assert_eq!(
        codes("wasm:pay", retry(&["Sandbox.Trapped"])).await,
        ["RESTART_NOT_HANDLED /States/T/Resource"]
    );
    assert!(codes("wasm:pay", retry(&["Sandbox.HostRestarted"])).await.is_empty());
}
