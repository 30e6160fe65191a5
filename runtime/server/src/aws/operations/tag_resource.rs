//! TagResource.

use serde::{Deserialize, Serialize};

use super::tags;
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    resource_arn: Option<String>,
    tags: Option<Vec<tags::Asked>>,
}

#[derive(Serialize)]
pub struct Answered {}

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .text("resourceArn", asked.resource_arn.as_deref(), ARN_LENGTH)
        .required("tags", asked.tags.as_ref());
    tags::check(&mut constraints, asked.tags.as_deref());
    constraints.check()?;
    let arn = asked.resource_arn.unwrap_or_default();
    let new = asked.tags.unwrap_or_default();
    let _changing = handle.changing_machines().await;
    let tagged = tags::find(handle, &arn)?;
    let change = move |inner: &crate::handle::Inner| {
        let tags = tags::added(&arn, inner.machines.tags(&tagged)?, new)?;
        Answer::Ok(inner.machines.set_tags(&tagged, tags)?)
    };
    handle.blocking(change).await??;
    Ok(Answered {})
}
