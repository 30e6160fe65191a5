//! `sandstep new`: a task's project, in a language of one's choice.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::args;
use crate::output::Output;
use crate::problem::{Ending, Problem, Result};
use crate::templates;

/// Letters of a task's name: what every package registry, compiler and file system takes.
const LONGEST_NAME: usize = 64;

/// What the SDK is called in every project.
const SDK: &str = "sandstep";

/// Writes a project into a directory that isn't there yet.
pub fn new(asked: &args::New, output: &Output) -> Result {
    let directory = &asked.directory;
    let name = name_of(directory)?;
    make(directory)?;
    let mut written = Vec::new();
    for (place, text) in templates::files(asked.lang) {
        write(&directory.join(place), &text.replace(templates::NAME, name))?;
        written.push(place);
    }

    let next = [
        format!("cd {} && {}", quoted(directory), asked.lang.build()),
        format!("sandstep modules push {name} ."),
    ];
    if output.is_json() {
        output.json(&json!({
            "name": name,
            "language": asked.lang.name(),
            "directory": directory.display().to_string(),
            "files": written,
            "next": next,
        }))?;
        return Ok(Ending::Good);
    }
    let source = directory.join(asked.lang.source());
    output.line(&format!(
        "{name}, a task in {}: {}",
        asked.lang.name(),
        source.display()
    ))?;
    output.line("build it, and give it to a server:")?;
    for command in &next {
        output.line(&format!("    {command}"))?;
    }
    Ok(Ending::Good)
}

fn name_of(directory: &Path) -> Result<&str> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(fits)
        && !name.ends_with('-')
        && name.len() <= LONGEST_NAME
        && name != SDK;
    if is_name {
        return Ok(name);
    }
    let hint = match name == SDK {
        true => "that is what the SDK is called; take another".to_owned(),
        false => {
            format!("begin with a small letter, go on with small letters, digits and hyphens, {LONGEST_NAME} at most")
        }
    };
    Err(Problem::usage(
        format!("`{}` is no name for a task", directory.display()),
        hint,
    ))
}

fn make(directory: &Path) -> Result<()> {
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
    }
    fs::create_dir(directory).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Problem::usage(
            format!("`{}` exists already", directory.display()),
            "take another name, or move what is there out of the way: nothing is written over",
        ),
        _ => cannot_write(directory, &error),
    })
}

fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    fs::File::create_new(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| cannot_write(file, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Problem {
    Problem::refused(
        format!("can't write `{}`: {error}", path.display()),
        "make room or give yourself the right to write there, or name another directory",
    )
}

/// For a shell.
fn quoted(directory: &Path) -> String {
    let path = directory.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}
