//! A server process of a test's own, and the two ways to talk to it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A condition that doesn't hold after this long won't; generous, because a debug build on a loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// An upload is compiled before it is answered: the interpreter of a large language takes a debug build minutes.
const COMPILING: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const ROLE: &str = "arn:aws:iam::000000000000:role/test";

/// The binary under test, built beside this one.
pub fn binary() -> Result<PathBuf> {
    let path = match std::env::var_os("SANDSTEP_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let this = std::env::current_exe().context("finding this test's own path")?;
            let profile = this
                .parent()
                .and_then(Path::parent)
                .context("a test lies in target/<profile>/deps")?;
            profile.join("sandstep")
        }
    };
    ensure!(
        path.is_file(),
        "there is no `{}`: build it with `cargo build -p sandstep`, or name another with SANDSTEP_BIN",
        path.display()
    );
    Ok(path)
}

/// A directory that outlives the servers started on it.
#[derive(Clone)]
pub struct Home(Arc<TempDir>);

impl Home {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(tempfile::tempdir().context("making a directory")?)))
    }

    /// What `--data` is given.
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A path in it that isn't the data.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the server's log goes.
    pub fn log(&self) -> PathBuf {
        self.path("server.log")
    }
}

/// A running server. Dropping it kills it and prints its log, which the test runner shows when the test fails.
pub struct Server {
    child: Child,
    home: Home,
    endpoint: String,
    agent: ureq::Agent,
}

impl Server {
    /// On a fresh directory and a free port.
    pub fn start() -> Result<Self> {
        Self::start_on(&Home::new()?)
    }

    /// On a directory that may hold something.
    pub fn start_on(home: &Home) -> Result<Self> {
        Self::start_with(home, &[])
    }

