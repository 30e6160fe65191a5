//! `arn:aws:states:::wasm:invoke`: a module named by a task's parameters, with limits of the state's own where it wants
//! some. The result is what the module returned.

use asl::{Failure, Payload};
use engine::ports::TaskLimits;
use serde::Deserialize;

use super::resource::{self, Asked, Resource};

/// What the state's Parameters or Arguments ask for.
#[derive(Debug)]
pub struct Invocation {
    /// As a `Resource` is written.
    module: String,
    /// The module's input.
    pub payload: Payload,
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Parameters {
    module: Option<String>,
    function: Option<String>,
    payload: Option<Payload>,
    #[serde(default)]
    limits: Limits,
}

/// What an attempt may use, where it isn't what every attempt of the module may.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Limits {
    /// Units of fuel.
    fuel: Option<Amount>,
    /// Bytes.
    memory: Option<Amount>,
}

/// A positive whole number; JSONata writes some as `1e9`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Amount(u64);

impl TryFrom<serde_json::Number> for Amount {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        let whole =
            |float: f64| (float.fract() == 0.0 && (1.0..u64::MAX as f64).contains(&float)).then_some(float as u64);
        let amount = number.as_u64().or_else(|| number.as_f64().and_then(whole));
        match amount.filter(|amount| *amount > 0) {
            Some(amount) => Ok(Self(amount)),
            None => Err(format!("`{number}` is no limit; write a positive whole number")),
        }
    }
}

impl Invocation {
    /// Reads the parameters of a task.
    ///
    /// # Errors
    /// The failure of a task whose parameters aren't those of an invocation.
    pub fn read(parameters: &Payload) -> Result<Self, Failure> {
        let refuse = |cause: String| Failure::new("States.Runtime", cause);
        let asked: Parameters = serde_json::from_str(parameters.text())
            .map_err(|error| refuse(format!("the parameters of wasm:invoke can't be read: {error}")))?;
        let module = asked
            .module
            .ok_or_else(|| refuse("The field 'Module' is required but was missing".into()))?;
        let function = asked
            .function
            .map_or_else(String::new, |function| format!("#{function}"));
        Ok(Self {
            module: format!("wasm:{}{function}", module.trim_start_matches("wasm:")),
            payload: asked.payload.unwrap_or_else(Payload::empty_object),
            limits: asked.limits,
        })
    }

    /// The module that is meant.
    ///
    /// # Errors
    /// The failure of a task that names none.
    pub fn module(&self) -> Result<Resource<'_>, Failure> {
        match resource::parse(&self.module).map_err(resource::refused)? {
            Asked::Module(module) => Ok(module),
            _ => Err(resource::refused(format!("`{}` names no module", self.module))),
        }
    }

    /// The module's limits, and the state's in their place. The sandbox gives nobody more than its operator lets it.
    pub fn limits(&self, of_module: TaskLimits) -> TaskLimits {
        TaskLimits {
            fuel: self.limits.fuel.map_or(of_module.fuel, |Amount(fuel)| fuel),
            memory: self.limits.memory.map_or(of_module.memory, |Amount(memory)| memory),
            ..of_module
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::Version;

    fn read(text: &str) -> Result<Invocation, Failure> {
        Invocation::read(&Payload::from_text(text).expect("JSON"))
    }

    #[test]
    fn modules_are_named_as_in_resources() {
        let named = |text: &str| {
            let invocation = read(text).expect("an invocation");
            let module = invocation.module()?;
            let newest = module.module.version == Version::Newest;
            Ok::<_, Failure>((
                module.module.name.to_owned(),
                newest,
                module.function.map(str::to_owned),
            ))
        };
        assert_eq!(named(r#"{"Module": "charge"}"#), Ok(("charge".into(), true, None)));
        assert_eq!(
            named(r#"{"Module": "wasm:charge@3", "Function": "refund"}"#),
            Ok(("charge".into(), false, Some("refund".into())))
        );
        assert!(named(r#"{"Module": ""}"#).is_err());
        assert!(named(r#"{"Module": "charge@prod"}"#).is_ok_and(|(_, newest, _)| !newest));
        assert!(named(r#"{"Module": "charge@a.b"}"#).is_err());
    }

    #[test]
    fn a_state_may_have_limits_of_its_own() {
        let module = TaskLimits {
            fuel: 5,
            memory: 6,
            ..TaskLimits::default()
        };
        let limits = |text: &str| read(text).map(|invocation| invocation.limits(module));
        assert_eq!(limits(r#"{"Module": "m"}"#), Ok(module));
        assert_eq!(
            limits(r#"{"Module": "m", "Limits": {"Fuel": 1e9}}"#),
            Ok(TaskLimits {
                fuel: 1_000_000_000,
                memory: 6,
                ..module
            })
        );
        assert_eq!(
            limits(r#"{"Module": "m", "Limits": {"Fuel": 1, "Memory": 65536}}"#),
            Ok(TaskLimits {
                fuel: 1,
                memory: 65_536,
                ..module
            })
        );
        for wrong in ["0", "-1", "1.5", "\"1\"", "{}"] {
            let failure = limits(&format!(r#"{{"Module": "m", "Limits": {{"Memory": {wrong}}}}}"#));
            assert_eq!(
                failure.expect_err("no limit").error.as_deref(),
                Some("States.Runtime"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_missing_or_misspelt_is_told() {
        let cause = |text: &str| read(text).expect_err("refused").cause.unwrap_or_default();
        assert!(cause("{}").contains("'Module'"));
        assert!(cause(r#"{"Module": "m", "Paylod": 1}"#).contains("`Paylod`"));
        assert!(cause(r#"{"Module": "m", "Limits": {"Time": 1}}"#).contains("`Time`"));
        assert!(cause("[]").contains("wasm:invoke"));
        let invocation = read(r#"{"Module": "m"}"#).expect("an invocation");
        assert_eq!(invocation.payload.text(), "{}");
    }
}
