//! Page tokens: opaque to the caller, valid for a day and only for the question they answer.
//!
//! A token holds no secret and no pointer into memory, so it survives a restart.

use asl::Timestamp;

use super::errors::{Answer, ApiError};

/// AWS's tokens are good for 24 hours; so are these, in milliseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1000;
/// Bytes of a token: issue time, position, question, check.
const LENGTH: usize = 32;

/// The question a token belongs to: the operation and everything that chooses its entries.
pub struct Question(u64);

impl Question {
    /// `operation` with the `parameters` that must stay the same from page to page.
    pub fn new(operation: &str, parameters: &[&str]) -> Self {
        let mut hash = fnv(FNV_OFFSET, operation.as_bytes());
        for parameter in parameters {
            hash = fnv(fnv(hash, &[0xff]), parameter.as_bytes());
        }
        Self(hash)
    }

    /// The token that continues this question at `position`.
    pub fn token(&self, position: u64, now: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(now.0.to_be_bytes());
        bytes.extend(position.to_be_bytes());
        bytes.extend(self.0.to_be_bytes());
        bytes.extend(fnv(FNV_OFFSET, &bytes).to_be_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where a caller's token continues; `None` without one.
    ///
    /// # Errors
    /// `InvalidToken` for a text that is no token, one of another question, or one older than a day.
    pub fn position(&self, token: Option<&str>, now: Timestamp) -> Answer<Option<u64>> {
        let Some(token) = token else { return Ok(None) };
        self.read(token, now)
            .map(Some)
            .ok_or_else(|| ApiError::invalid_token(token))
    }

    fn read(&self, token: &str, now: Timestamp) -> Option<u64> {
        if token.len() != 2 * LENGTH || !token.is_ascii() {
            return None;
        }
        let bytes = (0..LENGTH)
            .map(|index| u8::from_str_radix(&token[2 * index..2 * index + 2], 16))
            .collect::<Result<Vec<u8>, _>>()
            .ok()?;
        let word = |index: usize| bytes[8 * index..8 * index + 8].try_into().ok().map(u64::from_be_bytes);
        let issued = Timestamp(word(0)? as i64);
        let genuine = word(3)? == fnv(FNV_OFFSET, &bytes[..24]) && word(2)? == self.0;
        (genuine && (0..LIFETIME).contains(&now.millis_since(issued).max(0))).then_some(word(1)?)
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: enough to notice a damaged or misused token; nothing is protected by it.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_answers_its_own_question_for_a_day() {
        let question = Question::new("ListExecutions", &["arn", "RUNNING"]);
        let issued = Timestamp(1_700_000_000_000);
        let token = question.token(77, issued);
        let at = |millis: i64| question.position(Some(&token), Timestamp(issued.0 + millis));
        assert_eq!(at(0), Ok(Some(77)));
        assert_eq!(at(LIFETIME - 1), Ok(Some(77)));
        assert_eq!(at(LIFETIME).expect_err("a day old").kind, "InvalidToken");
        assert_eq!(question.position(None, issued), Ok(None));
        let other = Question::new("ListExecutions", &["arnR", "UNNING"]);
        assert_eq!(
            other.position(Some(&token), issued).expect_err("another question").kind,
            "InvalidToken"
        );
        for bad in ["", "nonsense", &"zz".repeat(LENGTH), &token.replacen('0', "1", 1)] {
            assert!(question.position(Some(bad), issued).is_err(), "{bad}");
        }
    }
}
