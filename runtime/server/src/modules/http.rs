//! `/v1/modules`: plain HTTP, plain JSON.

mod compiled;
mod labels;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ports::{CatalogueError, Class, Expected, Manifest, ModuleRecord, Restart, TaskLimits, WayIn};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::signatures::{self, SIGNATURE_BYTES};
use super::{Error, MANIFEST_BYTES, ModuleReference, Modules, NAME_LENGTH, Offered, Signed, Version};
use crate::aws::{is_name, module_users};
use crate::handle::{Handle, Inner};
use crate::http::{Asked, Place, Problem, Routes};
use crate::pace::Pace;

/// Largest upload, in bytes: the largest guests known, interpreters with their libraries, have 20 MB.
const UPLOAD_LIMIT: u64 = 256 << 20;
/// What of a refused upload is read and dropped, in bytes, so that a client that sends before it listens
/// gets its answer.
const DRAINED: u64 = 1 << 30;

/// Header of an upload with its manifest, in base64.
const MANIFEST: &str = "sandstep-manifest";
/// Header of an upload with its signature, in base64.
const SIGNATURE: &str = "sandstep-signature";

/// The routes.
pub(crate) fn routes() -> Routes {
    vec![
        ("/v1/modules", get(list)),
        ("/v1/modules/{name}", get(describe).put(put).delete(delete)),
        ("/v1/modules/{name}/compiled", get(compiled::compiled)),
        ("/v1/modules/{name}/component", get(component)),
        ("/v1/modules/{name}/labels", get(labels::list)),
        (
            "/v1/modules/{name}/labels/{label}",
            get(labels::describe).put(labels::put).delete(labels::delete),
        ),
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
    /// What points at it.
    labels: Vec<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<ShownSignature>,
}

/// A signature, and whose it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSignature {
    /// The name of the policy's key; absent where it has no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    component: String,
    manifest: String,
    value: String,
}

