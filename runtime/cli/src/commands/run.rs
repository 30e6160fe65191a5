//! `sandstep run`: the whole engine in this process, nothing kept but compiled code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::{Payload, Status};
use engine::ports::{Catalogue, SharedObjects, StoreError};
use sandbox::Sandbox;
use serde_json::{Value, json};
use server::modules::PolicyInForce;
use server::{Handle, Ports, Server};
use store::ObjectDirectory;
use store::memory::Store;

use super::history::ends;
use super::start::show_end;
use super::{size, validate};
use crate::args::{self, LogFormat};
use crate::client::HISTORY_PAGE;
use crate::config::{self, ModuleFile};
use crate::connections::connections;
use crate::events::EventTable;
use crate::limits::limits;
use crate::logging;
use crate::manifest::manifest;
use crate::output::{Output, takes_colour};
use crate::policy::policy;
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;
use crate::serve::{runtime, sandbox_options, sandbox_problem, server_problem};
use crate::signing::signature;

const ROLE: &str = "arn:aws:iam::000000000000:role/sandstep";
/// The execution's own name: there is only one.
const EXECUTION: &str = "run";
/// AWS's limit on names, in characters.
const LONGEST_NAME: usize = 80;

/// Runs a workflow.
pub fn run(asked: &args::Run, output: &Output) -> Result {
    logging::to_stderr(LogFormat::Text, "warn");
    let limits = limits(&asked.limits)?;
    let source = config::definition(&asked.workflow)?;
    let name = machine_name(&config::workflow_name(&asked.workflow));
    let input = config::input(&asked.input)?;
    let modules = config::modules(&asked.modules)?;
    if !validate::all_pass([&source], &limits, output)? {
        return Ok(Ending::Bad);
    }
    let connections = connections(asked.connections.as_deref())?;
    let input =
        Payload::from_text(input).map_err(|error| Problem::usage(error.to_string(), "--input takes a JSON text"))?;
    let compiled = CompiledCode::new()?;
    let store = Arc::new(Store::new().map_err(store_problem)?);
    let sandbox = Sandbox::open(sandbox_options(&compiled.path, &limits)).map_err(sandbox_problem)?;
    let ports = Ports {
        log: Arc::clone(&store) as Arc<_>,
        reader: Arc::clone(&store) as Arc<_>,
        catalogue: Arc::clone(&store) as Arc<_>,
        runner: Arc::new(sandbox),
        objects: objects(asked.objects.as_deref())?,
        upkeep: None,
    };
    let config = server::Config {
        limits,
        connections,
        policy: PolicyInForce::new(policy(asked.policy.as_deref())?),
        ..server::Config::default()
    };
    runtime()?.block_on(async {
        let server = Server::open(config, ports).await.map_err(server_problem)?;
        let handle = server.handle();
        let parameters = json!({ "name": name, "definition": source.text, "roleArn": ROLE });
        call(&handle, "CreateStateMachine", &parameters).await?;
        require(&store, &modules)?;
        let progress = Progress::start("starting");
        for module in &modules {
            upload(&handle, module, &progress).await?;
        }
        handle
            .label_newest(&source.text)
            .await
            .map_err(|error| Problem::refused(error.to_string(), "try again"))?;
        progress.now(format!("running {name}"));
        let started = handle
            .start(&name, EXECUTION.to_owned(), input, true)
            .await
            .map_err(api_problem)?;
        let arn = started.arn.clone();
        let closed = started.closed().await.map_err(api_problem)?;
        drop(progress);
        if asked.history {
            show_history(&handle, &arn).await?;
        }
        server.close().await.map_err(server_problem)?;
        let failure = closed.failure.unwrap_or_default();
        let mut description = json!({ "status": word(closed.status) });
        let fields = [
            ("output", closed.output.map(|output| output.text().to_owned())),
            ("error", failure.error),
            ("cause", failure.cause),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                description[key] = json!(value);
            }
        }
        let next = if asked.history {
            ""
        } else {
            "run it again with --history to see what it did"
        };
        show_end(&description, next, output)
    })
}

/// The file's name as a state machine may bear it; only the context object shows it.
fn machine_name(file: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    file.chars()
        .take(LONGEST_NAME)
        .map(|c| if fits(c) { c } else { '-' })
        .collect()
}

