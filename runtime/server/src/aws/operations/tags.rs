//! Tags as callers write them, and what they may be on.

use engine::ports::{Tag, Tagged};
use serde::{Deserialize, Serialize};

use crate::aws::arn::TaggedArn;
use crate::aws::constraints::Constraints;
use crate::aws::errors::{Answer, ApiError};
use crate::handle::Handle;

/// Longest key, in characters.
pub const KEY_LENGTH: usize = 128;
/// Longest value, in characters.
const VALUE_LENGTH: usize = 256;
/// Most tags on one thing.
const MOST_TAGS: usize = 50;

/// One tag in a request.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    key: Option<String>,
    value: Option<String>,
}

/// One tag in an answer.
#[derive(Serialize)]
pub struct Shown {
    key: String,
    value: String,
}

impl From<Tag> for Shown {
    fn from(Tag { key, value }: Tag) -> Self {
        Self { key, value }
    }
}

/// The service's own constraints.
pub fn check(constraints: &mut Constraints, tags: Option<&[Asked]>) {
    // Tags beyond those that fit are refused together.
    for (index, tag) in tags.into_iter().flatten().take(MOST_TAGS).enumerate() {
        let member = index + 1;
        constraints
            .length(&format!("tags.{member}.member.key"), tag.key.as_deref(), 1, KEY_LENGTH)
            .length(
                &format!("tags.{member}.member.value"),
                tag.value.as_deref(),
                0,
                VALUE_LENGTH,
            );
    }
}

/// The tags on `arn` after these were added: a key that is there keeps its place and gets the new value.
///
/// # Errors
/// `ValidationException` for characters that tags may not have or a key that is AWS's own, `TooManyTags`.
pub fn added(arn: &str, mut tags: Vec<Tag>, asked: Vec<Asked>) -> Answer<Vec<Tag>> {
    for Asked { key, value } in asked {
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        if key.is_empty() {
            return Err(ApiError::validation("a tag needs a key; give each one a `key`"));
        }
        for text in [&key, &value] {
            if !text.chars().all(is_allowed) {
                return Err(ApiError::validation(format!(
                    "the tag text `{text}` has characters that tags may not have; \
                     use letters, digits, white space and _ . : / = + - @"
                )));
            }
        }
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(ApiError::validation(format!(
                "the tag key `{key}` begins with `aws:`, which is reserved; choose another"
            )));
        }
        match tags.iter_mut().find(|tag| tag.key == key) {
            Some(tag) => tag.value = value,
            None => tags.push(Tag { key, value }),
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(ApiError::too_many_tags(arn));
    }
    Ok(tags)
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
}

/// What the ARN names, where tags can be on it.
///
/// # Errors
/// `InvalidArn`, and `ResourceNotFound` also for a version or an alias: only machines and activities have tags.
pub fn find(handle: &Handle, arn: &str) -> Answer<Tagged> {
    let found = match handle.inner().namespace.parse_tagged(arn)? {
        TaggedArn::Machine(name) => handle
            .inner()
            .machines
            .get(name)
            .map(|machine| Tagged::Machine(machine.record.id)),
        TaggedArn::Activity(name) => handle
            .inner()
            .activities
            .get(name)
            .map(|activity| Tagged::Activity(activity.name)),
    };
    found.ok_or_else(|| ApiError::resource_not_found(arn))
}
