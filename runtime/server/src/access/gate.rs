//! The one place every request passes before a handler sees it.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::{RequestExt, http::StatusCode};
use serde_json::Value;

use super::Entrance;
use super::credentials::{Caller, Keyring, unhex};
use super::origin::{self, Verdict};
use super::payload::Checked;
use super::policy::Action;
use super::routes::{self, Needs, Route};
use super::secret::Secret;
use crate::aws::access::{self as operations, Reach as OperationReach, Touched};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::signature::{CONTENT_SHA256, Claim, Refusal, Request as SignedRequest, payload_digest};
use crate::aws::{operation_of, respond};
use crate::clock;
use crate::handle::Handle;
use crate::http::Problem;
use crate::plain::machine_of;

/// The service in the names of its actions.
const ACTIONS: &str = "states";
/// Bytes of a list that is shown in part. Lists have pages, or describe modules, of which there are thousands at most.
const LIST_BYTES: usize = 64 << 20;

/// What the gate looks things up in.
#[derive(Clone)]
pub(crate) struct Gate {
    entrance: Arc<Entrance>,
    handle: Handle,
}

impl Gate {
    pub(crate) fn new(entrance: Arc<Entrance>, handle: Handle) -> Self {
        Self { entrance, handle }
    }
}

/// Lets a request pass to its handler, or answers it.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response<Body> {
    let is_open = gate.entrance.keyring.is_none();
    match origin::judge(request.method(), request.headers(), is_open, &gate.entrance.origins) {
        Verdict::Ours => gate.admit(request, next).await,
        Verdict::Allowed(origin) => origin::allow(gate.admit(request, next).await, origin),
        Verdict::Preflight(origin) => origin::preflight(origin),
        Verdict::Foreign(origin) => Problem::new(
            403,
            "ForeignOrigin",
            format!("pages of `{origin}` may not use this server"),
            format!("start the server with `--allow-origin {origin}` if they should"),
        )
        .into_response(),
        Verdict::Renamed(host) => Problem::new(
            403,
            "ForeignHost",
            format!("this server asks for no keys, so it isn't reached by the public name `{host}`"),
            "use `localhost` or the address; or start the server with --credentials",
        )
        .into_response(),
    }
}

impl Gate {
    async fn admit(&self, request: Request, next: Next) -> Response<Body> {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let needs = match path.map(|path| (path, routes::of(request.method(), path))) {
            Some((_, Route::Known(needs))) => needs,
            // The router says which methods there are.
            Some((_, Route::OtherMethod)) => Needs::Nothing,
            Some((path, Route::Unknown)) => {
                tracing::error!(path, "a route has no line in the table of who may call it");
                return Problem::new(
                    500,
                    "InternalFailure",
                    format!("nobody may call `{path}`"),
                    "please report this",
                )
                .into_response();
            }
            // Nothing is there, which says nothing to anybody.
            None => Needs::Nothing,
        };
        let Some(keyring) = self.entrance.keyring.clone() else {
            return next.run(request).await;
        };
        match needs {
            Needs::Nothing => next.run(request).await,
            Needs::Operation => match self.admit_operation(&keyring, request).await {
                Ok(Admitted { request, caller, list }) => shown(next.run(request).await, &caller, list).await,
                Err(error) => respond(Err(error)),
            },
            Needs::Key(action, reach) => match self.admit_route(&keyring, request, action, reach).await {
                Ok(Admitted { request, caller, list }) => shown(next.run(request).await, &caller, list).await,
                Err(error) => refused(error),
            },
        }
    }

    async fn admit_operation(&self, keyring: &Keyring, request: Request) -> Answer<Admitted> {
        let inner = self.handle.inner();
        let (mut parts, body) = request.into_parts();
        let identified = self.identify(keyring, &parts)?;
        let signed = matches!(identified, Identified::Signed(..));
        let operation = operation_of(&parts.headers)?.to_owned();
        let (action, reach) = operations::of(&operation)?;
        let policy = &identified.caller().policy;
        let limited = policy.is_limited();
        // Read only where something must be known of it; the handler finds it in memory then.
        let (body, bytes) = if signed || limited || !policy.allows(action) {
            let held = inner.bodies.receive(body).await?;
            parts.extensions.insert(held.clone());
            (Body::empty(), held.bytes)
        } else {
            (body, Bytes::new())
        };
        let caller = identified.verify(&parts, || payload_digest(&bytes))?;
        let touched = self.touched(&caller, reach, &bytes).await?;
        let name = format!("{ACTIONS}:{operation}");
        self.allow(&caller, action, &name, &touched, reach == OperationReach::Everything)?;
        let list = match reach {
            OperationReach::Listed(member) if limited => Some(member),
            _ => None,
        };
        Ok(Admitted::new(parts, body, caller, list))
    }

