//! What the operator lets HTTP tasks reach, and with which credentials: AWS's EventBridge connections in a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::{HttpPattern, NoPattern, Requested};
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::{Host, Url};

use super::secret::Secret;

/// A file of connections, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsFile {
    /// By name.
    #[serde(default)]
    pub connections: BTreeMap<String, ConnectionEntry>,
    /// A file of certificates (PEM) that are trusted beside those the world trusts.
    pub certificates: Option<PathBuf>,
}

/// A connection, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionEntry {
    /// What may be called: `https://api.example.com/v1/*`. Without a path, all of them; `*.` before a host means what is
    /// under it; `http` only where it is written.
    pub endpoints: Vec<String>,
    /// User name and password.
    pub basic: Option<BasicEntry>,
    /// A header with a key in it.
    pub api_key: Option<ApiKeyEntry>,
    /// A token fetched with a client's credentials (RFC 6749, 4.4).
    pub oauth: Option<OauthEntry>,
    /// Sent with every request, over the task's own.
    #[serde(default)]
    pub headers: BTreeMap<String, Written>,
    /// Put into every request's query, over the task's own.
    #[serde(default)]
    pub query: BTreeMap<String, Written>,
    /// Put into every request's body, over the task's own.
    #[serde(default)]
    pub body: BTreeMap<String, Written>,
}

/// See [`ConnectionEntry::basic`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicEntry {
    username: Written,
    password: Written,
}

/// See [`ConnectionEntry::api_key`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyEntry {
    name: String,
    value: Written,
}

/// See [`ConnectionEntry::oauth`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthEntry {
    endpoint: String,
    #[serde(default)]
    method: TokenMethod,
    client_id: Written,
    client_secret: Written,
    #[serde(default)]
    headers: BTreeMap<String, Written>,
    #[serde(default)]
    query: BTreeMap<String, Written>,
    #[serde(default)]
    body: BTreeMap<String, Written>,
}

/// How a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum TokenMethod {
    Get,
    #[default]
    Post,
    Put,
}

/// A text, or where it is: secrets needn't stand in the file.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// Here.
    Text(String),
    /// In a variable of the environment.
    Env {
        /// Its name.
        env: String,
    },
    /// In a file; white space around it goes.
    File {
        /// Its path.
        file: PathBuf,
    },
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Written::Text(_) => f.write_str("Text(..)"),
            Written::Env { env } => write!(f, "Env({env:?})"),
            Written::File { file } => write!(f, "File({file:?})"),
        }
    }
}

/// Why connections can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    /// Something in one of them.
    #[error("connection `{connection}`: {reason}")]
    Connection {
        /// Its name.
        connection: String,
        /// What is wrong.
        reason: String,
    },
    /// The certificates.
    #[error("the certificates can't be used: {0}; name a file of certificates in PEM")]
    Certificates(String),
}

/// All connections, checked and with their secrets at hand. `Debug` doesn't show those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    by_name: BTreeMap<String, Arc<Connection>>,
    certificates: Option<String>,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) name: String,
    endpoints: Vec<HttpPattern>,
    pub(super) authorization: Authorization,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    pub(super) query: Vec<(String, Secret)>,
    pub(super) body: Vec<(String, Secret)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    Nothing,
    Basic { username: Secret, password: Secret },
    ApiKey { name: HeaderName, value: Secret },
    Oauth(Oauth),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oauth {
    pub(super) endpoint: Url,
    pub(super) method: TokenMethod,
    pub(super) client_id: Secret,
    pub(super) client_secret: Secret,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    pub(super) query: Vec<(String, Secret)>,
    pub(super) body: Vec<(String, Secret)>,
}

impl Connections {
    /// Checks a file. `look_up` finds what is written elsewhere, or says why it can't; `certificates` is the content of
    /// the file named there.
    ///
    /// # Errors
    /// [`ConnectionsError::Connection`]
    pub fn new(
        file: ConnectionsFile,
        certificates: Option<String>,
        mut look_up: impl FnMut(&Written) -> Result<String, String>,
    ) -> Result<Self, ConnectionsError> {
        let mut by_name = BTreeMap::new();
        for (name, entry) in file.connections {
            let connection = connection(&name, entry, &mut look_up).map_err(|reason| ConnectionsError::Connection {
                connection: name.clone(),
                reason,
            })?;
            by_name.insert(name, Arc::new(connection));
        }
        Ok(Self { by_name, certificates })
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The connection of this ARN, `arn:<partition>:events:<region>:<account>:connection/<name>[/<id>]`.
    pub(super) fn find(&self, arn: &str) -> Option<Arc<Connection>> {
        let mut parts = arn.splitn(6, ':');
        let (scheme, service) = (parts.next()?, parts.nth(1)?);
        let name = parts.nth(2)?.strip_prefix("connection/")?;
        let name = name
            .split('/')
            .next()
            .filter(|_| scheme == "arn" && service == "events")?;
        self.by_name.get(name).cloned()
    }

    pub(super) fn certificates(&self) -> Option<&str> {
        self.certificates.as_deref()
    }
}

impl Connection {
    /// Whether the operator lets tasks call this.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return false,
        };
        let requested = Requested {
            method: "",
            https: url.scheme() == "https",
            host: &host,
            port: url.port_or_known_default().unwrap_or_default(),
            path: url.path(),
        };
        self.endpoints.iter().any(|endpoint| endpoint.matches(requested))
    }
}