impl ShownSignature {
    fn new(modules: &Modules, record: &ModuleRecord) -> Option<Self> {
        let signature = record.description.signature.as_ref()?;
        Some(Self {
            signer: modules.policy().signer(&record.name, signature).map(str::to_owned),
            component: signature.upload.to_string(),
            manifest: signature.manifest.to_string(),
            value: signature.value.clone(),
        })
    }
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
    fn new(modules: &Modules, record: &ModuleRecord, detail: Detail) -> Self {
        let description = &record.description;
        Self {
            name: record.name.clone(),
            version: record.version,
            digest: record.digest.to_string(),
            labels: modules.labels_at(&record.name, record.version),
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
            signature: ShownSignature::new(modules, record),
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

fn shown(modules: &Modules, records: &[Arc<ModuleRecord>]) -> Vec<Shown> {
    let brief = |record: &Arc<ModuleRecord>| Shown::new(modules, record, Detail::Brief);
    records.iter().map(brief).collect()
}

async fn list(State(handle): State<Handle>) -> Response {
    #[derive(Serialize)]
    struct Listed {
        modules: Vec<Shown>,
    }
    let modules = &handle.inner().modules;
    axum::Json(Listed {
        modules: shown(modules, &modules.all()),
    })
    .into_response()
}

#[derive(Deserialize)]
struct Wanted {
    /// A number, a label or a digest; the newest version where absent.
    version: Option<String>,
}

impl Wanted {
    fn version(&self) -> Result<Version<'_>, Problem> {
        let Some(text) = &self.version else {
            return Ok(Version::Newest);
        };
        Version::read(text).ok_or_else(|| {
            Problem::new(
                400,
                "InvalidVersion",
                format!("`{text}` is neither a version's number nor a label nor a digest"),
                "leave `version` out for the newest version",
            )
        })
    }

    /// The version that is meant.
    fn find(&self, modules: &Modules, name: &str) -> Result<Arc<ModuleRecord>, Problem> {
        let version = self.version()?;
        match (modules.record(ModuleReference { name, version }), version) {
            (Some(record), _) => Ok(record),
            (None, Version::Label(label)) if modules.labels(name).is_some() => Err(labels::no_such_label(name, label)),
            (None, version) if modules.labels(name).is_some() => Err(no_such_version(name, version)),
            (None, _) => Err(no_such_module(name)),
        }
    }
}

async fn describe(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    /// The version that is meant, and all of them.
    #[derive(Serialize)]
    struct Module {
        #[serde(flatten)]
        meant: Shown,
        versions: Vec<Shown>,
    }
    let modules = &handle.inner().modules;
    let meant = wanted.find(modules, &name)?;
    let versions = modules.versions(&name).unwrap_or_default();
    Ok(axum::Json(Module {
        meant: Shown::new(modules, &meant, Detail::Full),
        versions: shown(modules, &versions),
    })
    .into_response())
}

#[derive(Deserialize)]
struct Upload {
    /// Points at the version that this is.
    label: Option<String>,
}

async fn put(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(Upload { label }): Asked<Upload>,
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
    if let Some(label) = &label {
        labels::check_label(label)?;
    }
    let text = manifest(&headers)?;
    let signature = signature(&headers, &text)?;
    let manifest = super::manifest(&text).map_err(|mistake| refused(Error::Manifest(mistake)))?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let _permit = handle.upload_permit().await;
    let upload = receive(announced, body).await?;
    let size = upload.len();
    let offered = Offered {
        upload,
        manifest,
        signature,
    };
    let (record, new) = handle.put_module(name, offered).await.map_err(refused)?;
    tracing::info!(module = record.name, version = record.version, digest = %record.digest, size, "module uploaded");
    if let Some(label) = label {
        labels::set(&handle, &record.name, &label, record.version, Expected::Anything).await?;
        tracing::info!(module = record.name, label, version = record.version, "label set");
    }
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let shown = Shown::new(&handle.inner().modules, &record, Detail::Full);
    Ok((status, axum::Json(shown)).into_response())
}

async fn reach(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let modules = &handle.inner().modules;
    let record = wanted.find(modules, &name)?;
    Ok(axum::Json(modules.reach_of(&record)).into_response())
}

/// The bytes of a version.
async fn component(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let record = wanted.find(&handle.inner().modules, &name)?;
    let digest = record.digest.clone();
    let component = handle
        .blocking(move |inner| inner.modules.component(&digest))
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    // One that was deleted since it was found.
    let component = component.ok_or_else(|| no_such_module(&name))?;
    let head = [
        (CONTENT_TYPE, "application/wasm".to_owned()),
        (ETAG, format!("\"{}\"", record.digest)),
    ];
    Ok((head, component).into_response())
}

/// The manifest that comes with an upload; without one it asks for nothing.
fn manifest(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(header) = headers.get(MANIFEST) else {
        return Ok(String::new());
    };
    let decoded = STANDARD.decode(header.as_bytes()).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| invalid_manifest(format!("the header `{MANIFEST}` isn't a text in base64")))
}

/// The signature that comes with an upload.
fn signature(headers: &HeaderMap, manifest: &str) -> Result<Option<Signed>, Problem> {
    let Some(header) = headers.get(SIGNATURE) else {
        return Ok(None);
    };
    let value = header.to_str().unwrap_or_default().trim();
    match STANDARD.decode(value) {
        Ok(bytes) if bytes.len() == SIGNATURE_BYTES => Ok(Some(Signed {
            manifest: signatures::digest(manifest.as_bytes()),
            value: value.to_owned(),
        })),
        Ok(_) | Err(_) => Err(Problem::new(
            422,
            "InvalidSignature",
            format!("the header `{SIGNATURE}` isn't an Ed25519 signature of {SIGNATURE_BYTES} bytes in base64"),
            "`sandstep modules sign` makes one; docs/modules.md shows how OpenSSL does",
        )),
    }
}

fn invalid_manifest(message: String) -> Problem {
    let hint = format!(
        "send a `module.toml` of at most {MANIFEST_BYTES} bytes as `-H \"{MANIFEST}: $(base64 -w0 module.toml)\"`; \
         docs/modules.md shows one"
    );
    Problem::new(422, "InvalidManifest", message, hint)
}

/// Whether something goes away although it is used.
#[derive(Deserialize)]
struct Force {
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
struct Deletion {
    #[serde(default)]
    force: bool,
    /// All of them where absent.
    version: Option<u32>,
}

async fn delete(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(Deletion { force, version }): Asked<Deletion>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Deleted {
        name: String,
        deleted_versions: usize,
    }
    if handle.inner().modules.labels(&name).is_none() {
        return Err(no_such_module(&name));
    }
    let asked = name.clone();
    let delete = move |inner: &Inner| match version {
        None => Ok(Ok(inner.modules.delete(&asked, force)?)),
        Some(version) => delete_version(inner, &asked, version, force),
    };
    let deleted = handle
        .blocking(delete)
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    let deleted = deleted.map_err(|users| match version {
        Some(version) => in_use(&format!("version {version} of module `{name}`"), &users),
        None => in_use(&format!("module `{name}`"), &users),
    })?;
    tracing::info!(module = name, version, versions = deleted, force, "module deleted");
    Ok(axum::Json(Deleted {
        name,
        deleted_versions: deleted,
    })
    .into_response())
}

/// Takes a version away, or says which state machines it is used by: one that names it by its number, by its digest or
/// by a label, and one that names the newest where it is that.
fn delete_version(
    inner: &Inner,
    name: &str,
    version: u32,
    force: bool,
) -> Result<Result<usize, Vec<String>>, CatalogueError> {
    if !force {
        let is_meant = |named: Version<'_>| {
            let record = inner.modules.record(ModuleReference { name, version: named });
            record.is_some_and(|record| record.version == version)
        };
        let users = module_users::of(&inner.machines, name, is_meant)?;
        if !users.is_empty() {
            return Ok(Err(users));
        }
    }
    inner.modules.delete_version(name, version, force)?;
    Ok(Ok(1))
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

fn no_such_version(name: &str, version: Version<'_>) -> Problem {
    Problem::new(
        404,
        "NoSuchModule",
        format!("module `{name}` has no version{version}"),
        format!("`GET /v1/modules/{name}` lists its versions"),
    )
}

/// Something of a module is used by state machines.
fn in_use(what: &str, users: &[String]) -> Problem {
    Problem::new(
        409,
        "ModuleInUse",
        format!("{what} is used by state machines {users:?}"),
        IN_USE,
    )
}

/// What to do about it.
const IN_USE: &str = "update or delete those state machines first, or add `?force=true`: their tasks will fail then";

fn refused(error: Error) -> Problem {
    match error {
        Error::Unfit(error) if error.code == "TooLarge" => Problem::new(413, error.code, error.message, error.hint),
        Error::Unfit(error) => Problem::new(422, error.code, error.message, error.hint),
        Error::Catalogue(CatalogueError::ModuleInUse { module, machines }) => {
            in_use(&format!("module `{module}`"), &machines)
        }
        Error::Catalogue(error @ CatalogueError::ModuleLabelled { .. }) => Problem::new(
            409,
            "ModuleLabelled",
            error.to_string(),
            "move or delete those labels first, or add `?force=true`: they go with it then",
        ),
        Error::Catalogue(error @ CatalogueError::LabelMoved { .. }) => Problem::new(
            412,
            "LabelMoved",
            error.to_string(),
            "somebody else has moved it; look at it again before you do",
        ),
        Error::Catalogue(error @ CatalogueError::TooManyLabels(_)) => Problem::new(
            409,
            "TooManyLabels",
            error.to_string(),
            "delete labels that nobody uses",
        ),
        Error::Catalogue(CatalogueError::NoSuchModule(name)) => no_such_module(&name),
        Error::Catalogue(CatalogueError::NoSuchModuleVersion { module, version }) => {
            no_such_version(&module, Version::Number(version))
        }
        Error::Catalogue(CatalogueError::NoSuchLabel { module, label }) => labels::no_such_label(&module, &label),
        Error::Catalogue(error) => fault(&error.to_string()),
        Error::Manifest(mistake) => invalid_manifest(mistake.to_string()),
        Error::NotSigned(refused) => Problem::new(403, "NotSigned", refused.to_string(), refused.hint()),
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
