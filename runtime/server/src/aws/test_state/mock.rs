//! What stands in for the outside world in a test: a mocked result or error, checked as AWS checks it.

use asl::definition::{Kind, Map, State};
use asl::{Failure, Payload};

use super::integration::Integration;
use super::schema::{self, Strictness};
use super::service_models::Service;
use super::{ErrorOutput, MockInput};
use crate::aws::errors::{Answer, ApiError};

/// A mock that fits its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mock {
    /// What was asked for came to this.
    Result(Payload),
    /// It failed.
    Error(Failure),
}

impl Mock {
    /// Reads the caller's mock for `state`.
    ///
    /// # Errors
    /// `ValidationException` for a state that takes no mock and for a mock that can't be this state's.
    pub fn read(asked: &MockInput, state: &State) -> Answer<Self> {
        if !matches!(state.kind, Kind::Task(_) | Kind::Parallel(_) | Kind::Map(_)) {
            return Err(ApiError::validation(format!(
                "State type '{}' is not supported when a mock is specified",
                state.state_kind().as_str()
            )));
        }
        match (&asked.result, &asked.error_output) {
            (Some(result), None) => checked(result, asked.field_validation_mode.as_deref(), state).map(Mock::Result),
            (None, Some(error)) => failure(error).map(Mock::Error),
            (Some(_), Some(_)) => Err(ApiError::validation(
                "A mock must hold either a result or an errorOutput, not both; leave one out",
            )),
            (None, None) => Err(ApiError::validation(
                "A mock must hold a result or an errorOutput; give one of them",
            )),
        }
    }
}

fn failure(error: &ErrorOutput) -> Answer<Failure> {
    if error.error.is_none() {
        return Err(ApiError::validation(
            "The field 'error' is required in the errorOutput of a mock; name the error to be raised",
        ));
    }
    Ok(Failure {
        error: error.error.clone(),
        cause: error.cause.clone(),
    })
}

fn checked(text: &str, mode: Option<&str>, state: &State) -> Answer<Payload> {
    let result = Payload::from_text(text).map_err(|_| ApiError::validation("Mocked result must be valid JSON"))?;
    let strictness = match mode {
        Some("NONE") => None,
        Some("PRESENT") => Some(Strictness::Present),
        _ => Some(Strictness::Strict),
    };
    match &state.kind {
        // what a ResultWriter leaves of the results is where they are
        Kind::Map(map) if writes(map) && !result.value().is_object() => {
            Err(ApiError::validation("Mocked result must be an object."))
        }
        Kind::Map(map) if writes(map) => Ok(result),
        Kind::Parallel(_) | Kind::Map(_) if !result.value().is_array() => {
            Err(ApiError::validation("Mocked result must be an array."))
        }
        Kind::Task(task) => match strictness {
            Some(strictness) => against_the_model(&result, &task.resource, strictness).map(|()| result),
            None => Ok(result),
        },
        _ => Ok(result),
    }
}

/// Whether a Map state's results are written to an object store.
fn writes(map: &Map) -> bool {
    let writer = map
        .distributed
        .as_ref()
        .and_then(|distributed| distributed.writer.as_ref());
    writer.is_some_and(|writer| writer.resource.is_some())
}

/// Checks a task's mocked result against the model of the service that would have answered. What no model
/// describes is taken as it is.
fn against_the_model(result: &Payload, resource: &str, strictness: Strictness) -> Answer<()> {
    let Some(model) = Integration::read(resource).model() else {
        return Ok(());
    };
    let Some(service) = Service::named(model.service) else {
        return Ok(());
    };
    let Some(answer) = service.answer(&model.operation) else {
        return Ok(());
    };
    // what polls the job may be mocked whole, or as the part of it that the task returns
    let mut place = model.place.iter();
    let outermost = model.place.first().map(|field| model.spelling.spelt(field));
    let is_whole = outermost.is_some_and(|field| result.value().get(field).is_some());
    let shape = match is_whole {
        true => Some(answer),
        false => place.try_fold(answer, |shape, field| shape.inner(field)),
    };
    let Some(shape) = shape else {
        return Ok(());
    };
    schema::check(result.value(), shape, model.spelling, strictness)
        .map_err(|complaint| ApiError::validation(format!("Mock result schema validation error: {complaint}")))
}
