//! Why a signature isn't taken, in AWS's words.

use crate::aws::errors::ApiError;

/// What is wrong with a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A part of the header that is no `key=value`.
    #[error("'{0}' not a valid key=value pair (missing equal-sign) in Authorization header.")]
    NotAPair(String),
    /// Parts that aren't there; a sentence for each.
    #[error("{}", missing(.0, *.1))]
    Missing(Vec<&'static str>, Place),
    /// Another algorithm.
    #[error("Unsupported AWS 'algorithm': '{0}'.")]
    Algorithm(String),
    /// A credential that isn't five parts.
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'")]
    Credential(String),
    /// Neither `x-amz-date` nor `date` can be read.
    #[error("Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    Date(String),
    /// How long a presigned request is good for.
    #[error("X-Amz-Expires must be between 1 and 604800 seconds, not '{0}'")]
    Expires(String),
    /// A header that must be signed isn't.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    Unsigned(String),
    /// A header that is signed isn't sent.
    #[error("The signed header '{0}' was not sent.")]
    NotSent(String),
    /// Signed for another region.
    #[error("Credential should be scoped to a valid region, not '{0}'. ")]
    Region(String),
    /// Signed for another service.
    #[error("Credential should be scoped to correct service: '{}'. ", super::SERVICE)]
    Service,
    /// A scope that ends otherwise.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'. ")]
    Terminator(String),
    /// Two dates.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != \
         '{day}', from '{at}'."
    )]
    ScopeDate {
        /// The scope's.
        scope: String,
        /// The request's.
        day: String,
        /// The request's, whole.
        at: String,
    },
    /// Too old; `bound` is the oldest that would do.
    #[error("Signature expired: {at} is now earlier than {bound} ({now} - 5 min.)")]
    Expired {
        /// When it was signed, or expired.
        at: String,
        /// The oldest that would do.
        bound: String,
        /// The server's clock.
        now: String,
    },
    /// From the future.
    #[error("Signature not yet current: {at} is still later than {bound} ({now} + 5 min.)")]
    NotYet {
        /// When it was signed.
        at: String,
        /// The latest that would do.
        bound: String,
        /// The server's clock.
        now: String,
    },
    /// A payload nobody hashed.
    #[error("The payload must be signed: '{0}' is not taken in place of its SHA-256 digest.")]
    UnsignedPayload(String),
    /// The signature itself.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// An access key nobody has, or a session token, which this server doesn't give out.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
}

/// Where a signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the header `Authorization`.
    Header,
    /// In the query: a presigned request.
    Query,
}

fn missing(parts: &[&str], place: Place) -> String {
    let sentences: Vec<String> = parts
        .iter()
        .map(|part| match (place, *part) {
            (Place::Header, "X-Amz-Date") => {
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned()
            }
            (Place::Header, part) => format!("Authorization header requires '{part}' parameter."),
            (Place::Query, part) => format!("AWS query-string parameters must include '{part}'."),
        })
        .collect();
    sentences.join(" ")
}

impl Refusal {
    /// The name of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotAPair(_)
            | Self::Missing(..)
            | Self::Algorithm(_)
            | Self::Credential(_)
            | Self::Date(_)
            | Self::Expires(_) => "IncompleteSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Unsigned(_)
            | Self::NotSent(_)
            | Self::Region(_)
            | Self::Service
            | Self::Terminator(_)
            | Self::ScopeDate { .. }
            | Self::Expired { .. }
            | Self::NotYet { .. }
            | Self::UnsignedPayload(_)
            | Self::Mismatch => "InvalidSignatureException",
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        ApiError::unauthenticated(refusal.kind(), refusal.to_string())
    }
}
