//! Signatures of modules: the key's file, the signature's file, and what is signed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use server::modules::signatures::{digest, payload};

use crate::config::{private_text, read_text};
use crate::problem::{Problem, Result};

/// What the name of a signature's file ends with, behind that of the component.
const SUFFIX: &str = ".sig";
/// Longest file of a key or a signature, in bytes: either has some hundred.
const LARGEST_FILE: u64 = 4 << 10;
/// Bytes of a private key.
const SEED_BYTES: usize = 32;
/// What stands before them in PKCS #8 (RFC 8410), as OpenSSL writes it.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const KEY_HINT: &str =
    "`sandstep modules keygen FILE` makes an Ed25519 key, and so does `openssl genpkey -algorithm ed25519`";
const SIGNATURE_HINT: &str = "`sandstep modules sign NAME FILE --key KEYFILE` makes one";

/// Makes a key, writes the private half to a new file that is its owner's alone, and gives the public half as policies
/// have it.
pub fn generate(file: &Path) -> Result<String> {
    let mut seed = [0; SEED_BYTES];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| Problem::refused("the system gave no random numbers", "try again"))?;
    let pair = pair(&seed, file)?;
    let encoded = STANDARD.encode([&PKCS8[..], &seed].concat());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(file).and_then(|mut file| {
        file.write_all(format!("{BEGIN}\n{encoded}\n{END}\n").as_bytes())
            .and_then(|()| file.sync_all())
    });
    written.map_err(|error| {
        Problem::usage(
            format!("can't write `{}`: {error}", file.display()),
            "name a file that isn't there yet; a key that is replaced is lost",
        )
    })?;
    Ok(STANDARD.encode(pair.public_key()))
}

/// What is signed of a module.
pub fn text_to_sign(name: &str, component: &[u8], manifest: &str) -> String {
    payload(name, &digest(component), &digest(manifest.as_bytes()))
}

/// The signature of a text with the private key in a file, in base64.
pub fn sign(text: &str, key: &Path) -> Result<String> {
    let pem = private_text(key, LARGEST_FILE, "a private key", KEY_HINT)?;
    let seed = seed(&pem).ok_or_else(|| {
        Problem::usage(
            format!("`{}` holds no Ed25519 private key in PEM form", key.display()),
            KEY_HINT,
        )
    })?;
    Ok(STANDARD.encode(pair(&seed, key)?.sign(text.as_bytes())))
}

fn seed(pem: &str) -> Option<[u8; SEED_BYTES]> {
    let body = pem.split_once(BEGIN)?.1.split_once(END)?.0;
    let body: String = body.split_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    der.strip_prefix(&PKCS8[..])?.try_into().ok()
}

fn pair(seed: &[u8], file: &Path) -> Result<Ed25519KeyPair> {
    let unusable = |_| Problem::usage(format!("`{}` can't be used as a key", file.display()), KEY_HINT);
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(unusable)
}

/// Where the signature of a component is kept: beside it.
pub fn file_beside(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// The signature to upload with a component: what is in the named file, else in the one beside it where there is one.
pub fn signature(component: &Path, named: Option<&Path>) -> Result<Option<String>> {
    let beside = file_beside(component);
    let file = match named {
        Some(file) => file,
        None if beside.is_file() => &beside,
        None => return Ok(None),
    };
    let text = read_text(file, LARGEST_FILE, "a signature", SIGNATURE_HINT)?;
    let text: String = text.split_whitespace().collect();
    match STANDARD.decode(&text) {
        Ok(bytes) if bytes.len() == server::modules::signatures::SIGNATURE_BYTES => Ok(Some(text)),
        Ok(_) | Err(_) => Err(Problem::usage(
            format!("`{}` holds no Ed25519 signature in base64", file.display()),
            SIGNATURE_HINT,
        )),
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_that_was_made_signs_and_isnt_made_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let key = directory.path().join("ci.key");
        let public = generate(&key).expect("makes a key");
        assert!(generate(&key).is_err(), "it is there");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&key).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let text = text_to_sign("pay", b"wasm", "");
        let signature = STANDARD.decode(sign(&text, &key).expect("signs")).expect("base64");
        let public = STANDARD.decode(public).expect("base64");
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(text.as_bytes(), &signature).is_ok());
        assert!(public.verify(b"another", &signature).is_err());
    }

    #[test]
    fn keys_of_openssl_are_taken_and_others_not() {
        // `openssl genpkey -algorithm ed25519`
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
        assert_eq!(seed(pem).map(|seed| seed[0]), Some(0x9d));
        for other in [
            "",
            "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----",
            "words",
        ] {
            assert_eq!(seed(other), None);
        }
    }

    #[test]
    fn signatures_lie_beside_components() {
        let directory = tempfile::tempdir().expect("a directory");
        let component = directory.path().join("pay.wasm");
        assert_eq!(signature(&component, None).expect("none"), None);
        let beside = directory.path().join("pay.wasm.sig");
        assert_eq!(file_beside(&component), beside);
        let value = STANDARD.encode([7; 64]);
        let (line, rest) = value.split_at(64);
        std::fs::write(&beside, format!("{line}\n{rest}\n")).expect("written");
        assert_eq!(signature(&component, None).expect("one"), Some(value));
        std::fs::write(&beside, "AAAA").expect("written");
        assert!(signature(&component, None).is_err());
        assert!(signature(&component, Some(&directory.path().join("nowhere"))).is_err());
    }
}
