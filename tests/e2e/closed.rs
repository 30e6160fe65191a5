//! A server that asks for keys, over TLS, and an authority it has its certificate from.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::clients::{run, with_credentials};
use crate::server::{Home, Server, binary, text};

/// What a certificate is for. Some clients put `sync-` before the host of some operations.
const NAMES: [&str; 3] = ["localhost", "sync-localhost", "127.0.0.1"];

/// An authority, and the files a server with a certificate of it is started with.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub file: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new(home: &Home) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        // OpenSSL takes two of one name for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let file = home.path("authority.pem");
        fs::write(&file, params.self_signed(&key)?.pem())?;
        let authority = Self {
            issuer: Issuer::new(params, key),
            file,
            certificate: home.path("server.pem"),
            key: home.path("server.key"),
        };
        authority.issue()?;
        Ok(authority)
    }

    /// Another certificate in place of the last.
    pub fn issue(&self) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "a test's server");
        params.use_authority_key_identifier_extension = true;
        fs::write(&self.certificate, params.signed_by(&key, &self.issuer)?.pem())?;
        private(&self.key, &key.serialize_pem())
    }
}

/// Writes a file that is nobody else's to read.
fn private(path: &Path, content: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(file.write_all(content.as_bytes())?)
}

/// A server with keys and a certificate, and whoever talks to it.
pub struct Closed {
    pub server: Server,
    pub authority: Authority,
    pub credentials: PathBuf,
    pub admin: Key,
}

pub struct Key {
    pub id: String,
    pub secret: String,
}

pub fn sandstep(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    for variable in [
        "SANDSTEP_ENDPOINT",
        "SANDSTEP_TOKEN",
        "SANDSTEP_CA_FILE",
        "AWS_ACCESS_KEY_ID",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command.args(arguments);
    Ok(command)
}

pub fn new_key(credentials: &Path, arguments: &[&str]) -> Result<Value> {
    let mut command = sandstep(&["keys", "new", "--output", "json", "--credentials"])?;
    command.arg(credentials).args(arguments);
    serde_json::from_str(&run(command)?).context("keys are shown as JSON")
}

impl Closed {
    pub fn start() -> Result<Self> {
        let home = Home::new()?;
        let authority = Authority::new(&home)?;
        let credentials = home.path("credentials.toml");
        let admin = new_key(&credentials, &["--name", "admin"])?;
        let arguments: Vec<OsString> = vec![
            "--credentials".into(),
            (&credentials).into(),
            "--tls-certificate".into(),
            (&authority.certificate).into(),
            "--tls-key".into(),
            (&authority.key).into(),
        ];
        Ok(Self {
            server: Server::start_with(&home, &arguments)?,
            authority,
            credentials,
            admin: Key {
                id: text(&admin, "AWS_ACCESS_KEY_ID")?,
                secret: text(&admin, "AWS_SECRET_ACCESS_KEY")?,
            },
        })
    }

    /// A command against this server, which trusts its authority and has no key yet.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = sandstep(arguments)?;
        command
            .args(["--endpoint", self.server.endpoint()])
            .arg("--ca-file")
            .arg(&self.authority.file);
        Ok(command)
    }

    pub fn signed(&self, arguments: &[&str]) -> Result<Command> {
        Ok(with_credentials(
            self.command(arguments)?,
            &self.admin.id,
            &self.admin.secret,
        ))
    }

    pub fn with_token(&self, token: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(arguments)?;
        Ok(command.env("SANDSTEP_TOKEN", token).output()?)
    }

    pub fn push(&self, name: &str, wasm: &[u8]) -> Result<()> {
        let file = self.server.home().path(&format!("{name}.wasm"));
        fs::write(&file, wasm)?;
        let mut command = self.signed(&["modules", "push", name])?;
        command.arg(&file);
        run(command).map(drop)
    }
}
