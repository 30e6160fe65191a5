//! TestState: one state, run by itself.
//!
//! This room owns what AWS adds around the language when it tests a state: mocks and their check against the
//! services' models, the context object of a test, and how the intermediate values are shown. What the state
//! does is [`asl::trial`]'s.

mod answer;
mod context;
mod integration;
mod mock;
mod schema;
mod service_models;
mod subject;

pub use answer::Answered;
pub use integration::refusal as unknown_integration;
pub use subject::{Asked, Subject};

use asl::execution::Nothing;
use asl::execution::map_run::over_tolerance;
use asl::trial::{Begun, TaskWanted, Verdict};
use asl::{Dice, Env, Failure, ItemSource, Limits, MapItem, TaskOutcome, TimeoutKind, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::errors::{Answer, ApiError};
use super::wire;
use crate::items::{self, ReadRequest};
use mock::Mock;

/// The mock of a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MockInput {
    result: Option<String>,
    #[serde(default, deserialize_with = "wire::optional_object")]
    error_output: Option<ErrorOutput>,
    field_validation_mode: Option<String>,
}

/// The error of a mock.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorOutput {
    error: Option<String>,
    cause: Option<String>,
}

/// How long a test may take, in seconds, as AWS documents it.
pub const LIMIT_SECONDS: u64 = 300;

/// How far a test came.
pub enum Progress {
    /// To its end.
    Ended(Verdict),
    /// A task is to be run.
    Task(TaskWanted),
}

impl Subject {
    /// Runs the state until it ends or wants a task that isn't mocked.
    ///
    /// # Errors
    /// `ValidationException` where the request and what the state made of its input don't go together.
    pub fn start(&mut self, limits: Limits, now: Timestamp) -> Answer<Progress> {
        let mut dice = Random;
        let mut env = env(limits, now, &mut dice);
        match self.trial.begin(&mut env) {
            Begun::Ended(verdict) => Ok(Progress::Ended(verdict)),
            Begun::Task(task) if self.mock.is_none() => Ok(Progress::Task(task)),
            Begun::Wait { until } if until > now.plus_seconds(LIMIT_SECONDS as f64) => {
                let late = TimeoutKind::Deadline.failure();
                Ok(Progress::Ended(self.trial.fail(late, &mut env)))
            }
            // nobody is served by waiting
            Begun::Wait { .. } => Ok(Progress::Ended(self.trial.waited(&mut env))),
            Begun::Task(_) | Begun::Parallel { .. } => self.mocked(&mut env).map(Progress::Ended),
            Begun::Map { reader } => self.mapped(reader, &mut env).map(Progress::Ended),
        }
    }

    fn mapped(&mut self, reader: Option<ItemSource>, env: &mut Env<'_>) -> Answer<Verdict> {
        let items = match (reader, self.reader_data.take()) {
            (None, _) => None,
            (Some(reader), Some(data)) => match read(reader, data) {
                Ok(items) => Some(items),
                Err(failure) => return Ok(self.trial.fail(failure, env)),
            },
            // nothing is known of the items, so nothing can be said of the iterations
            (Some(_), None) => return self.mocked(env),
        };
        let iterations = match self.trial.iterate(items, env) {
            Ok(iterations) => iterations as u64,
            Err(verdict) => return Ok(verdict),
        };
        let failed = self.failed_iterations.unwrap_or_default();
        if failed > iterations {
            return Err(ApiError::validation(
                "Map iteration failure count must be less than or equal to the number of Map iterations",
            ));
        }
        if matches!(self.mock, Some(Mock::Result(_))) && self.trial.exceeds_tolerance(failed) {
            return Ok(self.trial.fail(over_tolerance(), env));
        }
        self.mocked(env)
    }

    fn mocked(&mut self, env: &mut Env<'_>) -> Answer<Verdict> {
        match self.mock.take() {
            Some(Mock::Result(result)) => Ok(self.trial.succeed(&result, env)),
            Some(Mock::Error(failure)) => Ok(self.trial.fail(failure, env)),
            None => Err(ApiError::fault("a state that needs a mock came through without one")),
        }
    }

    /// Goes on with what a task came to.
    pub fn finish(&mut self, outcome: TaskOutcome, limits: Limits, now: Timestamp) -> Verdict {
        let mut dice = Random;
        let mut env = env(limits, now, &mut dice);
        match outcome {
            TaskOutcome::Succeeded(result) => self.trial.succeed(&result, &mut env),
            TaskOutcome::Failed(failure) => self.trial.fail(failure, &mut env),
            TaskOutcome::TimedOut(timeout) => self.trial.fail(timeout.failure(), &mut env),
        }
    }
}

fn read(reader: ItemSource, data: String) -> Result<Vec<MapItem>, Failure> {
    let request = ReadRequest {
        resource: reader.resource,
        parameters: reader.parameters,
        config: reader.config,
    };
    let items = items::in_text(data, &request)?;
    let item = |item: items::Item| MapItem {
        value: item.value,
        key: item.key.map(Into::into),
        source: item.source,
    };
    items.map(|read| read.map(item)).collect()
}

fn env(limits: Limits, now: Timestamp, dice: &mut Random) -> Env<'_> {
    Env {
        now,
        dice,
        outside: &Nothing,
        limits,
    }
}

/// The system's random numbers.
struct Random;

impl Dice for Random {
    fn next_u64(&mut self) -> u64 {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // the bits of an id that say what it is are fixed, in different places of each half
        high.rotate_left(32) ^ low
    }
}
