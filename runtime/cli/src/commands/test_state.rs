//! `sandstep test-state`: runs one state by itself, and shows what it makes of its input.

use serde_json::{Value, json};

use super::text;
use crate::args;
use crate::client::Client;
use crate::config;
use crate::output::{Output, Style, note, paint, printable, takes_colour};
use crate::problem::{Ending, Result};

/// What a server may see of a state's processing, in the order it happens.
const STEPS: [&str; 18] = [
    "input",
    "afterInputPath",
    "afterParameters",
    "afterArguments",
    "afterItemsPath",
    "afterItemsPointer",
    "afterItemSelector",
    "afterItemBatcher",
    "maxConcurrency",
    "toleratedFailureCount",
    "toleratedFailurePercentage",
    "request",
    "response",
    "result",
    "afterResultSelector",
    "afterResultPath",
    "variables",
    "errorDetails",
];

/// Tests a state.
pub fn test_state(client: &Client, asked: &args::TestState, output: &Output) -> Result {
    let answer = client.test_state(&request(asked)?)?;
    let status = text(&answer, "status");
    let goes_on = matches!(status, "SUCCEEDED" | "CAUGHT_ERROR");
    if output.is_json() {
        output.json(&answer)?;
    } else {
        let steps = STEPS
            .iter()
            .filter_map(|step| Some((*step, answer["inspectionData"].get(step)?)))
            .map(|(step, value)| (step, shown(value)));
        output.pairs(&steps.collect::<Vec<_>>())?;
        if answer.get("output").is_some() {
            output.line(text(&answer, "output"))?;
        }
        note(&summary(&answer, status));
    }
    Ok(if goes_on { Ending::Good } else { Ending::Bad })
}

fn request(asked: &args::TestState) -> Result<Value> {
    let mut request = json!({
        "definition": config::definition(&asked.file)?.text,
        "input": config::input(&asked.input)?,
        "inspectionLevel": if asked.inspect { "TRACE" } else { "INFO" },
    });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            request[name] = value;
        }
    };
    put("stateName", asked.state.as_ref().map(|name| json!(name)));
    put("variables", json_text(asked.variables.as_ref())?);
    put("context", json_text(asked.context.as_ref())?);
    let mock = match (&asked.mock, &asked.mock_error) {
        (Some(result), _) => Some(json!({"result": json_text(Some(result))?})),
        (None, Some(error)) => {
            let (name, cause) = match error.split_once('=') {
                Some((name, cause)) => (name, Some(cause)),
                None => (error.as_str(), None),
            };
            Some(match cause {
                Some(cause) => json!({"errorOutput": {"error": name, "cause": cause}}),
                None => json!({"errorOutput": {"error": name}}),
            })
        }
        (None, None) => None,
    };
    put("mock", mock);
    let retries = asked.retries.map(|count| ("retrierRetryCount", json!(count)));
    let failed = asked
        .failed_iterations
        .map(|count| ("mapIterationFailureCount", json!(count)));
    let data = asked.reader_data.as_deref().map(config::reader_data).transpose()?;
    let data = data.map(|data| ("mapItemReaderData", json!(data)));
    let configuration: serde_json::Map<String, Value> = [retries, failed, data]
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    put(
        "stateConfiguration",
        (!configuration.is_empty()).then(|| Value::Object(configuration)),
    );
    Ok(request)
}

/// A JSON text, or the file that holds it.
fn json_text(argument: Option<&String>) -> Result<Option<Value>> {
    let read = |text: &String| config::input(&args::Input { text: text.clone() });
    Ok(argument.map(read).transpose()?.map(Value::String))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn summary(answer: &Value, status: &str) -> String {
    let mut line = paint(status, Style::of(status), takes_colour(&std::io::stderr()));
    for part in [text(answer, "error"), text(answer, "cause")] {
        if !part.is_empty() {
            line.push_str(&format!(": {}", printable(part)));
        }
    }
    match answer.get("nextState").and_then(Value::as_str) {
        Some(next) => format!("{line}, next is {}\n", printable(next)),
        None => format!("{line}\n"),
    }
}
