//! `/v1/modules`: plain HTTP, plain JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ports::{CatalogueError, Class, Manifest, ModuleRecord, Restart, TaskLimits, WayIn};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Error, MANIFEST_BYTES, ModuleReference, NAME_LENGTH, Version};
use crate::aws::is_name;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem, Routes};
use crate::pace::Pace;

/// Largest upload, in bytes: the largest guests known, interpreters with their libraries, have 20 MB.
const UPLOAD_LIMIT: u64 = 256 << 20;
/// What of a refused upload is read and dropped, in bytes, so that a client that sends before it listens
/// gets its answer.
const DRAINED: u64 = 1 << 30;

/// Header of an upload with its manifest, in base64.
const MANIFEST: &str = "sandstep-manifest";

/// The routes.
pub(crate) fn routes() -> Routes {
    vec![
        ("/v1/modules", get(list)),
        ("/v1/modules/{name}", get(describe).put(put).delete(delete)),
        ("/v1/modules/{name}/component", get(component)),
        ("/v1/modules/{name}/reach", get(reach)),
    ]
}

/// A version, as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    version: u32,
    digest: String,
    size: u64,
    /// ISO 8601.
    created: String,
    entry: String,
    ways: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wit: Option<String>,
    exports: Vec<String>,
    imports: Vec<String>,
    limits: TaskLimits,
    uploaded_as: String,
    class: Class,
    /// What a crash of the server does to an attempt.
    restart: Restart,
    #[serde(skip_serializing_if = "Manifest::is_empty")]
    manifest: Manifest,
}

/// How much of a version is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Without types written out, for lists.
    Brief,
    /// All that is known.
    Full,
}

impl Shown {
    fn new(record: &ModuleRecord, detail: Detail) -> Self {
        let description = &record.description;
        Self {
            name: record.name.clone(),
            version: record.version,
            digest: record.digest.to_string(),
            size: record.size,
            created: record.created.to_string(),
            entry: description.entry.clone(),
            ways: description.ways.iter().map(|way| shown_way(way, detail)).collect(),
            wit: description.wit.clone().filter(|_| detail == Detail::Full),
            exports: description.exports.clone(),
            imports: description.imports.clone(),
            limits: description.limits,
            uploaded_as: description.uploaded_as.clone(),
            class: description.class(),
            restart: description.restart(),
            manifest: description.manifest.clone(),
        }
    }
}

fn shown_way(way: &WayIn, detail: Detail) -> Value {
    let mut shown = json!({"name": way.name, "kind": way.kind, "signature": way.signature});
    if let Some(refused) = &way.refused {
        shown["refused"] = json!(refused);
    }
    if detail == Detail::Full {
        shown["input"] = way.input.clone();
        shown["output"] = way.output.clone();
    }
    shown
}

fn shown(records: &[Arc<ModuleRecord>]) -> Vec<Shown> {
    let brief = |record: &Arc<ModuleRecord>| Shown::new(record, Detail::Brief);
    records.iter().map(brief).collect()
}

async fn list(State(handle): State<Handle>) -> Response {
    #[derive(Serialize)]
    struct Modules {
        modules: Vec<Shown>,
    }
    axum::Json(Modules {
        modules: shown(&handle.inner().modules.all()),
    })
    .into_response()
}

async fn describe(State(handle): State<Handle>, Place(name): Place<String>) -> Result<Response, Problem> {
    /// The newest version, and all of them.
    #[derive(Serialize)]
    struct Module {
        #[serde(flatten)]
        newest: Shown,
        versions: Vec<Shown>,
    }
    let versions = handle.inner().modules.versions(&name).unwrap_or_default();
    match versions.first() {
        Some(newest) => Ok(axum::Json(Module {
            newest: Shown::new(newest, Detail::Full),
            versions: shown(&versions),
        })
        .into_response()),
        None => Err(no_such_module(&name)),
    }
}

async fn put(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if name.chars().count() > NAME_LENGTH || !is_name(&name) || name.contains('@') {
        return Err(Problem::new(
            400,
            "InvalidName",
            format!("`{name}` can't name a module"),
            format!("use 1 to {NAME_LENGTH} letters, digits, hyphens, underscores or dots"),
        ));
    }
    let manifest = manifest(&headers)?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let _permit = handle.upload_permit().await;
    let component = receive(announced, body).await?;
    let size = component.len();
    let (record, new) = handle.put_module(name, component, manifest).await.map_err(refused)?;
    tracing::info!(module = record.name, version = record.version, digest = %record.digest, size, "module uploaded");
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(Shown::new(&record, Detail::Full))).into_response())
}

async fn reach(State(handle): State<Handle>, Place(name): Place<String>) -> Result<Response, Problem> {
    let newest = ModuleReference {
        name: &name,
        version: Version::Newest,
    };
    match handle.inner().modules.reach(newest) {
        Some(reach) => Ok(axum::Json(reach).into_response()),
        None => Err(no_such_module(&name)),
    }
}

#[derive(Deserialize)]
struct Wanted {
    version: Option<u32>,
}

