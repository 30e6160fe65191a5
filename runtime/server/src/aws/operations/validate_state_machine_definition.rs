//! ValidateStateMachineDefinition.

use serde::{Deserialize, Serialize};

use super::create_state_machine::machine_type;
use crate::aws::constraints::Constraints;
use crate::aws::definition::{self, Finding};
use crate::aws::errors::Answer;
use crate::aws::module_findings;
use crate::handle::Handle;

/// Most diagnostics AWS answers, and as many as it does where the caller doesn't say.
const MOST: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    definition: Option<String>,
    r#type: Option<String>,
    severity: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
pub struct Answered {
    result: &'static str,
    diagnostics: Vec<Finding>,
    truncated: bool,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .required("definition", asked.definition.as_deref())
        .sensitive(
            "definition",
            asked.definition.as_deref(),
            1,
            handle.inner().limits.definition_characters,
        )
        .one_of("type", asked.r#type.as_deref(), &["STANDARD", "EXPRESS"])
        .one_of("severity", asked.severity.as_deref(), &["ERROR", "WARNING"])
        .range("maxResults", asked.max_results, 0, MOST)
        .check()?;
    let text = asked.definition.unwrap_or_default();
    let machine_type = machine_type(asked.r#type.as_deref());
    let checked = handle
        .blocking(move |inner| {
            let mut checked = definition::check(&text, machine_type, &inner.limits);
            if let Ok(document) = serde_json::from_str(&text) {
                checked
                    .findings
                    .extend(module_findings::warnings(&document, &inner.modules));
            }
            checked
        })
        .await?;
    let result = if checked.state_machine.is_some() { "OK" } else { "FAIL" };
    let warnings = asked.severity.as_deref() == Some("WARNING");
    let mut diagnostics = checked.findings;
    diagnostics.retain(|finding| warnings || finding.is_error());
    let limit = match asked.max_results {
        None | Some(0) => MOST,
        Some(limit) => limit,
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let truncated = diagnostics.len() > limit;
    diagnostics.truncate(limit);
    Ok(Answered {
        result,
        diagnostics,
        truncated,
    })
}