    /// The same with more arguments.
    pub fn start_with(home: &Home, arguments: &[OsString]) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.log())
            .context("opening the server's log")?;
        let mut child = Command::new(binary()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(home.data())
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("starting the server")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its output was asked for")?;
        BufReader::new(stdout)
            .read_line(&mut line)
            .context("reading the server's first line")?;
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split_once(','));
        let Some((endpoint, _)) = address else {
            let _ = child.kill();
            let _ = child.wait();
            bail!(
                "the server said {line:?} instead of where it listens; its log:\n{}",
                log_of(home)
            );
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        Ok(Self {
            child,
            home: home.clone(),
            endpoint: endpoint.to_owned(),
            agent,
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where it listens, without the scheme.
    pub fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    /// Its directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is written, nothing is said.
    pub fn kill(mut self) -> Result<Home> {
        self.child.kill().context("killing the server")?;
        self.child.wait().context("waiting for the killed server")?;
        Ok(self.home.clone())
    }

    /// Sends a signal by name.
    pub fn send_signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status()
            .context("running `kill`")?;
        ensure!(sent.success(), "`kill -s {name}` failed");
        Ok(())
    }

    /// Sends a signal by name and waits for the end.
    pub fn signal(mut self, name: &str) -> Result<ExitStatus> {
        self.send_signal(name)?;
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("waiting for the server")? {
                return Ok(status);
            }
            ensure!(since.elapsed() < PATIENCE, "the server ignores {name}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// One operation of the AWS API: status and body.
    pub fn try_call(&self, operation: &str, parameters: &Value) -> Result<(u16, Value)> {
        self.post(operation, &parameters.to_string())
    }

    /// The same with a body letter by letter.
    pub fn post(&self, operation: &str, body: &str) -> Result<(u16, Value)> {
        let answer = self
            .agent
            .post(format!("{}/", self.endpoint))
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", format!("AWSStepFunctions.{operation}"))
            .send(body)
            .with_context(|| format!("calling {operation}"))?;
        read(answer)
    }

    /// One operation that succeeds.
    pub fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        let (status, body) = self.try_call(operation, parameters)?;
        ensure!(status == 200, "{operation} answered {status}: {body}");
        Ok(body)
    }

    /// One operation that is refused: the error's name and message.
    pub fn refused(&self, operation: &str, parameters: &Value) -> Result<(String, String)> {
        refusal(operation, self.try_call(operation, parameters)?)
    }

    /// Plain HTTP: status and body.
    pub fn http(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .body(body.to_vec())
            .context("building a request")?;
        let patience = if method == "PUT" { COMPILING } else { PATIENCE };
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(patience))
            .build();
        let answer = self.agent.run(request).with_context(|| format!("{method} {path}"))?;
        read(answer)
    }

    /// Uploads a module that is taken.
    pub fn push(&self, name: &str, wasm: &[u8]) -> Result<Value> {
        let (status, body) = self.http("PUT", &format!("/v1/modules/{name}"), wasm)?;
        ensure!(
            matches!(status, 200 | 201),
            "uploading `{name}` answered {status}: {body}"
        );
        Ok(body)
    }

    /// Creates a state machine and gives its ARN.
    pub fn create(&self, name: &str, definition: &Value) -> Result<String> {
        let parameters = json!({ "name": name, "definition": definition.to_string(), "roleArn": ROLE });
        let answer = self.call("CreateStateMachine", &parameters)?;
        text(&answer, "stateMachineArn")
    }

    /// Starts an execution and gives its ARN.
    pub fn start_execution(&self, machine: &str, input: &Value) -> Result<String> {
        let parameters = json!({ "stateMachineArn": machine, "input": input.to_string() });
        text(&self.call("StartExecution", &parameters)?, "executionArn")
    }

    /// DescribeExecution.
    pub fn describe(&self, execution: &str) -> Result<Value> {
        self.call("DescribeExecution", &json!({ "executionArn": execution }))
    }

    /// DescribeExecution, once it has closed.
    pub fn wait(&self, execution: &str) -> Result<Value> {
        until(&format!("the end of {execution}"), || {
            let description = self.describe(execution)?;
            Ok((description["status"] != "RUNNING").then_some(description))
        })
    }

    /// Every event of an execution.
    pub fn history(&self, execution: &str) -> Result<Vec<Value>> {
        let mut parameters = json!({ "executionArn": execution });
        let mut events = Vec::new();
        loop {
            let mut answer = self.call("GetExecutionHistory", &parameters)?;
            if let Value::Array(page) = answer["events"].take() {
                events.extend(page);
            }
            match answer["nextToken"].take() {
                Value::String(token) => parameters["nextToken"] = json!(token),
                _ => return Ok(events),
            }
        }
    }

    /// Everything stored that the API shows, for comparing before and after.
    pub fn contents(&self) -> Result<Value> {
        let machines = self.call("ListStateMachines", &json!({}))?;
        let mut executions = Vec::new();
        for machine in machines["stateMachines"].as_array().into_iter().flatten() {
            let parameters = json!({ "stateMachineArn": machine["stateMachineArn"] });
            executions.push(self.call("DescribeStateMachine", &parameters)?);
            executions.push(self.call("ListExecutions", &parameters)?);
        }
        let (_, modules) = self.http("GET", "/v1/modules", b"")?;
        Ok(json!({ "machines": machines, "executions": executions, "modules": modules }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        eprintln!("the server's log:\n{}", log_of(&self.home));
    }
}

fn log_of(home: &Home) -> String {
    std::fs::read_to_string(home.log()).unwrap_or_else(|error| format!("(unreadable: {error})"))
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<(u16, Value)> {
    let status = answer.status().as_u16();
    let text = answer
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()
        .context("reading an answer")?;
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Ok((status, body))
}

/// The name and message of an AWS error.
pub fn refusal(what: &str, (status, body): (u16, Value)) -> Result<(String, String)> {
    ensure!(status == 400, "{what} answered {status}: {body}");
    let code = text(&body, "__type")?;
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    Ok((code, text(&body, "message")?))
}

/// A text field that must be there.
pub fn text(value: &Value, key: &str) -> Result<String> {
    value[key]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no text `{key}` in {value}"))
}

/// Looks until there is something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}
