//! `sandstep modules`: the components that tasks run.

mod labels;
mod signing;

use std::path::Path;

use sandbox::{Options, Sandbox};
use serde_json::{Map, Value};

use super::download::download;
use super::{duration, size, text};
use crate::args::{self, ModuleName};
use crate::built;
use crate::client::{Client, Error, Guard, Upload};
use crate::config;
use crate::manifest::manifest;
use crate::output::{Align, Output, Style, Table, hint, printable};
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;
use crate::serve::{COMPILED, sandbox_problem};
use crate::signing::signature;

/// Digits of a digest that tell it from every other in sight.
const DIGEST_DIGITS: usize = 12;

/// Lists, shows, uploads, fetches, labels, signs or deletes modules. Signing needs no server.
pub fn modules(client: impl FnOnce() -> Result<Client>, command: Option<&args::Modules>, output: &Output) -> Result {
    match command {
        Some(args::Modules::Keygen { file }) => signing::keygen(file, output),
        Some(args::Modules::Sign {
            name,
            file,
            key,
            manifest,
            set,
            out,
            text: _,
        }) => {
            let asked = signing::Signing {
                name,
                file,
                manifest: manifest.as_deref(),
                set,
                key: key.as_deref(),
                out: out.as_deref(),
            };
            signing::signing(&asked, output)
        }
        None | Some(args::Modules::List) => list(&client()?, output),
        Some(args::Modules::Describe { module }) => show(&client()?.module(module)?, output),
        Some(args::Modules::Push {
            name,
            file,
            manifest,
            set,
            label,
            signature,
        }) => {
            let beside = Beside {
                manifest: manifest.as_deref(),
                set,
                label: label.as_deref(),
                signature: signature.as_deref(),
            };
            push(&client()?, name, file, beside, output)
        }
        Some(args::Modules::Get { module, file, uploaded }) => {
            let mut content = match uploaded {
                true => client()?.get_uploaded(module)?,
                false => client()?.get_component(module)?,
            };
            download(&mut content, &module.name, file)
        }
        Some(args::Modules::Compile { module, file, target }) => {
            let mut content = {
                let _progress = Progress::start(format!("compiling {} for {target}", module.name));
                client()?.get_compiled(module, target)?
            };
            download(&mut content, &module.name, file)
        }
        Some(args::Modules::ImportCompiled { file, data }) => import_compiled(file, data.as_deref(), output),
        Some(args::Modules::Label {
            name,
            label: Some(label),
            version: Some(version),
            from,
            new,
        }) => {
            let guard = match from {
                Some(version) => Guard::From(*version),
                None if *new => Guard::New,
                None => Guard::None,
            };
            labels::set(&client()?, name, label, version, guard, output)
        }
        Some(args::Modules::Label { name, .. }) => labels::list(&client()?, name, output),
        Some(args::Modules::Unlabel { name, label, force }) => labels::delete(&client()?, name, label, *force, output),
        Some(args::Modules::Reach { module }) => super::reach::module(&client()?, module, output),
        Some(args::Modules::Delete { module, force }) => delete(&client()?, module, *force, output),
    }
}