/// Refuses before anything runs when the definition names a module nobody gave.
fn require(store: &Store, given: &[ModuleFile]) -> Result<()> {
    let machines = store
        .machines()
        .map_err(|error| store_problem(StoreError(error.to_string())))?;
    let mut missing: Vec<&str> = machines
        .iter()
        .flat_map(|machine| &machine.modules)
        .map(String::as_str)
        .filter(|name| !given.iter().any(|module| module.name == *name))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    let Some(first) = missing.first() else { return Ok(()) };
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    Err(Problem::usage(
        format!("the workflow uses modules that were not given: {}", names.join(", ")),
        format!("add --module {first}=FILE, or --module DIR with a file {first}.wasm in it"),
    ))
}

async fn upload(handle: &Handle, module: &ModuleFile, progress: &Progress) -> Result<()> {
    let file = module.file.display();
    let bytes = std::fs::read(&module.file).map_err(|error| {
        Problem::usage(
            format!("can't read `{file}`: {error}"),
            "name a compiled component or core module",
        )
    })?;
    progress.now(format!("compiling {} ({})", module.name, size(bytes.len() as u64)));
    let manifest = manifest(&module.file, None, &[])?;
    let signature = signature(&module.file, None)?;
    let uploaded = handle.upload_signed(&module.name, bytes, &manifest, signature).await;
    uploaded.map(drop).map_err(|error| match error {
        server::modules::Error::Unfit(error) => {
            Problem::refused(format!("{file}: {} ({})", error.message, error.code), error.hint)
        }
        server::modules::Error::NotAllowed(refused) => {
            Problem::refused(format!("{file}: {refused} (NotAllowed)"), refused.hint())
        }
        server::modules::Error::NotSigned(refused) => {
            Problem::refused(format!("{file}: {refused} (NotSigned)"), refused.hint())
        }
        other => Problem::refused(
            format!("{file}: {other}"),
            "try again; if it goes on, build the module anew",
        ),
    })
}

async fn show_history(handle: &Handle, arn: &str) -> Result<()> {
    let mut table = EventTable::new();
    let mut parameters = json!({ "executionArn": arn, "maxResults": HISTORY_PAGE });
    loop {
        let mut page = call(handle, "GetExecutionHistory", &parameters).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            table.push(event);
            debug_assert!(
                !ends(event) || page["nextToken"].is_null(),
                "the end is on the last page"
            );
        }
        match page["nextToken"].take() {
            Value::String(token) => parameters["nextToken"] = json!(token),
            _ => break,
        }
    }
    let stderr = std::io::stderr();
    let text = table.shown().take(Output::width_of(&stderr), takes_colour(&stderr));
    crate::output::note(&text);
    Ok(())
}

async fn call(handle: &Handle, operation: &str, parameters: &Value) -> Result<Value> {
    let answer = handle
        .call(operation, parameters.to_string().as_bytes())
        .await
        .map_err(api_problem)?;
    serde_json::from_slice(&answer).map_err(|error| {
        Problem::refused(
            format!("{operation} gave an answer that is no JSON: {error}"),
            "please report this",
        )
    })
}

fn api_problem(error: server::aws::errors::ApiError) -> Problem {
    Problem::refused(
        format!("{} ({})", error.message, error.kind),
        "`sandstep validate FILE` checks the definition",
    )
}

/// What the workflow reads and writes: a directory's, or none at first and none kept.
fn objects(directory: Option<&Path>) -> Result<SharedObjects> {
    match directory {
        None => Ok(Arc::new(store::memory::Objects::default())),
        Some(directory) => match ObjectDirectory::open(directory) {
            Ok(objects) => Ok(Arc::new(objects)),
            Err(error) => Err(Problem::usage(
                error.to_string(),
                "--objects takes a directory you may read and write",
            )),
        },
    }
}

fn store_problem(error: StoreError) -> Problem {
    Problem::refused(
        error.to_string(),
        "free some memory, or raise the limit of processes (`ulimit -u`)",
    )
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Running => "RUNNING",
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Aborted => "ABORTED",
        Status::TimedOut => "TIMED_OUT",
    }
}

/// Where compiled code is kept from run to run: the user's cache, else a directory that goes with this process.
struct CompiledCode {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl CompiledCode {
    fn new() -> Result<Self> {
        if let Some(path) = config::cache_directory() {
            return Ok(Self { path, _temporary: None });
        }
        let temporary = tempfile::tempdir().map_err(|error| {
            Problem::refused(
                format!("can't make a temporary directory: {error}"),
                "set XDG_CACHE_HOME or TMPDIR",
            )
        })?;
        Ok(Self {
            path: temporary.path().to_owned(),
            _temporary: Some(temporary),
        })
    }
}
