//! What a definition asks of modules, beside what is uploaded here: warnings, since a module may still come.

use engine::ports::{CallProblem, CallSketch, Class, MachineType, ModuleDescription, Restart};
use serde_json::Value;

use super::definition::{Finding, Part, parts};
use super::module_call::{Call, UNKNOWN};
use super::resource::Resource;
use crate::modules::{Modules, Version, comes_back};

/// No module of this name or version is uploaded.
const UNKNOWN_MODULE: &str = "UNKNOWN_MODULE";
/// The module has no label of this name.
const UNKNOWN_LABEL: &str = "UNKNOWN_LABEL";
/// The module exports no such function.
const UNKNOWN_FUNCTION: &str = "UNKNOWN_FUNCTION";
/// What is written as the function's input doesn't fit its types.
const WRONG_ARGUMENTS: &str = "WRONG_ARGUMENTS";
/// The state retries what fails the same way every time.
const RETRY_IN_VAIN: &str = "RETRY_IN_VAIN";
/// The module's effects are not repeated after a crash, and the state doesn't say what happens instead.
const RESTART_NOT_HANDLED: &str = "RESTART_NOT_HANDLED";
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
            match modules.find(asked.module) {
                Ok(found) => {
                    let description = &found.record.description;
                    if let Err(problem) = modules.check_call(&found.record, sketch(&call, &asked)) {
                        about_call(&call, &asked, problem, &mut warn);
                    }
                    about_heartbeats(state, &asked, description, &mut warn);
                    about_retries(state, &asked, description, &mut warn);
                }
                Err(failure) => {
                    let cause = failure.cause.unwrap_or_default();
                    warn(code_of(modules, &asked), call.place_of_module, cause);
                }
            }
        },
    );
    found
}

/// What is missing.
fn code_of(modules: &Modules, asked: &Resource<'_>) -> &'static str {
    match asked.module.version {
        Version::Label(_) if modules.labels(asked.module.name).is_some() => UNKNOWN_LABEL,
        Version::Label(_) | Version::Newest | Version::Number(_) | Version::Digest(_) => UNKNOWN_MODULE,
    }
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

fn about_retries(
    state: &Value,
    asked: &Resource<'_>,
    module: &ModuleDescription,
    warn: &mut impl FnMut(&'static str, &str, String),
) {
    let name = asked.module.name;
    let errors = |rule: &Value| -> Vec<String> {
        let errors = rule["ErrorEquals"].as_array().into_iter().flatten();
        errors.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let rules = |field: &str| state.get(field).and_then(Value::as_array).into_iter().flatten();
    if module.class() == Class::Pure {
        for (index, retrier) in rules("Retry").enumerate() {
            let errors = errors(retrier);
            if !errors.is_empty() && errors.iter().all(|error| comes_back(error)) {
                let listed: Vec<String> = errors.iter().map(|error| format!("`{error}`")).collect();
                let message = format!(
                    "module `{name}` is pure, so {} comes back with the same input; catch it instead of retrying it",
                    listed.join(", ")
                );
                warn(RETRY_IN_VAIN, &format!("/Retry[{index}]"), message);
            }
        }
    }
    let handles = |rule: &Value| errors(rule).iter().any(|error| HANDLES_A_RESTART.contains(&&**error));
    if module.restart() == Restart::Fail && !rules("Retry").chain(rules("Catch")).any(handles) {
        let message = format!(
            "module `{name}` is {}, so an attempt that a crash of the server interrupts is not repeated and fails with \
             `{}`, which the state neither retries nor catches",
            module.class().as_str(),
            HANDLES_A_RESTART[0]
        );
        warn(RESTART_NOT_HANDLED, "/Resource", message);
    }
}

/// Names that match the failure of an attempt that was interrupted and is not repeated.
const HANDLES_A_RESTART: [&str; 3] = ["Sandbox.HostRestarted", "States.TaskFailed", "States.ALL"];

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
