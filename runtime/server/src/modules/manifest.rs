//! `module.toml`: what a module's author asks for, as it is written.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use engine::ports::{
    AskedLimits, Directory, Grants, HttpPattern, Manifest, Restart, STACKS, SecretPlace, SecretUse, Variable,
};
use serde::Deserialize;
use toml::Spanned;

use super::amount::{Bytes, Fuel, Millis};

/// Longest manifest, in bytes: some hundred grants. It travels in a header, too.
pub const MANIFEST_BYTES: usize = 16 << 10;
/// Grants of one kind in a manifest. Each directory is opened for every attempt.
const GRANTS: usize = 64;
/// Bytes before a secret in a header: the name of a scheme.
const PREFIX_BYTES: usize = 64;
/// Headers that say how a request is read, not what it asks.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Bytes of a variable's name and value.
const VARIABLE_BYTES: usize = 8 << 10;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What.
    pub message: String,
}

impl Mistake {
    /// Something wrong at a byte of a text.
    pub(super) fn at(text: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

/// A whole file by its types, every mistake with its place.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Mistake> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Mistake::at(text, at, error.message().trim_end())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    limits: LimitsWritten,
    #[serde(default)]
    grants: GrantsWritten,
    restart: Option<Restart>,
}

/// Limits as manifests and policies write them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of limits")]
pub(super) struct LimitsWritten {
    fuel: Option<Fuel>,
    memory: Option<Bytes>,
    time: Option<Millis>,
    output: Option<Bytes>,
    stack: Option<Spanned<Bytes>>,
}

impl LimitsWritten {
    /// Checked.
    pub(super) fn limits(&self, text: &str) -> Result<AskedLimits, Mistake> {
        let stack = match &self.stack {
            Some(stack) if !STACKS.contains(&stack.get_ref().0) => {
                let why = "a stack has `512KiB` (so has who asks for none), `1MiB`, `2MiB`, `4MiB` or `8MiB`";
                return Err(Mistake::at(text, stack.span().start, why));
            }
            stack => stack.as_ref().map(|stack| stack.get_ref().0),
        };
        Ok(AskedLimits {
            fuel: self.fuel.map(|Fuel(fuel)| fuel),
            memory: self.memory.map(|Bytes(bytes)| bytes),
            time_millis: self.time.map(|Millis(millis)| millis),
            output: self.output.map(|Bytes(bytes)| bytes),
            stack,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of grants")]
struct GrantsWritten {
    #[serde(default)]
    env: Vec<Spanned<EnvWritten>>,
    #[serde(default)]
    dirs: Vec<Spanned<DirectoryWritten>>,
    #[serde(default)]
    http: Vec<Spanned<String>>,
    #[serde(default)]
    secrets: Vec<Spanned<SecretWritten>>,
    sockets: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"NAME\" or { NAME = \"value\" }")]
enum EnvWritten {
    Name(String),
    Values(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a directory such as { path = \"/srv/prices\", guest = \"/prices\" }"
)]
struct DirectoryWritten {
    path: PathBuf,
    guest: Option<String>,
    #[serde(default)]
    write: bool,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a secret such as { name = \"stripe\", env = \"STRIPE_KEY\" }"
)]
struct SecretWritten {
    name: String,
    env: Option<String>,
    header: Option<String>,
    prefix: Option<String>,
    #[serde(rename = "for")]
    origin: Option<String>,
}

/// Reads a manifest.
///
/// # Errors
/// The first [`Mistake`].
pub fn manifest(text: &str) -> Result<Manifest, Mistake> {
    if text.len() > MANIFEST_BYTES {
        let message = format!(
            "the manifest has `{}` bytes, at most `{MANIFEST_BYTES}` are read",
            text.len()
        );
        return Err(Mistake::at(text, 0, message));
    }
    let Written {
        limits,
        grants,
        restart,
    } = read(text)?;
    Ok(Manifest {
        limits: limits.limits(text)?,
        grants: grants.grants(text)?,
        restart,
    })
}

impl GrantsWritten {
    fn grants(self, text: &str) -> Result<Grants, Mistake> {
        if let Some(sockets) = self.sockets.filter(|sockets| *sockets.get_ref()) {
            let why = "sockets are never granted; grant the requests that are made (`http = [\"GET https://api.example.com/*\"]`), or call services from the workflow (`http:invoke`)";
            return Err(Mistake::at(text, sockets.span().start, why));
        }
        let lengths = [self.env.len(), self.dirs.len(), self.http.len(), self.secrets.len()];
        if lengths.into_iter().any(|length| length > GRANTS) {
            let message = format!("there are more than `{GRANTS}` grants of a kind; grant what is above them");
            return Err(Mistake::at(text, 0, message));
        }
        let mut env = Vec::new();
        for written in self.env {
            let at = written.span().start;
            for variable in variables(written.into_inner()) {
                check_variable(&variable).map_err(|why| Mistake::at(text, at, why))?;
                env.push(variable);
            }
        }
        let mut dirs = Vec::new();
        for written in self.dirs {
            let at = written.span().start;
            dirs.push(directory(written.into_inner()).map_err(|why| Mistake::at(text, at, why))?);
        }
        let mut http = Vec::new();
        for written in self.http {
            let pattern = written.get_ref().parse::<HttpPattern>();
            http.push(pattern.map_err(|error| Mistake::at(text, written.span().start, error.to_string()))?);
        }
        let mut secrets = Vec::new();
        for written in self.secrets {
            let at = written.span().start;
            secrets.push(secret(written.into_inner()).map_err(|why| Mistake::at(text, at, why))?);
        }
        Ok(Grants {
            env,
            dirs,
            http,
            secrets,
        })
    }
}

fn variables(written: EnvWritten) -> Vec<Variable> {
    match written {
        EnvWritten::Name(name) => vec![Variable { name, value: None }],
        EnvWritten::Values(values) => {
            let variable = |(name, value)| Variable {
                name,
                value: Some(value),
            };
            values.into_iter().map(variable).collect()
        }
    }
}

fn check_variable(variable: &Variable) -> Result<(), String> {
    let Variable { name, value } = variable;
    check_name(name)?;
    let value = value.as_deref().unwrap_or_default();
    if value.contains('\0') || name.len() + value.len() > VARIABLE_BYTES {
        return Err(format!(
            "the value of `{name}` has a zero byte, or more than {VARIABLE_BYTES} bytes"
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(['=', '\0']) || name.len() > VARIABLE_BYTES {
        return Err(format!("`{name}` can't name a variable of the environment"));
    }
    Ok(())
}

fn directory(written: DirectoryWritten) -> Result<Directory, String> {
    let DirectoryWritten { path, guest, write } = written;
    let shown = path.display().to_string();
    if !is_plain_and_absolute(&path) {
        return Err(format!("`{shown}` must be an absolute path without `..`"));
    }
    let guest = guest.unwrap_or(shown);
    if guest.is_empty() || guest.contains('\0') {
        return Err("`guest` is where the task sees the directory, such as \"/data\"".to_owned());
    }
    Ok(Directory { path, guest, write })
}

/// Whether a path says by itself where it leads, links aside.
pub(super) fn is_plain_and_absolute(path: &Path) -> bool {
    let plain = |part: Component<'_>| !matches!(part, Component::ParentDir | Component::CurDir);
    path.is_absolute() && path.components().all(plain) && !path.as_os_str().as_encoded_bytes().contains(&0)
}

/// Scheme, host and port of the requests that a secret goes with: nothing secret leaves without TLS.
pub(super) fn secret_origin(origin: &str) -> Result<String, String> {
    let pattern = format!("GET {origin}").parse::<HttpPattern>();
    let read = pattern.map(|pattern| pattern.origin());
    let written = origin.trim_end_matches('/').to_ascii_lowercase();
    match read {
        Ok(read) if read == written && read.starts_with("https://") && !read.contains('*') => Ok(read),
        _ => Err(format!(
            "`for = \"{origin}\"` must be https, a host and perhaps a port, like \"https://api.example.com\""
        )),
    }
}

fn secret(written: SecretWritten) -> Result<SecretUse, String> {
    let SecretWritten {
        name,
        env,
        header,
        prefix,
        origin,
    } = written;
    let place = match (env, header, origin) {
        (Some(variable), None, None) if prefix.is_none() => {
            check_name(&variable)?;
            SecretPlace::Env(variable)
        }
        (None, Some(header), Some(origin)) => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let header = header.to_ascii_lowercase();
            if header.is_empty() || !header.bytes().all(fits) || OF_THE_CONNECTION.contains(&&*header) {
                return Err(format!("`{header}` can't name a header that a secret is put into"));
            }
            let prefix = prefix.unwrap_or_default();
            if !prefix.bytes().all(|byte| matches!(byte, b' '..=b'~')) || prefix.len() > PREFIX_BYTES {
                return Err(format!(
                    "`prefix` has letters that can't stand in a header, or more than {PREFIX_BYTES}"
                ));
            }
            SecretPlace::Header {
                name: header,
                origin: secret_origin(&origin)?,
                prefix,
            }
        }
        _ => {
            return Err(format!(
                "secret `{name}` goes into one place: `env = \"VARIABLE\"`, or `header = \"authorization\"` (perhaps with \
                 `prefix = \"Bearer \"`) and `for = \"https://api.example.com\"`"
            ));
        }
    };
    Ok(SecretUse { name, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
restart = "repeat"

[limits]
fuel = "2G"
memory = "128MiB"
time = "30s"
output = 65536
stack = "2MiB"

[grants]
env = ["TZ", { MODE = "fast" }]
dirs = [{ path = "/srv/prices", guest = "/prices" }, { path = "/srv/out", write = true }]
http = ["GET https://api.example.com/v1/*"]
secrets = [
    { name = "stripe", env = "STRIPE_KEY" },
    { name = "crm", header = "Authorization", prefix = "Bearer ", for = "https://API.example.com/" },
]
sockets = false
"#;

    #[test]
    fn a_manifest_says_it_all() {
        let read = manifest(WHOLE).expect("a manifest");
        assert_eq!(read.restart, Some(Restart::Repeat));
        assert_eq!(
            read.limits,
            AskedLimits {
                fuel: Some(2_000_000_000),
                memory: Some(128 << 20),
                time_millis: Some(30_000),
                output: Some(65_536),
                stack: Some(2 << 20),
            }
        );
        assert_eq!(read.grants.env.len(), 2);
        assert_eq!(read.grants.dirs[1].guest, "/srv/out");
        assert!(read.grants.dirs[1].write && !read.grants.dirs[0].write);
        assert_eq!(
            read.grants.secrets[1].place,
            SecretPlace::Header {
                name: "authorization".to_owned(),
                origin: "https://api.example.com".to_owned(),
                prefix: "Bearer ".to_owned(),
            }
        );
        let text = serde_json::to_string(&read).expect("JSON");
        assert_eq!(serde_json::from_str::<Manifest>(&text).expect("itself"), read);
        assert_eq!(manifest("").expect("nothing"), Manifest::default());
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (text, place, word) in [
            ("[limits]\nmemry = \"1MiB\"", (2, 1), "memry"),
            ("[limits]\nmemory = \"1 elephant\"", (2, 10), "1 elephant"),
            ("[limits]\nfuel = -1", (2, 8), "-1"),
            ("[limits]\ntime = 30", (2, 8), "unit"),
            ("[limits]\nstack = \"3MiB\"", (2, 9), "a stack has"),
            ("[grants]\n\nsocket = true", (3, 1), "socket"),
            ("[grants]\nsockets = true", (2, 11), "never granted"),
            ("[grants]\ndirs = [{ path = \"srv\" }]", (2, 9), "absolute"),
            ("[grants]\ndirs = [{ path = \"/srv/../etc\" }]", (2, 9), "absolute"),
            ("[grants]\ndirs = [{ path = \"/srv\", writ = true }]", (2, 26), "writ"),
            ("[grants]\nhttp = [\"https://a.example\"]", (2, 9), "method"),
            ("[grants]\nenv = [\"A=B\"]", (2, 8), "A=B"),
            ("[grants]\nenv = [7]", (2, 7), "NAME"),
            ("[grants]\nsecrets = [{ name = \"k\" }]", (2, 12), "one place"),
            (
                "[grants]\nsecrets = [{ name = \"k\", header = \"x\", for = \"http://a.example\" }]",
                (2, 12),
                "https",
            ),
            (
                "[grants]\nsecrets = [{ name = \"k\", header = \"Host\", for = \"https://a.example\" }]",
                (2, 12),
                "host",
            ),
            (
                "[grants]\nsecrets = [{ name = \"k\", header = \"x\", for = \"https://*.a.example\" }]",
                (2, 12),
                "https",
            ),
            (
                "[grants]\nsecrets = [{ name = \"k\", header = \"x\", prefix = \"a\\nb\", for = \"https://a.example\" }]",
                (2, 12),
                "prefix",
            ),
            (
                "[grants]\nsecrets = [{ name = \"k\", env = \"K\", prefix = \"Bearer \" }]",
                (2, 12),
                "one place",
            ),
            ("[grants]\ndirs = [\"/srv\"]", (2, 9), "expected a directory such as"),
            ("[grants]\nsecrets = [\"k\"]", (2, 12), "expected a secret such as"),
            ("restart = \"never\"", (1, 11), "never"),
            ("limits = 1", (1, 10), "a table of limits"),
        ] {
            let mistake = manifest(text).expect_err(text);
            assert!(mistake.message.contains(word), "{text}: {mistake}");
            assert_eq!((mistake.line, mistake.column), place, "{text}: {mistake}");
        }
        assert!(manifest(&"#".repeat(MANIFEST_BYTES + 1)).is_err());
    }
}
