//! `--credentials`: the file of keys and tokens a server takes.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use server::access::{AccessKey, BearerToken, Caller, Credentials, NamePattern, Policy, Role, Secret, TokenHash};

use crate::config::{private_text, without_texts};
use crate::problem::{Problem, Result};

/// Room for some ten thousand keys; whatever is larger is another file.
const LARGEST_FILE: u64 = 4 << 20;
/// Fewer characters are found by trying.
const SHORTEST_SECRET: usize = 16;
const HINT: &str =
    "--credentials takes a TOML file; `sandstep keys new --credentials FILE` writes one, docs/security.md shows one";

/// The file, as it stands there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "access_key")]
    access_keys: Vec<WrittenKey>,
    #[serde(default, rename = "token")]
    tokens: Vec<WrittenToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    name: String,
    id: String,
    secret: String,
    roles: Vec<String>,
    names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    name: String,
    sha256: String,
    roles: Vec<String>,
    names: Option<Vec<String>>,
}

/// Reads the file, which others must not be able to.
pub fn credentials(path: &Path) -> Result<Credentials> {
    let text = private_text(path, LARGEST_FILE, "a file of credentials", HINT)?;
    parsed(&text).map_err(|reason| Problem::usage(format!("`{}` can't be used: {reason}", path.display()), HINT))
}

/// Whether the file could be used if this were at its end.
pub fn credentials_with(path: &Path, entry: &str) -> Result<()> {
    let text = private_text(path, LARGEST_FILE, "a file of credentials", HINT)?;
    let with_entry = parsed(&format!("{text}\n{entry}")).map(drop);
    with_entry.map_err(|reason| Problem::usage(format!("`{}` can't be used: {reason}", path.display()), HINT))
}

/// No message shows anything of the file but names and ids.
fn parsed(text: &str) -> std::result::Result<Credentials, String> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        format!("{} at line {line}", without_texts(error.message()))
    })?;
    let mut names = Vec::new();
    let mut caller = |name: String, roles: &[String], patterns: Option<Vec<String>>| {
        if !is_name(&name) {
            return Err(format!(
                "`{name}` can't name a key: use letters, digits and any of `+=,.@_-`"
            ));
        }
        if names.contains(&name) {
            return Err(format!("two keys are named `{name}`"));
        }
        names.push(name.clone());
        if roles.is_empty() {
            return Err(format!("`{name}` has no role"));
        }
        let roles: std::result::Result<Vec<Role>, String> = roles.iter().map(|role| role.parse()).collect();
        let roles = roles.map_err(|reason| format!("`{name}`: {reason}"))?;
        let patterns = patterns.map(|patterns| patterns.into_iter().map(NamePattern::new).collect());
        Ok(Caller {
            name,
            policy: Policy::new(roles, patterns),
        })
    };
    let mut keys: Vec<AccessKey> = Vec::new();
    for key in written.access_keys {
        let caller = caller(key.name, &key.roles, key.names)?;
        if key.id.is_empty() || key.id.contains(['/', ',', ' ']) {
            return Err(format!(
                "the id of `{}` is empty, or has a slash, a comma or a space",
                caller.name
            ));
        }
        if key.secret.len() < SHORTEST_SECRET {
            return Err(format!(
                "the secret of `{}` has fewer than {SHORTEST_SECRET} characters",
                caller.name
            ));
        }
        if keys.iter().any(|other| other.id == key.id) {
            return Err(format!("two keys have the id `{}`", key.id));
        }
        keys.push(AccessKey {
            id: key.id,
            secret: Secret::new(key.secret),
            caller,
        });
    }
    let mut tokens: Vec<BearerToken> = Vec::new();
    for token in written.tokens {
        let caller = caller(token.name, &token.roles, token.names)?;
        let Some(hash) = TokenHash::from_hex(&token.sha256) else {
            return Err(format!(
                "the sha256 of `{}` isn't 64 hexadecimal digits: it is the token's digest, not the token",
                caller.name
            ));
        };
        if tokens.iter().any(|other| other.hash == hash) {
            return Err(format!("`{}` has the token of another", caller.name));
        }
        tokens.push(BearerToken { hash, caller });
    }
    if keys.is_empty() && tokens.is_empty() {
        return Err("there is no key in it".to_owned());
    }
    Ok(Credentials::new(keys, tokens))
}

