//! A request to test a state, checked: what is tested, and with what.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::definition::{self, FlowId, Kind, Map, State, StateMachine};
use asl::json_syntax::complaint;
use asl::trial::{Setup, Trial};
use asl::{Limits, Payload, Timestamp};
use engine::ports::MachineType;
use serde::Deserialize;
use serde_json::{Value, json};

use super::MockInput;
use super::context::{self, STATE_NAME};
use super::integration::{self, Integration, Pattern};
use super::mock::Mock;
use crate::aws::arn::Namespace;
use crate::aws::constraints::{ARN_LENGTH, CAUSE_LENGTH, Constraints, ERROR_LENGTH};
use crate::aws::definition::{Finding, Part, parts};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::http_task::Secrets;

/// Longest name of a state, in characters.
const STATE_NAME_LENGTH: usize = 80;

/// The request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    definition: Option<String>,
    role_arn: Option<String>,
    input: Option<String>,
    inspection_level: Option<String>,
    reveal_secrets: Option<bool>,
    variables: Option<String>,
    state_name: Option<String>,
    #[serde(default, deserialize_with = "wire::optional_object")]
    mock: Option<MockInput>,
    context: Option<String>,
    #[serde(default, deserialize_with = "wire::optional_object")]
    state_configuration: Option<Configuration>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    retrier_retry_count: Option<i64>,
    error_caused_by_state: Option<String>,
    map_iteration_failure_count: Option<i64>,
    map_item_reader_data: Option<String>,
}

/// A state ready to be tested.
#[derive(Debug)]
pub struct Subject {
    /// The state, entered.
    pub trial: Trial,
    /// What stands in for the outside world.
    pub mock: Option<Mock>,
    /// Map iterations that are to have failed.
    pub failed_iterations: Option<u64>,
    /// What an ItemReader is to have read.
    pub reader_data: Option<String>,
    /// The raw input.
    pub input: Payload,
}

impl Asked {
    /// Whether the answer shows intermediate values.
    pub fn inspects(&self) -> bool {
        matches!(self.inspection_level.as_deref(), Some("DEBUG" | "TRACE"))
    }

    /// Whether it shows what was said over the wire.
    pub fn traces(&self) -> bool {
        self.inspection_level.as_deref() == Some("TRACE")
    }

    /// Whether that includes what a connection adds.
    pub fn secrets(&self) -> Secrets {
        match self.reveal_secrets {
            Some(true) => Secrets::Revealed,
            Some(false) | None => Secrets::Hidden,
        }
    }

    /// Checks what the service's model says of the request.
    ///
    /// # Errors
    /// `ValidationException` listing every violation, `InvalidArn` for a role that is none.
    pub fn check(&self, limits: &Limits) -> Answer<()> {
        let mock = self.mock.clone().unwrap_or_default();
        let error = mock.error_output.unwrap_or_default();
        let configuration = self.state_configuration.clone().unwrap_or_default();
        let mut constraints = Constraints::new();
        constraints
            .required("definition", self.definition.as_deref())
            .sensitive(
                "definition",
                self.definition.as_deref(),
                1,
                limits.definition_characters,
            )
            .length("roleArn", self.role_arn.as_deref(), 1, ARN_LENGTH)
            .sensitive_bytes("input", self.input.as_deref(), limits.payload_bytes)
            .one_of(
                "inspectionLevel",
                self.inspection_level.as_deref(),
                &["INFO", "DEBUG", "TRACE"],
            )
            .sensitive_bytes("variables", self.variables.as_deref(), limits.payload_bytes)
            .sensitive("stateName", self.state_name.as_deref(), 1, STATE_NAME_LENGTH)
            .sensitive_bytes("mock.result", mock.result.as_deref(), limits.payload_bytes)
            .sensitive("mock.errorOutput.error", error.error.as_deref(), 0, ERROR_LENGTH)
            .sensitive("mock.errorOutput.cause", error.cause.as_deref(), 0, CAUSE_LENGTH)
            .one_of(
                "mock.fieldValidationMode",
                mock.field_validation_mode.as_deref(),
                &["STRICT", "PRESENT", "NONE"],
            )
            .sensitive_bytes("context", self.context.as_deref(), limits.payload_bytes)
            .range(
                "stateConfiguration.retrierRetryCount",
                configuration.retrier_retry_count,
                0,
                i64::from(i32::MAX),
            )
            .sensitive(
                "stateConfiguration.errorCausedByState",
                configuration.error_caused_by_state.as_deref(),
                1,
                STATE_NAME_LENGTH,
            )
            .range(
                "stateConfiguration.mapIterationFailureCount",
                configuration.map_iteration_failure_count,
                0,
                i64::from(i32::MAX),
            )
            .sensitive_bytes(
                "stateConfiguration.mapItemReaderData",
                configuration.map_item_reader_data.as_deref(),
                limits.payload_bytes,
            );
        constraints.check()?;
        match self.role_arn.as_deref() {
            Some(role) if !role.starts_with("arn:") => {
                Err(ApiError::invalid_arn(format_args!("Invalid ARN prefix: {role}")))
            }
            _ => Ok(()),
        }
    }

