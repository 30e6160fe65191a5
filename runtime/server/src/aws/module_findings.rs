//! What a definition asks of modules, beside what is uploaded here: warnings, since a module may still come.

use engine::ports::{MachineType, ModuleDescription};
use serde_json::Value;

use super::definition::{Finding, Part, parts};
use super::resource::{self, Asked, Resource};
use crate::modules::Modules;

/// No module of this name or version is uploaded.
const UNKNOWN_MODULE: &str = "UNKNOWN_MODULE";
/// The module exports no such function.
const UNKNOWN_FUNCTION: &str = "UNKNOWN_FUNCTION";
/// The state waits for heartbeats that the module can't send.
const HEARTBEAT_NEVER_SENT: &str = "HEARTBEAT_NEVER_SENT";
/// The module sends heartbeats that the state doesn't wait for.
const HEARTBEAT_NOT_AWAITED: &str = "HEARTBEAT_NOT_AWAITED";

/// The host's function that a beating module imports, behind the name of its interface.
const BEATS: &str = "#heartbeat";
/// The interface it is in, of any version.
const HOST: &str = "sandstep:task/host@";

/// Warnings about the Task states of a definition.
pub fn warnings(document: &Value, modules: &Modules) -> Vec<Finding> {
    let mut found = Vec::new();
    parts(
        document,
        MachineType::Standard,
        &mut String::new(),
        &mut |part, place| {
            let Part::Task(state) = part else { return };
            let resource = state.get("Resource").and_then(Value::as_str).unwrap_or_default();
            let Ok(Asked::Module(asked)) = resource::parse(resource) else {
                return;
            };
            let mut warn = |code: &'static str, field: &str, message: String| {
                found.push(Finding {
                    severity: "WARNING",
                    code,
                    message,
                    location: Some(format!("{place}{field}")),
                });
            };
            match modules.description(asked.module) {
                Some(description) => about(state, &asked, &description, &mut warn),
                None => {
                    let cause = modules.find(asked.module).err().and_then(|failure| failure.cause);
                    warn(UNKNOWN_MODULE, "/Resource", cause.unwrap_or_default());
                }
            }
        },
    );
    found
}

fn about(
    state: &Value,
    asked: &Resource<'_>,
    module: &ModuleDescription,
    warn: &mut impl FnMut(&'static str, &str, String),
) {
    let name = asked.module.name;
    if let Some(function) = asked
        .function
        .filter(|function| !module.exports.iter().any(|export| export == function))
    {
        let exports: Vec<String> = module.exports.iter().map(|export| format!("`{export}`")).collect();
        let message = format!(
            "module `{name}` exports no function `{function}`, but {}; name one of them or none",
            exports.join(", ")
        );
        warn(UNKNOWN_FUNCTION, "/Resource", message);
    }
    let waits = ["HeartbeatSeconds", "HeartbeatSecondsPath"]
        .into_iter()
        .find(|field| state.get(*field).is_some());
    let beats = module.imports.iter().any(|import| import.ends_with(BEATS));
    // of modules that an older version took the functions are not known
    let known = !module.imports.iter().any(|import| import.starts_with(HOST))
        || module.imports.iter().any(|import| import.contains('#'));
    match waits {
        Some(field) if known && !beats => {
            let message = format!(
                "module `{name}` never sends a heartbeat, so every attempt longer than `{field}` times out; call the \
                 host's `heartbeat`, or use TimeoutSeconds"
            );
            warn(HEARTBEAT_NEVER_SENT, &format!("/{field}"), message);
        }
        None if beats => {
            let message = format!(
                "module `{name}` sends heartbeats and this state doesn't wait for them; set HeartbeatSeconds to notice \
                 when they stop"
            );
            warn(HEARTBEAT_NOT_AWAITED, "", message);
        }
        Some(_) | None => {}
    }
}
