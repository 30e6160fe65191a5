//! RedriveExecution.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::execution::{find, status_word};
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

/// Longest client token, in characters.
const TOKEN_LENGTH: usize = 64;
/// An execution can be redriven for 14 days after it closed, in milliseconds.
const REDRIVABLE_MILLIS: i64 = 14 * 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    client_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    #[serde(serialize_with = "wire::seconds")]
    redrive_date: Timestamp,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .length("clientToken", asked.client_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    let arn = asked.execution_arn.unwrap_or_default();
    let (execution, redrives) = handle
        .blocking({
            let arn = arn.clone();
            move |inner| -> Answer<_> {
                let (_, execution) = find(inner, &arn)?;
                let redrives = inner.reader.redrives(execution.id)?;
                Ok((execution, redrives))
            }
        })
        .await??;
    // The same call again: the answer of the first.
    if let (Some(redrives), Some(token)) = (redrives, &asked.client_token)
        && redrives.token.as_ref() == Some(token)
    {
        return Ok(Answered {
            redrive_date: redrives.at,
        });
    }
    let word = status_word(execution.status);
    let Some(stopped) = execution.stopped else {
        return Err(ApiError::execution_not_redrivable(word));
    };
    // a child execution goes on with its Map Run
    let is_too_old =
        clock::now().millis_since(stopped) > REDRIVABLE_MILLIS || handle.inner().keeper.is_leaving(stopped);
    if execution.child.is_some() || is_too_old {
        return Err(ApiError::execution_not_redrivable(word));
    }
    match handle.redrive(execution.id, asked.client_token).await? {
        Some(redrive_date) => Ok(Answered { redrive_date }),
        None => Err(ApiError::execution_not_redrivable(word)),
    }
}
