//! AWS's own examples: requests and signatures of the published Signature Version 4 test suite.

use asl::Timestamp;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AT: &str = "20150830T123600Z";
const FORM: &str = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";

/// Name, method, path and query, headers beside host and date, body, signature.
type Example = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    ("get-header-key-duplicate", "GET", "/", &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")], "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("get-header-value-order", "GET", "/", &[("my-header1", "value4"), ("my-header1", "value1"), ("my-header1", "value3"), ("my-header1", "value2")], "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", "GET", "/", &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")], "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[], "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", "GET", "/\u{1234}", &[], "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-space-normalized", "GET", "/example space/", &[], "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("get-slashes-normalized", "GET", "//example//", &[], "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("get-relative-relative-normalized", "GET", "/example1/example2/../..", &[], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", &[], "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", &[], "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", &[], "", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("get-vanilla-query-unreserved", "GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[], "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("get-vanilla-utf8-query", "GET", "/?\u{1234}=bar", &[], "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("post-vanilla", "POST", "/", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-vanilla-query", "POST", "/?Param1=value1", &[], "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("post-header-key-sort", "POST", "/", &[("my-header1", "value1")], "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-x-www-form-urlencoded", "POST", "/", &[("content-type", "application/x-www-form-urlencoded"), ("content-length", "13"), (CONTENT_SHA256, FORM)], "Param1=value1", "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
    ("post-x-www-form-urlencoded-parameters", "POST", "/", &[("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("content-length", "13"), (CONTENT_SHA256, FORM)], "Param1=value1", "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"),
];

/// Presigned: path and query, signature within.
#[rustfmt::skip]
const PRESIGNED: &[(&str, &str)] = &[
    ("get-vanilla-query", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
    ("get-utf8", "/\u{1234}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44"),
];

fn secret() -> Secret {
    Secret::new(SECRET)
}

fn headers(more: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", "example.amazonaws.com"), ("x-amz-date", AT)]
        .iter()
        .chain(more)
    {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        headers.append(HeaderName::try_from(*name).expect("a name"), value);
    }
    headers
}

fn request<'a>(method: &'a str, target: &'a str, headers: &'a HeaderMap) -> Request<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method,
        path,
        query,
        headers,
    }
}

fn now() -> Timestamp {
    Timestamp::parse("2015-08-30T12:36:00Z").expect("a time")
}

#[test]
fn the_published_examples_are_verified_and_nothing_else_is() {
    for (name, method, target, more, body, signature) in EXAMPLES {
        let mut headers = headers(more);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        headers.insert("authorization", authorization.parse().expect("a value"));
        let request = request(method, target, &headers);
        let claim = Claim::read(request).expect("complete").expect("signed");
        assert_eq!(claim.key_id, "AKIDEXAMPLE");
        let digest = payload_digest(body.as_bytes());
        assert_eq!(claim.verify(request, &digest, &secret()), Ok(()), "{name}");
        let refused = [
            claim.verify(request, &payload_digest(b"another body"), &secret()),
            claim.verify(request, &digest, &Secret::new("another secret")),
            claim.verify(
                Request {
                    method: "PUT",
                    ..request
                },
                &digest,
                &secret(),
            ),
            claim.verify(
                Request {
                    path: "/other",
                    ..request
                },
                &digest,
                &secret(),
            ),
            claim.verify(
                Request {
                    query: "a=b",
                    ..request
                },
                &digest,
                &secret(),
            ),
        ];
        assert_eq!(refused, [const { Err(Refusal::Mismatch) }; 5], "{name}");
    }
}

#[test]
fn the_published_presigned_examples_are_verified() {
    for (name, target) in PRESIGNED {
        let headers = headers(&[]);
        let asked = request("GET", target, &headers);
        let claim = Claim::read(asked).expect("complete").expect("signed");
        assert_eq!(claim.verify(asked, &payload_digest(b""), &secret()), Ok(()), "{name}");
        let longer = target.replace("3600", "3601");
        let asked = request("GET", &longer, &headers);
        let claim = Claim::read(asked).expect("complete").expect("signed");
        assert_eq!(
            claim.verify(asked, &payload_digest(b""), &secret()),
            Err(Refusal::Mismatch),
            "{name}"
        );
    }
}

/// A signed request of ours, and its claim.
fn signed(more: &[(&str, &str)]) -> (HeaderMap, Claim) {
    let mut headers = headers(more);
    let value = authorization(
        request("POST", "/", &headers),
        "SSKEY",
        &secret(),
        "us-east-1",
        AT,
        &payload_digest(b"{}"),
    );
    headers.insert("authorization", value.parse().expect("a value"));
    let claim = Claim::read(request("POST", "/", &headers))
        .expect("complete")
        .expect("signed");
    (headers, claim)
}

#[test]
fn what_is_signed_here_is_verified_here() {
    let (headers, claim) = signed(&[("x-amz-target", "AWSStepFunctions.ListActivities")]);
    assert_eq!(claim.check(&headers, "us-east-1", now()), Ok(()));
    let verify = |digest: &str| claim.verify(request("POST", "/", &headers), digest, &secret());
    assert_eq!(verify(&payload_digest(b"{}")), Ok(()));
    assert_eq!(verify(&payload_digest(b"{ }")), Err(Refusal::Mismatch));
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let (headers, claim) = signed(&[]);
    let at = |seconds: i64| claim.check(&headers, "us-east-1", Timestamp(now().0 + seconds * 1000));
    assert_eq!([at(-300), at(0), at(300)], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(
        at(301).expect_err("too old").to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        at(-301).expect_err("too new").to_string(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn presigned_requests_say_how_long_they_are_good() {
    let headers = headers(&[]);
    let (_, target) = PRESIGNED[0];
    let target = target.replace("%2Fservice%2F", "%2Fstates%2F");
    let claim = Claim::read(request("GET", &target, &headers))
        .expect("complete")
        .expect("signed");
    let at = |seconds: i64| {
        claim
            .check(&headers, "us-east-1", Timestamp(now().0 + seconds * 1000))
            .is_ok()
    };
    assert_eq!([at(-301), at(-300), at(3600), at(3601)], [false, true, true, false]);
    for expires in ["0", "604801", "-1", "soon"] {
        let target = target.replace("3600", expires);
        let refusal = Claim::read(request("GET", &target, &headers)).expect_err("no such time");
        assert_eq!(refusal.kind(), "IncompleteSignatureException", "{refusal}");
    }
}

#[test]
fn a_scope_is_for_one_day_one_region_and_one_service() {
    let (headers, claim) = signed(&[]);
    let changed = |change: &dyn Fn(&mut Claim)| {
        let mut claim = claim.clone();
        change(&mut claim);
        claim
            .check(&headers, "us-east-1", now())
            .expect_err("another scope")
            .to_string()
    };
    let text =
        |path: fn(&mut Claim) -> &mut String, value: &'static str| changed(&|claim| *path(claim) = value.to_owned());
    assert_eq!(
        text(|claim| &mut claim.scope_mut().region, "eu-west-1"),
        "Credential should be scoped to a valid region, not 'eu-west-1'. "
    );
    assert_eq!(
        text(|claim| &mut claim.scope_mut().service, "s3"),
        "Credential should be scoped to correct service: 'states'. "
    );
    assert_eq!(
        text(|claim| &mut claim.scope_mut().date, "20150829"),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != \
         '20150830', from '20150830T123600Z'."
    );
}

#[test]
fn session_tokens_are_nobodys_here() {
    let (headers, claim) = signed(&[("x-amz-security-token", "FwoGZXIvYXdzEXAMPLE")]);
    assert_eq!(claim.check(&headers, "us-east-1", now()), Err(Refusal::UnknownKey));
}

#[test]
fn what_names_server_and_operation_must_be_signed() {
    let (mut headers, claim) = signed(&[]);
    headers.insert(
        "x-amz-target",
        HeaderValue::from_static("AWSStepFunctions.DeleteStateMachine"),
    );
    assert_eq!(
        claim.check(&headers, "us-east-1", now()),
        Err(Refusal::Unsigned("x-amz-target".into()))
    );
    headers.remove("x-amz-target");
    headers.remove("host");
    assert_eq!(
        claim.check(&headers, "us-east-1", now()),
        Err(Refusal::NotSent("host".into()))
    );
}

#[test]
fn payloads_are_always_signed() {
    for digest in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "abc"] {
        let (headers, claim) = signed(&[(CONTENT_SHA256, digest)]);
        assert_eq!(
            claim.check(&headers, "us-east-1", now()),
            Err(Refusal::UnsignedPayload(digest.into()))
        );
    }
}

#[test]
fn incomplete_signatures_are_told_what_is_missing() {
    let read = |authorization: &str, date: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().expect("a value"));
        if let Some(date) = date {
            headers.insert("x-amz-date", date.parse().expect("a value"));
        }
        Claim::read(request("POST", "/", &headers)).expect_err("incomplete")
    };
    for (refusal, text) in [
        (
            read("nonsense", None),
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
             parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires \
             existence of either a 'X-Amz-Date' or a 'Date' header.",
        ),
        (
            read("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x", Some(AT)),
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            read("AWS4-HMAC-SHA256 Credential= a/b, Signature", Some(AT)),
            "'Signature' not a valid key=value pair (missing equal-sign) in Authorization header.",
        ),
        (
            read("AWS4-HMAC-SHA1 Credential=a", Some(AT)),
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.",
        ),
        (
            read(
                "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
                Some(AT),
            ),
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'",
        ),
        (
            read(
                "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=x",
                Some("yesterday"),
            ),
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601",
        ),
    ] {
        assert_eq!(
            (refusal.to_string().as_str(), refusal.kind()),
            (text, "IncompleteSignatureException")
        );
    }
    let nothing = HeaderMap::new();
    assert_eq!(Claim::read(request("POST", "/?a=b", &nothing)), Ok(None));
    let refusal = Claim::read(request(
        "GET",
        "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=9",
        &nothing,
    ));
    assert!(
        refusal
            .expect_err("incomplete")
            .to_string()
            .contains("X-Amz-Credential")
    );
}

#[test]
fn a_date_header_does_where_there_is_no_other() {
    let mut headers = HeaderMap::new();
    headers.insert("date", HeaderValue::from_static("Sun, 30 Aug 2015 12:36:00 GMT"));
    headers.insert(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=date;host, Signature=x"),
    );
    let claim = Claim::read(request("POST", "/", &headers))
        .expect("complete")
        .expect("signed");
    assert_eq!(claim.at(), AT);
}
