//! Every example, deployed by `sandstep deploy` and run by `sandstep start --wait`: each case ends as its `expected.json`
//! says, on a server and in process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::languages::is_skipped;
use crate::server::{Server, binary};

/// Every `sandstep run` compiles its modules again, which a debug build takes minutes for where there are interpreters
/// among them: of an example with more than this, one case is run so.
const QUICKLY_COMPILED: u64 = 8 << 20;

/// An example that can be run.
pub struct Example {
    /// Its directory.
    pub directory: PathBuf,
    /// The name its machine gets.
    pub name: String,
}

/// One input and what comes of it.
pub struct Case {
    /// Its directory's name.
    pub name: String,
    /// Of the input.
    pub input: PathBuf,
    /// See [`Case::check`].
    expected: Value,
}

/// Every example in the repository, its tasks built.
pub fn examples() -> Result<Vec<Example>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut examples = Vec::new();
    for directory in directories(&root)? {
        if !directory.join("workflow.asl.json").is_file() {
            continue;
        }
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ensure!(
            !directory.join("tasks").is_dir() || !wasm_files(&directory.join("modules"))?.is_empty(),
            "the tasks of `{name}` are not built: run `./examples/build {name}` first"
        );
        if directories(&directory.join("tasks"))
            .unwrap_or_default()
            .iter()
            .any(|task| {
                let name = task.file_name().unwrap_or_default().to_string_lossy();
                is_skipped(&name)
            })
        {
            eprintln!("SKIPPED: a task of example `{name}` couldn't be built here");
            continue;
        }
        examples.push(Example { directory, name });
    }
    ensure!(!examples.is_empty(), "no example in {}", root.display());
    Ok(examples)
}

impl Example {
    /// Its cases, by name.
    pub fn cases(&self) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        for directory in directories(&self.directory.join("cases"))? {
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let expected = directory.join("expected.json");
            let text = fs::read_to_string(&expected).with_context(|| format!("reading {}", expected.display()))?;
            let expected = serde_json::from_str(&text).with_context(|| format!("parsing {}", expected.display()))?;
            cases.push(Case {
                name,
                input: directory.join("input.json"),
                expected,
            });
        }
        ensure!(!cases.is_empty(), "example `{}` has no cases", self.name);
        Ok(cases)
    }
}

impl Case {
    /// Whether an execution ended as expected: `status`, and of `output` (as JSON), `error` and `cause` what is given.
    pub fn check(&self, description: &Value) -> Result<()> {
        let mut ended = json!({ "status": description["status"] });
        for key in ["error", "cause"] {
            if self.expected.get(key).is_some() {
                ended[key] = description[key].clone();
            }
        }
        if self.expected.get("output").is_some() {
            let output = description["output"].as_str().unwrap_or("null");
            ended["output"] = serde_json::from_str(output).context("the output isn't JSON")?;
        }
        ensure!(
            ended == self.expected,
            "case `{}`: expected {:#}, got {ended:#}",
            self.name,
            self.expected
        );
        Ok(())
    }

    fn exit_status(&self) -> i32 {
        i32::from(self.expected["status"] != "SUCCEEDED")
    }
}

fn directories(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("listing {}", root.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path);
        }
    }
    Ok(found)
}

fn json_of(output: &Output) -> Result<Value> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON on standard output; it said: {stderr}"))
}

#[test]
fn every_case_of_every_example_ends_as_expected() -> Result<()> {
    let server = Server::start()?;
    for example in examples()? {
        let deployed = Command::new(binary()?)
            .args(["deploy", "--endpoint", server.endpoint()])
            .arg(&example.directory)
            .output()
            .context("running `sandstep deploy`")?;
        ensure!(
            deployed.status.success(),
            "deploy: {}",
            String::from_utf8_lossy(&deployed.stderr)
        );
        for case in example.cases()? {
            let run = Command::new(binary()?)
                .args([
                    "start",
                    &example.name,
                    "--wait",
                    "--output",
                    "json",
                    "--endpoint",
                    server.endpoint(),
                    "--input",
                ])
                .arg(&case.input)
                .output()
                .context("running `sandstep start`")?;
            case.check(&json_of(&run)?)
                .with_context(|| format!("example `{}` on a server", example.name))?;
            assert_eq!(run.status.code(), Some(case.exit_status()), "case `{}`", case.name);
        }
    }
    Ok(())
}

#[test]
fn every_case_of_every_example_ends_the_same_without_a_server() -> Result<()> {
    for example in examples()? {
        let modules = wasm_files(&example.directory.join("modules"))?;
        let bytes: u64 = modules.iter().flat_map(fs::metadata).map(|file| file.len()).sum();
        let most = if bytes > QUICKLY_COMPILED { 1 } else { usize::MAX };
        for case in example.cases()?.into_iter().take(most) {
            let run = Command::new(binary()?)
                .args(["run", "--output", "json", "--module"])
                .arg(example.directory.join("modules"))
                .arg("--input")
                .arg(&case.input)
                .arg("--")
                .arg(example.directory.join("workflow.asl.json"))
                .output()
                .context("running `sandstep run`")?;
            case.check(&json_of(&run)?)
                .with_context(|| format!("example `{}` in process", example.name))?;
            assert_eq!(run.status.code(), Some(case.exit_status()), "case `{}`", case.name);
        }
    }
    Ok(())
}
