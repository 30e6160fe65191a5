//! `sandstep modules`: the components that tasks run.

use std::path::Path;

use serde_json::{Map, Value};

use super::{size, text};
use crate::args;
use crate::built;
use crate::client::{Client, Error};
use crate::manifest::manifest;
use crate::output::{Align, Output, Style, Table, hint, printable};
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;

/// Digits of a digest that tell it from every other in sight.
const DIGEST_DIGITS: usize = 12;

/// Lists, shows, uploads or deletes modules.
pub fn modules(client: &Client, command: Option<&args::Modules>, output: &Output) -> Result {
    match command {
        None | Some(args::Modules::List) => list(client, output),
        Some(args::Modules::Describe { name }) => describe(client, name, output),
        Some(args::Modules::Push { name, file, manifest }) => push(client, name, file, manifest.as_deref(), output),
        Some(args::Modules::Reach { name }) => super::reach::module(client, name, output),
        Some(args::Modules::Delete { name, force }) => delete(client, name, *force, output),
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

fn describe(client: &Client, name: &str, output: &Output) -> Result {
    let answer = client.module(name)?;
    show(&answer, output)
}

fn push(client: &Client, name: &str, file: &Path, named: Option<&Path>, output: &Output) -> Result {
    let manifest = manifest(file, named)?;
    let file = built::module(file)?;
    let answer = {
        let _progress = Progress::start(format!("compiling {name}"));
        client.push_module(name, &file, &manifest)?
    };
    show(&answer, output)
}

fn show(answer: &Value, output: &Output) -> Result {
    if output.is_json() {
        output.json(answer)?;
        return Ok(Ending::Good);
    }
    let names = |key: &str| {
        let names = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let limits = &answer["limits"];
    output.pairs(&[
        ("name", text(answer, "name").to_owned()),
        ("version", answer["version"].to_string()),
        ("digest", text(answer, "digest").to_owned()),
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
            limits["time_millis"]
                .as_u64()
                .map_or_else(String::new, |millis| format!("{millis} ms")),
        ),
        ("output", limits["output"].as_u64().map_or_else(String::new, size)),
        ("class", text(answer, "class").to_owned()),
        ("on a crash", text(answer, "restart").to_owned()),
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

fn delete(client: &Client, name: &str, force: bool, output: &Output) -> Result {
    let answer = client.delete_module(name, force).map_err(|error| match error {
        // The server's hint is for whoever speaks HTTP.
        Error::Refused { code, message, .. } if code == "ModuleInUse" => Problem::refused(
            format!("{message} ({code})"),
            "update or delete those state machines first, or add --force: their tasks will fail then",
        ),
        other => other.into(),
    })?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.pairs(&[("deleted", name.to_owned())])?;
    }
    Ok(Ending::Good)
}

/// Enough of a digest to recognise it.
pub fn short_digest(digest: &str) -> String {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    digits.chars().take(DIGEST_DIGITS).collect()
}
