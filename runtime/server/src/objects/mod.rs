//! Objects over HTTP, so that people can bring data sets and fetch results: `/v1/objects/{bucket}/{key}`.
//!
//! Bytes stream both ways; a slow client holds a connection and a buffer, never a thread.

mod range;
mod transfer;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::ports::{ObjectError, ObjectHead, ObjectStore};
use serde::{Deserialize, Serialize};

use crate::handle::Handle;
use crate::http::{self, Place, Problem, Routes};
use range::Asked;
use transfer::Download;

/// Largest object that can be uploaded, in bytes: what S3 takes in one request.
const UPLOAD_LIMIT: u64 = 5 << 30;
/// Most objects in one answer, as S3 has it.
const PAGE: usize = 1000;

/// The routes.
pub(crate) fn routes() -> Routes {
    vec![
        ("/v1/objects", get(buckets)),
        (
            "/v1/objects/{bucket}",
            get(list).put(create_bucket).delete(delete_bucket),
        ),
        (
            "/v1/objects/{bucket}/{*key}",
            get(download).head(describe).put(upload).delete(delete),
        ),
    ]
}

/// An object, as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    key: String,
    size: u64,
    etag: String,
    /// ISO 8601.
    modified: String,
    storage_class: String,
}

impl From<ObjectHead> for Shown {
    fn from(head: ObjectHead) -> Self {
        Self {
            key: head.key,
            size: head.size,
            etag: head.etag,
            modified: head.modified.to_string(),
            storage_class: head.storage_class,
        }
    }
}

/// Asks the store where that harms nobody.
async fn ask<T: Send + 'static>(
    handle: &Handle,
    question: impl FnOnce(&dyn ObjectStore) -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, Problem> {
    let answer = handle.blocking(move |inner| question(&*inner.objects)).await;
    answer.map_err(|error| fault(&error.message))?.map_err(refused)
}

async fn buckets(State(handle): State<Handle>) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Buckets {
        buckets: Vec<String>,
    }
    let buckets = ask(&handle, |objects| objects.buckets()).await?;
    Ok(axum::Json(Buckets { buckets }).into_response())
}

async fn create_bucket(State(handle): State<Handle>, Place(bucket): Place<String>) -> Result<Response, Problem> {
    let name = bucket.clone();
    ask(&handle, move |objects| objects.create_bucket(&name)).await?;
    Ok(named(&bucket))
}

async fn delete_bucket(State(handle): State<Handle>, Place(bucket): Place<String>) -> Result<Response, Problem> {
    let name = bucket.clone();
    ask(&handle, move |objects| objects.delete_bucket(&name)).await?;
    Ok(named(&bucket))
}

