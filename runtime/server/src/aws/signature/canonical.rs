//! A request in the one form that both sides hash.

use axum::http::HeaderMap;

use super::Request;

/// The canonical request: its signed headers by name, sorted, in small letters.
pub fn request(request: Request<'_>, signed: &[String], payload_digest: &str) -> String {
    let Request {
        method,
        path: sent,
        query: asked,
        headers: all,
    } = request;
    format!(
        "{method}\n{}\n{}\n{}\n{}\n{payload_digest}",
        path(sent),
        query(asked),
        headers(all, signed),
        signed.join(";")
    )
}

/// The path without detours, its segments encoded on top of how they were sent.
fn path(sent: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in sent.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut path = String::from("/");
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            path.push('/');
        }
        encode(segment.as_bytes(), &mut path);
    }
    if !segments.is_empty() && sent.ends_with('/') {
        path.push('/');
    }
    path
}

/// The parameters, encoded anew and sorted. A signature in them is not part of what it signs.
fn query(sent: &str) -> String {
    let mut parameters: Vec<(String, String)> = parameters(sent)
        .filter(|(name, _)| name != b"X-Amz-Signature")
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    parameters.sort_unstable();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The parameters of a query, decoded.
pub fn parameters(sent: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    sent.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// A line for each header; the values of one sent several times are joined, and white space within is one space.
fn headers(all: &HeaderMap, signed: &[String]) -> String {
    let mut lines = String::new();
    for name in signed {
        let values: Vec<String> = all
            .get_all(name)
            .iter()
            .map(|value| {
                let value = String::from_utf8_lossy(value.as_bytes());
                value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        lines.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    lines
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    encode(bytes, &mut text);
    text
}

/// RFC 3986's unreserved characters stand for themselves.
fn encode(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
}

/// Bytes behind percent signs; a percent sign without two digits stands for itself, and so does a plus.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_detours_and_are_encoded_once_more() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/./a", "/a"),
            ("//a//", "/a/"),
            ("/v1/modules/a%20b", "/v1/modules/a%2520b"),
        ] {
            assert_eq!(path(sent), canonical, "`{sent}`");
        }
    }

    #[test]
    fn queries_are_sorted_by_what_was_encoded() {
        assert_eq!(query("b=2&a=%2f+&&c&a="), "a=&a=%2F%2B&b=2&c=");
        assert_eq!(query("X-Amz-Signature=x&%zz=%4"), "%25zz=%254");
    }
}
