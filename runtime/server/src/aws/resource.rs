//! What a Task state's `Resource` asks for.

use asl::Failure;

use crate::modules::{ModuleReference, Version};

/// What a `Resource` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A module.
    Module(Resource<'a>),
    /// `arn:<partition>:states:::lambda:invoke`: a module named by the task's parameters.
    LambdaInvoke {
        /// Whether the task ends with its token instead of with the module.
        token: bool,
    },
    /// `arn:<partition>:states:::wasm:invoke`: a module named by the task's parameters.
    WasmInvoke {
        /// Whether the task ends with its token instead of with the module.
        token: bool,
    },
    /// `arn:<partition>:states:::states:startExecution[.sync|.sync:2|.waitForTaskToken]`.
    StartExecution(Waits),
    /// `arn:<partition>:states:::aws-sdk:sfn:<operation>`: an operation of this server's own API.
    Sdk(&'a str),
    /// `arn:<partition>:states:::http:invoke`: a request to an HTTP API.
    Http,
    /// An activity's ARN: a worker outside takes the task. Its name.
    Activity(&'a str),
}

/// What a task that starts an execution waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The answer to its request.
    Response,
    /// The execution's end; input and output are texts in the result.
    End,
    /// The execution's end; input and output are JSON in the result.
    EndAsJson,
    /// Somebody who hands the task token back.
    Token,
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
    /// `wasm:<module>[@<version>|@sha256:<digest>|@<label>][#<function>]`.
    Native,
    /// `arn:<partition>:lambda:<region>:<account>:function:<module>[:<version>|:<label>]`, so that definitions
    /// written for AWS run unchanged: an alias there is a label here.
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
                "`{}` names no module; write wasm:NAME, wasm:NAME@VERSION, wasm:NAME@LABEL or wasm:NAME@sha256:DIGEST",
                shown(resource)
            )
        });
    }
    let parts: Vec<&str> = resource.splitn(9, ':').collect();
    match parts[..] {
        ["arn", _, "states", "", "", "lambda", "invoke"] => Ok(Asked::LambdaInvoke { token: false }),
        ["arn", _, "states", "", "", "lambda", "invoke.waitForTaskToken"] => Ok(Asked::LambdaInvoke { token: true }),
        ["arn", _, "states", "", "", "wasm", "invoke"] => Ok(Asked::WasmInvoke { token: false }),
        ["arn", _, "states", "", "", "wasm", "invoke.waitForTaskToken"] => Ok(Asked::WasmInvoke { token: true }),
        ["arn", _, "states", "", "", "states", "startExecution"] => Ok(Asked::StartExecution(Waits::Response)),
        ["arn", _, "states", "", "", "states", "startExecution.sync"] => Ok(Asked::StartExecution(Waits::End)),
        ["arn", _, "states", "", "", "states", "startExecution.sync", "2"] => {
            Ok(Asked::StartExecution(Waits::EndAsJson))
        }
        ["arn", _, "states", "", "", "states", "startExecution.waitForTaskToken"] => {
            Ok(Asked::StartExecution(Waits::Token))
        }
        ["arn", _, "states", "", "", "http", "invoke"] => Ok(Asked::Http),
        ["arn", _, "states", "", "", "aws-sdk", "sfn", operation] => Ok(Asked::Sdk(operation)),
        ["arn", _, "states", _, _, "activity", name] if !name.is_empty() => Ok(Asked::Activity(name)),
        ["arn", _, "lambda", _, _, "function", name] if !name.is_empty() => qualified(name, None),
        ["arn", _, "lambda", _, _, "function", name, qualifier] if !name.is_empty() => qualified(name, Some(qualifier)),
        _ => Err(format!(
            "the resource provided `{}` is not recognized; this server runs modules, written \
             wasm:NAME[@VERSION] or arn:aws:lambda:REGION:ACCOUNT:function:NAME[:VERSION]",
            shown(resource)
        )),
    }
}

/// The name in an activity's ARN; `None` for every other resource.
pub fn activity(resource: &str) -> Option<&str> {
    match parse(resource) {
        Ok(Asked::Activity(name)) => Some(name),
        Ok(_) | Err(_) => None,
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
        Some(text) => Version::read(text).ok_or_else(|| {
            format!(
                "function `{}` is named with `{}`, which is neither a version's number nor a label; name one of those, \
                 or leave it out for the newest version",
                shown(name),
                shown(text)
            )
        })?,
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
        Some((name, version)) => (name, Version::read(version)?),
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
            Ok(_) => Err("a service".to_owned()),
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
        assert_eq!(
            parsed("wasm:charge@prod#run"),
            Ok(("charge", Version::Label("prod"), Some("run")))
        );
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:charge";
        let live = format!("{arn}:live");
        assert_eq!(parsed(&live), Ok(("charge", Version::Label("live"), None)));
        assert_eq!(parsed(arn), Ok(("charge", Version::Newest, None)));
        let (latest, seventh) = (format!("{arn}:$LATEST"), format!("{arn}:7"));
        assert_eq!(parsed(&latest), Ok(("charge", Version::Newest, None)));
        assert_eq!(parsed(&seventh), Ok(("charge", Version::Number(7), None)));
        let service = |action: &str| {
            parse(&format!("arn:aws:states:::{action}"))
                .ok()
                .map(|asked| format!("{asked:?}"))
        };
        for (action, asked) in [
            ("lambda:invoke", "LambdaInvoke { token: false }"),
            ("lambda:invoke.waitForTaskToken", "LambdaInvoke { token: true }"),
            ("states:startExecution", "StartExecution(Response)"),
            ("states:startExecution.sync", "StartExecution(End)"),
            ("states:startExecution.sync:2", "StartExecution(EndAsJson)"),
            ("states:startExecution.waitForTaskToken", "StartExecution(Token)"),
            ("aws-sdk:sfn:sendTaskSuccess", "Sdk(\"sendTaskSuccess\")"),
        ] {
            assert_eq!(service(action).as_deref(), Some(asked), "{action}");
        }
        assert_eq!(
            activity("arn:aws:states:us-east-1:000000000000:activity:pack"),
            Some("pack")
        );
    }

    #[test]
    fn what_is_not_run_here_is_refused_with_what_is() {
        for text in [
            "",
            "wasm:",
            "wasm:@1",
            "wasm:a@latest",
            "wasm:a@+3",
            "wasm:a@b@c",
            "wasm:a#",
            "arn:aws:states:::sqs:sendMessage",
            "x",
        ] {
            assert!(parse(text).expect_err(text).contains("wasm:NAME"), "{text}");
        }
        let aliased = "arn:aws:lambda:us-east-1:000000000000:function:charge:a.b";
        assert!(parse(aliased).expect_err("no alias").contains("nor a label"));
    }
}
