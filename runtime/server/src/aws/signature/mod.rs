//! AWS Signature Version 4: who signed a request, and whether they signed this one.
//!
//! Follows "Create a signed AWS API request" of AWS's IAM user guide, for every service but S3: paths are normalised and
//! encoded once more than they were sent, and the payload is always part of what is signed. Owns no clock and no keys.

mod canonical;
mod claim;
mod refusal;

use axum::http::HeaderMap;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};

use crate::access::Secret;
pub use claim::Claim;
pub use refusal::Refusal;

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service in every credential's scope.
pub const SERVICE: &str = "states";
/// What a scope ends with.
const TERMINATOR: &str = "aws4_request";
/// Carries the payload's digest where the sender computed it.
pub const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// What of a request is signed, beside its payload.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// As sent, percent-encoded.
    pub path: &'a str,
    /// As sent, without the question mark; empty where there is none.
    pub query: &'a str,
    /// All of them.
    pub headers: &'a HeaderMap,
}

/// Day, region and service a key is derived for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `20150830`.
    pub date: String,
    /// `us-east-1`.
    pub region: String,
    /// `states`.
    pub service: String,
}

impl Scope {
    fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }

    fn key(&self, secret: &Secret) -> [u8; 32] {
        let first = hmac(format!("AWS4{}", secret.expose()).as_bytes(), &self.date);
        [&self.region, &self.service, TERMINATOR]
            .iter()
            .fold(first, |key, part| hmac(&key, part))
    }
}

/// The SHA-256 of a payload, in hexadecimal digits.
pub fn payload_digest(payload: &[u8]) -> String {
    hex(&Sha256::digest(payload))
}

/// [`payload_digest`] of all that is read.
///
/// # Errors
/// The reader's.
pub fn reader_digest(reader: &mut impl std::io::Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(reader, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// The value of the `Authorization` header of a request, which has its `x-amz-date` (`at`) and every other header that is
/// to be signed already.
pub fn authorization(
    request: Request<'_>,
    key_id: &str,
    secret: &Secret,
    region: &str,
    at: &str,
    payload_digest: &str,
) -> String {
    let scope = Scope {
        date: at.chars().take(DATE_LENGTH).collect(),
        region: region.to_owned(),
        service: SERVICE.to_owned(),
    };
    let mut names: Vec<String> = request.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort_unstable();
    let canonical = canonical::request(request, &names, payload_digest);
    let signature = seal(&scope, secret, at, &canonical).finalize().into_bytes();
    format!(
        "{ALGORITHM} Credential={key_id}/{}, SignedHeaders={}, Signature={}",
        scope.text(),
        names.join(";"),
        hex(&signature)
    )
}

/// Characters of a date without its time.
const DATE_LENGTH: usize = 8;

/// The keyed hash of the string to sign.
fn seal(scope: &Scope, secret: &Secret, at: &str, canonical: &str) -> Hmac<Sha256> {
    let digest = hex(&Sha256::digest(canonical));
    let string_to_sign = format!("{ALGORITHM}\n{at}\n{}\n{digest}", scope.text());
    let mut mac = keyed(&scope.key(secret));
    mac.update(string_to_sign.as_bytes());
    mac
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
