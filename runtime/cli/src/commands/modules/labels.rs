//! `sandstep modules label` and `unlabel`.

use serde_json::Value;

use super::{short_digest, unless_forced};
use crate::args::ModuleName;
use crate::client::{Client, Guard};
use crate::commands::text;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Problem, Result};

/// Lists a module's labels.
pub fn list(client: &Client, name: &str, output: &Output) -> Result {
    let answer = client.labels(name)?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    let columns = [
        ("LABEL", Align::Left),
        ("VERSION", Align::Right),
        ("DIGEST", Align::Left),
        ("MOVED", Align::Left),
    ];
    let mut table = Table::new(&columns, 0);
    for label in answer["labels"].as_array().into_iter().flatten() {
        table.row([
            (text(label, "label").to_owned(), Style::Bold),
            (label["version"].to_string(), Style::Plain),
            (short_digest(text(label, "digest")), Style::Plain),
            (text(label, "moved").to_owned(), Style::Plain),
        ]);
    }
    if table.is_empty() {
        hint(
            output,
            &format!("no labels; `sandstep modules label {name} LABEL VERSION` sets one"),
        );
        return Ok(Ending::Good);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

/// Points a label at a version, or at that of another label.
pub fn set(client: &Client, name: &str, label: &str, version: &str, guard: Guard, output: &Output) -> Result {
    let number = match version.parse::<u64>() {
        Ok(number) => number,
        Err(_) => version_of(client, name, version)?,
    };
    let answer = client.set_label(name, label, number, guard)?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    show(name, &answer, output)?;
    Ok(Ending::Good)
}

/// The number of the version that a label or a digest means.
fn version_of(client: &Client, name: &str, version: &str) -> Result<u64> {
    let module = ModuleName {
        name: name.to_owned(),
        version: Some(version.to_owned()),
    };
    let answer = client.module(&module)?;
    answer["version"].as_u64().ok_or_else(|| {
        Problem::refused(
            format!("the server didn't say which version `{name}@{version}` is"),
            "is another program listening there?",
        )
    })
}

fn show(name: &str, answer: &Value, output: &Output) -> Result<()> {
    output.pairs(&[
        ("module", name.to_owned()),
        ("label", text(answer, "label").to_owned()),
        ("version", answer["version"].to_string()),
        ("digest", text(answer, "digest").to_owned()),
        ("moved", text(answer, "moved").to_owned()),
    ])?;
    Ok(())
}

/// Takes a label away.
pub fn delete(client: &Client, name: &str, label: &str, force: bool, output: &Output) -> Result {
    let answer = client.delete_label(name, label, force).map_err(unless_forced)?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.pairs(&[("deleted", format!("{name}@{label}"))])?;
    }
    Ok(Ending::Good)
}
