//! Modules as artefacts: labels that move under running workflows and outlive a crash, signatures, compiled code.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::guests;
use crate::server::{Home, Server, binary, until};

/// The version that ran in each state, as the history has it.
fn versions(server: &Server, execution: &str) -> Result<Vec<Value>> {
    let events = server.history(execution)?;
    let details = events
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|event| event.values());
    let costs = details.filter_map(|details| details.get("sandstep"));
    Ok(costs.map(|cost| cost["version"].clone()).collect())
}

fn put(server: &Server, path: &str, body: &[u8]) -> Result<Value> {
    let (status, answer) = server.http("PUT", path, body)?;
    ensure!(status < 300, "PUT {path} answered {status}: {answer}");
    Ok(answer)
}

#[test]
fn a_label_moves_under_a_running_workflow_and_outlives_a_crash() -> Result<()> {
    let server = Server::start()?;
    put(&server, "/v1/modules/pay?label=prod", &guests::slow(500_000_000)?)?;
    server.push("pay", &guests::echo()?)?;
    let definition = json!({ "StartAt": "First", "States": {
        "First": { "Type": "Task", "Resource": "wasm:pay@prod", "Next": "Second" },
        "Second": { "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:pay:prod", "End": true },
    } });
    let machine = server.create("pays", &definition)?;
    let running = |server: &Server| -> Result<String> {
        let execution = server.start_execution(&machine, &json!({ "n": 1 }))?;
        until("the first task", || {
            let events = server.history(&execution)?;
            Ok(events
                .iter()
                .any(|event| event["type"] == "TaskScheduled")
                .then_some(()))
        })?;
        Ok(execution)
    };
    let moved = running(&server)?;
    put(&server, "/v1/modules/pay/labels/prod?version=2", b"")?;
    assert_eq!(server.wait(&moved)?["status"], "SUCCEEDED");
    assert_eq!(versions(&server, &moved)?, [1, 2], "what has begun ends as it began");

    put(&server, "/v1/modules/pay/labels/prod?version=1", b"")?;
    let interrupted = running(&server)?;
    put(&server, "/v1/modules/pay/labels/prod?version=2", b"")?;
    let home = server.kill()?;
    let server = Server::start_on(&home)?;
    let (_, label) = server.http("GET", "/v1/modules/pay/labels/prod", b"")?;
    assert_eq!(label["version"], 2, "{label}");
    assert_eq!(server.wait(&interrupted)?["status"], "SUCCEEDED");
    assert_eq!(
        versions(&server, &interrupted)?,
        [2, 2],
        "an attempt that may be repeated begins again with what the label points at by then"
    );
    let (status, refused) = server.http("DELETE", "/v1/modules/pay?version=2", b"")?;
    assert_eq!((status, &refused["code"]), (409, &json!("ModuleInUse")), "{refused}");
    let (_, described) = server.http("GET", "/v1/modules/pay?version=prod", b"")?;
    let digest = described["digest"].as_str().context("it has one")?;
    let pinned = server.create("pinned", &guests::one_task(&format!("pay@{digest}")))?;
    put(&server, "/v1/modules/pay/labels/prod?version=1", b"")?;
    let execution = server.start_execution(&pinned, &json!({}))?;
    server.wait(&execution)?;
    assert_eq!(versions(&server, &execution)?, [2], "a digest stays where labels go");
    Ok(())
}

/// Exit status, standard output and standard error of a command.
fn sandstep(home: &Home, endpoint: &str, arguments: &str) -> Result<String> {
    let mut command = Command::new(binary()?);
    command.args(arguments.split(' ')).current_dir(home.path(""));
    let output = command.env("SANDSTEP_ENDPOINT", endpoint).output()?;
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(format!(
        "status {}\n{}",
        output.status.code().unwrap_or(-1),
        texts.concat()
    ))
}