/// The characters of names of IAM users, which is what keys are shown as.
fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
    !name.is_empty() && name.chars().all(fits)
}

/// What a new key is, for the file.
pub enum New<'a> {
    /// An access key.
    Key {
        /// Its public half.
        id: &'a str,
        /// Its other half.
        secret: &'a Secret,
    },
    /// A token.
    Token(TokenHash),
}

/// An entry of the file.
pub fn entry(name: &str, new: &New<'_>, roles: &[Role], names: &[String]) -> String {
    let quoted = |texts: &mut dyn Iterator<Item = &str>| {
        let texts: Vec<String> = texts.map(toml_text).collect();
        texts.join(", ")
    };
    let mut entry = match new {
        New::Key { id, secret } => format!(
            "[[access_key]]\nname = {}\nid = {}\nsecret = {}\n",
            toml_text(name),
            toml_text(id),
            toml_text(secret.expose())
        ),
        New::Token(hash) => format!("[[token]]\nname = {}\nsha256 = \"{hash}\"\n", toml_text(name)),
    };
    let roles = quoted(&mut roles.iter().map(|role| role.as_str()));
    let _ = writeln!(entry, "roles = [{roles}]");
    if !names.is_empty() {
        let names = quoted(&mut names.iter().map(String::as_str));
        let _ = writeln!(entry, "names = [{names}]");
    }
    entry
}

/// A basic string of TOML, which escapes as JSON does but for the delete character.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "[[access_key]]\nname = \"ci\"\nid = \"SSAKEXAMPLE\"\nsecret = \"hush-hush-hush-hush\"\nroles = [\"admin\"]\n";

    #[test]
    fn what_is_written_is_read() {
        let secret = Secret::new("hush-hush-\"hush\"-hush");
        let new = New::Key {
            id: "SSAK1",
            secret: &secret,
        };
        let names = ["orders-*".to_owned(), "a\"b\\c".to_owned()];
        let mut file = entry("ci", &new, &[Role::ReadOnly, Role::StartOnly], &names);
        file.push('\n');
        file.push_str(&entry(
            "board",
            &New::Token(TokenHash::of(&secret)),
            &[Role::ReadOnly],
            &[],
        ));
        parsed(&file).expect("both are read");
        let again = format!("{file}{}", file.replace("SSAK1", "SSAK2"));
        assert_eq!(parsed(&again).expect_err("twice"), "two keys are named `ci`");
    }

    #[test]
    fn mistakes_are_told_without_secrets() {
        for (text, word) in [
            (String::new(), "no key"),
            (KEY.replace("admin", "root"), "`root` is no role"),
            (KEY.replace("[\"admin\"]", "[]"), "no role"),
            (KEY.replace("[\"admin\"]", "\"admin\""), "at line 5"),
            (KEY.replace("SSAKEXAMPLE", "a/b"), "slash"),
            (KEY.replace("hush-hush-hush-hush", "hush"), "fewer than 16"),
            (KEY.replace("\"ci\"", "\"c i\""), "can't name a key"),
            (KEY.replace("secret", "secrets"), "unknown field"),
            (
                format!("{KEY}{}", KEY.replace("\"ci\"", "\"cd\"")),
                "the id `SSAKEXAMPLE`",
            ),
            (
                "[[token]]\nname = \"a\"\nsha256 = \"sandstep_hush\"\nroles = [\"admin\"]".to_owned(),
                "not the token",
            ),
            (
                KEY.replace("\"hush-hush-hush-hush\"", "{ hush = \"hush\" }"),
                "at line 4",
            ),
            (KEY.replace("\"hush-hush-hush-hush\"", "hush"), "at line 4"),
        ] {
            let error = parsed(&text).expect_err("a mistake");
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
