//! What a request says about who signed it, before anything of it is believed.

use asl::Timestamp;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, DATE};
use hmac::Mac as _;

use super::canonical::{self, parameters};
use super::refusal::Place;
use super::{ALGORITHM, CONTENT_SHA256, DATE_LENGTH, Refusal, Request, SERVICE, Scope, TERMINATOR, seal};
use crate::access::{Secret, unhex};

/// How far the caller's clock may be from ours, in milliseconds.
const SKEW: i64 = 5 * 60 * 1000;
/// The longest a presigned request is good for, in seconds: seven days.
const LONGEST_EXPIRY: i64 = 604_800;
/// Longest piece of a request that is repeated in a refusal, in characters.
const REPEATED: usize = 128;

/// A signature as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The public half of the key it should have been made with.
    pub key_id: String,
    scope: Scope,
    terminator: String,
    /// As signed, in ISO 8601's basic format.
    at: String,
    moment: Timestamp,
    /// For presigned requests: how long they are good, in seconds.
    expires: Option<i64>,
    signed_headers: Vec<String>,
    signature: Option<[u8; 32]>,
    has_session_token: bool,
}

impl Claim {
    /// The signature of a request; `None` where it has none.
    ///
    /// # Errors
    /// [`Refusal`] where one is begun and isn't complete.
    pub fn read(request: Request<'_>) -> Result<Option<Self>, Refusal> {
        let header = request.headers.get(AUTHORIZATION);
        if let Some(header) = header {
            let header = String::from_utf8_lossy(header.as_bytes());
            return Self::in_header(&header, request.headers).map(Some);
        }
        let presigned = parameters(request.query)
            .any(|(name, _)| matches!(&name[..], b"X-Amz-Algorithm" | b"X-Amz-Signature" | b"X-Amz-Credential"));
        presigned
            .then(|| Self::in_query(request.query, request.headers))
            .transpose()
    }

    fn in_header(header: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = header.trim();
        let (algorithm, rest) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        if algorithm == ALGORITHM {
            for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let Some((name, value)) = part.split_once('=') else {
                    return Err(Refusal::NotAPair(shortened(part)));
                };
                match name {
                    "Credential" => credential = Some(value.to_owned()),
                    "SignedHeaders" => signed_headers = Some(value.to_owned()),
                    "Signature" => signature = Some(value.to_owned()),
                    _ => {}
                }
            }
        } else if algorithm.starts_with("AWS4-") {
            return Err(Refusal::Algorithm(shortened(algorithm)));
        }
        let at = date_header(headers);
        let parts = Parts {
            place: Place::Header,
            credential,
            signed_headers,
            signature,
            at,
            expires: None,
            has_session_token: headers.contains_key("x-amz-security-token"),
        };
        parts.claim(["Credential", "Signature", "SignedHeaders", "X-Amz-Date"])
    }

    fn in_query(query: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let value = |wanted: &str| {
            parameters(query)
                .find(|(name, _)| name == wanted.as_bytes())
                .map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
        };
        match value("X-Amz-Algorithm").as_deref() {
            Some(ALGORITHM) => {}
            Some(other) => return Err(Refusal::Algorithm(shortened(other))),
            None => return Err(Refusal::Missing(vec!["X-Amz-Algorithm"], Place::Query)),
        }
        let Some(expires) = value("X-Amz-Expires") else {
            return Err(Refusal::Missing(vec!["X-Amz-Expires"], Place::Query));
        };
        let expires = match expires.parse() {
            Ok(seconds @ 1..=LONGEST_EXPIRY) => seconds,
            _ => return Err(Refusal::Expires(shortened(&expires))),
        };
        let parts = Parts {
            place: Place::Query,
            credential: value("X-Amz-Credential"),
            signed_headers: value("X-Amz-SignedHeaders"),
            signature: value("X-Amz-Signature"),
            at: value("X-Amz-Date"),
            expires: Some(expires),
            has_session_token: value("X-Amz-Security-Token").is_some() || headers.contains_key("x-amz-security-token"),
        };
        parts.claim([
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ])
    }

    /// Whether it is for this service, this region and this moment, and covers all it must; without any secret.
    ///
    /// # Errors
    /// [`Refusal`] saying what isn't so.
    pub fn check(&self, headers: &HeaderMap, region: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.has_session_token {
            return Err(Refusal::UnknownKey);
        }
        if self.terminator != TERMINATOR {
            return Err(Refusal::Terminator(shortened(&self.terminator)));
        }
        if self.scope.region != region {
            return Err(Refusal::Region(shortened(&self.scope.region)));
        }
        if self.scope.service != SERVICE {
            return Err(Refusal::Service);
        }
        let day: String = self.at.chars().take(DATE_LENGTH).collect();
        if self.scope.date != day {
            return Err(Refusal::ScopeDate {
                scope: shortened(&self.scope.date),
                day,
                at: self.at.clone(),
            });
        }
        self.check_time(now)?;
        self.check_headers(headers)
    }

    #[cfg(test)]
    pub(super) fn scope_mut(&mut self) -> &mut Scope {
        &mut self.scope
    }

    #[cfg(test)]
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let latest = Timestamp(now.0.saturating_add(SKEW));
        if self.moment > latest {
            return Err(Refusal::NotYet {
                at: self.at.clone(),
                bound: basic(latest),
                now: basic(now),
            });
        }
        let good_for = self.expires.map_or(0, |seconds| seconds * 1000);
        let oldest = Timestamp(now.0.saturating_sub(SKEW));
        let end = Timestamp(self.moment.0.saturating_add(good_for));
        // A presigned request says itself how late it may come.
        let is_over = if self.expires.is_some() {
            end < now
        } else {
            end < oldest
        };
        if is_over {
            return Err(Refusal::Expired {
                at: basic(end),
                bound: basic(oldest),
                now: basic(now),
            });
        }
        Ok(())
    }

    /// What names the server and the operation must be signed, or it could be exchanged on the way.
    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        if !is_signed("host") {
            return Err(Refusal::Unsigned("Host".to_owned()));
        }
        let needed = headers.keys().map(|name| name.as_str());
        for name in needed.filter(|name| name.starts_with("x-amz-")) {
            // A presigned request's date is in its query.
            let is_elsewhere = self.expires.is_some() && name == "x-amz-date";
            if !is_signed(name) && !is_elsewhere {
                return Err(Refusal::Unsigned(name.to_owned()));
            }
        }
        if let Some(absent) = self.signed_headers.iter().find(|name| !headers.contains_key(*name)) {
            return Err(Refusal::NotSent(shortened(absent)));
        }
        let announced = headers.get_all(CONTENT_SHA256).iter();
        for digest in announced.map(|digest| String::from_utf8_lossy(digest.as_bytes())) {
            if unhex(&digest).is_none() {
                return Err(Refusal::UnsignedPayload(shortened(&digest)));
            }
        }
        Ok(())
    }

    /// Whether it was made with this secret, for this request and this payload. Takes the same time whatever the
    /// signature is.
    ///
    /// # Errors
    /// [`Refusal::Mismatch`].
    pub fn verify(&self, request: Request<'_>, payload_digest: &str, secret: &Secret) -> Result<(), Refusal> {
        let canonical = canonical::request(request, &self.signed_headers, payload_digest);
        let seal = seal(&self.scope, secret, &self.at, &canonical);
        let signature = self.signature.ok_or(Refusal::Mismatch)?;
        seal.verify_slice(&signature).map_err(|_| Refusal::Mismatch)
    }
}