#[test]
fn a_module_is_signed_pushed_and_refused_without() -> Result<()> {
    let home = Home::new()?;
    fs::write(home.path("pay.wasm"), guests::echo()?)?;
    fs::write(home.path("pay.toml"), "[limits]\ntime = \"30s\"\n")?;
    let made = sandstep(&home, "http://127.0.0.1:9", "modules keygen ci.key")?;
    let public = made
        .lines()
        .find_map(|line| line.strip_prefix("public key"))
        .context("it prints it")?;
    let policy = format!(
        "[signatures]\nrequired = true\n[signatures.keys]\nci = \"{}\"\n",
        public.trim()
    );
    fs::write(home.path("policy.toml"), policy)?;
    let server = Server::start_with(&home, &["--policy".into(), home.path("policy.toml").into()])?;
    let run = |arguments: &str| sandstep(&home, server.endpoint(), arguments);

    let unsigned = run("modules push pay pay.wasm")?;
    ensure!(
        unsigned.starts_with("status 3\n") && unsigned.contains("(NotSigned)") && unsigned.contains("modules sign pay"),
        "{unsigned}"
    );
    ensure!(run("modules sign pay pay.wasm --key ci.key")?.starts_with("status 0\n"));
    let elsewhere = run("modules push refund pay.wasm")?;
    ensure!(elsewhere.contains("(NotSigned)"), "{elsewhere}");
    let pushed = run("modules push pay pay.wasm --label prod")?;
    ensure!(pushed.starts_with("status 0\n") && pushed.contains("ci"), "{pushed}");
    fs::write(home.path("pay.toml"), "[limits]\ntime = \"60s\"\n")?;
    let changed = run("modules push pay pay.wasm")?;
    ensure!(changed.contains("(NotSigned)"), "another manifest: {changed}");

    let text = run("modules sign pay pay.wasm --text")?;
    fs::write(
        home.path("text"),
        text.strip_prefix("status 0\n").context("it prints it")?,
    )?;
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(home.path("")).output()
    };
    if let Ok(signed) = openssl("pkeyutl -sign -rawin -inkey ci.key -in text -out signature")
        && signed.status.success()
    {
        let encoded = openssl("base64 -A -in signature -out openssl.sig")?;
        ensure!(encoded.status.success(), "{encoded:?}");
        let pushed = run("modules push pay pay.wasm --signature openssl.sig")?;
        ensure!(
            pushed.starts_with("status 0\n") && pushed.contains("version"),
            "{pushed}"
        );
    } else {
        eprintln!("SKIPPED: there is no `openssl` that signs with Ed25519");
    }

    let machine = server.create("pays", &guests::one_task("pay@prod"))?;
    let execution = server.start_execution(&machine, &json!({}))?;
    assert_eq!(server.wait(&execution)?["status"], "SUCCEEDED");
    fs::write(home.path("policy.toml"), "[signatures]\nrequired = true\n")?;
    server.send_signal("HUP")?;
    until("the policy without the key", || {
        let (_, reach) = server.http("GET", "/v1/modules/pay/reach", b"")?;
        Ok(reach["refused"].is_string().then_some(()))
    })?;
    let execution = server.start_execution(&machine, &json!({}))?;
    assert_eq!(server.wait(&execution)?["error"], "Sandbox.NotSigned");
    Ok(())
}

/// This machine by its name.
fn target() -> String {
    let system = match std::env::consts::OS {
        "macos" => "apple-darwin",
        _ => "unknown-linux-gnu",
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

#[test]
fn a_module_compiled_on_one_machine_runs_on_another() -> Result<()> {
    let server = Server::start()?;
    server.push("pay", &guests::echo()?)?;
    let other = Home::new()?;
    let run = |arguments: &str| sandstep(&other, server.endpoint(), arguments);
    let unknown = run("modules compile pay pay.cwasm --target pdp-11")?;
    ensure!(
        unknown.starts_with("status 3\n") && unknown.contains(&target()),
        "{unknown}"
    );
    let compiled = run(&format!("modules compile pay@1 pay.cwasm --target {}", target()))?;
    assert_eq!(compiled, "status 0\n");
    let data = other.data();
    let import = format!("modules import-compiled pay.cwasm --data {}", data.display());
    let imported = run(&import)?;
    ensure!(imported.starts_with("status 0\n"), "{imported}");
    let code = |home: &Home| -> Result<Vec<_>> {
        let engines = fs::read_dir(home.data().join("compiled"))?;
        let engine = engines.flatten().next().context("there is an engine's directory")?;
        // Code compiled here would use what this CPU has, and be another.
        let mut files = fs::read_dir(engine.path())?
            .flatten()
            .map(|file| Ok((file.file_name(), fs::read(file.path())?)))
            .collect::<Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    };
    let before = code(&other)?;
    let edge = Server::start_on(&other)?;
    edge.push("pay", &guests::echo()?)?;
    ensure!(code(&other)? == before, "something was compiled");
    let machine = edge.create("pays", &guests::one_task("pay"))?;
    let execution = edge.start_execution(&machine, &json!({}))?;
    assert_eq!(edge.wait(&execution)?["status"], "SUCCEEDED");

    let mut damaged = fs::read(other.path("pay.cwasm"))?;
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    fs::write(other.path("pay.cwasm"), damaged)?;
    let refused = run(&import)?;
    ensure!(
        refused.starts_with("status 3\n") && refused.contains("(UnfitArtefact)"),
        "{refused}"
    );
    Ok(())
}
