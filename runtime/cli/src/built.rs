//! Where the build of a project leaves its component: what `modules push NAME DIRECTORY` uploads.

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::{Problem, Result};

/// Where builds leave what they made, from the likeliest: the templates of `sandstep new`, cargo's targets, a bundler's
/// custom, and nowhere in particular. The first of these that has a component is looked at.
const PLACES: [&str; 7] = [
    "build",
    "target/wasm32-unknown-unknown/release",
    "target/wasm32-wasip2/release",
    "target/wasm32-wasip1/release",
    "dist",
    "out",
    ".",
];

/// A project's file, and the command that builds it.
const BUILDS: [(&str, &str); 3] = [
    ("Cargo.toml", "cargo build --release --target wasm32-unknown-unknown"),
    ("package.json", "npm run build"),
    ("Makefile", "make"),
];

/// The component or core module to upload: a file as it is, of a directory what was built in it.
pub fn module(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    for place in PLACES {
        let mut found = modules_in(&path.join(place));
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0)),
            _ => {
                let names: Vec<_> = found.iter().map(|file| format!("`{}`", file.display())).collect();
                return Err(Problem::usage(
                    format!("`{}` holds more than one module: {}", path.display(), names.join(", ")),
                    "name the file",
                ));
            }
        }
    }
    let build = BUILDS.iter().find(|(file, _)| path.join(file).is_file());
    let hint = match build {
        Some((_, command)) => format!("build it first: `{command}`"),
        None => format!(
            "build it first, into `{}`, or name the .wasm file",
            path.join(PLACES[0]).display()
        ),
    };
    Err(Problem::usage(
        format!("there is no module in `{}`", path.display()),
        hint,
    ))
}

fn modules_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    found.sort();
    found
}
