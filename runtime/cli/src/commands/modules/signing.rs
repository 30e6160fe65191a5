//! `sandstep modules keygen` and `sign`: neither needs a server.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::built;
use crate::manifest::manifest;
use crate::output::{Output, hint};
use crate::problem::{Ending, Problem, Result};
use crate::signing::{file_beside, generate, sign, text_to_sign};

/// Makes a key.
pub fn keygen(file: &Path, output: &Output) -> Result {
    let public = generate(file)?;
    if output.is_json() {
        output.json(&json!({ "file": file, "publicKey": public }))?;
        return Ok(Ending::Good);
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    output.pairs(&[
        ("private key", file.display().to_string()),
        ("public key", public.clone()),
    ])?;
    hint(
        output,
        &format!("policies have it as `{name} = \"{public}\"`, below `[signatures.keys]`"),
    );
    Ok(Ending::Good)
}

/// What is signed, with what, and where the signature goes.
pub struct Signing<'a> {
    /// The module's name.
    pub name: &'a str,
    /// The component, or a project.
    pub file: &'a Path,
    /// The manifest, where it is named.
    pub manifest: Option<&'a Path>,
    /// What it asks for beside the manifest.
    pub set: &'a [String],
    /// The private key; without one the text is shown.
    pub key: Option<&'a Path>,
    /// The signature's file, where it is named.
    pub out: Option<&'a Path>,
}

/// Signs a module, or shows what is to be signed.
pub fn signing(asked: &Signing<'_>, output: &Output) -> Result {
    let manifest = manifest(asked.file, asked.manifest, asked.set)?;
    let file = built::module(asked.file)?;
    let component = std::fs::read(&file).map_err(|error| {
        Problem::usage(
            format!("can't read `{}`: {error}", file.display()),
            "name a compiled component or core module",
        )
    })?;
    let text = text_to_sign(asked.name, &component, &manifest);
    let Some(key) = asked.key else {
        if output.is_json() {
            output.json(&json!({ "text": text }))?;
        } else {
            output.line(text.trim_end())?;
        }
        return Ok(Ending::Good);
    };
    let signature = sign(&text, key)?;
    let out = asked.out.map_or_else(|| file_beside(&file), PathBuf::from);
    std::fs::write(&out, format!("{signature}\n")).map_err(|error| {
        Problem::usage(
            format!("can't write `{}`: {error}", out.display()),
            "name a file you may write with --out",
        )
    })?;
    if output.is_json() {
        output.json(&json!({ "file": out, "signature": signature }))?;
    } else {
        output.pairs(&[
            ("signed", asked.name.to_owned()),
            ("signature", out.display().to_string()),
        ])?;
    }
    Ok(Ending::Good)
}
