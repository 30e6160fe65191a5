//! A guest in Rust that answers requests and makes some, in the words of `wasi:http`: what its manifest and the policy
//! both allow, and nothing else.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::server::{Home, Server, binary};

const NAME: &str = "http-probe";

/// Answers everybody with the same, and keeps what was asked for.
fn upstream() -> Result<(u16, Arc<Mutex<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a port for the service")?;
    let port = listener.local_addr()?.port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(|line| line.ok());
            let first = lines.next().unwrap_or_default();
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            kept.lock().expect("no panic").push(first);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nin tea");
        }
    });
    Ok((port, asked))
}

fn command(server: &Server, arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new(binary()?)
        .args(arguments)
        .current_dir(server.home().path("."))
        .env("SANDSTEP_ENDPOINT", server.endpoint())
        .output()
        .context("running sandstep")?;
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok((output.status.success(), texts.concat()))
}

fn start(port: u16) -> Result<Server> {
    let home = Home::new()?;
    let policy = home.path("policy.toml");
    let text =
        format!("[[allow]]\nmodules = [\"http-*\"]\nhttp = [\"GET http://localhost:{port}/*\"]\nprivate = true\n");
    fs::write(&policy, text).context("writing the policy")?;
    Server::start_with(&home, &["--policy".into(), policy.into()])
}

fn push(server: &Server, manifest: &str) -> Result<(bool, String)> {
    let file = Probe::file(NAME);
    ensure!(
        file.is_file(),
        "{} is missing; `tools/build-tasks tests` builds it",
        file.display()
    );
    fs::write(server.home().path("module.toml"), manifest).context("writing the manifest")?;
    let file = file.display().to_string();
    command(server, &["modules", "push", NAME, &file, "--manifest", "module.toml"])
}

fn asks(method: &str, url: &str) -> Value {
    json!({ "path": "/ask", "headers": { "x-method": method, "x-url": url } })
}

#[test]
fn a_guest_in_rust_answers_and_asks_what_it_may() -> Result<()> {
    let (port, asked) = upstream()?;
    let server = start(port)?;
    let (refused, said) = push(
        &server,
        &format!("[grants]\nhttp = [\"POST http://localhost:{port}/*\"]\n"),
    )?;
    ensure!(!refused && said.contains("NotAllowed"), "{said}");
    ensure!(
        said.contains(&format!("http = [\"POST http://localhost:{port}/*\"]")),
        "{said}"
    );

    let (taken, said) = push(
        &server,
        &format!("[grants]\nhttp = [\"GET http://localhost:{port}/v1/*\"]\n"),
    )?;
    ensure!(taken && said.contains("wasi:http/incoming-handler"), "{said}");
    let (_, description) = command(&server, &["modules", "describe", NAME])?;
    ensure!(description.contains("reads"), "it asks with GET alone: {description}");
    let (_, reach) = command(&server, &["modules", "reach", NAME])?;
    ensure!(reach.contains(&format!("GET http://localhost:{port}/v1/*")), "{reach}");

    let guest = Probe::of(server, NAME)?;
    let order =
        json!({ "method": "PUT", "path": "/orders/7", "query": { "dry": true }, "headers": { "x-team": "shop" } });
    let (output, _) = guest.output(&order)?;
    assert_eq!(
        output,
        json!({
            "status": 200,
            "headers": { "content-type": "application/json" },
            "body": { "method": "PUT", "path": "/orders/7?dry=true", "team": "shop" },
        })
    );
    for body in [
        json!({ "tea": [1, 2] }),
        json!("gr\u{fc}\u{df}e"),
        json!("x".repeat(100_000)),
    ] {
        let (output, _) = guest.output(&json!({ "path": "/echo", "body": body }))?;
        assert_eq!(output["body"], body);
    }
    let (error, cause) = guest.failure(&json!({ "path": "/nowhere" }))?;
    assert_eq!(
        (error.as_str(), cause.as_str()),
        ("Sandbox.Http.StatusCode.404", "nothing at /nowhere")
    );
    let (error, cause) = guest.failure(&json!({ "verb": "GET" }))?;
    ensure!(
        error == "Sandbox.InvalidInput" && cause.contains("`$.verb`"),
        "{error}: {cause}"
    );

    let (output, _) = guest.output(&asks("GET", &format!("http://localhost:{port}/v1/stock?of=tea")))?;
    assert_eq!(output["body"], "in tea");
    for (method, path) in [("POST", "/v1/stock"), ("GET", "/v2/stock"), ("GET", "/v1/../v2")] {
        let url = format!("http://localhost:{port}{path}");
        let end = guest.run(&asks(method, &url))?;
        assert_eq!(
            end.description["error"], "Sandbox.Http.StatusCode.502",
            "{method} {path}"
        );
        let log = end.attempt["log"].to_string();
        ensure!(
            log.contains(&format!("denied: the task may not ask for `{method} {url}`")),
            "{log}"
        );
    }
    assert_eq!(*asked.lock().expect("no panic"), ["GET /v1/stock?of=tea HTTP/1.1"]);
    Ok(())
}
