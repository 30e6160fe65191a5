//! The operator's policy: what manifests may ask for, and where secrets are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use engine::ports::{
    AskedLimits, Directory, Granted, GrantedDirectory, GrantedRequests, HttpPattern, Manifest, ModuleRecord,
    SecretHeader, SecretPlace, Sensitive, Signature, TaskLimits, glob,
};
use serde::Deserialize;
use toml::Spanned;

use super::amount::{written_bytes, written_fuel, written_millis};
use super::manifest::{LimitsWritten, Mistake, is_plain_and_absolute, read, secret_origin};
use super::signatures::{NotSigned, Signatures, SignaturesWritten};
use crate::http_task::{Written, roots};

/// The policy in force, which can be exchanged while the server runs.
#[derive(Debug, Clone, Default)]
pub struct PolicyInForce(Arc<RwLock<Arc<Policy>>>);

impl PolicyInForce {
    /// This one.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// The policy of this moment.
    pub fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on another one; attempts that run keep what they have.
    pub fn exchange(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}

impl PartialEq for PolicyInForce {
    fn eq(&self, other: &Self) -> bool {
        self.current() == other.current()
    }
}

impl Eq for PolicyInForce {}

/// What manifests may ask for. Without a policy nothing outward is granted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Policy {
    caps: AskedLimits,
    rules: Vec<Rule>,
    secrets: BTreeMap<String, Sensitive>,
    signatures: Signatures,
    /// PEM.
    certificates: Option<Arc<str>>,
}

/// Something a policy says is elsewhere.
#[derive(Debug, Clone, Copy)]
pub enum Elsewhere<'a> {
    /// A secret.
    Secret(&'a Written),
    /// Certificates (PEM), which are no secret.
    Certificates(&'a Path),
}

/// What modules of some names may ask for.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    modules: Vec<String>,
    caps: AskedLimits,
    env: Vec<String>,
    dirs: Vec<AllowedDirectory>,
    http: Vec<HttpPattern>,
    private: bool,
    secrets: Vec<AllowedSecret>,
}

