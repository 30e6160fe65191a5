//! Task tokens: what an attempt's outcome can be reported with from anywhere, also after a restart.
//!
//! A token names the attempt and carries a keyed hash of that name, so nothing is stored for it and nobody
//! can make one up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ids::{ExecutionId, TaskId};

/// What tokens are signed with. Kept with the data, so that tokens outlive the process.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey(pub [u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// First byte of every token, so that another form can be told from this one.
const FORM: u8 = 1;
/// The form, the execution and the position.
const NAME_BYTES: usize = 1 + 8 + 8;
/// Half of a SHA-256: more than anybody can try.
pub const SEAL_BYTES: usize = 16;

impl TokenKey {
    /// The token of an attempt.
    pub fn token(&self, task: TaskId) -> String {
        let mut bytes = Vec::with_capacity(NAME_BYTES + SEAL_BYTES);
        bytes.push(FORM);
        bytes.extend(task.execution.0.to_be_bytes());
        bytes.extend(task.scheduled_at.to_be_bytes());
        let seal = self.seal(&bytes).finalize().into_bytes();
        bytes.extend(&seal[..SEAL_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The attempt a token was made for; `None` for a text that is no token of this key.
    pub fn task(&self, token: &str) -> Option<TaskId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (name, seal) = bytes.split_at_checked(NAME_BYTES)?;
        if seal.len() != SEAL_BYTES || self.seal(name).verify_truncated_left(seal).is_err() {
            return None;
        }
        let (form, numbers) = name.split_first()?;
        let (execution, scheduled_at) = numbers.split_at_checked(8)?;
        (*form == FORM).then_some(TaskId {
            execution: ExecutionId(u64::from_be_bytes(execution.try_into().ok()?)),
            scheduled_at: u64::from_be_bytes(scheduled_at.try_into().ok()?),
        })
    }

    /// What shows that a text was written here: `purpose` keeps seals of different kinds of text apart.
    pub fn seal_of(&self, purpose: &str, text: &[u8]) -> [u8; SEAL_BYTES] {
        let whole = self.purposeful(purpose, text).finalize().into_bytes();
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&whole[..SEAL_BYTES]);
        seal
    }

    /// Whether `seal` is what [`TokenKey::seal_of`] answers. Takes the same time for every wrong one.
    pub fn is_seal_of(&self, purpose: &str, text: &[u8], seal: &[u8]) -> bool {
        seal.len() == SEAL_BYTES && self.purposeful(purpose, text).verify_truncated_left(seal).is_ok()
    }

    fn purposeful(&self, purpose: &str, text: &[u8]) -> Hmac<Sha256> {
        // No purpose holds a zero, so none can be taken for the beginning of another.
        self.seal(&[purpose.as_bytes(), &[0], text].concat())
    }

    /// A name for what this attempt starts elsewhere: the same after a crash, so that it is started once.
    pub fn name(&self, task: TaskId) -> [u8; 16] {
        let mut bytes = b"name".to_vec();
        bytes.extend(task.execution.0.to_be_bytes());
        bytes.extend(task.scheduled_at.to_be_bytes());
        let seal = self.seal(&bytes).finalize().into_bytes();
        let mut name = [0; 16];
        name.copy_from_slice(&seal[..16]);
        name
    }

    fn seal(&self, name: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(name);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_attempt_and_a_changed_one_nowhere() {
        let task = TaskId {
            execution: ExecutionId(7),
            scheduled_at: 12,
        };
        let key = TokenKey([3; 32]);
        let token = key.token(task);
        assert_eq!(key.task(&token), Some(task));
        assert_eq!(TokenKey([4; 32]).task(&token), None);
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(key.task(&forged), None, "{forged}");
        }
        for text in ["", "NoSuchTaskToken", "AAAA", "\u{1f600}", &token[1..]] {
            assert_eq!(key.task(text), None, "{text}");
        }
    }
}
