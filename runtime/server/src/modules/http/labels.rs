//! `/v1/modules/NAME/labels`.

use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::ports::{CatalogueError, Expected, LABEL_LENGTH, LabelRecord, is_label};
use serde::{Deserialize, Serialize};

use super::{Force, fault, in_use, no_such_module, refused};
use crate::aws::module_users;
use crate::clock;
use crate::handle::{Handle, Inner};
use crate::http::{Asked, Place, Problem};
use crate::modules::{Error, ModuleReference, Modules, Version};

/// A label, as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    label: String,
    version: u32,
    digest: String,
    /// ISO 8601.
    created: String,
    /// ISO 8601.
    moved: String,
}

impl Shown {
    fn new(modules: &Modules, record: &LabelRecord) -> Option<Self> {
        let version = Version::Number(record.version);
        let name = &record.module;
        let module = modules.record(ModuleReference { name, version })?;
        Some(Self {
            label: record.label.clone(),
            version: record.version,
            digest: module.digest.to_string(),
            created: record.created.to_string(),
            moved: record.moved.to_string(),
        })
    }
}

/// With the version it points at as its `ETag`, which `If-Match` takes back.
fn answer(modules: &Modules, record: &LabelRecord, status: StatusCode) -> Result<Response, Problem> {
    let shown = Shown::new(modules, record).ok_or_else(|| no_such_module(&record.module))?;
    let tag = [(ETAG, format!("\"{}\"", record.version))];
    Ok((status, tag, axum::Json(shown)).into_response())
}

pub(super) async fn list(State(handle): State<Handle>, Place(name): Place<String>) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Labels {
        labels: Vec<Shown>,
    }
    let modules = &handle.inner().modules;
    let records = modules.labels(&name).ok_or_else(|| no_such_module(&name))?;
    let shown = records.iter().filter_map(|record| Shown::new(modules, record));
    Ok(axum::Json(Labels {
        labels: shown.collect(),
    })
    .into_response())
}

pub(super) async fn describe(
    State(handle): State<Handle>,
    Place((name, label)): Place<(String, String)>,
) -> Result<Response, Problem> {
    let modules = &handle.inner().modules;
    let records = modules.labels(&name).ok_or_else(|| no_such_module(&name))?;
    match records.iter().find(|record| record.label == label) {
        Some(record) => answer(modules, record, StatusCode::OK),
        None => Err(no_such_label(&name, &label)),
    }
}

#[derive(Deserialize)]
pub(super) struct Target {
    version: u32,
}

pub(super) async fn put(
    State(handle): State<Handle>,
    Place((name, label)): Place<(String, String)>,
    Asked(Target { version }): Asked<Target>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_label(&label)?;
    let expected = expected(&headers)?;
    let known = handle.inner().modules.labels(&name);
    let known = known.ok_or_else(|| no_such_module(&name))?;
    let from = known.iter().find(|record| record.label == label);
    let status = if from.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let record = set(&handle, &name, &label, version, expected).await?;
    tracing::info!(
        module = name,
        label,
        version,
        from = from.map(|record| record.version),
        "label set"
    );
    answer(&handle.inner().modules, &record, status)
}

/// Points a label at a version.
pub(super) async fn set(
    handle: &Handle,
    name: &str,
    label: &str,
    version: u32,
    expected: Expected,
) -> Result<LabelRecord, Problem> {
    let (name, label) = (name.to_owned(), label.to_owned());
    let set = move |inner: &Inner| inner.modules.put_label(&name, &label, version, expected, clock::now());
    handle
        .blocking(set)
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))
}

pub(super) async fn delete(
    State(handle): State<Handle>,
    Place((name, label)): Place<(String, String)>,
    Asked(Force { force }): Asked<Force>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Deleted {
        module: String,
        label: String,
    }
    let expected = expected(&headers)?;
    let (module, named) = (name.clone(), label.clone());
    let deleted = move |inner: &Inner| -> Result<Vec<String>, CatalogueError> {
        if !force {
            let users = module_users::of(&inner.machines, &module, |version| version == Version::Label(&named))?;
            if !users.is_empty() {
                return Ok(users);
            }
        }
        inner.modules.delete_label(&module, &named, expected)?;
        Ok(Vec::new())
    };
    if handle.inner().modules.labels(&name).is_none() {
        return Err(no_such_module(&name));
    }
    let users = handle
        .blocking(deleted)
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    if !users.is_empty() {
        return Err(in_use(&format!("label `{label}` of module `{name}`"), &users));
    }
    tracing::info!(module = name, label, force, "label deleted");
    Ok(axum::Json(Deleted { module: name, label }).into_response())
}

/// Whether a text can be a label.
pub(super) fn check_label(label: &str) -> Result<(), Problem> {
    if is_label(label) {
        return Ok(());
    }
    Err(Problem::new(
        400,
        "InvalidLabel",
        format!("`{label}` can't be a label"),
        format!(
            "use 1 to {LABEL_LENGTH} letters, digits, hyphens or underscores, not digits alone, no digest and not \
             `latest`, `newest` or `sha256`"
        ),
    ))
}

pub(super) fn no_such_label(name: &str, label: &str) -> Problem {
    Problem::new(
        404,
        "NoSuchLabel",
        format!("module `{name}` has no label `{label}`"),
        format!("`GET /v1/modules/{name}/labels` lists its labels"),
    )
}

/// What the label has to be, by the headers that guard a change.
fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_owned();
    let wrong = |header: &str, value: &str| {
        Problem::new(
            400,
            "InvalidCondition",
            format!("`{header}: {value}` is no condition for a label"),
            "send `If-Match: \"VERSION\"` to change a label that points at that version, or `If-None-Match: *` to make one \
             that isn't there",
        )
    };
    match (headers.get(IF_MATCH).map(text), headers.get(IF_NONE_MATCH).map(text)) {
        (None, None) => Ok(Expected::Anything),
        (None, Some(value)) if value == "*" => Ok(Expected::Absent),
        (Some(value), None) => value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .and_then(|version| version.parse().ok())
            .map(Expected::Version)
            .ok_or_else(|| wrong("If-Match", &value)),
        (_, Some(value)) => Err(wrong("If-None-Match", &value)),
    }
}
