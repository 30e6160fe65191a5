//! `PUT /v1/modules/NAME`.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ports::Expected;
use serde::Deserialize;

use super::{Detail, Shown, labels, refused};
use crate::aws::is_name;
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};
use crate::modules::signatures::{self, SIGNATURE_BYTES};
use crate::modules::{self, Error, MANIFEST_BYTES, NAME_LENGTH, Offered, Signed};
use crate::pace::Coming;

/// Largest upload, in bytes: the largest guests known, interpreters with their libraries, have 20 MB.
const UPLOAD_LIMIT: u64 = 256 << 20;
/// What of a refused upload is read and dropped, in bytes, so that a client that sends before it listens
/// gets its answer.
const DRAINED: u64 = 1 << 30;

/// Header of an upload with its manifest, in base64.
const MANIFEST: &str = "sandstep-manifest";
/// Header of an upload with its signature, in base64.
const SIGNATURE: &str = "sandstep-signature";

#[derive(Deserialize)]
pub(super) struct Upload {
    /// Points at the version that this is.
    label: Option<String>,
}

pub(super) async fn put(
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
    let manifest = modules::manifest(&text).map_err(|mistake| refused(Error::Manifest(mistake)))?;
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

pub(super) fn invalid_manifest(message: String) -> Problem {
    let hint = format!(
        "send a `module.toml` of at most {MANIFEST_BYTES} bytes as `-H \"{MANIFEST}: $(base64 -w0 module.toml)\"`; \
         docs/modules.md shows one"
    );
    Problem::new(422, "InvalidManifest", message, hint)
}

/// Takes an upload into memory, as far as the limit goes.
async fn receive(announced: Option<u64>, body: Body) -> Result<Vec<u8>, Problem> {
    let mut upload = Vec::new();
    if announced.is_none_or(|length| length <= UPLOAD_LIMIT) {
        upload.reserve_exact(announced.unwrap_or_default() as usize);
    }
    let mut coming = Coming::new(body);
    while let Some(piece) = coming.next().await? {
        if coming.size().max(announced.unwrap_or_default()) <= UPLOAD_LIMIT {
            upload.extend_from_slice(&piece);
            continue;
        }
        upload = Vec::new();
        if coming.size() > DRAINED {
            break;
        }
    }
    if coming.size().max(announced.unwrap_or_default()) > UPLOAD_LIMIT {
        return Err(Problem::new(
            413,
            "TooLarge",
            format!("the upload has more than {UPLOAD_LIMIT} bytes"),
            "strip debug information (`wasm-tools strip`) or leave data out of the module",
        ));
    }
    Ok(upload)
}
