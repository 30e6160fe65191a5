//! Requests that a module may make, as manifests and policies write them: `GET https://api.example.com/v1/*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest pattern, in bytes; what is longer is no address anybody would read.
const PATTERN_BYTES: usize = 2048;

/// Methods that read and change nothing where they are answered (RFC 9110, 9.2.1).
const SAFE_METHODS: [&str; 2] = ["GET", "HEAD"];

/// A method, or `*` for each; a scheme, a host and perhaps a port, exactly; and a path in which `*` stands for any
/// text. `*.` before a host, in policies, means what is under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpPattern {
    method: String,
    https: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no requests: {reason}; write `GET https://api.example.com/v1/*`")]
pub struct NoPattern {
    text: String,
    reason: &'static str,
}

impl NoPattern {
    /// What is wrong with it.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// A request, as far as patterns look at it.
#[derive(Debug, Clone, Copy)]
pub struct Requested<'a> {
    /// Upper case, as it is sent.
    pub method: &'a str,
    /// Whether it goes over TLS.
    pub https: bool,
    /// A name, or an address without brackets.
    pub host: &'a str,
    /// Where it goes.
    pub port: u16,
    /// As it is sent, without the query.
    pub path: &'a str,
}

impl HttpPattern {
    /// Whether the requests it names change nothing.
    pub fn is_safe(&self) -> bool {
        SAFE_METHODS.contains(&&*self.method)
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Scheme, host and port, the port left out where it is the scheme's own.
    pub fn origin(&self) -> String {
        origin(self.https, &self.host, self.port)
    }

    /// Whether it names this request. A path with `.` or `..` in it, written plainly or not, is named by no pattern:
    /// whoever answers may take it for another one.
    pub fn matches(&self, request: Requested<'_>) -> bool {
        (self.method == "*" || self.method == request.method)
            && self.https == request.https
            && self.port == request.port
            && self.matches_host(request.host)
            && !has_dots(request.path)
            && glob(&self.path, request.path)
    }

    /// Whether every request that `other` names is one that this names.
    pub fn covers(&self, other: &Self) -> bool {
        // A star of the other is a letter like any other here, which only a star covers.
        (self.method == "*" || self.method == other.method)
            && self.https == other.https
            && self.port == other.port
            && self.matches_host(&other.host)
            && glob(&self.path, &other.path)
    }

    fn matches_host(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            None => self.host.eq_ignore_ascii_case(host),
            Some(parent) => {
                let host = host.to_ascii_lowercase();
                host.strip_suffix(parent)
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        }
    }
}

/// `https://api.example.com`, with its port where that isn't the scheme's own.
pub fn origin(https: bool, host: &str, port: u16) -> String {
    let (scheme, usual) = if https { ("https", 443) } else { ("http", 80) };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_ascii_lowercase()
    };
    if port == usual {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

impl FromStr for HttpPattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        parse(text).map_err(|reason| NoPattern {
            text: text.chars().take(PATTERN_BYTES.min(200)).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<HttpPattern, &'static str> {
    if text.len() > PATTERN_BYTES {
        return Err("it is too long");
    }
    let (method, address) = text.trim().split_once(' ').ok_or("it has no method")?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if method != "*" && !is_method {
        return Err("its method isn't one in capital letters, or `*`");
    }
    let (scheme, rest) = address.trim().split_once("://").ok_or("it has no scheme")?;
    let https = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err("its scheme isn't `https` or `http`"),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/*"),
    };
    if path.contains(['?', '#']) || has_dots(path) || !path.is_ascii() || path.contains(' ') {
        return Err("its path has a query, a fragment, spaces, `..` or letters to be percent-encoded");
    }
    let (host, port) = host_and_port(authority)?;
    Ok(HttpPattern {
        method: method.to_owned(),
        https,
        host,
        port: port.unwrap_or(if https { 443 } else { 80 }),
        path: path.to_owned(),
    })
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("its address has no closing bracket")?;
            let address: std::net::Ipv6Addr = host.parse().map_err(|_| "its address is none")?;
            (address.to_string(), port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), None),
        },
    };
    let name = host.strip_prefix("*.").unwrap_or(&host);
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if !is_address && !is_name {
        return Err("its host is no name and no address");
    }
    let port = port.map(str::parse::<u16>).transpose();
    let port = port.map_err(|_| "its port is none")?;
    Ok((host, port))
}

/// Whether a path has a segment `.` or `..`, or a backslash, which some take for a slash: written plainly or
/// percent-encoded, once or several times, in as few bytes as it takes or in more, with parameters behind it or not.
fn has_dots(path: &str) -> bool {
    let mut plain = path.to_ascii_lowercase();
    while plain.contains("%25") {
        plain = plain.replace("%25", "%");
    }
    for (encoded, meant) in [
        ("%2e", "."),
        ("%c0%ae", "."),
        ("%2f", "/"),
        ("%c0%af", "/"),
        ("%5c", "\\"),
        ("%3b", ";"),
    ] {
        plain = plain.replace(encoded, meant);
    }
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    plain.contains('\\') || plain.split('/').any(is_dots)
}

/// Whether `text` is `pattern` with a text for each `*`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for HttpPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.origin(), self.path)
    }
}

impl TryFrom<String> for HttpPattern {
    type Error = NoPattern;

    fn try_from(text: String) -> Result<Self, NoPattern> {
        text.parse()
    }
}

impl From<HttpPattern> for String {
    fn from(pattern: HttpPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HttpPattern {
        text.parse().expect("a pattern")
    }

    fn get<'a>(host: &'a str, path: &'a str) -> Requested<'a> {
        Requested {
            method: "GET",
            https: true,
            host,
            port: 443,
            path,
        }
    }

    #[test]
    fn only_what_is_written_matches() {
        let api = pattern("GET https://api.example.com/v1/*");
        assert!(api.matches(get("api.example.com", "/v1/users/7")));
        assert!(api.matches(get("API.example.com", "/v1/")));
        for request in [
            get("api.example.com", "/v1"),
            get("api.example.com", "/v2/users"),
            get("api.example.com", "/v1/../v2"),
            get("api.example.com", "/v1/%2E%2e/v2"),
            get("api.example.com", "/v1/..%2fv2"),
            get("api.example.com", "/v1/..\\v2"),
            get("api.example.com", "/v1/%252e%252E/v2"),
            get("api.example.com", "/v1/%2525252e%2e/v2"),
            get("api.example.com", "/v1/%c0%ae%C0%AE/v2"),
            get("api.example.com", "/v1/..;a=b/v2"),
            get("api.example.com", "/v1/..%3b/v2"),
            get("api.example.com", "/v1/a/.."),
            get("api.example.com.", "/v1/a"),
            get("user@api.example.com", "/v1/a"),
            get("api.example.com.evil.example", "/v1/a"),
            get("evil.api.example.com", "/v1/a"),
            Requested {
                method: "POST",
                ..get("api.example.com", "/v1/a")
            },
            Requested {
                https: false,
                ..get("api.example.com", "/v1/a")
            },
            Requested {
                port: 8443,
                ..get("api.example.com", "/v1/a")
            },
        ] {
            assert!(!api.matches(request), "{request:?}");
        }
        let inner = pattern("* https://a.example/v1/*/photos/*.png");
        assert!(inner.matches(get("a.example", "/v1/7/photos/1.png")));
        assert!(!inner.matches(get("a.example", "/v1/7/photos/1.jpg")));
        assert!(pattern("GET https://a.example").matches(get("a.example", "/any/thing")));
        assert!(!pattern("GET https://a.example/").matches(get("a.example", "/any")));
        assert!(pattern("GET https://[::1]:443/*").matches(get("::1", "/")));
    }

    #[test]
    fn a_policy_covers_what_is_within_it() {
        for (policy, asked, covers) in [
            ("* https://api.example.com/*", "GET https://api.example.com/v1/*", true),
            (
                "GET https://api.example.com/v1/*",
                "GET https://api.example.com/v1/a*",
                true,
            ),
            (
                "GET https://api.example.com/v1/*",
                "GET https://api.example.com/*",
                false,
            ),
            (
                "GET https://api.example.com/v1/*",
                "* https://api.example.com/v1/*",
                false,
            ),
            ("GET https://*.example.com/*", "GET https://api.example.com/v1", true),
            ("GET https://*.example.com/*", "GET https://example.com/v1", false),
            ("GET https://*.example.com/*", "GET https://badexample.com/v1", false),
            ("GET http://a.example/*", "GET https://a.example/*", false),
            ("GET https://a.example:8443/*", "GET https://a.example/*", false),
            ("GET https://a.example/b", "GET https://a.example/b", true),
            ("GET https://a.example/b", "GET https://a.example/*", false),
        ] {
            assert_eq!(pattern(policy).covers(&pattern(asked)), covers, "{policy} of {asked}");
        }
    }

    #[test]
    fn mistakes_are_told_and_texts_come_back() {
        for text in [
            "https://a.example",
            "get https://a.example",
            "GET ftp://a.example",
            "GET https://",
            "GET https://a b/",
            "GET https://a.example/?x",
            "GET https://a.example/../b",
            "GET https://user@a.example/",
            "GET https://a.example:99999/",
            "GET https://[::1/",
            "GET https://*/",
        ] {
            let error = text.parse::<HttpPattern>().expect_err(text).to_string();
            assert!(error.contains("names no requests"), "{error}");
        }
        for text in [
            "GET https://a.example/v1/*",
            "* http://[::1]:8080/*",
            "POST https://a.example/",
        ] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }
}