fn named(bucket: &str) -> Response {
    #[derive(Serialize)]
    struct Bucket<'a> {
        bucket: &'a str,
    }
    axum::Json(Bucket { bucket }).into_response()
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(handle): State<Handle>,
    Place(bucket): Place<String>,
    http::Asked(Page { prefix, after, limit }): http::Asked<Page>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Objects {
        bucket: String,
        prefix: String,
        objects: Vec<Shown>,
        /// What to ask for as `after` to get the next page; absent on the last one.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    let limit = limit.unwrap_or(PAGE).clamp(1, PAGE);
    let (in_bucket, with_prefix) = (bucket.clone(), prefix.clone());
    let mut heads = ask(&handle, move |objects| {
        let listing = objects.list(&in_bucket, &with_prefix, after.as_deref())?;
        listing.take(limit + 1).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let more = heads.len() > limit;
    heads.truncate(limit);
    let next = heads.last().filter(|_| more).map(|head| head.key.clone());
    Ok(axum::Json(Objects {
        bucket,
        prefix,
        objects: heads.into_iter().map(Shown::from).collect(),
        next,
    })
    .into_response())
}

async fn describe(
    State(handle): State<Handle>,
    Place((bucket, key)): Place<(String, String)>,
) -> Result<Response, Problem> {
    let head = ask(&handle, move |objects| objects.head(&bucket, &key)).await?;
    let mut response = described(&head);
    response.headers_mut().insert(CONTENT_LENGTH, head.size.into());
    Ok(response)
}

async fn download(
    State(handle): State<Handle>,
    Place((bucket, key)): Place<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok().map(str::to_owned));
    let (head, asked, opened) = ask(&handle, move |objects| {
        let head = objects.head(&bucket, &key)?;
        let asked = range::asked(range.as_deref(), head.size);
        let first = match asked {
            Asked::Whole | Asked::Nothing => 0,
            Asked::Part { first, .. } => first,
        };
        let opened = objects.open(&bucket, &key, first)?;
        Ok((head, asked, opened))
    })
    .await?;
    // Where a part lies was worked out on another object.
    if opened.head != head && asked != Asked::Whole {
        return Err(Problem::new(
            409,
            "Changed",
            "the object was written while a part of it was asked for",
            "ask again",
        ));
    }
    let size = opened.head.size;
    let mut response = described(&opened.head);
    let length = match asked {
        Asked::Whole => size,
        Asked::Part { first, last } => {
            let range = format!("bytes {first}-{last}/{size}");
            insert(response.headers_mut(), CONTENT_RANGE, &range);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            last - first + 1
        }
        Asked::Nothing => {
            return Err(Problem::new(
                416,
                "NoSuchRange",
                format!("the object has {size} bytes and none of those asked for"),
                "ask for bytes that are there, or leave the Range header out",
            ));
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    *response.body_mut() = Body::new(Download::new(opened.content, length));
    Ok(response)
}

/// What HTTP has headers for.
fn described(head: &ObjectHead) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    insert(headers, ETAG, &format!("\"{}\"", head.etag));
    insert(headers, LAST_MODIFIED, &range::http_date(head.modified));
    response
}

fn insert(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

async fn upload(
    State(handle): State<Handle>,
    Place((bucket, key)): Place<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > UPLOAD_LIMIT) {
        return Err(too_large());
    }
    let (in_bucket, at_key) = (bucket.clone(), key.clone());
    // The first object makes its bucket: on a machine of one's own there is nobody to ask for one.
    let writer = ask(&handle, move |objects| match objects.create(&in_bucket, &at_key) {
        Err(ObjectError::NoSuchBucket { .. }) => {
            objects.create_bucket(&in_bucket)?;
            objects.create(&in_bucket, &at_key)
        }
        created => created,
    })
    .await?;
    let writer = transfer::receive(&handle, body, writer, UPLOAD_LIMIT).await?;
    let head = ask(&handle, move |_| writer.finish()).await?;
    tracing::info!(bucket, size = head.size, "object written");
    Ok(axum::Json(Shown::from(head)).into_response())
}

async fn delete(
    State(handle): State<Handle>,
    Place((bucket, key)): Place<(String, String)>,
) -> Result<Response, Problem> {
    ask(&handle, move |objects| objects.delete(&bucket, &key)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn too_large() -> Problem {
    Problem::new(
        413,
        "TooLarge",
        format!("the object has more than {UPLOAD_LIMIT} bytes"),
        "split it, or put the file into the `objects` directory of the server's data directory",
    )
}

fn refused(error: ObjectError) -> Problem {
    let message = |error: &ObjectError| {
        let text = error.to_string();
        text.split("; ").next().unwrap_or_default().to_owned()
    };
    match &error {
        ObjectError::NoSuchBucket { bucket } => Problem::new(
            404,
            "NoSuchBucket",
            message(&error),
            format!("`PUT /v1/objects/{bucket}` makes it, and so does the first object put into it"),
        ),
        ObjectError::NoSuchKey { bucket, .. } => Problem::new(
            404,
            "NoSuchKey",
            message(&error),
            format!("`GET /v1/objects/{bucket}` lists what is there"),
        ),
        ObjectError::InvalidName { .. } => Problem::new(400, "InvalidName", error.to_string(), "choose another name"),
        ObjectError::BucketNotEmpty { .. } => {
            Problem::new(409, "BucketNotEmpty", message(&error), "delete the objects first")
        }
        ObjectError::AccessDenied { .. } => Problem::new(
            403,
            "AccessDenied",
            error.to_string(),
            "the server's user must own its data directory",
        ),
        ObjectError::Failed { .. } => fault(&error.to_string()),
    }
}

fn fault(message: &str) -> Problem {
    tracing::error!(error = message, "a request for an object failed");
    Problem::new(500, "InternalFailure", message, "the server's log says more")
}
