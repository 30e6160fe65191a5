//! The product: the real binary on a fresh directory.

// Two benches share this, and neither needs all of it.
#![allow(dead_code, reason = "each bench uses a part")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a bench comes to.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Answers with its input: what is measured is everything around a task.
const GUEST: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.store (i32.const 4) (local.get 0))
    (i32.store (i32.const 8) (local.get 1))
    (i32.const 0)))"#;
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A running server.
pub struct Product {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// From starting the process to its first answer.
    pub first_answer: Duration,
    agent: ureq::Agent,
    directory: tempfile::TempDir,
}

impl Product {
    /// On a free port and a fresh directory.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more options.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let since = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandstep"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.path().join("data"))
            .args(options)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("its output was asked for")?).read_line(&mut line)?;
        let address = line
            .strip_prefix("listening on http://")
            .and_then(|rest| rest.split_once(','));
        let address = address.ok_or_else(|| format!("the server said {line:?}"))?.0.to_owned();
        agent.get(format!("http://{address}/healthz")).call()?;
        let first_answer = since.elapsed();
        Ok(Self {
            child,
            address,
            first_answer,
            agent,
            directory,
        })
    }

    /// Resident memory in MiB.
    pub fn resident(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    fn status(&self, figure: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(figure))
            .ok_or_else(|| format!("no {figure}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// The most memory it ever held, in MiB.
    pub fn peak(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    /// What it has on disk beside objects, in bytes.
    pub fn stored(&self) -> Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.directory.path().join("data"))? {
            let metadata = entry?.metadata()?;
            bytes += if metadata.is_file() { metadata.len() } else { 0 };
        }
        Ok(bytes)
    }

    /// Makes a bucket, or writes an object from a file.
    pub fn put_object(&self, key: &str, file: Option<&Path>) -> Result<()> {
        let request = self.agent.put(format!("http://{}/v1/objects/{key}", self.address));
        match file {
            Some(file) => request.send(std::fs::File::open(file)?)?,
            None => request.send_empty()?,
        };
        Ok(())
    }

    /// Makes a machine whose tasks may call `wasm:echo`; its ARN.
    pub fn machine(&self, name: &str, definition: &Value) -> Result<Value> {
        self.module("echo", &wat::parse_str(GUEST)?)?;
        self.create_machine(name, definition)
    }

    /// Uploads a module.
    pub fn module(&self, name: &str, component: &[u8]) -> Result<()> {
        let url = format!("http://{}/v1/modules/{name}", self.address);
        self.agent.put(url).send(component)?;
        Ok(())
    }

    /// Deletes a module.
    pub fn delete_module(&self, name: &str) -> Result<()> {
        let url = format!("http://{}/v1/modules/{name}", self.address);
        self.agent.delete(url).call()?;
        Ok(())
    }

    /// Makes a machine; its ARN.
    pub fn create_machine(&self, name: &str, definition: &Value) -> Result<Value> {
        let parameters = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/bench",
        });
        Ok(self.call("CreateStateMachine", &parameters)?["stateMachineArn"].take())
    }

    /// The page of metrics.
    pub fn metrics(&self) -> Result<String> {
        let answer = self.agent.get(format!("http://{}/metrics", self.address)).call()?;
        Ok(answer.into_body().read_to_string()?)
    }

    /// Where it keeps everything.
    pub fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Makes a machine with one Task; the whole HTTP request that starts it.
    pub fn one_task_machine(&self) -> Result<String> {
        let definition = json!({
            "StartAt": "Only",
            "States": { "Only": { "Type": "Task", "Resource": "wasm:echo", "End": true } },
        });
        let machine = self.machine("one-task", &definition)?;
        let input =
            json!({ "order": 4711, "customer": "c-1", "lines": [{ "sku": "a", "count": 2 }], "total": "12.50" });
        let body = json!({ "stateMachineArn": machine, "input": input.to_string() }).to_string();
        Ok(format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AWSStepFunctions.StartExecution\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// Returns once every execution has closed.
    pub fn wait_until_idle(&self) -> Result<()> {
        let machines = self.call("ListStateMachines", &json!({}))?;
        let machine = &machines["stateMachines"][0]["stateMachineArn"];
        let running = json!({ "stateMachineArn": machine, "statusFilter": "RUNNING", "maxResults": 1 });
        while self.call("ListExecutions", &running)?["executions"]
            .as_array()
            .is_none_or(|list| !list.is_empty())
        {
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Returns once an execution has closed, with its description.
    pub fn wait_until_closed(&self, execution: &Value) -> Result<Value> {
        loop {
            let description = self.call("DescribeExecution", &json!({ "executionArn": execution }))?;
            if description["status"] != "RUNNING" {
                return Ok(description);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// An operation of the AWS API; its answer.
    pub fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        let answer = self
            .agent
            .post(format!("http://{}/", self.address))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .send(parameters.to_string())?;
        Ok(serde_json::from_str(&answer.into_body().read_to_string()?)?)
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
