//! Tokens of connections that need one, kept until shortly before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use asl::Failure;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;

use super::client::Client;
use super::connections::{Connection, Oauth, TokenMethod};
use super::secret::Secret;
use super::{form, request};

/// A token isn't used in its last seconds: it would end on the way.
const LEEWAY: Duration = Duration::from_secs(30);
/// A token that doesn't say how long it lives is kept so long; a refusal ends it earlier.
const UNSAID: Duration = Duration::from_secs(300);
/// Largest answer with a token in it, in bytes.
const ANSWER_LIMIT: usize = 64 << 10;

/// The tokens, by connection.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Token>>);

#[derive(Clone)]
struct Token {
    token: Secret,
    until: Instant,
}

#[derive(Deserialize)]
struct Answered {
    access_token: String,
    /// Seconds; some write it as a text.
    expires_in: Option<serde_json::Value>,
}

impl Tokens {
    /// The connection's token, fetched where there is none.
    pub(super) async fn get(
        &self,
        client: &Client,
        connection: &Arc<Connection>,
        oauth: &Oauth,
    ) -> Result<Secret, Failure> {
        let kept = self.kept().get(&connection.name).cloned();
        if let Some(Token { token, .. }) = kept.filter(|token| token.until > Instant::now()) {
            return Ok(token);
        }
        let token = fetch(client, &connection.name, oauth).await?;
        self.kept().insert(connection.name.clone(), token.clone());
        Ok(token.token)
    }

    /// Drops a connection's token; false where it has none, and so nothing would change.
    pub(super) fn forget(&self, connection: &Connection) -> bool {
        self.kept().remove(&connection.name).is_some()
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(client: &Client, connection: &str, oauth: &Oauth) -> Result<Token, Failure> {
    // The answer may hold secrets, so it isn't shown.
    let refused = |reason: String| {
        Failure::new(
            "Events.ConnectionResource.InvalidConnectionState",
            format!("the connection `{connection}` got no token from its oauth.endpoint: {reason}"),
        )
    };
    let mut credentials = String::new();
    form::pair(&mut credentials, "grant_type", "client_credentials");
    form::pair(&mut credentials, "client_id", oauth.client_id.reveal());
    form::pair(&mut credentials, "client_secret", oauth.client_secret.reveal());
    for (name, value) in &oauth.body {
        form::pair(&mut credentials, name, value.reveal());
    }
    let mut url = oauth.endpoint.clone();
    let mut query = url.query().unwrap_or_default().to_owned();
    for (name, value) in &oauth.query {
        form::pair(&mut query, name, value.reveal());
    }
    let (method, body) = match oauth.method {
        TokenMethod::Post => (Method::POST, credentials),
        TokenMethod::Put => (Method::PUT, credentials),
        TokenMethod::Get => {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&credentials);
            (Method::GET, String::new())
        }
    };
    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if !body.is_empty() {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
    }
    for (name, value) in &oauth.headers {
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|error| refused(error.to_string()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let request = request::request(&method, &url, headers, Bytes::from(body));
    let answer = client.send(request, ANSWER_LIMIT).await?;
    if !answer.status.is_success() {
        return Err(refused(format!("it answered {}", answer.status)));
    }
    let answered: Answered = serde_json::from_slice(&answer.body)
        .map_err(|_| refused("its answer is no JSON with an access_token".to_owned()))?;
    let seconds = answered.expires_in.and_then(|seconds| match seconds {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    let lives = seconds.map_or(UNSAID, Duration::from_secs).saturating_sub(LEEWAY);
    let until = Instant::now()
        .checked_add(lives)
        .unwrap_or_else(|| Instant::now() + UNSAID);
    Ok(Token {
        token: Secret::new(answered.access_token),
        until,
    })
}
