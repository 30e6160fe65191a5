//! `sandstep reach` and `sandstep modules reach`: all that a workflow or a module can touch.

use std::path::Path;

use serde_json::Value;

use super::modules::joined;
use super::text;
use crate::args::ModuleName;
use crate::client::Client;
use crate::config;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Result};

/// Shows what a version of a module can touch.
pub fn module(client: &Client, module: &ModuleName, output: &Output) -> Result {
    let answer = client.module_reach(module)?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    output.pairs(&[
        ("module", format!("{}@{}", module.name, answer["version"])),
        ("labels", joined(&answer, "labels")),
        ("class", text(&answer, "class").to_owned()),
        ("on a crash", text(&answer, "restart").to_owned()),
        ("refused", text(&answer, "refused").to_owned()),
    ])?;
    let columns = [("KIND", Align::Left), ("WHAT", Align::Left), ("HOW", Align::Left)];
    let mut table = Table::new(&columns, 0);
    for touch in answer["touches"].as_array().into_iter().flatten() {
        table.row(row(touch));
    }
    if table.is_empty() {
        hint(output, "it touches nothing: its answer is made of its input alone");
        return Ok(Ending::Good);
    }
    output.line("")?;
    output.table(&mut table)?;
    Ok(Ending::Good)
}

/// Shows what the tasks of a workflow can touch: of one that is deployed, or of a file.
pub fn workflow(client: &Client, workflow: &str, output: &Output) -> Result {
    let file = Path::new(workflow);
    // No state machine's name has a slash: what looks like a file and isn't there is told as that.
    let is_file = workflow == "-" || file.is_file() || workflow.contains('/') || workflow.ends_with(".asl.json");
    let answer = if is_file {
        client.definition_reach(&config::definition(file)?.text)?
    } else {
        client.machine_reach(workflow)?
    };
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    let columns = [
        ("STATE", Align::Left),
        ("RUNS", Align::Left),
        ("CLASS", Align::Left),
        ("KIND", Align::Left),
        ("WHAT", Align::Left),
        ("HOW", Align::Left),
    ];
    let mut table = Table::new(&columns, 0);
    for state in answer["states"].as_array().into_iter().flatten() {
        let module = &state["module"];
        let name = text(state, "state");
        let runs = match module["module"].as_str() {
            Some(name) => format!("{name}@{}", module["version"]),
            None => text(state, "resource").to_owned(),
        };
        let touches = [&state["touches"], &module["touches"]];
        let touches: Vec<&Value> = touches.iter().filter_map(|list| list.as_array()).flatten().collect();
        let [mut kind, mut what, mut how] = [String::new(), "nothing".to_owned(), String::new()];
        for (index, touch) in touches.iter().enumerate() {
            [kind, what, how] = ["kind", "what", "how"].map(|field| text(touch, field).to_owned());
            if index + 1 < touches.len() {
                table.row(line(name, &runs, text(module, "class"), [&kind, &what, &how]));
            }
        }
        table.row(line(name, &runs, text(module, "class"), [&kind, &what, &how]));
    }
    if table.is_empty() {
        hint(output, "it touches nothing: it has no tasks");
        return Ok(Ending::Good);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

fn line(state: &str, runs: &str, class: &str, touch: [&str; 3]) -> [(String, Style); 6] {
    let [kind, what, how] = touch.map(|text| (text.to_owned(), Style::Plain));
    [
        (state.trim_start_matches("/States/").to_owned(), Style::Bold),
        (runs.to_owned(), Style::Plain),
        (class.to_owned(), Style::Plain),
        kind,
        what,
        how,
    ]
}

fn row(touch: &Value) -> [(String, Style); 3] {
    ["kind", "what", "how"].map(|field| (text(touch, field).to_owned(), Style::Plain))
}
