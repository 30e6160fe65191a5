//! What a module asks for, what it gets, and what it is in consequence.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{HttpPattern, ModuleDescription, TaskLimits};

/// What a module's author asks for. Part of a version: other wishes are another version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What an attempt may use, where that isn't what every attempt may.
    #[serde(default, skip_serializing_if = "AskedLimits::is_empty")]
    pub limits: AskedLimits,
    /// What an attempt may reach.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
    /// What becomes of an attempt that a crash of the server interrupts, where its class doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

impl Manifest {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Sizes of stack that an attempt can have, in bytes, the first for who asks for none: wasmtime's own. The largest is
/// what a thread of the system has; it is addresses, and memory only as far as it was used.
pub const STACKS: [u64; 5] = [512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20];

/// Limits that a module or a policy sets; the others stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedLimits {
    /// Units of fuel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// All memories and tables summed, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Milliseconds from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_millis: Option<u64>,
    /// Bytes of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Bytes of the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<u64>,
}

impl AskedLimits {
    /// Whether it sets none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These in place of others.
    pub fn over(self, limits: TaskLimits) -> TaskLimits {
        TaskLimits {
            fuel: self.fuel.unwrap_or(limits.fuel),
            memory: self.memory.unwrap_or(limits.memory),
            time_millis: self.time_millis.or(limits.time_millis),
            output: self.output.or(limits.output),
            stack: self.stack.or(limits.stack),
        }
    }

    /// Others, and nothing above these.
    pub fn cap(self, limits: TaskLimits) -> TaskLimits {
        let lower = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        TaskLimits {
            fuel: self.fuel.map_or(limits.fuel, |cap| cap.min(limits.fuel)),
            memory: self.memory.map_or(limits.memory, |cap| cap.min(limits.memory)),
            time_millis: lower(self.time_millis, limits.time_millis),
            output: lower(self.output, limits.output),
            // Who asks for none has the smallest.
            stack: limits.stack.map(|stack| self.stack.map_or(stack, |cap| cap.min(stack))),
        }
    }
}

/// What becomes of an attempt that a crash of the server interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// It is run again: doing it twice is doing it once.
    Repeat,
    /// It fails with `Sandbox.HostRestarted`.
    Fail,
}

/// What attempts of a module may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Variables of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Variable>,
    /// Directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<Directory>,
    /// Requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpPattern>,
    /// Secrets of the operator's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUse>,
}

impl Grants {
    /// Whether it grants nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; that of the server's own variable of this name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A directory of the server's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Where it is, an absolute path.
    pub path: PathBuf,
    /// Where guests see it.
    pub guest: String,
    /// Whether they may change what is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
}

/// A secret of the operator's, and what is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// Which.
    pub name: String,
    /// Who gets it.
    #[serde(flatten)]
    pub place: SecretPlace,
}

/// Where a secret goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretPlace {
    /// To the guest, in this variable of its environment.
    Env(String),
    /// Into a header of requests the guest makes; the guest never has it.
    Header {
        /// The header's name, in lower case.
        name: String,
        /// Scheme, host and port of those requests: `https://api.example.com`.
        origin: String,
        /// What stands before it in the header, such as `Bearer `.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
}

/// What one attempt is given: what its module asks for and the policy allows, values filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// Names and values.
    pub env: Vec<(String, Sensitive)>,
    /// Variables that are granted, and that the server's own environment hasn't.
    pub unset: Vec<String>,
    /// Directories.
    pub dirs: Vec<GrantedDirectory>,
    /// Requests.
    pub http: Vec<GrantedRequests>,
    /// Certificates (PEM) that requests trust beside those the world trusts.
    pub certificates: Option<Arc<str>>,
    /// Secrets that go into headers.
    pub headers: Vec<SecretHeader>,
    /// Names and values of all secrets: texts that nobody may see.
    pub secrets: Vec<(String, Sensitive)>,
}

/// A directory, and the one that the policy allows it as a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedDirectory {
    /// What is given.
    pub directory: Directory,
    /// What it must be in, whatever links lead where.
    pub root: PathBuf,
}

/// Requests that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedRequests {
    /// Which.
    pub pattern: HttpPattern,
    /// Whether their host may have an address that isn't public.
    pub private: bool,
}

/// A header that the host adds to requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretHeader {
    /// Its name, in lower case.
    pub name: String,
    /// Scheme, host and port of the requests.
    pub origin: String,
    /// What stands before the value.
    pub prefix: String,
    /// Its value.
    pub value: Sensitive,
}

/// A text that isn't shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(Arc<str>);

impl Sensitive {
    /// Hides a text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What a module's attempts can come to see and do, computed from what its component imports and its manifest grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Its answer is made of its input alone: the same input, the same answer.
    Pure,
    /// It looks at more than its input (a clock, random numbers, the environment, files, answers to GET) and changes
    /// nothing.
    Reads,
    /// It may change something outside.
    Effectful,
}

impl Class {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Pure => "pure",
            Class::Reads => "reads",
            Class::Effectful => "effectful",
        }
    }
}

/// Interfaces whose functions, once imported, make an answer depend on more than the input.
const SOURCES: [&str; 2] = ["wasi:clocks/", "wasi:random/"];

