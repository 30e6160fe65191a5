//! Who the client says it is: with a token, with signatures, or not at all.

use std::time::{SystemTime, UNIX_EPOCH};

use asl::Timestamp;
use server::access::Secret;
use server::aws::signature::{self, CONTENT_SHA256, payload_digest};
use ureq::http::header::{AUTHORIZATION, HOST, InvalidHeaderValue};
use ureq::http::{HeaderMap, HeaderValue, Request, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Body, SendBody};

/// Where AWS's tools sign for when nobody says otherwise, and what servers are called unless told.
const DEFAULT_REGION: &str = "us-east-1";

/// What goes with every request.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Nothing: the server asks for no keys.
    Nobody,
    /// A token.
    Token(Secret),
    /// A signature, as AWS's own tools make them.
    Key {
        /// The key's public half.
        id: String,
        /// Its other half.
        secret: Secret,
        /// What region signatures are for.
        region: String,
    },
}

impl Identity {
    /// The token where there is one, else the key that AWS's tools would find in the environment.
    pub fn new(token: Option<&Secret>, variable: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(token) = token {
            return Self::Token(token.clone());
        }
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        match (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Self::Key {
                id,
                secret: Secret::new(secret),
                region: value("AWS_REGION")
                    .or_else(|| value("AWS_DEFAULT_REGION"))
                    .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            },
            _ => Self::Nobody,
        }
    }

    /// Whether bodies must be hashed before they are sent.
    pub fn signs(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    /// Says who asks. A request with a body must have its digest in [`CONTENT_SHA256`].
    fn introduce<T>(&self, request: &mut Request<T>, at: Timestamp) -> Result<(), InvalidHeaderValue> {
        let value = match self {
            Self::Nobody => return Ok(()),
            Self::Token(token) => format!("Bearer {}", token.expose()),
            Self::Key { id, secret, region } => {
                let at = basic(at);
                let digest = match request.headers().get(CONTENT_SHA256) {
                    Some(digest) => String::from_utf8_lossy(digest.as_bytes()).into_owned(),
                    None => payload_digest(b""),
                };
                let host = request.uri().authority().map(|authority| authority.to_string());
                let host = HeaderValue::try_from(host.unwrap_or_default())?;
                request.headers_mut().insert(HOST, host);
                request.headers_mut().insert("x-amz-date", HeaderValue::try_from(&at)?);
                // Others are added or changed on the way.
                let is_signed = |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
                let headers: HeaderMap = request
                    .headers()
                    .iter()
                    .filter(|(name, _)| is_signed(name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let signed = signature::Request {
                    method: request.method().as_str(),
                    path: request.uri().path(),
                    query: request.uri().query().unwrap_or_default(),
                    headers: &headers,
                };
                signature::authorization(signed, id, secret, region, &at, &digest)
            }
        };
        let mut value = HeaderValue::try_from(value)?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }
}

impl Middleware for Identity {
    fn handle(&self, mut request: Request<SendBody>, next: MiddlewareNext) -> Result<Response<Body>, ureq::Error> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        self.introduce(&mut request, now)
            .map_err(|error| ureq::Error::Http(error.into()))?;
        next.handle(request)
    }
}

/// ISO 8601's basic format: `20150830T123600Z`.
fn basic(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Identity {
        Identity::new(None, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn keys_come_from_where_awss_tools_look() {
        assert!(matches!(from(&[]), Identity::Nobody));
        assert!(matches!(
            from(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "")]),
            Identity::Nobody
        ));
        let key = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let region_with = |more: &[(&str, &str)]| match from(&[&key, more].concat()) {
            Identity::Key { region, .. } => region,
            other => panic!("{other:?}"),
        };
        assert_eq!(region_with(&[]), "us-east-1");
        assert_eq!(region_with(&[("AWS_DEFAULT_REGION", "eu-west-1")]), "eu-west-1");
        assert_eq!(
            region_with(&[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_REGION", "eu-west-2")]),
            "eu-west-2"
        );
        let token = Identity::new(Some(&Secret::new("t")), |_| Some("x".to_owned()));
        assert!(matches!(&token, Identity::Token(_)) && !token.signs());
        assert!(!format!("{:?}{:?}", token, from(&key)).contains("\"b\""));
    }

    #[test]
    fn requests_carry_what_servers_check() {
        let introduced = |identity: &Identity| {
            let mut request = Request::post("https://sandstep.example:8443/v1/x?a=b")
                .header("user-agent", "sandstep")
                .header("x-amz-target", "AWSStepFunctions.ListActivities")
                .body(())
                .expect("a request");
            let at = Timestamp::parse("2015-08-30T12:36:00Z").expect("a time");
            identity.introduce(&mut request, at).expect("headers");
            request
        };
        let token = introduced(&Identity::Token(Secret::new("t")));
        assert_eq!(token.headers()["authorization"], "Bearer t");
        assert!(token.headers()["authorization"].is_sensitive());
        let signed = introduced(&from(&[("AWS_ACCESS_KEY_ID", "SSAK"), ("AWS_SECRET_ACCESS_KEY", "b")]));
        assert_eq!(signed.headers()["host"], "sandstep.example:8443");
        let authorization = signed.headers()["authorization"].to_str().expect("ASCII");
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=SSAK/20150830/us-east-1/states/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature="
            ),
            "{authorization}"
        );
    }
}
