//! The request that an input says.

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use crate::guest_output::cut;
use crate::values::{At, BASE64};

/// What an input may have.
const FIELDS: [&str; 7] = ["method", "url", "path", "query", "headers", "body", "base64"];

/// The host that is asked where the input names none.
const HOST: &str = "localhost";

/// Bytes of a wrong value quoted in a message.
const QUOTE_BYTES: usize = 64;

/// A request as guests get it.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) scheme: Scheme,
    pub(super) request: Request<Full<Bytes>>,
}

/// JSON Schema of the input.
pub(super) fn schema() -> Value {
    let one = json!({"type": ["string", "number", "boolean"]});
    let one_or_more = json!({"anyOf": [one.clone(), {"type": "array", "items": one}]});
    json!({
        "type": "object",
        "properties": {
            "method": {"type": "string", "description": "GET, or POST where there is a body"},
            "url": {"type": "string", "description": "with scheme and host"},
            "path": {"type": "string", "description": "in place of url: / where absent"},
            "query": {"type": "object", "additionalProperties": one_or_more.clone()},
            "headers": {"type": "object", "additionalProperties": one_or_more},
            "body": {"description": "a text is sent as it is, anything else as JSON"},
            "base64": {"type": "boolean", "description": "whether body is base64"},
        },
        "additionalProperties": false,
    })
}

/// Reads a request; `unknown` stands where nothing is known yet.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn read(input: &Value, unknown: Option<&str>) -> Result<Incoming, String> {
    let fields = match input {
        Value::Object(fields) => fields,
        input if is_unknown(input, unknown) => &Map::new(),
        other => return Err(wrong(&At::ROOT, "an object such as `{\"path\": \"/\"}`", other)),
    };
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&&***name)) {
        let known = FIELDS.map(|field| format!("`{field}`")).join(", ");
        return Err(format!(
            "`{}`: a request has no such field; it has {known}",
            At::ROOT.field(name)
        ));
    }
    let field = |name: &str| {
        let value = fields.get(name).filter(|value| !value.is_null());
        value.filter(|value| !is_unknown(value, unknown))
    };
    let (body, content_type) = body(
        fields.get("body").filter(|value| !is_unknown(value, unknown)),
        field("base64"),
    )?;
    let method = match field("method") {
        None if body.is_empty() => Method::GET,
        None => Method::POST,
        Some(value) => text(&At::ROOT.field("method"), value, "a method such as `GET`", |text| {
            Method::from_bytes(text.as_bytes()).ok()
        })?,
    };
    let (scheme, uri) = target(field("url"), field("path"), field("query"), unknown)?;
    let headers = headers(field("headers"), unknown, content_type, body.len())?;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(Incoming { scheme, request })
}

fn is_unknown(value: &Value, unknown: Option<&str>) -> bool {
    unknown.is_some() && value.as_str() == unknown
}

fn wrong(at: &At<'_>, wanted: &str, got: &Value) -> String {
    let got = match got {
        Value::String(text) => format!("the text `{}`", cut(text, QUOTE_BYTES)),
        other => format!("`{}`", cut(&other.to_string(), QUOTE_BYTES)),
    };
    format!("`{at}`: wanted {wanted}, got {got}")
}

fn text<T>(at: &At<'_>, value: &Value, wanted: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let read = value.as_str().and_then(read);
    read.ok_or_else(|| wrong(at, wanted, value))
}

/// Bytes, and what they are.
fn body(body: Option<&Value>, base64: Option<&Value>) -> Result<(Vec<u8>, Option<&'static str>), String> {
    let at = At::ROOT.field("body");
    let encoded = match base64 {
        None => false,
        Some(Value::Bool(encoded)) => *encoded,
        Some(other) => return Err(wrong(&At::ROOT.field("base64"), "`true` or `false`", other)),
    };
    match body {
        None | Some(Value::Null) => Ok((Vec::new(), None)),
        Some(value) if encoded => {
            let bytes = text(&at, value, "base64", |text| BASE64.decode(text).ok())?;
            Ok((bytes, Some("application/octet-stream")))
        }
        Some(Value::String(text)) => Ok((text.clone().into_bytes(), Some("text/plain; charset=utf-8"))),
        Some(other) => Ok((other.to_string().into_bytes(), Some("application/json"))),
    }
}