/// The parts of a signature, where they are there.
struct Parts {
    place: Place,
    credential: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    at: Option<String>,
    expires: Option<i64>,
    has_session_token: bool,
}

impl Parts {
    /// `names` are the parts' names: credential, signature, signed headers, date.
    fn claim(self, names: [&'static str; 4]) -> Result<Claim, Refusal> {
        let (Some(credential), Some(signature), Some(signed_headers), Some(at)) =
            (&self.credential, &self.signature, &self.signed_headers, &self.at)
        else {
            let there = [&self.credential, &self.signature, &self.signed_headers, &self.at].map(Option::is_some);
            let absent = names.into_iter().zip(there).filter(|(_, is_there)| !is_there);
            return Err(Refusal::Missing(absent.map(|(name, _)| name).collect(), self.place));
        };
        let mut elements = credential.split('/');
        let element = &mut || elements.next().map(str::to_owned);
        let (Some(key_id), Some(date), Some(region), Some(service), Some(terminator), None) =
            (element(), element(), element(), element(), element(), element())
        else {
            return Err(Refusal::Credential(shortened(credential)));
        };
        let Some(moment) = moment(at) else {
            return Err(Refusal::Date(shortened(at)));
        };
        let mut signed_headers: Vec<String> = signed_headers.split(';').map(str::to_ascii_lowercase).collect();
        signed_headers.sort_unstable();
        signed_headers.dedup();
        Ok(Claim {
            key_id,
            scope: Scope { date, region, service },
            terminator,
            at: at.clone(),
            moment,
            expires: self.expires,
            signed_headers,
            signature: unhex(signature),
            has_session_token: self.has_session_token,
        })
    }
}

/// `x-amz-date`, else `date`, in ISO 8601's basic format where it is any date.
fn date_header(headers: &HeaderMap) -> Option<String> {
    let date = headers.get("x-amz-date").or_else(|| headers.get(DATE))?;
    let date = String::from_utf8_lossy(date.as_bytes()).into_owned();
    let since = httpdate::parse_http_date(&date)
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Some(match since.and_then(|since| i64::try_from(since.as_millis()).ok()) {
        Some(millis) => basic(Timestamp(millis)),
        None => date,
    })
}

/// Reads `20150830T123600Z`.
fn moment(basic: &str) -> Option<Timestamp> {
    let is_basic = basic.len() == 16
        && basic.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !is_basic {
        return None;
    }
    let part = |from: usize, to: usize| &basic[from..to];
    Timestamp::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    ))
}

/// `20150830T123600Z`.
pub(super) fn basic(at: Timestamp) -> String {
    let extended = at.to_string();
    let seconds = extended.split('.').next().unwrap_or_default();
    let mut basic: String = seconds.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
    basic.push('Z');
    basic
}

fn shortened(text: &str) -> String {
    text.chars().take(REPEATED).collect()
}