fn list(client: &Client, output: &Output) -> Result {
    let answer = client.modules()?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    let columns = [
        ("NAME", Align::Left),
        ("VERSION", Align::Right),
        ("DIGEST", Align::Left),
        ("SIZE", Align::Right),
        ("CLASS", Align::Left),
        ("LABELS", Align::Left),
        ("UPLOADED", Align::Left),
    ];
    let mut table = Table::new(&columns, 0);
    for module in answer["modules"].as_array().into_iter().flatten() {
        table.row([
            (text(module, "name").to_owned(), Style::Bold),
            (module["version"].to_string(), Style::Plain),
            (short_digest(text(module, "digest")), Style::Plain),
            (size(module["size"].as_u64().unwrap_or_default()), Style::Plain),
            (text(module, "class").to_owned(), Style::Plain),
            (joined(module, "labels"), Style::Plain),
            (text(module, "created").to_owned(), Style::Plain),
        ]);
    }
    if table.is_empty() {
        hint(output, "no modules; `sandstep modules push NAME FILE` uploads one");
        return Ok(Ending::Good);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

/// What was named to go with a component.
struct Beside<'a> {
    manifest: Option<&'a Path>,
    set: &'a [String],
    label: Option<&'a str>,
    signature: Option<&'a Path>,
}

fn push(client: &Client, name: &str, file: &Path, beside: Beside<'_>, output: &Output) -> Result {
    let manifest = manifest(file, beside.manifest, beside.set)?;
    let file = built::module(file)?;
    let signature = signature(&file, beside.signature)?;
    let answer = {
        let _progress = Progress::start(format!("compiling {name}"));
        let with = Upload {
            manifest: &manifest,
            label: beside.label,
            signature: signature.as_deref(),
        };
        client.push_module(name, &file, with)?
    };
    show(&answer, output)
}

fn show(answer: &Value, output: &Output) -> Result {
    if output.is_json() {
        output.json(answer)?;
        return Ok(Ending::Good);
    }
    let names = |key: &str| joined(answer, key);
    let limits = &answer["limits"];
    output.pairs(&[
        ("name", text(answer, "name").to_owned()),
        ("version", answer["version"].to_string()),
        ("digest", text(answer, "digest").to_owned()),
        ("labels", names("labels")),
        ("size", size(answer["size"].as_u64().unwrap_or_default())),
        ("uploaded", text(answer, "created").to_owned()),
        ("as", text(answer, "uploadedAs").to_owned()),
        ("entry", text(answer, "entry").to_owned()),
        ("exports", names("exports")),
        ("imports", names("imports")),
        (
            "fuel",
            limits["fuel"]
                .as_u64()
                .map_or_else(String::new, |fuel| fuel.to_string()),
        ),
        ("memory", limits["memory"].as_u64().map_or_else(String::new, size)),
        (
            "time",
            limits["time_millis"].as_i64().map_or_else(String::new, duration),
        ),
        ("output", limits["output"].as_u64().map_or_else(String::new, size)),
        ("stack", limits["stack"].as_u64().map_or_else(String::new, size)),
        ("class", text(answer, "class").to_owned()),
        ("on a crash", text(answer, "restart").to_owned()),
        ("signed by", signer(answer)),
    ])?;
    for way in answer["ways"].as_array().into_iter().flatten() {
        show_way(way, output)?;
    }
    if let Some(wit) = answer["wit"].as_str() {
        output.line("")?;
        for line in wit.trim_end().lines() {
            output.line(&printable(line))?;
        }
    }
    Ok(Ending::Good)
}

/// One thing that tasks can call, with the schemas of what it takes and gives.
fn show_way(way: &Value, output: &Output) -> Result<()> {
    let schema = |side: &str| match &way[side] {
        Value::Object(schema) => {
            let fields = schema.iter().filter(|(name, _)| *name != "$schema");
            let fields: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
            Value::Object(fields).to_string()
        }
        _ => String::new(),
    };
    let signature = text(way, "signature");
    output.line("")?;
    output.pairs(&[
        (text(way, "kind"), format!("#{}", text(way, "name"))),
        ("type", signature.to_owned()),
        ("input", schema("input")),
        ("output", schema("output")),
        ("refused", text(way, "refused").to_owned()),
    ])?;
    Ok(())
}

/// Takes compiled code in, beside a server or where none runs: files of the cache are replaced whole.
fn import_compiled(file: &Path, data: Option<&Path>, output: &Output) -> Result {
    let data = config::data_directory(data.map(Path::to_owned))?;
    let code = std::fs::read(file).map_err(|error| {
        Problem::usage(
            format!("can't read `{}`: {error}", file.display()),
            "name a file that `sandstep modules compile` wrote",
        )
    })?;
    let options = Options {
        slots: 1,
        threads: 1,
        ..Options::new(data.join(COMPILED))
    };
    let sandbox = Sandbox::open(options).map_err(sandbox_problem)?;
    let digest = sandbox.take_in(&code).map_err(|error| {
        Problem::refused(
            format!("{}: {} ({})", file.display(), error.message, error.code),
            error.hint,
        )
    })?;
    if output.is_json() {
        output.json(&serde_json::json!({ "component": digest.to_string(), "bytes": code.len() }))?;
    } else {
        output.pairs(&[("component", digest.to_string()), ("code", size(code.len() as u64))])?;
    }
    Ok(Ending::Good)
}

/// Who answers for a version; empty where nobody does.
fn signer(answer: &Value) -> String {
    match (&answer["signature"], answer["signature"]["signer"].as_str()) {
        (Value::Null, _) => String::new(),
        (_, Some(name)) => name.to_owned(),
        (_, None) => "a key the policy doesn't have".to_owned(),
    }
}

/// The texts of a list, in one line.
pub fn joined(answer: &Value, key: &str) -> String {
    let texts = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(", ")
}

fn delete(client: &Client, module: &ModuleName, force: bool, output: &Output) -> Result {
    let number = module.version.as_deref().map(str::parse::<u32>);
    if let (Some(Err(_)), Some(version)) = (number, &module.version) {
        return Err(Problem::usage(
            format!("`{version}` is no version's number"),
            format!("`sandstep modules describe {}` shows its versions", module.name),
        ));
    }
    let answer = client.delete_module(module, force).map_err(unless_forced)?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        let version = module.version.as_ref().map(|version| format!("@{version}"));
        output.pairs(&[("deleted", format!("{}{}", module.name, version.unwrap_or_default()))])?;
    }
    Ok(Ending::Good)
}

/// What the server's hints say to whoever speaks HTTP.
fn unless_forced(error: Error) -> Problem {
    let hint = match &error {
        Error::Refused { code, .. } if code == "ModuleInUse" => {
            "update or delete those state machines first, or add --force: their tasks will fail then"
        }
        Error::Refused { code, .. } if code == "ModuleLabelled" => {
            "move or delete those labels first (`sandstep modules unlabel`), or add --force: they go with it then"
        }
        _ => return error.into(),
    };
    let Error::Refused { code, message, .. } = error else {
        return error.into();
    };
    Problem::refused(format!("{message} ({code})"), hint)
}

/// Enough of a digest to recognise it.
pub fn short_digest(digest: &str) -> String {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    digits.chars().take(DIGEST_DIGITS).collect()
}