impl ModuleDescription {
    /// See [`Class`]. What is granted and can't be reached, because the component imports no interface for it, doesn't
    /// count.
    pub fn class(&self) -> Class {
        let imports = |interface: &str| self.imports.iter().any(|import| import.starts_with(interface));
        let Grants {
            env,
            dirs,
            http,
            secrets,
        } = &self.manifest.grants;
        let mut class = Class::Pure;
        let imports_function = |interface: &str| {
            let mut functions = self.imports.iter().filter(|import| import.contains('#'));
            functions.any(|import| import.starts_with(interface))
        };
        if SOURCES.into_iter().any(imports_function) {
            class = Class::Reads;
        }
        let from_outside = env.iter().any(|variable| variable.value.is_none())
            || secrets.iter().any(|secret| matches!(secret.place, SecretPlace::Env(_)));
        if from_outside && imports("wasi:cli/environment") {
            class = Class::Reads;
        }
        if imports("wasi:filesystem/") {
            for directory in dirs {
                class = class.max(if directory.write {
                    Class::Effectful
                } else {
                    Class::Reads
                });
            }
        }
        if imports("wasi:http/outgoing-handler") {
            for pattern in http {
                class = class.max(if pattern.is_safe() {
                    Class::Reads
                } else {
                    Class::Effectful
                });
            }
        }
        class
    }

    /// What becomes of an attempt that a crash of the server interrupts.
    pub fn restart(&self) -> Restart {
        self.manifest.restart.unwrap_or(match self.class() {
            Class::Pure | Class::Reads => Restart::Repeat,
            Class::Effectful => Restart::Fail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(imports: &[&str], grants: Grants) -> ModuleDescription {
        ModuleDescription {
            imports: imports.iter().map(|import| (*import).to_owned()).collect(),
            manifest: Manifest {
                grants,
                ..Manifest::default()
            },
            ..ModuleDescription::default()
        }
    }

    fn dirs(write: bool) -> Grants {
        Grants {
            dirs: vec![Directory {
                path: "/srv".into(),
                guest: "/".to_owned(),
                write,
            }],
            ..Grants::default()
        }
    }

    fn http(patterns: &[&str]) -> Grants {
        let patterns = patterns.iter().map(|pattern| pattern.parse().expect("a pattern"));
        Grants {
            http: patterns.collect(),
            ..Grants::default()
        }
    }

    fn env(value: Option<&str>) -> Grants {
        Grants {
            env: vec![Variable {
                name: "TZ".to_owned(),
                value: value.map(str::to_owned),
            }],
            ..Grants::default()
        }
    }

    #[test]
    fn the_class_follows_from_imports_and_grants() {
        const FILES: &str = "wasi:filesystem/types@0.2.6";
        const ENVIRONMENT: &str = "wasi:cli/environment@0.2.6";
        const HTTP: &str = "wasi:http/outgoing-handler@0.2.6";
        for (imports, grants, class) in [
            (&[][..], Grants::default(), Class::Pure),
            (
                &["sandstep:task/host@0.1.0#log", FILES, ENVIRONMENT, HTTP],
                Grants::default(),
                Class::Pure,
            ),
            (&["wasi:clocks/wall-clock@0.2.6#now"], Grants::default(), Class::Reads),
            (&["wasi:clocks/wall-clock@0.2.6"], Grants::default(), Class::Pure),
            (
                &["wasi:random/insecure-seed@0.2.6#insecure-seed"],
                Grants::default(),
                Class::Reads,
            ),
            (&[FILES], dirs(false), Class::Reads),
            (&[FILES], dirs(true), Class::Effectful),
            (&[ENVIRONMENT], dirs(true), Class::Pure),
            (&[ENVIRONMENT], env(None), Class::Reads),
            (&[ENVIRONMENT], env(Some("UTC")), Class::Pure),
            (&[HTTP], http(&["GET https://a.example/*"]), Class::Reads),
            (
                &[HTTP],
                http(&["GET https://a.example/*", "POST https://a.example/b"]),
                Class::Effectful,
            ),
            (&[HTTP], http(&["* https://a.example/*"]), Class::Effectful),
            (&[FILES], http(&["POST https://a.example/*"]), Class::Pure),
        ] {
            assert_eq!(
                description(imports, grants.clone()).class(),
                class,
                "{imports:?} {grants:?}"
            );
        }
    }

    #[test]
    fn what_has_effects_is_not_repeated_unless_its_author_says_so() {
        let mut description = description(&["wasi:filesystem/types@0.2.6"], dirs(true));
        assert_eq!(description.restart(), Restart::Fail);
        description.manifest.restart = Some(Restart::Repeat);
        assert_eq!(description.restart(), Restart::Repeat);
        description.manifest = Manifest::default();
        assert_eq!(description.restart(), Restart::Repeat);
    }

    #[test]
    fn sensitive_texts_show_nowhere() {
        let granted = Granted {
            secrets: vec![("key".to_owned(), Sensitive::new("hush"))],
            ..Granted::default()
        };
        assert!(!format!("{granted:?}").contains("hush"));
    }
}
