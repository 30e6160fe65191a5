//! `arn:aws:states:::http:invoke`: tasks that call HTTP APIs.
//!
//! A request goes only where the operator's connections let it go, with the credentials they hold; a definition names a
//! connection and never sees what is in it. Redirects are answers like any other: they lead nowhere by themselves.

mod body;
mod client;
mod connections;
mod form;
mod oauth;
mod request;
mod response;
mod secret;
mod trace;

use asl::{Failure, Payload};
use engine::output::TaskRequest;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};

pub(crate) use client::roots;
use client::{Answer, Client};
pub use connections::{ConnectionEntry, Connections, ConnectionsError, ConnectionsFile, Written};
use oauth::Tokens;
use request::Prepared;
pub use secret::Secret;
pub(crate) use trace::{Received, Secrets, Sent, Trace, Watch};

use crate::handle::Handle;

/// Calls APIs for tasks.
pub(crate) struct HttpTasks {
    connections: Connections,
    client: Client,
    tokens: Tokens,
}

impl HttpTasks {
    pub(crate) fn new(connections: Connections) -> Result<Self, ConnectionsError> {
        Ok(Self {
            client: Client::new(connections.certificates())?,
            connections,
            tokens: Tokens::default(),
        })
    }

    async fn run(
        &self,
        parameters: &Payload,
        region: &str,
        limit: usize,
        resent: bool,
        mut watch: Option<Watch<'_>>,
    ) -> Result<Payload, Failure> {
        let prepared = request::prepare(parameters, &self.connections, region, limit)?;
        if resent && !prepared.is_idempotent() {
            return Err(Failure::new(
                "Sandbox.HostRestarted",
                format!(
                    "the server was stopped while its `{}` request was under way, and nobody knows whether it was \
                     heard; Retry sends it again",
                    prepared.method
                ),
            ));
        }
        let _permit = self.client.permit().await;
        let mut answer = self.send(&prepared, limit, &mut watch).await?;
        // A token can be taken back before its time.
        if answer.status == StatusCode::UNAUTHORIZED && self.tokens.forget(&prepared.connection) {
            answer = self.send(&prepared, limit, &mut watch).await?;
        }
        response::read(answer)
    }

    async fn send(&self, prepared: &Prepared, limit: usize, watch: &mut Option<Watch<'_>>) -> Result<Answer, Failure> {
        let request = self.authorized(prepared).await?;
        if let Some(watch) = watch {
            watch.trace.request = Some(Sent::new(prepared, &request, watch.secrets));
        }
        let answer = self.client.send(request, limit).await?;
        if let Some(watch) = watch {
            watch.trace.response = Some(Received::new(prepared, &answer));
        }
        Ok(answer)
    }

    async fn authorized(&self, prepared: &Prepared) -> Result<Request<Full<Bytes>>, Failure> {
        let Some(oauth) = prepared.oauth() else {
            return Ok(prepared.request());
        };
        let token = self.tokens.get(&self.client, &prepared.connection, oauth).await?;
        prepared.with_token(&token)
    }
}

/// Runs a task, seen by whoever tests it.
pub(crate) async fn run(handle: &Handle, request: &TaskRequest, watch: Option<Watch<'_>>) -> Result<Payload, Failure> {
    let inner = handle.inner();
    let (region, limit) = (inner.namespace.region(), inner.limits.payload_bytes);
    inner
        .http_tasks
        .run(&request.parameters, region, limit, request.started, watch)
        .await
}

/// The failure of a task whose parameters or answer are none.
fn runtime(cause: impl Into<String>) -> Failure {
    Failure::new("States.Runtime", cause)
}