/// Secrets, and where they may go.
#[derive(Debug, PartialEq, Eq)]
struct AllowedSecret {
    /// Which, with `*`.
    name: String,
    /// Into a header of requests to this origin, and nowhere else, where it is said.
    origin: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"NAME\" or { name = \"NAME\", for = \"https://api.example.com\" }"
)]
enum SecretWritten {
    Name(String),
    Header {
        name: String,
        #[serde(rename = "for")]
        origin: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a directory such as { path = \"/srv/prices\" }")]
struct AllowedDirectory {
    path: PathBuf,
    #[serde(default)]
    write: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyWritten {
    #[serde(default)]
    limits: LimitsWritten,
    #[serde(default)]
    allow: Vec<Spanned<RuleWritten>>,
    #[serde(default)]
    secrets: BTreeMap<String, Written>,
    #[serde(default)]
    signatures: SignaturesWritten,
    certificates: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table below [[allow]]")]
struct RuleWritten {
    modules: Vec<String>,
    #[serde(default)]
    limits: LimitsWritten,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    dirs: Vec<AllowedDirectory>,
    #[serde(default)]
    http: Vec<HttpPattern>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    secrets: Vec<SecretWritten>,
}

/// What a manifest asks for and the policy doesn't let it have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy doesn't let module `{module}` have {asked}")]
pub struct NotAllowed {
    /// Who asks.
    pub module: String,
    /// For what, as the manifest writes it, in backticks.
    pub asked: String,
    /// What the policy would have to say.
    pub line: String,
}

impl NotAllowed {
    /// What can be done about it.
    pub fn hint(&self) -> String {
        let Self { module, line, .. } = self;
        format!(
            "take it out of the manifest, or put into the policy file (`serve --policy FILE`), below `[[allow]]` and \
             `modules = [\"{module}\"]`: `{line}`"
        )
    }
}

impl Policy {
    /// Reads a policy. `look_up` finds what is written elsewhere, or says why it can't.
    ///
    /// # Errors
    /// The first [`Mistake`]. It quotes nothing of a secret.
    pub fn read(text: &str, mut look_up: impl FnMut(Elsewhere<'_>) -> Result<String, String>) -> Result<Self, Mistake> {
        let PolicyWritten {
            limits,
            allow,
            secrets,
            signatures,
            certificates,
        } = read(text)?;
        let mut rules = Vec::new();
        for rule in allow {
            let at = rule.span().start;
            rules.push(rule.into_inner().rule(text, at)?);
        }
        let mut values = BTreeMap::new();
        for (name, written) in secrets {
            let value = look_up(Elsewhere::Secret(&written))
                .and_then(|value| (!value.is_empty()).then_some(value).ok_or("it is empty".to_owned()))
                .map_err(|why| Mistake::at(text, 0, format!("the secret `{name}` can't be had: {why}")))?;
            values.insert(name, Sensitive::new(&value));
        }
        let mut trusted = None;
        if let Some(file) = certificates {
            let at = file.span().start;
            let pem = look_up(Elsewhere::Certificates(file.get_ref()));
            let pem = pem.and_then(|pem| roots(Some(&pem)).map(|_| pem));
            let pem = pem.map_err(|why| Mistake::at(text, at, format!("the certificates can't be used: {why}")))?;
            trusted = Some(pem.into());
        }
        Ok(Self {
            caps: limits.limits(text)?,
            rules,
            secrets: values,
            signatures: signatures.signatures(text)?,
            certificates: trusted,
        })
    }

    /// Whether a module may have all that its manifest asks for.
    ///
    /// # Errors
    /// The first [`NotAllowed`].
    pub fn check(&self, module: &str, manifest: &Manifest) -> Result<(), NotAllowed> {
        let caps = self.caps_for(module);
        let asked = &manifest.limits;
        let bounds = [
            ("fuel", asked.fuel, caps.fuel, written_fuel as fn(u64) -> String),
            ("memory", asked.memory, caps.memory, written_bytes),
            ("time", asked.time_millis, caps.time_millis, written_millis),
            ("output", asked.output, caps.output, written_bytes),
            ("stack", asked.stack, caps.stack, written_bytes),
        ];
        for (name, asked, cap, amount) in bounds {
            if let (Some(asked), Some(cap)) = (asked, cap)
                && asked > cap
            {
                return Err(NotAllowed {
                    module: module.to_owned(),
                    asked: format!("`{name} = {}`: at most {} is allowed", amount(asked), amount(cap)),
                    line: format!("limits = {{ {name} = {} }}", amount(asked)),
                });
            }
        }
        self.granted(module, manifest).map(|_| ())
    }

    /// What an attempt is given; nothing where its manifest asks for nothing.
    ///
    /// # Errors
    /// The first [`NotAllowed`]: the policy may be another than when the module was uploaded.
    pub fn granted(&self, module: &str, manifest: &Manifest) -> Result<Option<Arc<Granted>>, NotAllowed> {
        let grants = &manifest.grants;
        if grants.is_empty() {
            return Ok(None);
        }
        let refuse = |asked: String, line: String| NotAllowed {
            module: module.to_owned(),
            asked,
            line,
        };
        let mut granted = Granted {
            certificates: self.certificates.clone(),
            ..Granted::default()
        };
        for variable in &grants.env {
            let name = &variable.name;
            match &variable.value {
                Some(value) => granted.env.push((name.clone(), Sensitive::new(value))),
                None if self.rules_for(module).any(|rule| any(&rule.env, name)) => match std::env::var(name) {
                    Ok(value) => granted.env.push((name.clone(), Sensitive::new(&value))),
                    Err(_) => granted.unset.push(name.clone()),
                },
                None => return Err(refuse(format!("`env = [\"{name}\"]`"), format!("env = [\"{name}\"]"))),
            }
        }
        for directory in &grants.dirs {
            let Some(root) = self.root_of(module, directory) else {
                let path = directory.path.display();
                let write = if directory.write { ", write = true" } else { "" };
                let line = format!("dirs = [{{ path = \"{path}\"{write} }}]");
                return Err(refuse(format!("`{line}`"), line));
            };
            granted.dirs.push(GrantedDirectory {
                directory: directory.clone(),
                root,
            });
        }
        for pattern in &grants.http {
            let mut rules = self
                .rules_for(module)
                .filter(|rule| rule.http.iter().any(|allowed| allowed.covers(pattern)));
            let Some(first) = rules.next() else {
                let line = format!("http = [\"{pattern}\"]");
                return Err(refuse(format!("`{line}`"), line));
            };
            granted.http.push(GrantedRequests {
                pattern: pattern.clone(),
                private: first.private || rules.any(|rule| rule.private),
            });
        }
        for secret in &grants.secrets {
            let name = &secret.name;
            let line = match &secret.place {
                SecretPlace::Env(_) => format!("secrets = [\"{name}\"]"),
                SecretPlace::Header { origin, .. } => {
                    format!("secrets = [{{ name = \"{name}\", for = \"{origin}\" }}]")
                }
            };
            let mut allowed = self.rules_for(module).flat_map(|rule| &rule.secrets);
            if !allowed.any(|allowed| allowed.covers(name, &secret.place)) {
                return Err(refuse(format!("the secret `{name}`"), line));
            }
            let Some(value) = self.secrets.get(name) else {
                return Err(NotAllowed {
                    module: module.to_owned(),
                    asked: format!("the secret `{name}`, which it doesn't know"),
                    line: format!("{line}` and, below `[secrets]`, `{name} = {{ file = \"FILE\" }}"),
                });
            };
            granted.secrets.push((name.clone(), value.clone()));
            match &secret.place {
                SecretPlace::Env(variable) => granted.env.push((variable.clone(), value.clone())),
                SecretPlace::Header { name, origin, prefix } => granted.headers.push(SecretHeader {
                    name: name.clone(),
                    origin: origin.clone(),
                    prefix: prefix.clone(),
                    value: value.clone(),
                }),
            }
        }
        Ok(Some(Arc::new(granted)))
    }

    /// Whether a module may come in with this signature, or without one.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub fn check_signature(&self, module: &str, signature: Option<&Signature>) -> Result<(), NotSigned> {
        self.signatures.check(module, signature)
    }

    /// Whether a version that was stored may run with the signature it has.
    ///
    /// # Errors
    /// [`NotSigned`]: the policy may be another than when the module was uploaded.
    pub fn check_stored_signature(&self, record: &ModuleRecord) -> Result<(), NotSigned> {
        self.signatures.check_stored(record)
    }

    /// The name of the key that a signature of a module is of; `None` where the policy has no such key.
    pub fn signer(&self, module: &str, signature: &Signature) -> Option<&str> {
        self.signatures.signer(module, signature)
    }

    /// Limits, and nothing above what the policy allows.
    pub fn cap(&self, module: &str, limits: TaskLimits) -> TaskLimits {
        self.caps_for(module).cap(limits)
    }

    /// The names of the secrets it knows.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    fn rules_for(&self, module: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| any(&rule.modules, module))
    }

    /// The caps of the last rule that has one for this module, else everybody's.
    fn caps_for(&self, module: &str) -> AskedLimits {
        self.rules_for(module).fold(self.caps, |caps, rule| AskedLimits {
            fuel: rule.caps.fuel.or(caps.fuel),
            memory: rule.caps.memory.or(caps.memory),
            time_millis: rule.caps.time_millis.or(caps.time_millis),
            output: rule.caps.output.or(caps.output),
            stack: rule.caps.stack.or(caps.stack),
        })
    }

    fn root_of(&self, module: &str, asked: &Directory) -> Option<PathBuf> {
        let mut allowed = self.rules_for(module).flat_map(|rule| &rule.dirs);
        let within =
            |allowed: &&AllowedDirectory| asked.path.starts_with(&allowed.path) && (allowed.write || !asked.write);
        allowed.find(within).map(|allowed| allowed.path.clone())
    }
}

impl AllowedSecret {
    fn covers(&self, name: &str, place: &SecretPlace) -> bool {
        let allows_place = match (&self.origin, place) {
            (None, _) => true,
            (Some(allowed), SecretPlace::Header { origin, .. }) => allowed == origin,
            (Some(_), SecretPlace::Env(_)) => false,
        };
        allows_place && glob(&self.name, name)
    }
}

impl SecretWritten {
    fn allowed(self) -> Result<AllowedSecret, String> {
        Ok(match self {
            Self::Name(name) => AllowedSecret { name, origin: None },
            Self::Header { name, origin } => AllowedSecret {
                name,
                origin: Some(secret_origin(&origin)?),
            },
        })
    }
}

impl RuleWritten {
    fn rule(self, text: &str, at: usize) -> Result<Rule, Mistake> {
        if self.modules.is_empty() {
            let why = "`modules` is empty, so nobody is allowed anything; write `modules = [\"NAME\", \"etl-*\"]`";
            return Err(Mistake::at(text, at, why));
        }
        if let Some(wrong) = self.dirs.iter().find(|allowed| !is_plain_and_absolute(&allowed.path)) {
            let message = format!("`{}` must be an absolute path without `..`", wrong.path.display());
            return Err(Mistake::at(text, at, message));
        }
        let caps = self.limits.limits(text)?;
        let Self {
            modules,
            limits: _,
            env,
            dirs,
            http,
            private,
            secrets,
        } = self;
        let secrets: Result<Vec<_>, String> = secrets.into_iter().map(SecretWritten::allowed).collect();
        let secrets = secrets.map_err(|why| Mistake::at(text, at, why))?;
        Ok(Rule {
            modules,
            caps,
            env,
            dirs,
            http,
            private,
            secrets,
        })
    }
}

/// Whether one of these patterns, in which `*` stands for any text, is the name.
fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, name))
}

#[cfg(test)]
mod tests;
