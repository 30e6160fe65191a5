//! `sandstep validate`: every mistake of a definition, each with its line.

use asl::Limits;
use serde_json::{Value, json};

use super::text;
use crate::args;
use crate::client::Client;
use crate::config;
use crate::limits::limits;
use crate::output::{Output, note, takes_colour};
use crate::problem::{Ending, Result};
use crate::source::{Finding, Source};

/// Checks a definition: without a server, or with one that knows the modules.
pub fn validate(client: impl FnOnce() -> Result<Client>, asked: &args::Validate, output: &Output) -> Result {
    let limits = limits(&asked.limits)?;
    let source = config::definition(&asked.file)?;
    let mut findings = source.check(&limits);
    if asked.server {
        let known = server_findings(&client()?, &source)?;
        let is_new = |found: &Finding| {
            let is_same = |other: &Finding| other.code == found.code && other.location == found.location;
            !findings.iter().any(is_same)
        };
        let known: Vec<Finding> = known.into_iter().filter(is_new).collect();
        findings.extend(known);
    }
    if output.is_json() {
        output.json(&verdict(&[(&source, &findings)]))?;
    } else {
        let colour = takes_colour(&std::io::stdout());
        for finding in &findings {
            output.line(&finding.render(&source, colour))?;
        }
        output.line(&summary(&source, &findings))?;
    }
    Ok(if findings.iter().any(|finding| finding.is_error) {
        Ending::Bad
    } else {
        Ending::Good
    })
}

/// What a server finds in a definition.
fn server_findings(client: &Client, source: &Source) -> Result<Vec<Finding>> {
    let parameters = json!({ "definition": source.text, "severity": "WARNING" });
    let answer = client.call("ValidateStateMachineDefinition", &parameters)?;
    let found = answer["diagnostics"].as_array().into_iter().flatten();
    Ok(found
        .map(|found| Finding {
            is_error: found["severity"] == "ERROR",
            code: text(found, "code").to_owned(),
            message: text(found, "message").to_owned(),
            location: text(found, "location").to_owned(),
            place: None,
        })
        .collect())
}

/// Whether definitions may be used at all. Where one may not, everything found in all of them is shown, on standard error
/// for people and on standard output for programs.
pub fn all_pass<'a>(sources: impl IntoIterator<Item = &'a Source>, limits: &Limits, output: &Output) -> Result<bool> {
    let checked: Vec<_> = sources
        .into_iter()
        .map(|source| (source, source.check(limits)))
        .collect();
    let passes = !checked
        .iter()
        .any(|(_, findings)| findings.iter().any(|finding| finding.is_error));
    if passes {
        return Ok(true);
    }
    if output.is_json() {
        let borrowed: Vec<_> = checked
            .iter()
            .map(|(source, findings)| (*source, findings.as_slice()))
            .collect();
        output.json(&verdict(&borrowed))?;
        return Ok(false);
    }
    let colour = takes_colour(&std::io::stderr());
    for (source, findings) in checked.iter().filter(|(_, findings)| !findings.is_empty()) {
        let lines = findings.iter().map(|finding| finding.render(source, colour));
        let lines = lines.chain([summary(source, findings)]).collect::<Vec<_>>().join("\n");
        note(&format!("{lines}\n"));
    }
    Ok(false)
}

/// The answer of AWS's ValidateStateMachineDefinition, with files and lines.
fn verdict(checked: &[(&Source, &[Finding])]) -> Value {
    let failed = checked
        .iter()
        .flat_map(|(_, findings)| *findings)
        .any(|finding| finding.is_error);
    let diagnostics: Vec<Value> = checked
        .iter()
        .flat_map(|(source, findings)| findings.iter().map(|finding| finding.to_json(source)))
        .collect();
    json!({ "result": if failed { "FAIL" } else { "OK" }, "diagnostics": diagnostics })
}

fn summary(source: &Source, findings: &[Finding]) -> String {
    let count = |is_error: bool| findings.iter().filter(|finding| finding.is_error == is_error).count();
    let some = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(true), count(false)) {
        (0, 0) => format!("{}: no mistakes found", source.name),
        (0, warnings) => format!("{}: {}", source.name, some(warnings, "warning")),
        (errors, 0) => format!("{}: {}", source.name, some(errors, "error")),
        (errors, warnings) => format!(
            "{}: {}, {}",
            source.name,
            some(errors, "error"),
            some(warnings, "warning")
        ),
    }
}