type LookUp<'a> = &'a mut dyn FnMut(&Written) -> Result<String, String>;

fn connection(name: &str, entry: ConnectionEntry, look_up: LookUp<'_>) -> Result<Connection, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return Err("a connection's name has letters, digits, dots, hyphens and underscores".to_owned());
    }
    if entry.endpoints.is_empty() {
        return Err("`endpoints` is empty, so nothing could be called; write [\"https://api.example.com\"]".to_owned());
    }
    let endpoints = entry
        .endpoints
        .iter()
        .map(|text| endpoint(text))
        .collect::<Result<_, _>>()?;
    let authorization = match (entry.basic, entry.api_key, entry.oauth) {
        (None, None, None) => Authorization::Nothing,
        (Some(basic), None, None) => Authorization::Basic {
            username: secret(&basic.username, look_up)?,
            password: secret(&basic.password, look_up)?,
        },
        (None, Some(key), None) => {
            let value = secret(&key.value, look_up)?;
            Authorization::ApiKey {
                name: header(&key.name, &value)?,
                value,
            }
        }
        (None, None, Some(oauth)) => Authorization::Oauth(Oauth {
            endpoint: Url::parse(&oauth.endpoint)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| format!("oauth.endpoint `{}` is no https URL", oauth.endpoint))?,
            method: oauth.method,
            client_id: secret(&oauth.client_id, look_up)?,
            client_secret: secret(&oauth.client_secret, look_up)?,
            headers: headers(&oauth.headers, look_up)?,
            query: pairs(&oauth.query, look_up)?,
            body: pairs(&oauth.body, look_up)?,
        }),
        _ => return Err("it has more than one of `basic`, `api_key` and `oauth`; keep one".to_owned()),
    };
    Ok(Connection {
        name: name.to_owned(),
        endpoints,
        authorization,
        headers: headers(&entry.headers, look_up)?,
        query: pairs(&entry.query, look_up)?,
        body: pairs(&entry.body, look_up)?,
    })
}

fn secret(written: &Written, look_up: LookUp<'_>) -> Result<Secret, String> {
    match written {
        Written::Text(text) => Ok(Secret::new(text)),
        Written::Env { .. } | Written::File { .. } => look_up(written).map(Secret::new),
    }
}

fn pairs(written: &BTreeMap<String, Written>, look_up: LookUp<'_>) -> Result<Vec<(String, Secret)>, String> {
    let pair = |(name, value): (&String, &Written)| Ok((name.clone(), secret(value, look_up)?));
    written.iter().map(pair).collect()
}

fn headers(written: &BTreeMap<String, Written>, look_up: LookUp<'_>) -> Result<Vec<(HeaderName, Secret)>, String> {
    let pairs = pairs(written, look_up)?.into_iter();
    pairs.map(|(name, value)| Ok((header(&name, &value)?, value))).collect()
}

/// A header's name, where it and its value can be sent.
fn header(name: &str, value: &Secret) -> Result<HeaderName, String> {
    let header = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no name of a header"))?;
    HeaderValue::from_str(value.reveal())
        .map_err(|_| format!("the value of the header `{name}` has a character no header can have"))?;
    Ok(header)
}

