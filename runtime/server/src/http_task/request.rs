//! From a task's parameters and a connection to a request.

use std::sync::Arc;

use asl::{Failure, Payload};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT};
use hyper::{Method, Request, Uri};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::body::{Transform, encoded};
use super::connections::{Authorization, Connection, Connections, Oauth};
use super::form;
use super::runtime;
use super::secret::Secret;

/// Headers a definition can't set, as AWS has them.
const RESERVED: [&str; 33] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
];
/// What names of such headers begin with.
const RESERVED_PREFIXES: [&str; 3] = ["x-forwarded-", "x-amz-", "x-amzn-"];
const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::HEAD,
];

/// A request but for what an OAuth token would add.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) connection: Arc<Connection>,
    pub(super) method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// What there would be without the connection's own query and fields of the body.
    public_url: Url,
    public_body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    api_endpoint: Option<String>,
    method: Option<String>,
    authentication: Option<Named>,
    invocation_config: Option<Named>,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    query_parameters: Value,
    #[serde(default)]
    request_body: Value,
    #[serde(default)]
    transform: Transform,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    connection_arn: Option<String>,
}

/// Makes the request a task asks for.
///
/// # Errors
/// The task's failure.
pub(super) fn prepare(
    parameters: &Payload,
    connections: &Connections,
    region: &str,
    limit: usize,
) -> Result<Prepared, Failure> {
    let asked: Parameters = serde_json::from_str(parameters.text())
        .map_err(|error| runtime(format!("the parameters of http:invoke can't be read: {error}")))?;
    let missing = |field: &str| runtime(format!("The field '{field}' is required but was missing"));
    let endpoint = asked.api_endpoint.as_deref().ok_or_else(|| missing("ApiEndpoint"))?;
    let method = asked.method.as_deref().ok_or_else(|| missing("Method"))?;
    let method = METHODS
        .into_iter()
        .find(|known| known.as_str() == method)
        .ok_or_else(|| {
            runtime(format!(
                "the Method `{method}` is none of GET, POST, PUT, DELETE, PATCH, OPTIONS and HEAD"
            ))
        })?;
    let named = [asked.invocation_config, asked.authentication].into_iter().flatten();
    let arn = named.filter_map(|named| named.connection_arn).next();
    let arn = arn.ok_or_else(|| missing("ConnectionArn"))?;
    let connection = connections.find(&arn).ok_or_else(|| {
        Failure::new(
            "Events.ConnectionResource.ResourceNotFound",
            format!(
                "no connection is configured for `{arn}`; `sandstep serve --connections FILE` names a file of them"
            ),
        )
    })?;
    let url = address(endpoint, &asked.query_parameters, &connection)?;
    let (url, public_url) = (with_own_query(&url, &connection), url);
    let headers = headers(&asked.headers, &connection, region, limit)?;
    let mut prepared = Prepared {
        connection,
        method,
        url,
        headers,
        body: Bytes::new(),
        public_url,
        public_body: Bytes::new(),
    };
    prepared.put_body(asked.request_body, &asked.transform)?;
    Ok(prepared)
}

/// The URL with the task's own query, where the connection lets requests go there.
fn address(endpoint: &str, query: &Value, connection: &Connection) -> Result<Url, Failure> {
    let mut url = Url::parse(endpoint).map_err(|error| runtime(format!("the ApiEndpoint is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(runtime(
            "the ApiEndpoint has a user name in it; put credentials into the connection",
        ));
    }
    url.set_fragment(None);
    if !connection.allows(&url) {
        // The operator's list is nobody's business who only writes definitions.
        let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
        return Err(Failure::new(
            "Events.ConnectionResource.AccessDenied",
            format!(
                "the connection `{}` doesn't allow `{place}`; its `endpoints` in the server's file of connections do",
                connection.name
            ),
        ));
    }
    let mut pairs = match query {
        Value::Null => Vec::new(),
        Value::Object(fields) => fields.iter().flat_map(query_pairs).collect(),
        Value::String(text) => url::form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_object)
            .flatten()
            .flat_map(query_pairs)
            .collect(),
        Value::Bool(_) | Value::Number(_) => {
            return Err(runtime("the QueryParameters are no object of names and values"));
        }
    };
    pairs.retain(|(name, _)| connection.query.iter().all(|(own, _)| own != name));
    let mut encoded = url.query().unwrap_or_default().to_owned();
    for (name, value) in pairs {
        form::pair(&mut encoded, &name, &value);
    }
    url.set_query(Some(encoded.as_str()).filter(|query| !query.is_empty()));
    Ok(url)
}

