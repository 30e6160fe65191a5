//! `sandstep deploy`: what a directory holds becomes what the server runs. Definitions are checked before anything is
//! uploaded, modules go before the state machines that use them, and doing it twice changes nothing.

use std::fs;

use asl::Limits;
use serde_json::{Value, json};

use super::modules::short_digest;
use super::{size, text, validate};
use crate::args;
use crate::client::{Client, Upload};
use crate::config::{self, ModuleFile, WorkflowFile};
use crate::manifest::manifest;
use crate::output::{Align, Output, Style, Table, hint, note};
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;
use crate::signing::signature;

/// AWS wants a role; nothing here reads it.
const ROLE: &str = "arn:aws:iam::000000000000:role/sandstep";

/// Deploys a directory.
pub fn deploy(client: &Client, asked: &args::Deploy, output: &Output) -> Result {
    let directory = &asked.directory;
    let workflows = config::workflows_in(directory)?;
    let in_modules = directory.join("modules");
    let modules = if in_modules.is_dir() {
        config::modules_in(&in_modules)?
    } else {
        Vec::new()
    };
    if modules.is_empty() && directory.join("tasks").is_dir() {
        return Err(Problem::usage(
            format!(
                "the tasks in `{}` are not built: there is no `modules/*.wasm`",
                directory.display()
            ),
            format!("build them into `{}` first", in_modules.display()),
        ));
    }
    if modules.is_empty() && workflows.is_empty() {
        return Err(Problem::usage(
            format!("`{}` holds nothing to deploy", directory.display()),
            "put state machines into *.asl.json and components into modules/*.wasm",
        ));
    }
    // The server knows its limits.
    let sources = workflows.iter().map(|workflow| &workflow.source);
    if !validate::all_pass(sources, &Limits::OFF, output)? {
        return Ok(Ending::Bad);
    }

    let progress = Progress::start("looking at the server");
    let mut pushed = Vec::new();
    for (index, module) in modules.iter().enumerate() {
        let bytes = fs::metadata(&module.file).map(|file| file.len()).unwrap_or_default();
        let place = format!("{} of {}", index + 1, modules.len());
        progress.now(format!("compiling {} ({}, {place})", module.name, size(bytes)));
        pushed.push(push(client, module)?);
    }
    let mut deployed = Vec::new();
    if !workflows.is_empty() {
        let existing = client.machines()?;
        for workflow in &workflows {
            progress.now(format!("deploying {}", workflow.name));
            let known = existing
                .iter()
                .find(|machine| machine["name"] == workflow.name.as_str());
            let mut result = create_or_update(client, workflow, known)?;
            let warnings = warnings(client, workflow)?;
            if !warnings.is_empty() {
                result["warnings"] = Value::from(warnings);
            }
            deployed.push(result);
        }
    }
    drop(progress);
    show(&pushed, &deployed, output)
}

fn push(client: &Client, module: &ModuleFile) -> Result<Value> {
    let manifest = &manifest(&module.file, None, &[])?;
    let signature = signature(&module.file, None)?;
    let with = Upload {
        manifest,
        label: None,
        signature: signature.as_deref(),
    };
    client
        .push_module(&module.name, &module.file, with)
        .map_err(|error| match Problem::from(error) {
            Problem::Refused { message, hint } => Problem::Refused {
                message: format!("{}: {message}", module.file.display()),
                hint,
            },
            other => other,
        })
}

/// The state machine's name and ARN, and what happened to it.
fn create_or_update(client: &Client, workflow: &WorkflowFile, known: Option<&Value>) -> Result<Value> {
    let definition = &workflow.source.text;
    let Some(known) = known else {
        let parameters = json!({ "name": workflow.name, "definition": definition, "roleArn": ROLE });
        let answer = client.call("CreateStateMachine", &parameters)?;
        return Ok(json!({ "name": workflow.name, "stateMachineArn": answer["stateMachineArn"], "result": "created" }));
    };
    let arn = text(known, "stateMachineArn");
    let before = client.call("DescribeStateMachine", &json!({ "stateMachineArn": arn }))?;
    let changed = text(&before, "definition") != definition;
    if changed {
        client.call(
            "UpdateStateMachine",
            &json!({ "stateMachineArn": arn, "definition": definition }),
        )?;
    }
    let result = if changed { "updated" } else { "unchanged" };
    Ok(json!({ "name": workflow.name, "stateMachineArn": arn, "result": result }))
}

/// What the server warns of that knows which modules and labels there are.
fn warnings(client: &Client, workflow: &WorkflowFile) -> Result<Vec<Value>> {
    let parameters = json!({ "definition": workflow.source.text, "severity": "WARNING" });
    let answer = client.call("ValidateStateMachineDefinition", &parameters)?;
    let found = answer["diagnostics"].as_array().cloned().unwrap_or_default();
    Ok(found
        .into_iter()
        .filter(|found| found["severity"] == "WARNING")
        .collect())
}

fn show(modules: &[Value], machines: &[Value], output: &Output) -> Result {
    if output.is_json() {
        output.json(&json!({ "modules": modules, "stateMachines": machines }))?;
        return Ok(Ending::Good);
    }
    let columns = [
        ("KIND", Align::Left),
        ("NAME", Align::Left),
        ("RESULT", Align::Left),
        ("DIGEST OR ARN", Align::Left),
    ];
    let mut table = Table::new(&columns, 3);
    for module in modules {
        table.row([
            ("module".to_owned(), Style::Plain),
            (text(module, "name").to_owned(), Style::Bold),
            (format!("version {}", module["version"]), Style::Plain),
            (short_digest(text(module, "digest")), Style::Plain),
        ]);
    }
    for machine in machines {
        table.row([
            ("state machine".to_owned(), Style::Plain),
            (text(machine, "name").to_owned(), Style::Bold),
            (text(machine, "result").to_owned(), Style::Plain),
            (text(machine, "stateMachineArn").to_owned(), Style::Plain),
        ]);
    }
    output.table(&mut table)?;
    for machine in machines {
        for warning in machine["warnings"].as_array().into_iter().flatten() {
            let (place, message) = (text(warning, "location"), text(warning, "message"));
            let (name, code) = (text(machine, "name"), text(warning, "code"));
            note(&format!("warning: {name}, {place}: {message} ({code})\n"));
        }
    }
    if let Some(machine) = machines.first() {
        let name = text(machine, "name");
        hint(
            output,
            &format!("`sandstep start {name} --input FILE-or-JSON --wait` runs it"),
        );
    }
    Ok(Ending::Good)
}