    /// Finds the state in the definition and makes it ready. Parses and may take a while.
    ///
    /// # Errors
    /// `InvalidDefinition`, `InvalidExecutionInput`, and `ValidationException` for parts of the request that don't
    /// go together.
    pub fn subject(&self, namespace: &Namespace, limits: &Limits, now: Timestamp) -> Answer<Subject> {
        let (machine, around) = self.machine(limits)?;
        let Some(state) = machine.flow(FlowId::ROOT).state(STATE_NAME) else {
            return Err(ApiError::validation("State not found in definition"));
        };
        let configuration = self.state_configuration.clone().unwrap_or_default();
        match &self.mock {
            Some(_) if self.reveal_secrets == Some(true) => return Err(unsupported("RevealSecrets", "is")),
            Some(_) => {}
            None => self.without_mock(state, &configuration)?,
        }
        let mock = self.mock.as_ref().map(|mock| Mock::read(mock, state)).transpose()?;
        if let Some(name) = &configuration.error_caused_by_state
            && !holds(&machine, state, name)
        {
            return Err(ApiError::validation(format!(
                "'{name}' is no state inside the tested Map or Parallel state; name one of its states in errorCausedByState"
            )));
        }
        let input = match &self.input {
            None => Payload::empty_object(),
            Some(text) => Payload::from_text(text.as_str()).map_err(|error| {
                ApiError::invalid_execution_input(&complaint(text).map_or(error.0, |found| found.message))
            })?,
        };
        let context = match &self.context {
            Some(text) => context::given(text, state)?,
            None => {
                let state = (state, around.as_ref());
                context::made_up(namespace, state, self.role_arn.as_deref(), &input, now)
            }
        };
        let retries = match configuration.retrier_retry_count {
            Some(count) => u64::try_from(count).unwrap_or_default(),
            None => context::retries(&context).unwrap_or_default(),
        };
        let setup = Setup {
            input: input.clone(),
            variables: self.variables()?,
            context,
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
            now,
            machine: Arc::new(machine),
        };
        let trial = Trial::new(setup).map_err(|error| ApiError::fault(error.to_string()))?;
        let failed_iterations = configuration.map_iteration_failure_count;
        Ok(Subject {
            trial,
            mock,
            reader_data: configuration.map_item_reader_data,
            failed_iterations: failed_iterations.map(|count| u64::try_from(count).unwrap_or_default()),
            input,
        })
    }

    /// A machine of the tested state alone, under the name AWS tests states by, and the Map state that runs it.
    fn machine(&self, limits: &Limits) -> Answer<(StateMachine, Option<Map>)> {
        let text = self.definition.as_deref().unwrap_or_default();
        let (machine, diagnostics) = match self.state_name {
            None => definition::parse_state(text, STATE_NAME, limits),
            Some(_) => definition::parse_within(text, limits),
        };
        let machine = machine.ok_or_else(|| invalid(diagnostics.into_iter().map(Finding::from)))?;
        let unknown = self.unknown_integrations(text);
        if !unknown.is_empty() {
            return Err(invalid(unknown));
        }
        match &self.state_name {
            None => Ok((machine, None)),
            Some(name) => match machine.single(name, STATE_NAME) {
                Some(single) => Ok((single, machine.map_around(name).cloned())),
                None => Err(ApiError::validation("State not found in definition")),
            },
        }
    }

