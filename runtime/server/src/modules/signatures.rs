//! Signatures of modules: what is signed, whose signatures the operator's policy takes, and what it refuses.
//!
//! A signature is Ed25519 over a short text that anybody can write and read ([`payload`]). It holds the module's name, what
//! was uploaded and the text of the manifest: what was signed as one module is nothing as another, and with another
//! manifest neither. It doesn't say that a version is the newest; who may upload may upload an older one again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ids::Digest;
use engine::ports::{ModuleRecord, Signature, glob};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::manifest::Mistake;

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;
/// What stands before those 32 bytes in the form that OpenSSL writes (RFC 8410).
const OPENSSL: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Signatures that are remembered as good or not: an attempt asks once more what was found for the one before. Each has
/// some hundred bytes.
const REMEMBERED: usize = 4096;

/// What a module's author signs. Every line ends with a line break, the last one, too.
pub fn payload(name: &str, upload: &Digest, manifest: &Digest) -> String {
    format!("sandstep module signature 1\nname: {name}\ncomponent: {upload}\nmanifest: {manifest}\n")
}

/// The content address of some bytes, as a payload has it.
pub fn digest(bytes: &[u8]) -> Digest {
    let digits = Sha256::digest(bytes).iter().fold(String::new(), |mut digits, byte| {
        use std::fmt::Write as _;
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    Digest(format!("sha256:{digits}").into())
}

/// The part of a policy about signatures, as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `required` and `keys`")]
pub(super) struct SignaturesWritten {
    #[serde(default)]
    required: RequiredWritten,
    #[serde(default)]
    keys: BTreeMap<String, Spanned<KeyWritten>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected true, false or a list of module names like [\"pay\", \"etl-*\"]"
)]
enum RequiredWritten {
    All(bool),
    Some(Vec<String>),
}

impl Default for RequiredWritten {
    fn default() -> Self {
        Self::All(false)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"KEY\" or { key = \"KEY\", modules = [\"NAME\"] }")]
enum KeyWritten {
    Key(String),
    Of(KeyOf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyOf {
    key: String,
    modules: Vec<String>,
}

/// Whose signatures are good, and which modules need one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signatures {
    /// Names of modules, with `*`.
    required: Vec<String>,
    keys: Vec<Key>,
    verified: Verified,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    public: [u8; KEY_BYTES],
    /// Names of the modules it signs for, with `*`.
    modules: Vec<String>,
}

/// Who signed what, by the payload and the signature. What is found follows from the policy it is a part of.
#[derive(Debug, Default)]
struct Verified(Mutex<HashMap<(String, String), Option<usize>>>);

impl PartialEq for Verified {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Verified {}

/// A module that the policy wants signed, and that isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy wants module `{module}` signed, and {reason}")]
pub struct NotSigned {
    /// Which.
    pub module: String,
    /// How it stands with its signature.
    pub reason: &'static str,
    /// The keys it could be signed with, by name.
    pub keys: Vec<String>,
}

impl NotSigned {
    /// What can be done about it.
    pub fn hint(&self) -> String {
        let Self { module, keys, .. } = self;
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        match &keys[..] {
            [] => format!("no key of the policy signs for `{module}`; put one below `[signatures.keys]`"),
            keys => format!(
                "sign it with the private key of {} (`sandstep modules sign {module} FILE --key KEYFILE`) and upload it again; \
                 the signature is of this name, this component and this manifest",
                keys.join(" or ")
            ),
        }
    }
}

impl SignaturesWritten {
    pub(super) fn signatures(self, text: &str) -> Result<Signatures, Mistake> {
        let mut keys = Vec::new();
        for (name, written) in self.keys {
            let at = written.span().start;
            let (key, modules) = match written.into_inner() {
                KeyWritten::Key(key) => (key, vec!["*".to_owned()]),
                KeyWritten::Of(KeyOf { key, modules }) => (key, modules),
            };
            let public = public_key(&key).ok_or_else(|| {
                let message = format!(
                    "the key `{name}` isn't an Ed25519 public key in base64: 32 bytes, or the 44 of \
                     `openssl pkey -pubout -outform DER`"
                );
                Mistake::at(text, at, message)
            })?;
            keys.push(Key { name, public, modules });
        }
        let required = match self.required {
            RequiredWritten::All(true) => vec!["*".to_owned()],
            RequiredWritten::All(false) => Vec::new(),
            RequiredWritten::Some(names) => names,
        };
        Ok(Signatures {
            required,
            keys,
            verified: Verified::default(),
        })
    }
}

fn public_key(text: &str) -> Option<[u8; KEY_BYTES]> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    bytes.strip_prefix(&OPENSSL[..]).unwrap_or(&bytes).try_into().ok()
}

impl Signatures {
    /// Whose key of the policy signed for a module; `None` where no key did that may.
    pub(super) fn signer(&self, module: &str, signature: &Signature) -> Option<&str> {
        let payload = payload(module, &signature.upload, &signature.manifest);
        let asked = (payload, signature.value.clone());
        let mut verified = self.verified.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signer = match verified.get(&asked) {
            Some(signer) => *signer,
            None => {
                let signer = self.verify(module, &asked.0, &signature.value);
                if verified.len() >= REMEMBERED {
                    verified.clear();
                }
                verified.insert(asked, signer);
                signer
            }
        };
        signer
            .and_then(|index| self.keys.get(index))
            .map(|key| key.name.as_str())
    }

    fn verify(&self, module: &str, payload: &str, value: &str) -> Option<usize> {
        let value = STANDARD.decode(value).ok()?;
        self.keys.iter().position(|key| {
            let public = UnparsedPublicKey::new(&ED25519, &key.public);
            signs_for(key, module) && public.verify(payload.as_bytes(), &value).is_ok()
        })
    }

    /// Whether a module may come in, or run.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub(super) fn check(&self, module: &str, signature: Option<&Signature>) -> Result<(), NotSigned> {
        if !self.required.iter().any(|pattern| glob(pattern, module)) {
            return Ok(());
        }
        let reason = match signature {
            None => "it has no signature",
            Some(signature) if self.signer(module, signature).is_some() => return Ok(()),
            Some(_) => {
                "its signature is not one of a key that signs for it, of this name, this component and this manifest"
            }
        };
        Err(self.refuse(module, reason))
    }

    /// The same of a version that was stored: what was signed must still be what is there.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub(super) fn check_stored(&self, record: &ModuleRecord) -> Result<(), NotSigned> {
        let signature = record.description.signature.as_ref();
        self.check(&record.name, signature)?;
        match signature {
            Some(signature) if record.description.uploaded_as == "component" && signature.upload != record.digest => {
                Err(self.refuse(&record.name, "what is stored isn't what was signed"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn refuse(&self, module: &str, reason: &'static str) -> NotSigned {
        let keys = self.keys.iter().filter(|key| signs_for(key, module));
        NotSigned {
            module: module.to_owned(),
            reason,
            keys: keys.map(|key| key.name.clone()).collect(),
        }
    }
}

fn signs_for(key: &Key, module: &str) -> bool {
    key.modules.iter().any(|pattern| glob(pattern, module))
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
    }

    fn public(seed: u8) -> String {
        STANDARD.encode(pair(seed).public_key())
    }

    fn signatures(text: &str) -> Result<Signatures, Mistake> {
        toml::from_str::<SignaturesWritten>(text)
            .expect("TOML")
            .signatures(text)
    }

    fn signed(seed: u8, name: &str, upload: &[u8], manifest: &[u8]) -> Signature {
        let (upload, manifest) = (digest(upload), digest(manifest));
        let value = pair(seed).sign(payload(name, &upload, &manifest).as_bytes());
        Signature {
            upload,
            manifest,
            value: STANDARD.encode(value),
        }
    }

    fn policy(required: &str) -> Signatures {
        let text = format!(
            "required = {required}\n[keys]\nci = \"{}\"\nrelease = {{ key = \"{}\", modules = [\"pay*\"] }}\n",
            public(1),
            public(2)
        );
        signatures(&text).expect("a policy")
    }

    #[test]
    fn the_payload_is_a_text_for_people_and_openssl() {
        assert_eq!(
            payload("pay", &digest(b"x"), &digest(b"")),
            "sandstep module signature 1\nname: pay\n\
             component: sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n\
             manifest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
    }

    #[test]
    fn a_signature_is_of_one_name_one_component_and_one_manifest() {
        let policy = policy("true");
        let good = signed(1, "pay", b"wasm", b"[limits]");
        assert_eq!(policy.check("pay", Some(&good)), Ok(()));
        assert_eq!(policy.signer("pay", &good), Some("ci"));
        assert_eq!(policy.signer("pay", &signed(2, "pay", b"wasm", b"")), Some("release"));
        let with = |upload: &[u8], manifest: &[u8]| Signature {
            upload: digest(upload),
            manifest: digest(manifest),
            ..good.clone()
        };
        for (name, signature) in [
            ("other", good.clone()),
            ("pay", with(b"evil", b"[limits]")),
            ("pay", with(b"wasm", b"[grants]")),
            ("pay", signed(3, "pay", b"wasm", b"[limits]")),
            (
                "pay",
                Signature {
                    value: "AAAA".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "pay",
                Signature {
                    value: "%".to_owned(),
                    ..good.clone()
                },
            ),
            ("geo", signed(2, "geo", b"wasm", b"")),
        ] {
            assert_eq!(policy.signer(name, &signature), None, "{name} {signature:?}");
            assert!(policy.check(name, Some(&signature)).is_err());
            assert_eq!(policy.signer(name, &signature), None, "also when it is remembered");
        }
        let refused = policy.check("pay", None).expect_err("unsigned");
        assert!(refused.to_string().contains("no signature") && refused.hint().contains("`ci` or `release`"));
        assert!(
            !policy
                .check("geo", None)
                .expect_err("unsigned")
                .hint()
                .contains("release")
        );
    }

    #[test]
    fn some_modules_need_no_signature() {
        let policy = policy("[\"pay\", \"etl-*\"]");
        for (name, needed) in [("pay", true), ("etl-a", true), ("geo", false)] {
            assert_eq!(policy.check(name, None).is_err(), needed, "{name}");
        }
        assert_eq!(self::policy("false").check("pay", None), Ok(()));
        assert_eq!(Signatures::default().check("pay", None), Ok(()));
    }

    #[test]
    fn keys_are_taken_as_openssl_writes_them() {
        let mut spki = OPENSSL.to_vec();
        spki.extend_from_slice(pair(1).public_key().as_ref());
        let text = format!("required = true\n[keys]\nci = \"{}\"\n", STANDARD.encode(spki));
        let signature = signed(1, "pay", b"wasm", b"");
        assert_eq!(signatures(&text).expect("a key").signer("pay", &signature), Some("ci"));
        for wrong in ["", "AAAA", "not base64"] {
            let mistake = signatures(&format!("[keys]\n\nci = \"{wrong}\"")).expect_err("no key");
            assert!(mistake.line == 3 && mistake.message.contains("`ci`"), "{mistake}");
        }
    }
}
