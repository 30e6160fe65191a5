//! All that a module can touch: what its component imports and its manifest grants.

use engine::ports::{Class, HttpPattern, ModuleRecord, Restart, SecretPlace, TaskLimits};
use serde::Serialize;

use super::{ModuleReference, Modules};

/// All that a version of a module can touch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModuleReach {
    module: String,
    version: u32,
    /// What points at that version.
    labels: Vec<String>,
    pub(crate) class: Class,
    restart: Restart,
    /// With the policy's caps.
    limits: TaskLimits,
    pub(crate) touches: Vec<Touch>,
    /// Why its tasks fail as things are: the policy doesn't allow what its manifest asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// One thing that can be touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Touch {
    /// What kind of thing.
    kind: &'static str,
    /// Which.
    what: String,
    /// How.
    how: String,
}

impl Touch {
    pub(crate) fn new(kind: &'static str, what: impl Into<String>, how: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            how: how.into(),
        }
    }
}

impl Modules {
    /// What the version a task asks for can touch; `None` where it isn't uploaded.
    pub(crate) fn reach(&self, reference: ModuleReference<'_>) -> Option<ModuleReach> {
        let record = self.record(reference)?;
        Some(self.reach_of(&record))
    }

    /// What a version can touch.
    pub(crate) fn reach_of(&self, record: &ModuleRecord) -> ModuleReach {
        let description = &record.description;
        let policy = self.policy();
        let unsigned = policy.check_stored_signature(record).err();
        let unsigned = unsigned.map(|refused| format!("{refused}; {}", refused.hint()));
        let refused = policy.granted(&record.name, &description.manifest).err();
        let refused = refused.map(|refused| format!("{refused}; {}", refused.hint()));
        ModuleReach {
            module: record.name.clone(),
            version: record.version,
            labels: self.labels_at(&record.name, record.version),
            class: description.class(),
            restart: description.restart(),
            limits: policy.cap(&record.name, description.limits),
            touches: touches(record),
            refused: unsigned.or(refused),
        }
    }
}

/// What is granted and can't be reached, because the component imports no interface for it, is left out.
fn touches(record: &ModuleRecord) -> Vec<Touch> {
    let description = &record.description;
    let imports = |interface: &str| description.imports.iter().any(|import| import.starts_with(interface));
    let calls = |interface: &str| {
        let mut functions = description.imports.iter().filter(|import| import.contains('#'));
        functions.any(|import| import.starts_with(interface))
    };
    let grants = &description.manifest.grants;
    let mut touches = Vec::new();
    if calls("wasi:clocks/") {
        touches.push(Touch::new("clock", "the time", "read"));
    }
    if calls("wasi:random/") {
        touches.push(Touch::new("random", "random numbers", "read"));
    }
    if imports("wasi:cli/environment") {
        for variable in &grants.env {
            let how = match variable.value {
                Some(_) => "set by the manifest",
                None => "read from the server's environment",
            };
            touches.push(Touch::new("env", &variable.name, how));
        }
    }
    if imports("wasi:filesystem/") {
        for directory in &grants.dirs {
            let rights = if directory.write { "read and write" } else { "read" };
            let how = format!("{rights}, as {}", directory.guest);
            touches.push(Touch::new("dir", directory.path.display().to_string(), how));
        }
    }
    let requests = imports("wasi:http/outgoing-handler");
    if requests {
        for pattern in &grants.http {
            let how = if HttpPattern::is_safe(pattern) {
                "read"
            } else {
                "read and write"
            };
            touches.push(Touch::new("http", pattern.to_string(), how));
        }
    }
    for secret in &grants.secrets {
        match &secret.place {
            SecretPlace::Env(variable) if imports("wasi:cli/environment") => {
                let how = format!("given to the guest in the variable {variable}");
                touches.push(Touch::new("secret", &secret.name, how));
            }
            SecretPlace::Header { name, origin, .. } if requests => {
                let how = format!("put by the host into the header {name} of requests to {origin}");
                touches.push(Touch::new("secret", &secret.name, how));
            }
            SecretPlace::Env(_) | SecretPlace::Header { .. } => {}
        }
    }
    touches
}
