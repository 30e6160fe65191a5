//! What is kept in memory of one module: its versions, and its labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::Failure;
use engine::ports::{LabelRecord, ModuleRecord};

use super::Version;

/// Labels of a module that a message lists at most.
const LABELS_LISTED: usize = 10;

/// A module with a version at least.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// In rising order.
    pub(super) versions: Vec<Arc<ModuleRecord>>,
    pub(super) labels: BTreeMap<String, LabelRecord>,
}

impl Kept {
    /// The version that is meant.
    pub(super) fn version(&self, version: Version<'_>) -> Option<&Arc<ModuleRecord>> {
        let numbered = |number: u32| self.versions.iter().find(|record| record.version == number);
        match version {
            Version::Newest => self.versions.last(),
            Version::Number(number) => numbered(number),
            // Of versions with the same component the oldest: what is pinned doesn't change with an upload.
            Version::Digest(digest) => self.versions.iter().find(|record| *record.digest.0 == *digest),
            Version::Label(label) => numbered(self.labels.get(label)?.version),
        }
    }

    /// The labels that point at a version, in their order.
    pub(super) fn labels_at(&self, version: u32) -> Vec<String> {
        let pointing = self.labels.values().filter(|label| label.version == version);
        pointing.map(|label| label.label.clone()).collect()
    }

    /// Why a version that is meant isn't there.
    pub(super) fn missing(&self, name: &str, version: Version<'_>) -> Failure {
        let newest = self.versions.last().map_or(0, |record| record.version);
        if let Version::Label(label) = version {
            let labels: Vec<String> = self
                .labels
                .keys()
                .take(LABELS_LISTED)
                .map(|label| format!("`{label}`"))
                .collect();
            let there = match &labels[..] {
                [] => "it has none".to_owned(),
                labels => format!("it has {}", labels.join(", ")),
            };
            return not_found(format!(
                "module `{name}` has no label `{label}`, {there}; set it with `sandstep modules label {name} {label} \
                 VERSION` or `PUT /v1/modules/{name}/labels/{label}`"
            ));
        }
        not_found(format!(
            "module `{name}` has no version{version}, its newest is {newest}; name one of those that \
             `GET /v1/modules/{name}` lists"
        ))
    }
}

pub(super) fn not_found(cause: String) -> Failure {
    Failure::new("Sandbox.ModuleNotFound", cause)
}
