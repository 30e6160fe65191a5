//! `/v1/modules/NAME/compiled`: code for other machines.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Wanted, fault, refused};
use crate::handle::Handle;
use crate::http::{Asked, Place, Problem};
use crate::modules::Error;

/// How long a compilation is waited for. The largest guests known take half a minute of a desktop's time; one that takes
/// longer than this ends by itself, unheard.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
pub(super) struct For {
    target: String,
    version: Option<String>,
}

pub(super) async fn compiled(
    State(handle): State<Handle>,
    Place(name): Place<String>,
    Asked(For { target, version }): Asked<For>,
) -> Result<Response, Problem> {
    let record = Wanted { version }.find(&handle.inner().modules, &name)?;
    let Some(permit) = handle.artefact_permit() else {
        return Err(Problem::new(
            429,
            "Busy",
            "another module is being compiled for another machine",
            "ask again in a minute",
        ));
    };
    let (digest, asked) = (record.digest.clone(), target.clone());
    let modules = Arc::clone(&handle.inner().modules);
    let compile = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        modules.compiled(&digest, &asked)
    });
    let file = match tokio::time::timeout(PATIENCE, compile).await {
        Ok(Ok(Ok(file))) => file,
        Ok(Ok(Err(error))) if error.code == "UnknownTarget" => {
            return Err(Problem::new(400, error.code, error.message, error.hint));
        }
        Ok(Ok(Err(error))) => return Err(refused(Error::Unfit(error))),
        Ok(Err(error)) => {
            return Err(fault(&format!(
                "compiling for `{target}` failed inside the server: {error}"
            )));
        }
        Err(_) => {
            let message = format!(
                "compiling for `{target}` takes longer than {} seconds",
                PATIENCE.as_secs()
            );
            return Err(Problem::new(503, "TooSlow", message, "ask a faster server"));
        }
    };
    tracing::info!(
        module = record.name,
        version = record.version,
        target,
        bytes = file.len(),
        "module compiled for another machine"
    );
    let head = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (ETAG, format!("\"{}/{target}\"", record.digest)),
    ];
    Ok((head, file).into_response())
}