    /// What an operation touches, as far as that matters to the caller's limits.
    async fn touched(&self, caller: &Caller, reach: OperationReach, body: &Bytes) -> Answer<Vec<Touched>> {
        let namespace = &self.handle.inner().namespace;
        if !caller.policy.is_limited() {
            // Only to be named in a refusal.
            return Ok(operations::touched(reach, body, namespace).unwrap_or_default());
        }
        if reach != OperationReach::TaskToken {
            let touched = operations::touched(reach, body, namespace)?;
            let named = matches!(
                reach,
                OperationReach::Arns(_) | OperationReach::Name | OperationReach::Routes
            );
            if named && touched.is_empty() {
                return Ok(vec![Touched {
                    resource: "*".to_owned(),
                    name: None,
                }]);
            }
            return Ok(touched);
        }
        let token = operations::task_token(body)?;
        // A token of nobody's gets its own error from the operation.
        let Some(task) = self.handle.inner().token_key.task(&token) else {
            return Ok(Vec::new());
        };
        let machine: Option<String> = self
            .handle
            .blocking(move |inner| inner.machine_name_of(task.execution))
            .await??;
        Ok(machine
            .map(|name| Touched {
                resource: namespace.machine(&name),
                name: Some(name),
            })
            .into_iter()
            .collect())
    }

    async fn admit_route(
        &self,
        keyring: &Keyring,
        mut request: Request,
        action: Action,
        reach: routes::Reach,
    ) -> Answer<Admitted> {
        let parameters: Vec<(String, String)> = match request.extract_parts::<RawPathParams>().await {
            Ok(parameters) => parameters
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            Err(error) => return Err(ApiError::validation(error.body_text())),
        };
        let (mut parts, body) = request.into_parts();
        let identified = self.identify(keyring, &parts)?;
        let (caller, body) = match announced_digest(&parts.headers) {
            // An upload is checked while it is read.
            Some((digest, expected)) if matches!(identified, Identified::Signed(..)) => {
                let caller = identified.verify(&parts, || digest)?;
                (caller, Body::new(Checked::new(body, expected)))
            }
            None if matches!(identified, Identified::Signed(..)) => {
                let held = self.handle.inner().bodies.receive(body).await?;
                let caller = identified.verify(&parts, || payload_digest(&held.bytes))?;
                let body = Body::from(held.bytes.clone());
                parts.extensions.insert(held);
                (caller, body)
            }
            _ => (identified.verify(&parts, String::new)?, body),
        };
        let (touched, list) = match reach {
            routes::Reach::Everything => (Vec::new(), None),
            routes::Reach::Listed(member) => (Vec::new(), Some(member)),
            routes::Reach::Name(parameter) | routes::Reach::MachineOf(parameter) => {
                let name = parameters.into_iter().find(|(name, _)| name == parameter);
                let name = name.map(|(_, value)| match reach {
                    routes::Reach::MachineOf(_) => machine_of(&value).to_owned(),
                    _ => value,
                });
                let resource = name.clone().unwrap_or_default();
                (vec![Touched { resource, name }], None)
            }
        };
        let name = format!("{} {}", parts.method, parts.uri.path());
        self.allow(&caller, action, &name, &touched, reach == routes::Reach::Everything)?;
        let list = list.filter(|_| caller.policy.is_limited());
        Ok(Admitted::new(parts, body, caller, list))
    }

    /// Finds out who says they ask. A token is proof; a signature is one only once it is verified.
    fn identify(&self, keyring: &Keyring, parts: &Parts) -> Answer<Identified> {
        let credentials = keyring.current();
        if let Some(token) = bearer(&parts.headers) {
            return match credentials.token(&token) {
                Some(caller) => Ok(Identified::Known(caller)),
                None => Err(Refusal::UnknownKey.into()),
            };
        }
        let Some(claim) = Claim::read(signed_part(parts))? else {
            return Err(ApiError::missing_authentication_token());
        };
        let Some((secret, caller)) = credentials.key(&claim.key_id) else {
            return Err(Refusal::UnknownKey.into());
        };
        claim.check(&parts.headers, self.handle.inner().namespace.region(), clock::now())?;
        Ok(Identified::Signed(Box::new(claim), secret, caller))
    }

