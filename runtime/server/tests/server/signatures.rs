//! Signed modules: what comes in, what runs, and who is shown to answer for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use server::Config;
use server::modules::signatures::{digest, payload};
use server::modules::{Error, Policy, PolicyInForce};

use super::http::{listen, request};
use super::world::{World, task};

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn signature(seed: u8, name: &str, upload: &[u8], manifest: &str) -> String {
    let payload = payload(name, &digest(upload), &digest(manifest.as_bytes()));
    STANDARD.encode(pair(seed).sign(payload.as_bytes()))
}

/// A policy that has the first key, and wants signatures where `required` says so.
fn policy(required: &str) -> Policy {
    let key = STANDARD.encode(pair(1).public_key());
    let text = format!("[signatures]\nrequired = {required}\n[signatures.keys]\nci = \"{key}\"\n");
    Policy::read(&text, |_| Err(String::new())).unwrap()
}

fn config(required: &str) -> (Config, PolicyInForce) {
    let policy = PolicyInForce::new(policy(required));
    let config = Config {
        policy: policy.clone(),
        ..Config::default()
    };
    (config, policy)
}

#[tokio::test]
async fn only_what_is_signed_for_its_name_and_manifest_comes_in() {
    let (config, _) = config("true");
    let listening = listen(World::configured(config).await).await;
    let address = listening.address;
    let put = async |name: &str, manifest: &str, signature: Option<String>| {
        let mut headers = String::new();
        if !manifest.is_empty() {
            headers.push_str(&format!("sandstep-manifest: {}\r\n", STANDARD.encode(manifest)));
        }
        if let Some(signature) = signature {
            headers.push_str(&format!("sandstep-signature: {signature}\r\n"));
        }
        let answer = request(address, "PUT", &format!("/v1/modules/{name}"), &headers, b"echo").await;
        (answer.status, answer.json())
    };
    let manifest = "[limits]\ntime = \"30s\"\n";
    for (name, sent, signed) in [
        ("pay", "", None),
        ("pay", "", Some(signature(2, "pay", b"echo", ""))),
        ("other", "", Some(signature(1, "pay", b"echo", ""))),
        ("pay", "", Some(signature(1, "pay", b"hang", ""))),
        ("pay", manifest, Some(signature(1, "pay", b"echo", ""))),
        ("pay", "", Some(signature(1, "pay", b"echo", manifest))),
    ] {
        let (status, refused) = put(name, sent, signed).await;
        assert_eq!((status, &refused["code"]), (403, &json!("NotSigned")), "{refused}");
        assert!(refused["hint"].as_str().unwrap().contains("`ci`"), "{refused}");
    }
    let (status, refused) = put("pay", "", Some("AAAA".to_owned())).await;
    assert_eq!((status, &refused["code"]), (422, &json!("InvalidSignature")));
    let (_, listed) = {
        let answer = request(address, "GET", "/v1/modules", "", b"").await;
        (answer.status, answer.json())
    };
    assert_eq!(listed, json!({"modules": []}));

    let value = signature(1, "pay", b"echo", manifest);
    let (status, taken) = put("pay", manifest, Some(value.clone())).await;
    assert_eq!(status, 201, "{taken}");
    assert_eq!(
        taken["signature"],
        json!({"signer": "ci", "component": digest(b"echo").0, "manifest": digest(manifest.as_bytes()).0, "value": value})
    );
    let (status, again) = put("pay", manifest, Some(value)).await;
    assert_eq!((status, &again["version"]), (200, &json!(1)));
}

#[tokio::test]
async fn what_came_in_before_the_policy_wanted_signatures_doesnt_run() {
    let (config, in_force) = config("false");
    let world = World::configured(config).await;
    world.handle.upload("pay", b"echo".to_vec()).await.unwrap();
    let value = signature(1, "geo", b"echo", "");
    let signed = world
        .handle
        .upload_signed("geo", b"echo".to_vec(), "", Some(value))
        .await;
    signed.unwrap();
    for name in ["pay", "geo"] {
        world.machine(name, &task(&format!("wasm:{name}"))).await;
        world.run(name, "one", "{}").await.output.unwrap();
    }
    in_force.exchange(policy("[\"p*\", \"geo\"]"));
    let failure = world.run("pay", "two", "{}").await.failure.unwrap();
    assert_eq!(failure.error.as_deref(), Some("Sandbox.NotSigned"));
    let cause = failure.cause.unwrap();
    assert!(
        cause.contains("it has no signature") && cause.contains("sandstep modules sign pay"),
        "{cause}"
    );
    world.run("geo", "two", "{}").await.output.unwrap();

    in_force.exchange(Policy::read("[signatures]\nrequired = true", |_| Err(String::new())).unwrap());
    let failure = world.run("geo", "three", "{}").await.failure.unwrap();
    assert_eq!(
        failure.error.as_deref(),
        Some("Sandbox.NotSigned"),
        "its key was taken away"
    );
    let address = listen(world).await;
    let reach = request(address.address, "GET", "/v1/modules/geo/reach", "", b"")
        .await
        .json();
    assert!(
        reach["refused"]
            .as_str()
            .unwrap()
            .contains("no key of the policy signs for `geo`"),
        "{reach}"
    );
    let shown = request(address.address, "GET", "/v1/modules/geo", "", b"").await.json();
    assert!(shown["signature"]["signer"].is_null() && shown["signature"]["value"].is_string());
}

#[tokio::test]
async fn without_a_policy_that_wants_them_signatures_are_kept() {
    let world = World::new().await;
    let value = signature(9, "pay", b"echo", "");
    let signed = world
        .handle
        .upload_signed("pay", b"echo".to_vec(), "", Some(value.clone()))
        .await;
    let kept = signed.unwrap().description.signature.clone().unwrap();
    assert_eq!((kept.value, kept.upload), (value, digest(b"echo")));
    let (config, _) = config("[\"etl-*\"]");
    let world = World::configured(config).await;
    world.handle.upload("pay", b"echo".to_vec()).await.unwrap();
    let refused = world.handle.upload("etl-a", b"echo".to_vec()).await;
    assert!(matches!(refused, Err(Error::NotSigned(_))), "{refused:?}");
}
