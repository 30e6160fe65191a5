//! What the tasks of a definition can touch, as far as it is written there.

use engine::ports::{Class, MachineType};
use serde::Serialize;
use serde_json::Value;

use super::definition::{Part, parts};
use super::module_call;
use super::resource::{self, Asked};
use crate::modules::{ModuleReach, Modules, Touch};

/// What one state can touch.
#[derive(Debug, Serialize)]
pub(crate) struct StateReach {
    /// Where in the definition.
    state: String,
    /// What it asks for.
    resource: String,
    /// What its module can touch, where it runs one that is uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<ModuleReach>,
    /// What else it can touch, or might.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    touches: Vec<Touch>,
}

impl StateReach {
    /// Its module's class.
    pub(crate) fn class(&self) -> Option<Class> {
        Some(self.module.as_ref()?.class)
    }
}

/// Every state that touches anything, in the order of the definition.
pub(crate) fn states(document: &Value, modules: &Modules) -> Vec<StateReach> {
    let mut found = Vec::new();
    parts(
        document,
        MachineType::Standard,
        &mut String::new(),
        &mut |part, place| {
            if let Part::Task(state) = part {
                found.push(task(state, place, modules));
            }
        },
    );
    objects(document, &mut String::new(), &mut found);
    found
}

fn task(state: &Value, place: &str, modules: &Modules) -> StateReach {
    let resource = state.get("Resource").and_then(Value::as_str).unwrap_or_default();
    let argument = |name: &str| {
        let argument = state.get("Arguments").or_else(|| state.get("Parameters"))?.get(name)?;
        argument.as_str().filter(|text| !text.starts_with("{%"))
    };
    let written = |name: &str| argument(name).unwrap_or("what is chosen at run time").to_owned();
    let mut reach = StateReach {
        state: place.to_owned(),
        resource: resource.to_owned(),
        module: None,
        touches: Vec::new(),
    };
    let named = module_call::named(state);
    let asked = match named.as_deref().map(resource::parse) {
        Some(Ok(Asked::Module(asked))) => Some(asked),
        Some(Ok(_) | Err(_)) | None => None,
    };
    let touch = match (asked, resource::parse(resource)) {
        (Some(asked), _) => {
            reach.module = modules.reach(asked.module);
            match reach.module {
                Some(_) => None,
                None => Some(Touch::new("module", asked.module.name, "not uploaded")),
            }
        }
        (None, Ok(Asked::Module(_) | Asked::LambdaInvoke { .. } | Asked::WasmInvoke { .. })) => {
            Some(Touch::new("module", "any that is uploaded", "chosen at run time"))
        }
        (None, Ok(Asked::StartExecution(_))) => Some(Touch::new(
            "state machine",
            written("StateMachineArn"),
            "starts executions",
        )),
        (None, Ok(Asked::Sdk(operation))) => Some(Touch::new("this server", operation, "calls its API")),
        (None, Ok(Asked::Http)) => {
            let method = written("Method");
            let connection = state
                .pointer("/Arguments/Authentication/ConnectionArn")
                .or_else(|| state.pointer("/Parameters/Authentication/ConnectionArn"))
                .or_else(|| state.pointer("/Arguments/InvocationConfig/ConnectionArn"))
                .or_else(|| state.pointer("/Parameters/InvocationConfig/ConnectionArn"))
                .and_then(Value::as_str)
                .unwrap_or("what is chosen at run time");
            let how = format!("{method}, with the connection {connection}");
            Some(Touch::new("http", written("ApiEndpoint"), how))
        }
        (None, Ok(Asked::Activity(name))) => Some(Touch::new("activity", name, "done by workers outside")),
        (None, Err(_)) => None,
    };
    reach.touches.extend(touch);
    reach
}

/// Data sets that Map states read and results they write.
fn objects(node: &Value, place: &mut String, found: &mut Vec<StateReach>) {
    let states = node.get("States").and_then(Value::as_object);
    for (name, state) in states.into_iter().flatten() {
        let here = place.len();
        place.push_str("/States/");
        place.push_str(name);
        for (field, how) in [("ItemReader", "read"), ("ResultWriter", "write")] {
            let Some(part) = state.get(field) else { continue };
            let parameters = part.get("Arguments").or_else(|| part.get("Parameters"));
            let Some(parameters) = parameters else { continue };
            let written = |name: &str| parameters.get(name).and_then(Value::as_str);
            let bucket = written("Bucket").filter(|bucket| !bucket.starts_with("{%"));
            let key = written("Key").or_else(|| written("Prefix")).unwrap_or("*");
            let what = match bucket {
                Some(bucket) => format!("s3://{bucket}/{key}"),
                None => "what is chosen at run time".to_owned(),
            };
            found.push(StateReach {
                state: place.clone(),
                resource: part["Resource"].as_str().unwrap_or_default().to_owned(),
                module: None,
                touches: vec![Touch::new("objects", what, how)],
            });
        }
        let inner = ["Iterator", "ItemProcessor"]
            .into_iter()
            .filter_map(|field| state.get(field));
        let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        for part in inner.chain(branches) {
            objects(part, place, found);
        }
        place.truncate(here);
    }
}