/// What may be called, by any method: a pattern as modules have them.
fn endpoint(text: &str) -> Result<HttpPattern, String> {
    format!("* {text}").parse().map_err(|refused: NoPattern| {
        format!(
            "the endpoint `{text}` can't be one: {}; write it like https://api.example.com/v1/*",
            refused.reason()
        )
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Connections from JSON, secrets looked up nowhere.
    pub fn connections(file: serde_json::Value) -> Result<Connections, String> {
        let file = serde_json::from_value(file).map_err(|error| error.to_string())?;
        let look_up = |written: &Written| match written {
            Written::Env { env } => Ok(format!("{env} of the environment")),
            Written::Text(_) | Written::File { .. } => Err("there is no such file".to_owned()),
        };
        Connections::new(file, None, look_up).map_err(|error| error.to_string())
    }

    fn one(entry: serde_json::Value) -> Result<Arc<Connection>, String> {
        let connections = connections(serde_json::json!({"connections": {"c": entry}}))?;
        Ok(connections
            .find("arn:aws:events:eu-west-1:1:connection/c/0d7f")
            .expect("it is there"))
    }

    #[test]
    fn only_what_is_allowed_can_be_called() {
        let allowed = |endpoint: &str, url: &str| {
            let connection = one(serde_json::json!({"endpoints": [endpoint]})).expect("an endpoint");
            connection.allows(&Url::parse(url).expect("a URL"))
        };
        for (endpoint, url) in [
            ("https://api.example.com", "https://api.example.com/any/path?q"),
            ("https://api.example.com", "https://API.example.com:443/"),
            ("https://api.example.com/v1/*", "https://api.example.com/v1/x"),
            ("https://api.example.com/v1", "https://api.example.com/v1"),
            ("https://*.example.com", "https://a.b.example.com/"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/x"),
            ("https://[::1]:9/", "https://[::1]:9/"),
        ] {
            assert!(allowed(endpoint, url), "{endpoint} {url}");
        }
        for (endpoint, url) in [
            ("https://api.example.com", "http://api.example.com/"),
            ("https://api.example.com", "https://api.example.com:8443/"),
            ("https://api.example.com", "https://api.example.com.evil.org/"),
            ("https://api.example.com", "https://api.example.com@evil.org/"),
            ("https://api.example.com/v1/*", "https://api.example.com/v1/../admin"),
            (
                "https://api.example.com/v1/*",
                "https://api.example.com/v1/%2e%2e/admin",
            ),
            (
                "https://api.example.com/v1/*",
                "https://api.example.com/v1/%2e%2e%2fadmin",
            ),
            ("https://api.example.com/v1", "https://api.example.com/v1/x"),
            ("https://api.example.com/", "https://api.example.com/x"),
            ("https://*.example.com", "https://example.com/"),
            ("https://*.example.com", "https://badexample.com/"),
        ] {
            assert!(!allowed(endpoint, url), "{endpoint} {url}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let https = ["https://a.b"];
        for (entry, word) in [
            (serde_json::json!({"endpoints": []}), "endpoints"),
            (serde_json::json!({"endpoints": ["a.b"]}), "no scheme"),
            (serde_json::json!({"endpoints": ["ftp://a"]}), "its scheme"),
            (serde_json::json!({"endpoints": ["https://u@a"]}), "its host"),
            (serde_json::json!({"endpoints": ["https://a.*.b"]}), "its host"),
            (serde_json::json!({"endpoints": https, "headers": {"a b": "x"}}), "a b"),
            (
                serde_json::json!({"endpoints": https, "headers": {"a": "x\n"}}),
                "character",
            ),
            (serde_json::json!({"endpoints": https, "basik": {}}), "basik"),
            (
                serde_json::json!({"endpoints": https, "basic": {"username": "u", "password": {"file": "x"}}}),
                "no such file",
            ),
            (
                serde_json::json!({"endpoints": https, "api_key": {"name": "k", "value": "v"},
                    "basic": {"username": "u", "password": "p"}}),
                "more than one",
            ),
            (
                serde_json::json!({"endpoints": https, "oauth": {"endpoint": "x", "client_id": "i", "client_secret": "s"}}),
                "oauth.endpoint",
            ),
        ] {
            let error = one(entry.clone()).expect_err("a mistake");
            assert!(error.contains(word), "{entry}: {error}");
        }
    }

    #[test]
    fn secrets_show_nowhere() {
        let all = connections(serde_json::json!({"connections": {
            "a": {"endpoints": ["https://a"], "basic": {"username": "me", "password": {"env": "PASS"}},
                "headers": {"x": "hush"}},
            "b": {"endpoints": ["https://b"], "api_key": {"name": "k", "value": "hush"}},
        }}));
        let shown = format!("{:?}", all.expect("connections"));
        assert!(
            !shown.contains("hush") && !shown.contains("PASS") && !shown.contains("me\""),
            "{shown}"
        );
        let file: ConnectionsFile = serde_json::from_value(serde_json::json!({"connections": {
            "a": {"endpoints": ["https://a"], "query": {"k": "hush"}}}}))
        .expect("a file");
        assert!(!format!("{file:?}").contains("hush"));
    }

    #[test]
    fn connections_are_found_by_the_name_in_their_arn() {
        let all = connections(serde_json::json!({"connections": {"Stripe": {"endpoints": ["https://a"]}}}));
        let all = all.expect("connections");
        let found = |arn: &str| all.find(arn).map(|connection| connection.name.clone());
        let name = Some("Stripe".to_owned());
        assert_eq!(
            found("arn:aws:events:us-east-2:123456789012:connection/Stripe/81210c42-8af1"),
            name
        );
        assert_eq!(found("arn:aws:events:::connection/Stripe"), name);
        for other in [
            "",
            "Stripe",
            "arn:aws:events:::connection/Other",
            "arn:aws:states:::connection/Stripe",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