    fn allow(
        &self,
        caller: &Caller,
        action: Action,
        name: &str,
        touched: &[Touched],
        touches_everything: bool,
    ) -> Answer<()> {
        let policy = &caller.policy;
        let covers = |touched: &Touched| touched.name.as_deref().is_some_and(|name| policy.covers(name));
        let outside = if policy.is_limited() {
            touched.iter().find(|touched| !covers(touched))
        } else {
            None
        };
        let allowed = policy.allows(action) && outside.is_none() && !(touches_everything && policy.is_limited());
        if allowed {
            return Ok(());
        }
        let resource = outside.or(touched.first()).map_or("*", |touched| &touched.resource);
        let resource: String = resource.chars().take(RESOURCE_CHARACTERS).collect();
        tracing::info!(
            key = caller.name,
            request = name,
            resource,
            "refused: its key doesn't allow it"
        );
        let user = self.handle.inner().namespace.user(&caller.name);
        Err(ApiError::access_denied(format!(
            "User: {user} is not authorized to perform: {name} on resource: {resource} because no identity-based \
             policy allows the {name} action"
        )))
    }
}

/// Longest resource repeated in a refusal, in characters: ARNs have 256.
const RESOURCE_CHARACTERS: usize = 300;

/// A request that may pass.
struct Admitted {
    request: Request,
    caller: Arc<Caller>,
    /// The member of the answer that the caller is shown a part of.
    list: Option<&'static str>,
}

impl Admitted {
    fn new(parts: Parts, body: Body, caller: Arc<Caller>, list: Option<&'static str>) -> Self {
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(Extension(Arc::clone(&caller)));
        Self { request, caller, list }
    }
}

/// Who asks, as far as it is known before the body is read.
enum Identified {
    Known(Arc<Caller>),
    Signed(Box<Claim>, Secret, Arc<Caller>),
}

impl Identified {
    fn caller(&self) -> &Caller {
        match self {
            Self::Known(caller) | Self::Signed(_, _, caller) => caller,
        }
    }

    fn verify(self, parts: &Parts, digest: impl FnOnce() -> String) -> Answer<Arc<Caller>> {
        match self {
            Self::Known(caller) => Ok(caller),
            Self::Signed(claim, secret, caller) => match claim.verify(signed_part(parts), &digest(), &secret) {
                Ok(()) => Ok(caller),
                Err(refusal) => {
                    tracing::info!(key = caller.name, "refused: the signature is wrong");
                    Err(refusal.into())
                }
            },
        }
    }
}

fn signed_part(parts: &Parts) -> SignedRequest<'_> {
    SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    }
}

/// The token of `Authorization: Bearer …`; the scheme's letters may be small or capital (RFC 9110).
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

/// The digest the sender computed of the payload, as sent and as bytes.
fn announced_digest(headers: &HeaderMap) -> Option<(String, [u8; 32])> {
    let digest = headers.get(CONTENT_SHA256)?.to_str().ok()?;
    Some((digest.to_owned(), unhex(digest)?))
}

/// An error of the gate where AWS's API isn't.
fn refused(error: ApiError) -> Response<Body> {
    let (status, hint) = match error.kind {
        "AccessDeniedException" => (403, "ask the operator for a key with another role, or for other names"),
        "MissingAuthenticationTokenException" => (
            401,
            "send `Authorization: Bearer TOKEN`, or sign the request with an access key",
        ),
        "UnrecognizedClientException" | "IncompleteSignatureException" | "InvalidSignatureException" => (
            401,
            "check the key or token, the clock of this machine, and that nothing on the way changes the request",
        ),
        _ => (error.status, "check the request"),
    };
    let mut response = Problem::new(status, error.kind, error.message, hint).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The answer as a limited key is shown it: without list entries of other names.
async fn shown(response: Response<Body>, caller: &Caller, list: Option<&str>) -> Response<Body> {
    let Some(member) = list.filter(|_| response.status().is_success()) else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    let fault = || respond(Err(ApiError::fault("the list can't be shown in part")));
    let Ok(bytes) = to_bytes(body, LIST_BYTES).await else {
        return fault();
    };
    let Ok(mut answer) = serde_json::from_slice::<Value>(&bytes) else {
        return fault();
    };
    match answer.get_mut(member) {
        Some(Value::Array(entries)) => {
            let name = |entry: &Value| entry.as_str().or(entry["name"].as_str()).map(str::to_owned);
            entries.retain(|entry| name(entry).is_some_and(|name| caller.policy.covers(&name)));
        }
        _ => return fault(),
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(answer.to_string()))
}
