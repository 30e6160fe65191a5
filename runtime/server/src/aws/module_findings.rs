//! What a definition asks of modules, beside what is uploaded here: warnings, since a module may still come.

use engine::ports::{CallProblem, CallSketch, MachineType, ModuleDescription};
use serde_json::Value;

use super::definition::{Finding, Part, parts};
use super::module_call::{Call, UNKNOWN};
use super::resource::Resource;
use crate::modules::Modules;

/// No module of this name or version is uploaded.
const UNKNOWN_MODULE: &str = "UNKNOWN_MODULE";
/// The module exports no such function.
const UNKNOWN_FUNCTION: &str = "UNKNOWN_FUNCTION";
/// What is written as the function's input doesn't fit its types.
const WRONG_ARGUMENTS: &str = "WRONG_ARGUMENTS";
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
            let Some(call) = Call::of(state) else { return };
            let Some(asked) = call.asked() else { return };
            let mut warn = |code: &'static str, field: &str, message: String| {
                found.push(Finding {
                    severity: "WARNING",
                    code,
                    message,
                    location: Some(format!("{place}{field}")),
                });
            };
            match modules.description(asked.module) {
                Some(description) => {
                    if let Err(problem) = modules.check_call(asked.module, sketch(&call, &asked)) {
                        about_call(&call, &asked, problem, &mut warn);
                    }
                    about_heartbeats(state, &asked, &description, &mut warn);
                }
                None => {
                    let cause = modules.find(asked.module).err().and_then(|failure| failure.cause);
                    warn(UNKNOWN_MODULE, call.place_of_module, cause.unwrap_or_default());
                }
            }
        },
    );
    found
}

fn sketch<'a>(call: &'a Call, asked: &Resource<'a>) -> CallSketch<'a> {
    CallSketch {
        function: asked.function,
        input: call.input.as_ref(),
        unknown: UNKNOWN,
    }
}

fn about_call(
    call: &Call,
    asked: &Resource<'_>,
    problem: CallProblem,
    warn: &mut impl FnMut(&'static str, &str, String),
) {
    let name = asked.module.name;
    match problem {
        CallProblem::NoSuchFunction(why) => {
            warn(
                UNKNOWN_FUNCTION,
                call.place_of_module,
                format!("module `{name}`: {why}"),
            );
        }
        CallProblem::WrongInput(why) => {
            warn(WRONG_ARGUMENTS, call.place_of_input, format!("module `{name}`: {why}"));
        }
    }
}

fn about_heartbeats(
    state: &Value,
    asked: &Resource<'_>,
    module: &ModuleDescription,
    warn: &mut impl FnMut(&'static str, &str, String),
) {
    let name = asked.module.name;
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