/// Where the request goes, the query put behind it.
fn target(
    url: Option<&Value>,
    path: Option<&Value>,
    query: Option<&Value>,
    unknown: Option<&str>,
) -> Result<(Scheme, Uri), String> {
    let at = At::ROOT.field("path");
    let path = match (url, path) {
        (Some(_), Some(path)) => return Err(wrong(&at, "no path beside `$.url`", path)),
        (Some(url), None) => {
            let at = At::ROOT.field("url");
            let read = |text: &str| {
                let uri: Uri = text.parse().ok()?;
                let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
                let is_plain = uri.authority()?.as_str().split('@').nth(1).is_none();
                (is_http && is_plain && !text.contains('#')).then(|| text.to_owned())
            };
            text(&at, url, "an address such as `https://shop.example/orders`", read)?
        }
        (None, None) => format!("http://{HOST}/"),
        (None, Some(path)) => text(&at, path, "a path such as `/orders`, percent-encoded", |text| {
            let is_path = text.starts_with('/') && !text.contains('#');
            is_path.then(|| format!("http://{HOST}{text}"))
        })?,
    };
    let query = self::query(query, unknown)?;
    let whole = match (query.is_empty(), path.contains('?')) {
        (true, _) => path,
        (false, true) => format!("{path}&{query}"),
        (false, false) => format!("{path}?{query}"),
    };
    let uri: Uri = whole.parse().map_err(|error| {
        wrong(&at, "a path such as `/orders`, percent-encoded", &json!(whole)) + &format!(": {error}")
    })?;
    let scheme = match uri.scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    Ok((scheme, uri))
}

fn query(query: Option<&Value>, unknown: Option<&str>) -> Result<String, String> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    each(&At::ROOT.field("query"), query, unknown, |_, name, value| {
        encoded.append_pair(name, value);
        Ok(())
    })?;
    Ok(encoded.finish())
}

fn headers(
    headers: Option<&Value>,
    unknown: Option<&str>,
    content_type: Option<&'static str>,
    length: usize,
) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    each(&At::ROOT.field("headers"), headers, unknown, |at, name, value| {
        let Ok(header) = HeaderName::try_from(name) else {
            return Err(format!("`{at}`: this can't name a header"));
        };
        if DEFAULT_FORBIDDEN_HEADERS.contains(&header) {
            return Err(format!(
                "`{at}`: handlers aren't given this header; a host stands in `$.url`"
            ));
        }
        let value = HeaderValue::try_from(value).map_err(|_| wrong(at, "a header's value", &json!(value)))?;
        map.append(header, value);
        Ok(())
    })?;
    if let Some(content_type) = content_type {
        map.entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(content_type));
    }
    if length > 0 {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(map)
}

