//! Page tokens: opaque to the caller, valid for a day and only for the question they answer.
//!
//! A token is sealed with the key kept beside the data and points to nothing in memory: it survives a restart, and one
//! that was changed, or comes from another server, is none.

use asl::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::token::{SEAL_BYTES, TokenKey};

use super::errors::{Answer, ApiError};

/// AWS's tokens are good for 24 hours; so are these, in milliseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1000;
/// Bytes of what a token says: when it was issued, and where the next page begins.
const SAID_BYTES: usize = 8 + 8;
/// Keeps these tokens apart from whatever else is sealed with the key.
const PURPOSE: &str = "page";

/// The question a token belongs to: the operation and everything that chooses its entries.
pub struct Question<'a> {
    key: &'a TokenKey,
    text: Vec<u8>,
}

impl<'a> Question<'a> {
    /// `operation` with the `parameters` that must stay the same from page to page.
    pub fn new(key: &'a TokenKey, operation: &str, parameters: &[&str]) -> Self {
        let mut text = Vec::new();
        for part in std::iter::once(&operation).chain(parameters) {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part.as_bytes());
        }
        Self { key, text }
    }

    /// The token that continues this question at `position`.
    pub fn token(&self, position: u64, now: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(SAID_BYTES + SEAL_BYTES);
        bytes.extend(now.0.to_be_bytes());
        bytes.extend(position.to_be_bytes());
        bytes.extend(self.key.seal_of(PURPOSE, &self.sealed(&bytes)));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Where a caller's token continues; `None` without one.
    ///
    /// # Errors
    /// `InvalidToken` for a text that is no token, one of another question or another server, or one older than a day.
    pub fn position(&self, token: Option<&str>, now: Timestamp) -> Answer<Option<u64>> {
        let Some(token) = token else { return Ok(None) };
        self.read(token, now)
            .map(Some)
            .ok_or_else(|| ApiError::invalid_token(token))
    }

    fn read(&self, token: &str, now: Timestamp) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, seal) = bytes.split_at_checked(SAID_BYTES)?;
        if !self.key.is_seal_of(PURPOSE, &self.sealed(said), seal) {
            return None;
        }
        let (issued, position) = said.split_at_checked(8)?;
        let issued = Timestamp(i64::from_be_bytes(issued.try_into().ok()?));
        let position = u64::from_be_bytes(position.try_into().ok()?);
        // A clock that was set back makes nobody's token invalid.
        (now.millis_since(issued) < LIFETIME).then_some(position)
    }

    fn sealed(&self, said: &[u8]) -> Vec<u8> {
        [said, &self.text].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_answers_its_own_question_for_a_day() {
        let key = TokenKey([7; 32]);
        let question = Question::new(&key, "ListExecutions", &["arn", "RUNNING"]);
        let issued = Timestamp(1_700_000_000_000);
        let token = question.token(77, issued);
        let at = |millis: i64| question.position(Some(&token), Timestamp(issued.0 + millis));
        assert_eq!(at(0), Ok(Some(77)));
        assert_eq!(at(-1000), Ok(Some(77)));
        assert_eq!(at(LIFETIME - 1), Ok(Some(77)));
        assert_eq!(at(LIFETIME).expect_err("a day old").kind, "InvalidToken");
        assert_eq!(question.position(None, issued), Ok(None));
    }

    #[test]
    fn no_other_text_is_a_token() {
        let (key, other_key) = (TokenKey([7; 32]), TokenKey([8; 32]));
        let question = Question::new(&key, "ListExecutions", &["arn", "RUNNING"]);
        let issued = Timestamp(1_700_000_000_000);
        let token = question.token(77, issued);
        let others = [
            Question::new(&key, "ListExecutions", &["arnR", "UNNING"]),
            Question::new(&key, "ListExecutions", &["arn"]),
            Question::new(&other_key, "ListExecutions", &["arn", "RUNNING"]),
        ];
        for other in others {
            let error = other.position(Some(&token), issued).expect_err("not its own");
            assert_eq!(error.kind, "InvalidToken");
        }
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert!(question.position(Some(&forged), issued).is_err(), "{forged}");
        }
        for text in ["", "nonsense", "\u{1f600}", &token[1..], &format!("{token}AAAA")] {
            assert!(question.position(Some(text), issued).is_err(), "{text}");
        }
    }
}
