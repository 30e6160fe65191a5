//! Which state machines name a version of a module or one of its labels.

use engine::ids::Digest;
use engine::ports::{CatalogueError, MachineType};
use serde_json::Value;

use super::definition::{Part, parts};
use super::module_call;
use super::resource::{self, Asked};
use crate::machines::{Machine, Machines};
use crate::modules::{ModuleReference, Version};

/// The state machines, in the order they were created, that name what is meant of a module: now, or in one of their
/// versions. Blocks while the store reads.
///
/// # Errors
/// [`CatalogueError`] when a definition can't be read.
pub(crate) fn of(
    machines: &Machines,
    module: &str,
    meant: impl Fn(Version<'_>) -> bool,
) -> Result<Vec<String>, CatalogueError> {
    let mut users = Vec::new();
    for machine in machines.list() {
        for definition in definitions(&machine, module) {
            if names(&machines.text(definition)?, module, &meant) {
                users.push(machine.record.name.clone());
                break;
            }
        }
    }
    Ok(users)
}

/// The definitions of a machine and its versions that name the module at all.
fn definitions<'m>(machine: &'m Machine, module: &str) -> Vec<&'m Digest> {
    let versions = machine.versions.values().map(|version| &version.record);
    let mut found: Vec<&Digest> = versions
        .map(|version| (&version.modules, &version.definition))
        .chain([(&machine.record.modules, &machine.record.definition)])
        .filter(|(modules, _)| modules.iter().any(|named| named == module))
        .map(|(_, definition)| definition)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The labels that a definition names, each behind its module.
pub(crate) fn labels_in(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    visit(text, &mut |module| {
        if let Version::Label(label) = module.version {
            labels.push((module.name.to_owned(), label.to_owned()));
        }
    });
    labels.sort();
    labels.dedup();
    labels
}

fn names(text: &str, module: &str, meant: &impl Fn(Version<'_>) -> bool) -> bool {
    let mut found = false;
    visit(text, &mut |asked| found |= asked.name == module && meant(asked.version));
    found
}

/// Every module that a definition names.
fn visit(text: &str, found: &mut impl FnMut(ModuleReference<'_>)) {
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return;
    };
    parts(&document, MachineType::Standard, &mut String::new(), &mut |part, _| {
        let Part::Task(state) = part else { return };
        let named = module_call::named(state);
        if let Some(Ok(Asked::Module(asked))) = named.as_deref().map(resource::parse) {
            found(asked.module);
        }
    });
}