/// Names and values of an object in which a name has one text or a list of them.
fn each(
    at: &At<'_>,
    object: Option<&Value>,
    unknown: Option<&str>,
    mut take: impl FnMut(&At<'_>, &str, &str) -> Result<(), String>,
) -> Result<(), String> {
    let fields = match object {
        None => return Ok(()),
        Some(Value::Object(fields)) => fields,
        Some(other) => return Err(wrong(at, "an object", other)),
    };
    let mut one = |at: &At<'_>, name: &str, value: &Value| match value {
        value if is_unknown(value, unknown) => Ok(()),
        Value::String(text) => take(at, name, text),
        Value::Number(_) | Value::Bool(_) => take(at, name, &value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong(at, "a text, a number or a list of them", value)),
    };
    for (name, value) in fields {
        let at = at.field(name);
        match value {
            Value::Null => {}
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    one(&at.element(index), name, value)?;
                }
            }
            value => one(&at, name, value)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(input: Value) -> Incoming {
        read(&input, None).unwrap_or_else(|why| panic!("{input}: {why}"))
    }

    fn line(input: Value) -> String {
        let Incoming { request, .. } = request(input);
        format!("{} {}", request.method(), request.uri())
    }

    #[test]
    fn a_request_is_what_the_input_says() {
        for (input, wanted) in [
            (json!({}), "GET http://localhost/"),
            (json!({"path": "/a?b=c"}), "GET http://localhost/a?b=c"),
            (
                json!({"path": "/a", "query": {"b": "c d", "e": [1, true], "f": null}}),
                "GET http://localhost/a?b=c+d&e=1&e=true",
            ),
            (
                json!({"path": "/a?x=y", "query": {"b": "&"}}),
                "GET http://localhost/a?x=y&b=%26",
            ),
            (
                json!({"url": "https://shop.example:8443/a?b"}),
                "GET https://shop.example:8443/a?b",
            ),
            (
                json!({"url": "https://shop.example", "query": {"b": 1}}),
                "GET https://shop.example/?b=1",
            ),
            (json!({"body": {"a": 1}}), "POST http://localhost/"),
            (json!({"method": "PUT", "body": "a"}), "PUT http://localhost/"),
            (json!({"method": "PURGE", "body": null}), "PURGE http://localhost/"),
        ] {
            assert_eq!(line(input.clone()), wanted, "{input}");
        }
        let read = request(json!({
            "headers": {"X-One": "1", "x-many": ["a", "b"], "content-length": "99"},
            "body": [1, "é"],
        }));
        let headers = read.request.headers();
        assert_eq!(headers["x-one"], "1");
        assert_eq!(headers.get_all("x-many").iter().count(), 2);
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["content-length"], "8");
        let typed = request(json!({"headers": {"Content-Type": "text/csv"}, "body": "YSxi", "base64": true}));
        assert_eq!(typed.request.headers()["content-type"], "text/csv");
        assert_eq!(typed.request.headers()["content-length"], "3");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (input, words) in [
            (json!(null), ["`$`: wanted an object", "`null`"]),
            (json!({"verb": "GET"}), ["`$.verb`", "`method`"]),
            (json!({"method": 7}), ["`$.method`", "`7`"]),
            (json!({"method": "GET /"}), ["`$.method`", "the text `GET /`"]),
            (json!({"path": "a"}), ["`$.path`", "`a`"]),
            (json!({"path": "/a b"}), ["`$.path`", "percent-encoded"]),
            (
                json!({"path": "/", "url": "http://a.example/"}),
                ["`$.path`", "no path beside"],
            ),
            (json!({"url": "/a"}), ["`$.url`", "`/a`"]),
            (json!({"url": "ftp://a.example/"}), ["`$.url`", "https://"]),
            (json!({"url": "http://me@a.example/"}), ["`$.url`", "me@"]),
            (json!({"query": "a=b"}), ["`$.query`", "an object"]),
            (json!({"query": {"a": [{}]}}), ["`$.query.a[0]`", "`{}`"]),
            (
                json!({"headers": {"a b": "c"}}),
                ["`$.headers[\"a b\"]`", "name a header"],
            ),
            (
                json!({"headers": {"x": "a\r\nb: c"}}),
                ["`$.headers.x`", "a header's value"],
            ),
            (
                json!({"headers": {"Host": "a.example"}}),
                ["`$.headers.Host`", "`$.url`"],
            ),
            (json!({"body": "?", "base64": true}), ["`$.body`", "base64"]),
            (json!({"body": 1, "base64": true}), ["`$.body`", "base64"]),
            (json!({"base64": "yes"}), ["`$.base64`", "`true`"]),
        ] {
            let why = read(&input, None).expect_err("a mistake");
            assert!(words.iter().all(|word| why.contains(word)), "{input}: {why}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_not_judged() {
        let check = |input: Value| read(&input, Some("?")).map(drop);
        assert_eq!(check(json!("?")), Ok(()));
        assert_eq!(
            check(
                json!({"method": "?", "path": "?", "query": {"a": "?"}, "headers": "?", "body": "?", "base64": true})
            ),
            Ok(())
        );
        assert!(check(json!({"path": "?", "verb": "?"})).is_err());
    }
}
