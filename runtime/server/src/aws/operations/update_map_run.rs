//! UpdateMapRun.

use asl::{Percentage, Status};
use engine::input::MapRunBounds;
use serde::{Deserialize, Serialize};

use super::map_runs;
use crate::aws::constraints::{Constraints, LONG_ARN_LENGTH};
use crate::aws::errors::{Answer, ApiError};
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    map_run_arn: Option<String>,
    max_concurrency: Option<i64>,
    tolerated_failure_percentage: Option<f64>,
    tolerated_failure_count: Option<i64>,
}

#[derive(Serialize)]
pub struct Answered {}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("mapRunArn", asked.map_run_arn.as_deref(), LONG_ARN_LENGTH)
        .range("maxConcurrency", asked.max_concurrency, 0, i64::from(i32::MAX))
        .range("toleratedFailureCount", asked.tolerated_failure_count, 0, i64::MAX)
        .percentage("toleratedFailurePercentage", asked.tolerated_failure_percentage)
        .check()?;
    let bounds = MapRunBounds {
        max_concurrency: asked.max_concurrency.and_then(|number| u32::try_from(number).ok()),
        tolerated_count: asked
            .tolerated_failure_count
            .and_then(|number| u64::try_from(number).ok()),
        tolerated_percentage: asked.tolerated_failure_percentage.and_then(Percentage::from_number),
    };
    let arn = asked.map_run_arn.unwrap_or_default();
    let asked_arn = arn.clone();
    let run = handle
        .blocking(move |inner| map_runs::find(inner, &asked_arn))
        .await??;
    if bounds == MapRunBounds::default() {
        return Err(ApiError::validation(
            "Either the maxConcurrency, the toleratedFailurePercentage or the toleratedFailureCount must be specified",
        ));
    }
    if run.status != Status::Running || !handle.update_map_run(run.run, bounds).await? {
        return Err(ApiError::validation(format!("The Map Run is not running: '{arn}'")));
    }
    Ok(Answered {})
}
