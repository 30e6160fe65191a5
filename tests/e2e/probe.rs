//! A server with one probe on it: a task of `tests/tasks` that does one deed at a time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::{Server, text};

/// A server with the probe behind a state that has both clocks.
pub struct Probe {
    server: Server,
    machine: String,
}

/// How an execution of the probe ended.
pub struct End {
    /// What DescribeExecution says.
    pub description: Value,
    /// What its only attempt cost and said, as the history shows it.
    pub attempt: Value,
}

impl Probe {
    /// Where a probe is, once it was built.
    pub fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("modules/{name}.wasm"))
    }

    pub fn start(name: &str) -> Result<Self> {
        let file = Self::file(name);
        let wasm = fs::read(&file)
            .with_context(|| format!("reading {}; `tools/build-tasks tests` builds it", file.display()))?;
        let server = Server::start()?;
        let module = server.push(name, &wasm)?;
        assert_eq!(module["entry"], "sandstep:task");
        Self::of(server, name)
    }

    /// On a server that has it.
    pub fn of(server: Server, name: &str) -> Result<Self> {
        let definition = json!({
            "StartAt": "Probe",
            "States": {
                "Probe": {
                    "Type": "Task",
                    "Resource": format!("wasm:{name}"),
                    "TimeoutSeconds": 100,
                    "HeartbeatSeconds": 90,
                    "End": true,
                },
            },
        });
        let machine = server.create("probe", &definition)?;
        Ok(Self { server, machine })
    }

    pub fn run(&self, deed: &Value) -> Result<End> {
        let execution = self.server.start_execution(&self.machine, deed)?;
        let description = self.server.wait(&execution)?;
        let history = self.server.history(&execution)?;
        let attempt = history
            .iter()
            .filter_map(Value::as_object)
            .flat_map(|event| event.values())
            .find_map(|details| details.get("sandstep"))
            .with_context(|| format!("no event says what {deed} cost: {history:#?}"))?;
        Ok(End {
            description,
            attempt: attempt.clone(),
        })
    }

    /// Error and cause of a deed that fails.
    pub fn failure(&self, deed: &Value) -> Result<(String, String)> {
        let end = self.run(deed)?.description;
        ensure!(end["status"] == "FAILED", "{deed} ended as {end}");
        Ok((text(&end, "error")?, text(&end, "cause")?))
    }

    /// What a deed answers that succeeds.
    pub fn output(&self, deed: &Value) -> Result<(Value, End)> {
        let end = self.run(deed)?;
        let output =
            text(&end.description, "output").with_context(|| format!("{deed} ended as {}", end.description))?;
        Ok((serde_json::from_str(&output).context("the output isn't JSON")?, end))
    }
}
