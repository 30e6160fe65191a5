//! `sandstep keys`: keys and tokens for servers that ask for them.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use server::access::{Role, Secret, TokenHash};

use crate::args::{Keys, NewKey};
use crate::credentials::{self, New, entry};
use crate::output::{Output, hint};
use crate::problem::{Ending, Problem, Result};

/// What access key ids begin with, so that they aren't taken for AWS's own.
const KEY_ID: &str = "SSAK";
/// Letters and digits after that, each with five random bits (RFC 4648's base 32).
const KEY_ID_LENGTH: usize = 16;
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// What tokens begin with, so that whoever finds one in a file knows what it is.
const TOKEN: &str = "sandstep_";
/// Random bytes of secrets and tokens: more than anybody can try.
const SECRET_BYTES: usize = 32;

/// Does what is asked.
pub fn keys(asked: &Keys, output: &Output) -> Result {
    match asked {
        Keys::New(asked) => new(asked, output),
    }
}

fn new(asked: &NewKey, output: &Output) -> Result {
    let secret = random_text()?;
    let name = asked.name.clone();
    if asked.bearer {
        let token = Secret::new(format!("{TOKEN}{secret}"));
        let new = New::Token(TokenHash::of(&token));
        let name = written(asked, name.unwrap_or_else(|| "token".to_owned()), &new, output)?;
        show(output, &[("name", name), ("token", token.expose().to_owned())])?;
    } else {
        let id = key_id()?;
        let secret = Secret::new(secret);
        let new = New::Key {
            id: &id,
            secret: &secret,
        };
        let name = written(asked, name.unwrap_or_else(|| id.clone()), &new, output)?;
        show(
            output,
            &[
                ("name", name),
                ("AWS_ACCESS_KEY_ID", id.clone()),
                ("AWS_SECRET_ACCESS_KEY", secret.expose().to_owned()),
            ],
        )?;
    }
    Ok(Ending::Good)
}

/// Appends the entry to the file, or shows it; the key's name.
fn written(asked: &NewKey, name: String, new: &New<'_>, output: &Output) -> Result<String> {
    let roles = if asked.roles.is_empty() {
        vec![Role::Admin]
    } else {
        asked.roles.clone()
    };
    let entry = entry(&name, new, &roles, &asked.names);
    match &asked.credentials {
        Some(file) => {
            append(file, &entry)?;
            hint(
                output,
                &format!("written to {}; a running server reads it on SIGHUP", file.display()),
            );
        }
        None => hint(
            output,
            &format!("add this to the server's file of credentials:\n\n{entry}"),
        ),
    }
    Ok(name)
}

/// A file that is new is nobody else's to read; one that is there must have been made so.
fn append(path: &Path, entry: &str) -> Result<()> {
    let cannot = |error: std::io::Error| {
        Problem::refused(
            format!("can't write `{}`: {error}", path.display()),
            "name a file in a directory you may write to",
        )
    };
    let is_there = path.try_exists().map_err(cannot)?;
    if is_there {
        credentials::credentials_with(path, entry)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(cannot)?;
    let separator = if is_there { "\n" } else { "" };
    file.write_all(format!("{separator}{entry}").as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(cannot)
}

fn show(output: &Output, pairs: &[(&str, String)]) -> Result<()> {
    if output.is_json() {
        let object: serde_json::Map<String, serde_json::Value> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        output.json(&object.into())?;
    } else {
        output.pairs(pairs)?;
    }
    hint(output, "it is shown this once");
    Ok(())
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::refused(
            format!("the system gives no random bytes: {error}"),
            "look at the system's log",
        )
    })?;
    Ok(bytes)
}

fn key_id() -> Result<String> {
    let letters = random::<KEY_ID_LENGTH>()?.map(|byte| char::from(BASE_32[usize::from(byte % 32)]));
    Ok(format!("{KEY_ID}{}", String::from_iter(letters)))
}

fn random_text() -> Result<String> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?))
}
