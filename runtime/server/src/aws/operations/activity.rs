//! CreateActivity, DescribeActivity, DeleteActivity and ListActivities.

use asl::Timestamp;
use engine::ports::ActivityRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tags;
use crate::aws::constraints::{ARN_LENGTH, Constraints, NAME_LENGTH, PAGE_SIZE, TOKEN_LENGTH, is_name, page_size};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::page_token::Question;
use crate::aws::wire;
use crate::clock;
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Create {
    name: Option<String>,
    tags: Option<Vec<tags::Asked>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    activity_arn: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    activity_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    activity_arn: String,
    name: String,
    #[serde(serialize_with = "wire::seconds")]
    creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_configuration: Option<Value>,
}

#[derive(Serialize)]
pub struct Deleted {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    activities: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub async fn create(handle: &Handle, asked: Create) -> Answer<Created> {
    let mut constraints = Constraints::new();
    constraints.text("name", asked.name.as_deref(), NAME_LENGTH);
    tags::check(&mut constraints, asked.tags.as_deref());
    constraints.check()?;
    let name = asked.name.unwrap_or_default();
    if !is_name(&name) {
        return Err(ApiError::invalid_name(&name));
    }
    let arn = handle.inner().namespace.activity(&name);
    let tags = tags::added(&arn, Vec::new(), asked.tags.unwrap_or_default())?;
    let record = handle
        .blocking(move |inner| inner.activities.create(&name, tags))
        .await??;
    Ok(Created {
        activity_arn: arn,
        creation_date: record.created,
    })
}

pub async fn describe(handle: &Handle, asked: Named) -> Answer<Described> {
    let arn = checked(asked)?;
    let record = find(handle, &arn)?;
    Ok(described(
        handle,
        record,
        Some(serde_json::json!({"type": "AWS_OWNED_KEY"})),
    ))
}

pub async fn delete(handle: &Handle, asked: Named) -> Answer<Deleted> {
    let arn = checked(asked)?;
    let name = handle.inner().namespace.parse_activity(&arn)?.to_owned();
    handle.blocking(move |inner| inner.activities.delete(&name)).await??;
    Ok(Deleted {})
}

pub async fn list(handle: &Handle, asked: List) -> Answer<Listed> {
    Constraints::new()
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    let now = clock::now();
    let question = Question::new(&handle.inner().token_key, "ListActivities", &[]);
    let after = question.position(asked.next_token.as_deref(), now)?;
    let mut all = handle.inner().activities.list();
    all.retain(|activity| after.is_none_or(|after| activity.id > after));
    let limit = page_size(asked.max_results);
    let more = all.len() > limit;
    all.truncate(limit);
    let next_token = all.last().filter(|_| more).map(|last| question.token(last.id, now));
    let activities = all.into_iter().map(|record| described(handle, record, None)).collect();
    Ok(Listed { activities, next_token })
}

/// The activity of an ARN.
pub fn find(handle: &Handle, arn: &str) -> Answer<ActivityRecord> {
    let inner = handle.inner();
    let name = inner.namespace.parse_activity(arn)?;
    inner
        .activities
        .get(name)
        .ok_or_else(|| ApiError::activity_does_not_exist(arn))
}

fn checked(asked: Named) -> Answer<String> {
    Constraints::new()
        .text("activityArn", asked.activity_arn.as_deref(), ARN_LENGTH)
        .check()?;
    Ok(asked.activity_arn.unwrap_or_default())
}

fn described(handle: &Handle, record: ActivityRecord, encryption_configuration: Option<Value>) -> Described {
    Described {
        activity_arn: handle.inner().namespace.activity(&record.name),
        name: record.name,
        creation_date: record.created,
        encryption_configuration,
    }
}
