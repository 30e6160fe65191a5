//! ListTagsForResource.

use serde::{Deserialize, Serialize};

use super::tags;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    resource_arn: Option<String>,
}

#[derive(Serialize)]
pub struct Answered {
    tags: Vec<tags::Shown>,
}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    Constraints::new()
        .text("resourceArn", asked.resource_arn.as_deref(), ARN_LENGTH)
        .check()?;
    let arn = asked.resource_arn.unwrap_or_default();
    let tagged = tags::find(handle, &arn)?;
    let tags = handle.blocking(move |inner| inner.machines.tags(&tagged)).await??;
    Ok(Answered {
        tags: tags.into_iter().map(tags::Shown::from).collect(),
    })
}