/// The URL with the query parameters that the connection adds.
fn with_own_query(url: &Url, connection: &Connection) -> Url {
    let mut encoded = url.query().unwrap_or_default().to_owned();
    for (name, value) in &connection.query {
        form::pair(&mut encoded, name, value.reveal());
    }
    let mut url = url.clone();
    url.set_query(Some(encoded.as_str()).filter(|query| !query.is_empty()));
    url
}

fn query_pairs((name, value): (&String, &Value)) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => items.iter().map(|item| (name.clone(), form::text(item))).collect(),
        other => vec![(name.clone(), form::text(other))],
    }
}

fn headers(asked: &Value, connection: &Connection, region: &str, limit: usize) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let fields = match asked {
        Value::Null => &Map::new(),
        Value::Object(fields) => fields,
        _ => return Err(runtime("the Headers are no object of names and values")),
    };
    for (name, value) in fields {
        let header = HeaderName::try_from(name).map_err(|_| runtime(format!("`{name}` is no name of a header")))?;
        let is_reserved = RESERVED.contains(&header.as_str())
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| header.as_str().starts_with(prefix));
        if is_reserved {
            return Err(runtime(format!(
                "the header `{name}` can't be set by a definition; the server sets it, or its connection does"
            )));
        }
        let values = match value {
            Value::Array(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        for value in values {
            let value = HeaderValue::try_from(form::text(value))
                .map_err(|_| runtime(format!("the header `{name}` has a value no header can have")))?;
            headers.append(&header, value);
        }
    }
    for (name, value) in [
        (USER_AGENT, format!("Amazon|StepFunctions|HttpInvoke|{region}")),
        (RANGE, format!("bytes=0-{limit}")),
    ] {
        let value = HeaderValue::try_from(value).map_err(|error| runtime(error.to_string()))?;
        headers.insert(name, value);
    }
    for (name, value) in &connection.headers {
        headers.insert(name, secret_value(value)?);
    }
    match &connection.authorization {
        Authorization::Basic { username, password } => {
            let credentials = format!("{}:{}", username.reveal(), password.reveal());
            let value = Secret::new(format!("Basic {}", base64(credentials.as_bytes())));
            headers.insert(AUTHORIZATION, secret_value(&value)?);
        }
        Authorization::ApiKey { name, value } => {
            headers.insert(name, secret_value(value)?);
        }
        Authorization::Nothing | Authorization::Oauth(_) => {}
    }
    Ok(headers)
}

