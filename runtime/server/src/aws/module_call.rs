//! Which module a Task state calls, and what of the input is written in the definition.

use serde_json::{Map, Value};

use super::resource::{self, Asked, Resource};

/// Stands in an input where a value comes at run time. No definition has it.
pub(super) const UNKNOWN: &str = "\u{0}unknown";

/// A call as a definition has it.
#[derive(Debug)]
pub(super) struct Call {
    /// As a `Resource` is written.
    resource: String,
    /// The input, where something of it is written.
    pub(super) input: Option<Value>,
    /// Where the module is named, below the state.
    pub(super) place_of_module: &'static str,
    /// Where the input is written, below the state.
    pub(super) place_of_input: &'static str,
}

impl Call {
    /// The call of a module that a Task state makes; `None` where it makes another, or says which at run time.
    pub(super) fn of(state: &Value) -> Option<Self> {
        let resource = state.get("Resource").and_then(Value::as_str)?;
        let (field, arguments) = arguments(state);
        match resource::parse(resource).ok()? {
            Asked::Module(_) => Some(Self {
                resource: resource.to_owned(),
                input: arguments,
                place_of_module: "/Resource",
                place_of_input: field,
            }),
            Asked::WasmInvoke { .. } => {
                let arguments = arguments?;
                let known = |name: &str| match arguments.get(name) {
                    None => Some(None),
                    Some(value) => value.as_str().filter(|text| *text != UNKNOWN).map(Some),
                };
                let module = known("Module")??;
                let function = known("Function")?.map_or_else(String::new, |function| format!("#{function}"));
                let payload = arguments.get("Payload").cloned();
                Some(Self {
                    resource: format!("wasm:{}{function}", module.trim_start_matches("wasm:")),
                    input: Some(payload.unwrap_or_else(|| Value::Object(Map::new()))),
                    place_of_module: field,
                    place_of_input: field,
                })
            }
            _ => None,
        }
    }

    /// The module and the function.
    pub(super) fn asked(&self) -> Option<Resource<'_>> {
        match resource::parse(&self.resource) {
            Ok(Asked::Module(asked)) => Some(asked),
            Ok(_) | Err(_) => None,
        }
    }
}

/// The module that a Task state names, also as a function of `lambda:invoke`; as a `Resource` is written. `None` where it
/// runs none, or says which at run time.
pub(super) fn named(state: &Value) -> Option<String> {
    if let Some(call) = Call::of(state) {
        return Some(call.resource);
    }
    let resource = state.get("Resource").and_then(Value::as_str)?;
    if !matches!(resource::parse(resource).ok()?, Asked::LambdaInvoke { .. }) {
        return None;
    }
    let arguments = arguments(state).1?;
    let text = |name: &str| arguments.get(name)?.as_str().filter(|text| *text != UNKNOWN);
    let function = text("FunctionName")?;
    let arn = match function.starts_with("arn:") {
        true => function.to_owned(),
        false => format!("arn:aws:lambda:::function:{function}"),
    };
    match (arguments.get("Qualifier"), text("Qualifier")) {
        (None, _) => Some(arn),
        (Some(_), qualifier) => Some(format!("{arn}:{}", qualifier?)),
    }
}

/// What a state hands to its task, as far as it is written there, and in which field.
fn arguments(state: &Value) -> (&'static str, Option<Value>) {
    match (state.get("Arguments"), state.get("Parameters")) {
        (Some(arguments), _) => ("/Arguments", Some(of_jsonata(arguments))),
        (None, Some(parameters)) => ("/Parameters", Some(of_json_path(parameters))),
        (None, None) => ("", None),
    }
}

fn of_jsonata(template: &Value) -> Value {
    match template {
        Value::String(text) if text.starts_with("{%") && text.ends_with("%}") => Value::String(UNKNOWN.to_owned()),
        Value::Array(items) => items.iter().map(of_jsonata).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), of_jsonata(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn of_json_path(template: &Value) -> Value {
    match template {
        Value::Array(items) => items.iter().map(of_json_path).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match name.strip_suffix(".$") {
                Some(name) => (name.to_owned(), Value::String(UNKNOWN.to_owned())),
                None => (name.clone(), of_json_path(value)),
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_of_lambda_are_modules() {
        let invoke =
            |parameters: Value| named(&json!({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay:live";
        assert_eq!(invoke(json!({"FunctionName": arn})).as_deref(), Some(arn));
        assert_eq!(
            invoke(json!({"FunctionName": "pay"})).as_deref(),
            Some("arn:aws:lambda:::function:pay")
        );
        assert_eq!(
            invoke(json!({"FunctionName": "pay", "Qualifier": "3"})).as_deref(),
            Some("arn:aws:lambda:::function:pay:3")
        );
        assert_eq!(invoke(json!({"FunctionName": "pay", "Qualifier.$": "$.q"})), None);
        assert_eq!(invoke(json!({"FunctionName.$": "$.f"})), None);
        assert_eq!(
            named(&json!({"Resource": "wasm:pay@prod"})).as_deref(),
            Some("wasm:pay@prod")
        );
        assert_eq!(named(&json!({"Resource": "arn:aws:states:::http:invoke"})), None);
    }

    #[test]
    fn what_comes_at_run_time_is_unknown() {
        let call = |state: Value| {
            let call = Call::of(&state)?;
            Some((call.resource.clone(), call.input.unwrap_or_default()))
        };
        let resource = "wasm:geo#distance";
        assert_eq!(
            call(json!({"Resource": resource, "Arguments": {"a": "{% $x %}", "b": [1, "{%%}"]}})),
            Some((resource.into(), json!({"a": UNKNOWN, "b": [1, UNKNOWN]})))
        );
        assert_eq!(
            call(json!({"Resource": resource, "Parameters": {"a.$": "$.x", "b": {"c.$": "$"}, "d": 1}})),
            Some((resource.into(), json!({"a": UNKNOWN, "b": {"c": UNKNOWN}, "d": 1})))
        );
        assert_eq!(
            call(json!({"Resource": resource})),
            Some((resource.into(), Value::Null))
        );
        let invoke = "arn:aws:states:::wasm:invoke";
        assert_eq!(
            call(
                json!({"Resource": invoke, "Parameters": {"Module": "geo@2", "Function": "distance", "Payload.$": "$"}})
            ),
            Some(("wasm:geo@2#distance".into(), json!(UNKNOWN)))
        );
        assert_eq!(
            call(json!({"Resource": invoke, "Arguments": {"Module": "wasm:geo"}})),
            Some(("wasm:geo".into(), json!({})))
        );
        assert_eq!(
            call(json!({"Resource": invoke, "Parameters": {"Module.$": "$.module"}})),
            None
        );
        assert_eq!(
            call(json!({"Resource": invoke, "Parameters": {"Module": "geo", "Function.$": "$.function"}})),
            None
        );
        assert_eq!(call(json!({"Resource": "arn:aws:states:::http:invoke"})), None);
    }
}
