//! What a Task state's `Resource` asks for.

use asl::Failure;

use crate::modules::{ModuleReference, Version};

/// What a `Resource` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A module.
    Module(Resource<'a>),
    /// `arn:<partition>:states:::lambda:invoke`: a module named by the task's parameters.
    LambdaInvoke,
}

/// A module this server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The module.
    pub module: ModuleReference<'a>,
    /// The exported function to call; the module's entry point when absent.
    pub function: Option<&'a str>,
    /// How it was written, which decides the error names its author expects.
    pub form: Form,
}

/// The ways to write a module down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `wasm:<module>[@<version>|@sha256:<digest>][#<function>]`.
    Native,
    /// `arn:<partition>:lambda:<region>:<account>:function:<module>[:<version>]`, so that definitions
    /// written for AWS run unchanged.
    Function,
}

/// Longest `Resource` shown in a message, in characters.
const SHOWN_LENGTH: usize = 256;

/// Reads a `Resource`.
///
/// # Errors
/// A text for the definition's author: why this server doesn't run it, and what it runs.
pub fn parse(resource: &str) -> Result<Asked<'_>, String> {
    if let Some(module) = resource.strip_prefix("wasm:") {
        return native(module).map(Asked::Module).ok_or_else(|| {
            format!(
                "`{}` names no module; write wasm:NAME, wasm:NAME@VERSION or wasm:NAME@sha256:DIGEST",
                shown(resource)
            )
        });
    }
    let parts: Vec<&str> = resource.splitn(9, ':').collect();
    match parts[..] {
        ["arn", _, "states", "", "", "lambda", "invoke"] => Ok(Asked::LambdaInvoke),
        ["arn", _, "lambda", _, _, "function", name] if !name.is_empty() => qualified(name, None),
        ["arn", _, "lambda", _, _, "function", name, qualifier] if !name.is_empty() => qualified(name, Some(qualifier)),
        _ => Err(format!(
            "the resource provided `{}` is not recognized; this server runs modules, written \
             wasm:NAME[@VERSION] or arn:aws:lambda:REGION:ACCOUNT:function:NAME[:VERSION]",
            shown(resource)
        )),
    }
}

/// A function by its name alone, `<name>[:<version>]`.
pub fn named_function(text: &str) -> Option<Resource<'_>> {
    let (name, qualifier) = match text.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (text, None),
    };
    match qualified(name, qualifier) {
        Ok(Asked::Module(module)) if !name.is_empty() => Some(module),
        _ => None,
    }
}

fn qualified<'a>(name: &'a str, qualifier: Option<&'a str>) -> Result<Asked<'a>, String> {
    let version = match qualifier {
        None | Some("$LATEST") => Version::Newest,
        Some(text) => Version::Number(text.parse().map_err(|_| {
            format!(
                "function `{}` is named with the alias `{}`, and modules have numbered versions only; name a number or leave it out",
                shown(name),
                shown(text)
            )
        })?),
    };
    Ok(Asked::Module(function(name, version)))
}

/// The failure of a task whose resource is `parse`'s error.
pub fn refused(reason: String) -> Failure {
    Failure::new("States.Runtime", reason)
}

/// A missing module, named as the form's author expects.
pub fn not_found(form: Form, failure: Failure) -> Failure {
    match form {
        Form::Native => failure,
        Form::Function => Failure {
            error: Some("Lambda.ResourceNotFoundException".into()),
            ..failure
        },
    }
}

fn native(text: &str) -> Option<Resource<'_>> {
    let (text, function) = match text.split_once('#') {
        Some((module, function)) if !function.is_empty() => (module, Some(function)),
        Some(_) => return None,
        None => (text, None),
    };
    let (name, version) = match text.split_once('@') {
        None => (text, Version::Newest),
        Some((name, digest)) if digest.starts_with("sha256:") => (name, Version::Digest(digest)),
        Some((name, number)) => (name, Version::Number(number.parse().ok()?)),
    };
    let module = ModuleReference { name, version };
    (!name.is_empty()).then_some(Resource {
        module,
        function,
        form: Form::Native,
    })
}

fn function<'a>(name: &'a str, version: Version<'a>) -> Resource<'a> {
    Resource {
        module: ModuleReference { name, version },
        function: None,
        form: Form::Function,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_natively_and_as_functions() {
        let parsed = |text| match parse(text) {
            Ok(Asked::Module(resource)) => Ok((resource.module.name, resource.module.version, resource.function)),
            Ok(Asked::LambdaInvoke) => Err("the service".to_owned()),
            Err(refusal) => Err(refusal),
        };
        assert_eq!(parsed("wasm:charge"), Ok(("charge", Version::Newest, None)));
        assert_eq!(
            parsed("wasm:charge@3#run"),
            Ok(("charge", Version::Number(3), Some("run")))
        );
        assert_eq!(
            parsed("wasm:charge@sha256:ab"),
            Ok(("charge", Version::Digest("sha256:ab"), None))
        );
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:charge";
        assert_eq!(parsed(arn), Ok(("charge", Version::Newest, None)));
        let (latest, seventh) = (format!("{arn}:$LATEST"), format!("{arn}:7"));
        assert_eq!(parsed(&latest), Ok(("charge", Version::Newest, None)));
        assert_eq!(parsed(&seventh), Ok(("charge", Version::Number(7), None)));
        assert_eq!(parse("arn:aws:states:::lambda:invoke"), Ok(Asked::LambdaInvoke));
    }

    #[test]
    fn what_is_not_run_here_is_refused_with_what_is() {
        for text in [
            "",
            "wasm:",
            "wasm:@1",
            "wasm:a@x",
            "wasm:a#",
            "arn:aws:states:::sqs:sendMessage",
            "x",
        ] {
            assert!(parse(text).expect_err(text).contains("wasm:NAME"), "{text}");
        }
        let aliased = "arn:aws:lambda:us-east-1:000000000000:function:charge:live";
        assert!(parse(aliased).expect_err("an alias").contains("numbered versions"));
    }
}