/// A header's value that `Debug` doesn't show.
fn secret_value(secret: &Secret) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(secret.reveal())
        .map_err(|_| runtime("a secret of the connection has a character no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Prepared {
    /// Whether sending it twice does no more than sending it once (RFC 9110, 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }

    /// What the request would be asked for without the connection's secrets: its URL and its body.
    pub(super) fn without_secrets(&self) -> (&Url, &[u8]) {
        (&self.public_url, &self.public_body)
    }

    /// Where it goes.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// What it says.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    fn put_body(&mut self, mut body: Value, transform: &Transform) -> Result<(), Failure> {
        self.public_body = encoded(&body, transform).map_or_else(Bytes::new, |(text, _)| text.into());
        if !self.connection.body.is_empty() {
            let own = self.connection.body.iter();
            let own = own.map(|(name, value)| (name.clone(), Value::from(value.reveal())));
            match &mut body {
                Value::Null => body = Value::Object(own.collect()),
                Value::Object(fields) => fields.extend(own),
                _ => {
                    return Err(runtime(format!(
                        "the RequestBody is no object, and the connection `{}` has fields to put into it",
                        self.connection.name
                    )));
                }
            }
        }
        if let Some((text, content_type)) = encoded(&body, transform) {
            self.headers.entry(CONTENT_TYPE).or_insert(content_type);
            self.body = text.into();
        }
        Ok(())
    }

    /// Where a token comes from, if the request needs one.
    pub(super) fn oauth(&self) -> Option<&Oauth> {
        match &self.connection.authorization {
            Authorization::Oauth(oauth) => Some(oauth),
            Authorization::Nothing | Authorization::Basic { .. } | Authorization::ApiKey { .. } => None,
        }
    }

    /// The request with a token.
    pub(super) fn with_token(&self, token: &Secret) -> Result<Request<Full<Bytes>>, Failure> {
        let value = secret_value(&Secret::new(format!("Bearer {}", token.reveal())))?;
        let mut request = self.request();
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(request)
    }

    /// The request as it is.
    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        request(&self.method, &self.url, self.headers.clone(), self.body.clone())
    }
}

