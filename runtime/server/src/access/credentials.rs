//! The keys a server knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

use super::policy::Policy;
use super::secret::Secret;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the operator calls the key; in logs and in refusals.
    pub name: String,
    /// What it may do.
    pub policy: Policy,
}

/// A key that signs requests.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its public half.
    pub id: String,
    /// Its other half. Signatures are computed with it, so it can't be kept as a hash.
    pub secret: Secret,
    /// Whose it is.
    pub caller: Caller,
}

/// A token that is shown with every request.
#[derive(Debug, Clone)]
pub struct BearerToken {
    /// All that is known of it.
    pub hash: TokenHash,
    /// Whose it is.
    pub caller: Caller,
}

/// The SHA-256 of a token. Tokens are 256 random bits, so nobody finds one by trying, however fast the hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of this token.
    pub fn of(token: &Secret) -> Self {
        Self(Sha256::digest(token.expose()).into())
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        unhex(digits).map(Self)
    }
}

/// As credentials files write it.
impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// 32 bytes from hexadecimal digits, small or capital.
pub(crate) fn unhex(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(bytes)
}

/// Every key and token of a server.
#[derive(Debug, Default)]
pub struct Credentials {
    keys: HashMap<String, (Secret, Arc<Caller>)>,
    tokens: HashMap<TokenHash, Arc<Caller>>,
}

impl Credentials {
    /// Of these keys and tokens. The last of two with the same id wins; whoever reads them from a file refuses that.
    pub fn new(keys: Vec<AccessKey>, tokens: Vec<BearerToken>) -> Self {
        Self {
            keys: keys
                .into_iter()
                .map(|key| (key.id, (key.secret, Arc::new(key.caller))))
                .collect(),
            tokens: tokens
                .into_iter()
                .map(|token| (token.hash, Arc::new(token.caller)))
                .collect(),
        }
    }

    /// The other half of a key, and whose it is.
    pub(crate) fn key(&self, id: &str) -> Option<(Secret, Arc<Caller>)> {
        self.keys.get(id).cloned()
    }

    /// Whose token it is.
    pub(crate) fn token(&self, token: &Secret) -> Option<Arc<Caller>> {
        self.tokens.get(&TokenHash::of(token)).cloned()
    }
}

/// The credentials in force. Clones share them; they can be replaced while requests are checked against them.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<RwLock<Arc<Credentials>>>);

impl Keyring {
    /// With these.
    pub fn new(credentials: Credentials) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(credentials))))
    }

    /// From now on these.
    pub fn replace(&self, credentials: Credentials) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    pub(crate) fn current(&self) -> Arc<Credentials> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Role;
    use super::*;

    fn caller() -> Caller {
        Caller {
            name: "ci".into(),
            policy: Policy::new(vec![Role::Admin], None),
        }
    }

    #[test]
    fn nothing_secret_is_in_what_debugging_shows() {
        let token = Secret::new("sandstep_0123456789");
        let hash = TokenHash::of(&token);
        let keyring = Keyring::new(Credentials::new(
            vec![AccessKey {
                id: "SSKEY".into(),
                secret: Secret::new("wJalrXUtnFEMI"),
                caller: caller(),
            }],
            vec![BearerToken { hash, caller: caller() }],
        ));
        let shown = format!("{keyring:?} {token:?} {:#?}", keyring.current());
        assert!(shown.contains("SSKEY") && shown.contains("ci"), "{shown}");
        for hidden in ["wJalr", "0123456789", &hash.to_string()] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn tokens_are_found_by_their_hash_until_they_are_replaced() {
        let token = Secret::new("sandstep_a");
        let hash = TokenHash::from_hex(&TokenHash::of(&token).to_string()).expect("64 digits");
        let keyring = Keyring::new(Credentials::new(
            Vec::new(),
            vec![BearerToken { hash, caller: caller() }],
        ));
        assert_eq!(keyring.current().token(&token).as_deref(), Some(&caller()));
        assert_eq!(keyring.current().token(&Secret::new("sandstep_b")), None);
        keyring.replace(Credentials::default());
        assert_eq!(keyring.current().token(&token), None);
        assert!(TokenHash::from_hex("abc").is_none() && TokenHash::from_hex(&"g".repeat(64)).is_none());
    }
}