    /// Integrations that AWS doesn't have. Those that only this server doesn't run may be mocked.
    fn unknown_integrations(&self, text: &str) -> Vec<Finding> {
        let document = match (serde_json::from_str::<Value>(text), &self.state_name) {
            (Ok(state), None) => json!({"States": {STATE_NAME: state}}),
            (Ok(machine), Some(_)) => machine,
            (Err(_), _) => return Vec::new(),
        };
        let mut found = Vec::new();
        let mut place = String::new();
        parts(&document, MachineType::Standard, &mut place, &mut |part, location| {
            if let Part::Resource(resource, _) = part
                && let Some(message) = integration::refusal(resource)
            {
                found.push(Finding {
                    severity: "ERROR",
                    code: "SCHEMA_VALIDATION_FAILED",
                    message,
                    location: Some(location.to_owned()),
                });
            }
        });
        found
    }

    /// What needs a mock and has none.
    fn without_mock(&self, state: &State, configuration: &Configuration) -> Answer<()> {
        for (name, given) in [
            (
                "MapIterationFailureCount",
                configuration.map_iteration_failure_count.is_some(),
            ),
            ("MapItemReaderData", configuration.map_item_reader_data.is_some()),
            ("ErrorCausedByState", configuration.error_caused_by_state.is_some()),
            ("RetrierRetryCount", configuration.retrier_retry_count.is_some()),
            ("Context", self.context.is_some()),
        ] {
            if given {
                return Err(unsupported(name, "is not"));
            }
        }
        let what = match &state.kind {
            Kind::Map(_) | Kind::Parallel(_) => {
                return Err(ApiError::validation(format!(
                    "State type '{}' is not supported when a mock is not specified",
                    state.state_kind().as_str()
                )));
            }
            Kind::Task(task) => match Integration::read(&task.resource).pattern {
                Pattern::RequestResponse => return Ok(()),
                Pattern::Sync => "the .sync service integration pattern",
                Pattern::Callback => "the .waitForTaskToken service integration pattern",
                Pattern::Activity => "Activity tasks",
            },
            Kind::Pass(_) | Kind::Choice(_) | Kind::Wait(_) | Kind::Succeed | Kind::Fail(_) => return Ok(()),
        };
        Err(unsupported(what, "is not"))
    }

    fn variables(&self) -> Answer<BTreeMap<String, Payload>> {
        let Some(text) = &self.variables else {
            return Ok(BTreeMap::new());
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(variables)) => Ok(variables
                .into_iter()
                .map(|(name, value)| (name, Payload::from_value(value)))
                .collect()),
            _ => Err(ApiError::validation(
                "The variables must be a JSON object; its keys are the variables' names",
            )),
        }
    }
}

fn unsupported(what: &str, is: &str) -> ApiError {
    ApiError::validation(format!("TestState does not support {what} when a mock {is} specified."))
}

fn invalid(findings: impl IntoIterator<Item = Finding>) -> ApiError {
    let errors: Vec<String> = findings
        .into_iter()
        .filter(Finding::is_error)
        .map(|finding| finding.to_string())
        .collect();
    ApiError::invalid_definition(&errors.join(", "))
}

/// Whether a state of this name runs inside `state`, at any depth.
fn holds(machine: &StateMachine, state: &State, name: &str) -> bool {
    let flows: &[FlowId] = match &state.kind {
        Kind::Parallel(parallel) => &parallel.branches,
        Kind::Map(map) => std::slice::from_ref(&map.processor),
        _ => &[],
    };
    flows.iter().any(|flow| {
        let mut states = machine.flow(*flow).states.iter();
        states.any(|inner| inner.name == name || holds(machine, inner, name))
    })
}