/// A request to a URL that has been checked.
pub(super) fn request(method: &Method, url: &Url, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    // What `url` serializes, `http` parses; a URI it wouldn't take has no host, and goes nowhere.
    *request.uri_mut() = url.as_str().parse::<Uri>().unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::super::connections::tests::connections;
    use super::*;

    const ARN: &str = "arn:aws:events:us-east-1:000000000000:connection/c/id";

    fn prepared(entry: Value, parameters: Value) -> Result<Prepared, Failure> {
        let mut entry = entry;
        entry["endpoints"] = json!(["https://api.example.com", "http://local:1"]);
        let mut parameters = parameters;
        parameters["InvocationConfig"] = json!({"ConnectionArn": ARN});
        let connections = connections(json!({"connections": {"c": entry}})).expect("connections");
        prepare(&Payload::from_value(parameters), &connections, "eu-west-1", 262_144)
    }

    async fn sent(entry: Value, parameters: Value) -> (String, HeaderMap, String) {
        let prepared = prepared(entry, parameters).expect("a request");
        assert!(prepared.oauth().is_none());
        let (parts, body) = prepared.request().into_parts();
        let body = body.collect().await.expect("in memory").to_bytes();
        let line = format!("{} {}", parts.method, parts.uri);
        (line, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    fn refused(entry: Value, parameters: Value) -> (String, String) {
        let failure = prepared(entry, parameters).expect_err("refused");
        (failure.error.unwrap_or_default(), failure.cause.unwrap_or_default())
    }

    #[tokio::test]
    async fn the_connection_comes_before_the_definition() {
        // AWS's own example of such a merge.
        let entry = json!({
            "api_key": {"name": "ApiKey", "value": "key_value"},
            "headers": {"Header-Param": "connection_header_param"},
            "query": {"QueryParam": "connection_query_param"},
            "body": {"BodyParam": "connection_body_param"},
        });
        let parameters = json!({
            "ApiEndpoint": "https://api.example.com/path",
            "Method": "POST",
            "Headers": {"Request-Id": "my_request_id", "Header-Param": "state_machine_header_param"},
            "RequestBody": {"Job": "Software Engineer", "Company": "AnyCompany", "BodyParam": "state_machine_body_param"},
            "QueryParameters": {"QueryParam": "state_machine_query_param", "own": ["a b", 1]},
        });
        let (line, headers, body) = sent(entry, parameters).await;
        assert_eq!(
            line,
            "POST https://api.example.com/path?own=a%20b&own=1&QueryParam=connection_query_param"
        );
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("apikey"), Some("key_value"));
        assert_eq!(header("header-param"), Some("connection_header_param"));
        assert_eq!(header("request-id"), Some("my_request_id"));
        assert_eq!(header("content-type"), Some("application/json; charset=UTF-8"));
        assert_eq!(header("range"), Some("bytes=0-262144"));
        assert_eq!(header("user-agent"), Some("Amazon|StepFunctions|HttpInvoke|eu-west-1"));
        assert_eq!(
            body,
            r#"{"Job":"Software Engineer","Company":"AnyCompany","BodyParam":"connection_body_param"}"#
        );
        assert!(!format!("{headers:?}").contains("key_value"));
    }

    #[tokio::test]
    async fn bodies_are_json_forms_or_texts() {
        let body = |body: Value, transform: Value| {
            sent(
                json!({"basic": {"username": "u", "password": "p"}}),
                json!({"ApiEndpoint": "https://api.example.com/?x=1", "Method": "GET", "RequestBody": body,
                    "Transform": transform, "Headers": {"Accept": ["a", "b"]}}),
            )
        };
        let (line, headers, text) = body(
            json!({"a": [1, 2]}),
            json!({"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "REPEAT"}}),
        )
        .await;
        assert_eq!(
            (line.as_str(), text.as_str()),
            ("GET https://api.example.com/?x=1", "a=1&a=2")
        );
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(headers["authorization"], "Basic dTpw");
        assert_eq!(headers.get_all("accept").iter().count(), 2);
        let (_, _, text) = body(json!("<x/>"), json!({})).await;
        assert_eq!(text, "<x/>");
        let (_, headers, text) = body(Value::Null, json!({})).await;
        assert!(text.is_empty() && !headers.contains_key("content-type"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let at = |endpoint: &str| json!({"ApiEndpoint": endpoint, "Method": "GET"});
        let with = |field: &str, value: Value| {
            let mut parameters = at("https://api.example.com");
            parameters[field] = value;
            parameters
        };
        for (parameters, word) in [
            (json!({"Method": "GET"}), "'ApiEndpoint' is required"),
            (
                json!({"ApiEndpoint": "https://api.example.com"}),
                "'Method' is required",
            ),
            (with("Method", json!("TRACE")), "`TRACE`"),
            (with("Headers", json!({"Authorization": "x"})), "`Authorization`"),
            (with("Headers", json!({"X-Amz-Date": "x"})), "`X-Amz-Date`"),
            (with("Headers", json!({"a": "\n"})), "`a`"),
            (with("Headers", json!({"": "x"})), "no name"),
            (with("Headers", json!("x")), "Headers"),
            (with("QueryParameters", json!(1)), "QueryParameters"),
            (with("Transform", json!({"RequestBodyEncoding": "X"})), "can't be read"),
            (at("no url"), "no URL"),
            (at("https://me@api.example.com"), "user name"),
        ] {
            let (error, cause) = refused(json!({}), parameters.clone());
            assert_eq!(error, "States.Runtime", "{parameters}");
            assert!(cause.contains(word), "{parameters}: {cause}");
        }
        for elsewhere in [
            "https://elsewhere.example.com",
            "http://api.example.com",
            "file:///etc/passwd",
        ] {
            let (error, cause) = refused(json!({}), at(elsewhere));
            assert_eq!(error, "Events.ConnectionResource.AccessDenied", "{cause}");
        }
        let text = with("RequestBody", json!("text"));
        let (error, _) = refused(json!({"body": {"k": "v"}}), text);
        assert_eq!(error, "States.Runtime");
        let none = connections(json!({})).expect("none");
        let mut parameters = at("https://api.example.com");
        parameters["Authentication"] = json!({"ConnectionArn": ARN});
        let failure = prepare(&Payload::from_value(parameters), &none, "", 1).expect_err("no connection");
        assert_eq!(
            failure.error.as_deref(),
            Some("Events.ConnectionResource.ResourceNotFound")
        );
    }
}
