//! Schemathesis, a client made by the OpenAPI document alone, that tries what the document allows and what it doesn't.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::clients::python;
use crate::guests;
use crate::server::Server;

/// Requests tried for each operation and phase, half a minute in all, ...
const EXAMPLES: (&str, &str) = ("SANDSTEP_EXAMPLES", "10");
/// ... and where their chance begins. Both may be said otherwise in the environment.
const SEED: (&str, &str) = ("SANDSTEP_SEED", "1");
/// What must hold. Not among them: that everything is taken which the document allows, for which it would have to
/// describe the States Language.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,unsupported_method,use_after_free,\
                      ensure_resource_availability";

#[test]
fn schemathesis_finds_no_fault() -> Result<()> {
    let mut probe = Command::new(python());
    probe.args(["-c", "import schemathesis"]);
    if !crate::sessions::is_there("SANDSTEP_PYTHON", probe) {
        return Ok(());
    }
    let server = Server::start()?;
    server.push("demo", &guests::echo()?)?;
    server.create(
        "demo",
        &json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } }),
    )?;
    for (method, path, body) in [
        ("POST", "/v1/state-machines/demo/executions?name=done&wait=60", "{}"),
        ("PUT", "/v1/objects/demo", ""),
        ("PUT", "/v1/objects/demo/a%2Fb", "text"),
    ] {
        let (status, answer) = server.http(method, path, body.as_bytes())?;
        ensure!(status < 300, "{method} {path} answered {status}: {answer}");
    }
    let said = |(variable, otherwise): (&str, &str)| std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned());
    let mut command = Command::new(python());
    command
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/v1/openapi.json", server.endpoint()))
        .args(["--checks", CHECKS, "--max-examples", &said(EXAMPLES)])
        .args(["--seed", &said(SEED), "--generation-database", "none"])
        .args([
            "--request-timeout",
            "20",
            "--suppress-health-check",
            "all",
            "--no-color",
        ])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi"))
        .current_dir(server.home().data());
    let output = command.output().context("running schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.find("= SUMMARY =").map_or(&said[..], |at| &said[at..]);
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    eprintln!("{summary}");
    Ok(())
}
