//! `/v1/modules`: plain HTTP, plain JSON.

mod compiled;
mod labels;
mod upload;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::ports::{CatalogueError, Class, Manifest, ModuleRecord, Restart, TaskLimits, WayIn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Error, ModuleReference, Modules, Version};
use crate::aws::module_users;
use crate::handle::{Handle, Inner};
use crate::http::{Asked, Place, Problem, Routes};

/// The routes.
pub(crate) fn routes() -> Routes {
    vec![
        ("/v1/modules", get(list)),
        ("/v1/modules/{name}", get(describe).put(upload::put).delete(delete)),
        ("/v1/modules/{name}/compiled", get(compiled::compiled)),
        ("/v1/modules/{name}/component", get(component)),
        ("/v1/modules/{name}/uploaded", get(uploaded)),
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

async fn reach(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let modules = &handle.inner().modules;
    let record = wanted.find(modules, &name)?;
    Ok(axum::Json(modules.reach_of(&record)).into_response())
}

/// The component of a version.
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

/// The bytes of a version as they were uploaded.
async fn uploaded(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let record = wanted.find(&handle.inner().modules, &name)?;
    let uploaded = handle
        .blocking(move |inner| inner.modules.uploaded(&record))
        .await
        .map_err(|error| fault(&error.message))?
        .map_err(|error| refused(Error::Catalogue(error)))?;
    let uploaded = uploaded.ok_or_else(|| {
        Problem::new(
            404,
            "NotKept",
            format!(
                "module `{name}` was uploaded as a core module to a server that kept only the component made of it"
            ),
            format!("`GET /v1/modules/{name}/component` has the component; upload the module again to have it kept"),
        )
    })?;
    Ok(([(CONTENT_TYPE, "application/wasm")], uploaded).into_response())
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
        Error::Manifest(mistake) => upload::invalid_manifest(mistake.to_string()),
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