/// The bytes of a version, the newest unless another is asked for.
async fn component(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(Wanted { version }): Asked<Wanted>,
) -> Result<Response, Problem> {
    let asked = name.clone();
    let found = handle
        .blocking(move |inner| {
            inner.modules.component(ModuleReference {
                name: &asked,
                version: version.map_or(Version::Newest, Version::Number),
            })
        })
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    match (found, version) {
        (Some((digest, component)), _) => Ok((
            [
                (CONTENT_TYPE, "application/wasm".to_owned()),
                (ETAG, format!("\"{digest}\"")),
            ],
            component,
        )
            .into_response()),
        (None, Some(version)) if handle.inner().modules.versions(&name).is_some() => Err(Problem::new(
            404,
            "NoSuchModule",
            format!("module `{name}` has no version {version}"),
            format!("`GET /v1/modules/{name}` lists its versions"),
        )),
        (None, _) => Err(no_such_module(&name)),
    }
}

/// The manifest that comes with an upload; without one it asks for nothing.
fn manifest(headers: &HeaderMap) -> Result<Manifest, Problem> {
    let Some(header) = headers.get(MANIFEST) else {
        return Ok(Manifest::default());
    };
    let decoded = STANDARD.decode(header.as_bytes()).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| invalid_manifest(format!("the header `{MANIFEST}` isn't a text in base64")))?;
    super::manifest(&text).map_err(|mistake| refused(Error::Manifest(mistake)))
}

fn invalid_manifest(message: String) -> Problem {
    let hint = format!(
        "send a `module.toml` of at most {MANIFEST_BYTES} bytes as `-H \"{MANIFEST}: $(base64 -w0 module.toml)\"`; \
         docs/modules.md shows one"
    );
    Problem::new(422, "InvalidManifest", message, hint)
}

#[derive(Deserialize)]
struct Deletion {
    #[serde(default)]
    force: bool,
}

async fn delete(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(Deletion { force }): Asked<Deletion>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Deleted {
        name: String,
        deleted_versions: usize,
    }
    if handle.inner().modules.versions(&name).is_none() {
        return Err(no_such_module(&name));
    }
    let asked = name.clone();
    let deleted = handle
        .blocking(move |inner| inner.modules.delete(&asked, force))
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    tracing::info!(module = name, versions = deleted, force, "module deleted");
    Ok(axum::Json(Deleted {
        name,
        deleted_versions: deleted,
    })
    .into_response())
}

/// Takes an upload into memory, as far as the limit goes.
async fn receive(announced: Option<u64>, mut body: Body) -> Result<Vec<u8>, Problem> {
    let mut upload = Vec::new();
    let mut size = 0;
    if announced.is_none_or(|length| length <= UPLOAD_LIMIT) {
        upload.reserve_exact(announced.unwrap_or_default() as usize);
    }
    let pace = Pace::new();
    while let Some(frame) = pace.next(size, body.frame()).await? {
        let frame = frame.map_err(|error| {
            Problem::new(
                400,
                "Interrupted",
                format!("the upload broke off after {size} bytes: {error}"),
                "send it again",
            )
        })?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len() as u64;
        if size.max(announced.unwrap_or_default()) <= UPLOAD_LIMIT {
            upload.extend_from_slice(&data);
            continue;
        }
        upload = Vec::new();
        if size > DRAINED {
            break;
        }
    }
    let size = size.max(announced.unwrap_or_default());
    if size > UPLOAD_LIMIT {
        return Err(Problem::new(
            413,
            "TooLarge",
            format!("the upload has more than {UPLOAD_LIMIT} bytes"),
            "strip debug information (`wasm-tools strip`) or leave data out of the module",
        ));
    }
    Ok(upload)
}

fn no_such_module(name: &str) -> Problem {
    Problem::new(
        404,
        "NoSuchModule",
        format!("no module `{name}` is uploaded"),
        "`GET /v1/modules` lists what is there; `PUT /v1/modules/NAME` uploads",
    )
}

fn refused(error: Error) -> Problem {
    match error {
        Error::Unfit(error) if error.code == "TooLarge" => Problem::new(413, error.code, error.message, error.hint),
        Error::Unfit(error) => Problem::new(422, error.code, error.message, error.hint),
        Error::Catalogue(error @ CatalogueError::ModuleInUse { .. }) => Problem::new(
            409,
            "ModuleInUse",
            error.to_string(),
            "update or delete those state machines first, or add `?force=true`: their tasks will fail then",
        ),
        Error::Catalogue(CatalogueError::NoSuchModule(name)) => no_such_module(&name),
        Error::Catalogue(error) => fault(&error.to_string()),
        Error::Manifest(mistake) => invalid_manifest(mistake.to_string()),
        Error::NotAllowed(refused) => Problem::new(403, "NotAllowed", refused.to_string(), refused.hint()),
        Error::Crashed(_) => fault(&error.to_string()),
    }
}

fn fault(message: &str) -> Problem {
    tracing::error!(error = message, "a module request failed");
    Problem::new(
        500,
        "InternalFailure",
        message,
        "nothing was changed; the server's log says more",
    )
}
