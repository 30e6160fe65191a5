//! UntagResource.

use serde::{Deserialize, Serialize};

use super::tags::{self, KEY_LENGTH};
use crate::aws::constraints::{ARN_LENGTH, Constraints};
use crate::aws::errors::Answer;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Serialize)]
pub struct Answered {}

/// Keys that aren't there are none the less gone afterwards.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    let mut constraints = Constraints::new();
    constraints
        .text("resourceArn", asked.resource_arn.as_deref(), ARN_LENGTH)
        .required("tagKeys", asked.tag_keys.as_ref());
    for (index, key) in asked.tag_keys.iter().flatten().enumerate() {
        constraints.length(&format!("tagKeys.{}.member", index + 1), Some(key), 1, KEY_LENGTH);
    }
    constraints.check()?;
    let arn = asked.resource_arn.unwrap_or_default();
    let keys = asked.tag_keys.unwrap_or_default();
    let _changing = handle.changing_machines().await;
    let tagged = tags::find(handle, &arn)?;
    let change = move |inner: &crate::handle::Inner| {
        let mut tags = inner.machines.tags(&tagged)?;
        tags.retain(|tag| !keys.contains(&tag.key));
        Answer::Ok(inner.machines.set_tags(&tagged, tags)?)
    };
    handle.blocking(change).await??;
    Ok(Answered {})
}
