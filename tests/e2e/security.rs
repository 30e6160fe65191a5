//! A server that asks for keys, over TLS, and the clients that bring them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::clients::{python, run, with_credentials};
use crate::guests;
use crate::server::{Home, Server, binary, text, until};

/// An authority, and the files a server with a certificate of it is started with.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    file: PathBuf,
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
    fn issue(&self) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
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
struct Closed {
    server: Server,
    authority: Authority,
    credentials: PathBuf,
    admin: Key,
}

struct Key {
    id: String,
    secret: String,
}

fn sandstep(arguments: &[&str]) -> Result<Command> {
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

fn new_key(credentials: &Path, arguments: &[&str]) -> Result<Value> {
    let mut command = sandstep(&["keys", "new", "--output", "json", "--credentials"])?;
    command.arg(credentials).args(arguments);
    serde_json::from_str(&run(command)?).context("keys are shown as JSON")
}

impl Closed {
    fn start() -> Result<Self> {
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
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = sandstep(arguments)?;
        command
            .args(["--endpoint", self.server.endpoint()])
            .arg("--ca-file")
            .arg(&self.authority.file);
        Ok(command)
    }

    fn signed(&self, arguments: &[&str]) -> Result<Command> {
        Ok(with_credentials(
            self.command(arguments)?,
            &self.admin.id,
            &self.admin.secret,
        ))
    }

    fn with_token(&self, token: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(arguments)?;
        Ok(command.env("SANDSTEP_TOKEN", token).output()?)
    }

    fn push(&self, name: &str, wasm: &[u8]) -> Result<()> {
        let file = self.server.home().path(&format!("{name}.wasm"));
        fs::write(&file, wasm)?;
        let mut command = self.signed(&["modules", "push", name])?;
        command.arg(&file);
        run(command).map(drop)
    }
}

#[test]
fn boto3_works_signed_and_over_tls() -> Result<()> {
    let closed = Closed::start()?;
    ensure!(
        closed.server.endpoint().starts_with("https://"),
        "{}",
        closed.server.endpoint()
    );
    closed.push("echo", &guests::echo()?)?;
    closed.push("declined", &guests::declined()?)?;
    let boto3 = |id: &str, secret: &str| -> Command {
        let mut command = Command::new(python());
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/boto3_client.py"))
            .arg(closed.server.endpoint());
        let mut command = with_credentials(command, id, secret);
        command.env("AWS_CA_BUNDLE", &closed.authority.file);
        command
    };
    let Key { id, secret } = &closed.admin;
    let said = run(boto3(id, secret))?;
    ensure!(said.ends_with("all good\n"), "{said}");

    let refused = |id: &str, secret: &str| -> Result<String> {
        let output = boto3(id, secret).output()?;
        ensure!(!output.status.success(), "it was let in");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let wrong_secret = refused(id, "wrong-wrong-wrong-wrong")?;
    ensure!(wrong_secret.contains("InvalidSignatureException"), "{wrong_secret}");
    let wrong_id = refused("SSAKNOBODY", secret)?;
    ensure!(wrong_id.contains("UnrecognizedClientException"), "{wrong_id}");
    let log = fs::read_to_string(closed.server.home().log())?;
    ensure!(!log.contains(secret.as_str()), "{log}");
    Ok(())
}

#[test]
fn keys_bound_what_commands_do_and_are_exchanged_while_the_server_runs() -> Result<()> {
    let closed = Closed::start()?;
    closed.push("orders", &guests::echo()?)?;
    let nobody = closed.command(&["modules"])?.output()?;
    let said = String::from_utf8_lossy(&nobody.stderr);
    ensure!(
        nobody.status.code() == Some(3) && said.contains("MissingAuthenticationTokenException"),
        "{said}"
    );

    let reader = new_key(
        &closed.credentials,
        &["--bearer", "--name", "reader", "--role", "read-only"],
    )?;
    let reader = text(&reader, "token")?;
    let stored = fs::read_to_string(&closed.credentials)?;
    ensure!(!stored.contains(&reader), "a token is kept as its digest");
    let unknown = closed.with_token(&reader, &["modules"])?;
    ensure!(unknown.status.code() == Some(3), "not read yet");
    closed.server.send_signal("HUP")?;
    until("the new token", || {
        let listed = closed.with_token(&reader, &["modules"])?;
        Ok(listed.status.success().then_some(()))
    })?;
    let deleted = closed.with_token(&reader, &["modules", "delete", "orders"])?;
    let said = String::from_utf8_lossy(&deleted.stderr);
    ensure!(
        deleted.status.code() == Some(3) && said.contains("AccessDeniedException"),
        "{said}"
    );

    // A file that can't be used changes nothing, and neither does one that others may read.
    closed.authority.issue()?;
    fs::write(&closed.credentials, "access_key = 7")?;
    closed.server.send_signal("HUP")?;
    until("the refusal in the log", || {
        let log = fs::read_to_string(closed.server.home().log())?;
        Ok((log.contains("credentials not replaced") && log.contains("certificate read again")).then_some(()))
    })?;
    run(closed.signed(&["modules"])?)?;
    let log = fs::read_to_string(closed.server.home().log())?;
    for secret in [&closed.admin.secret, &reader] {
        ensure!(!log.contains(secret.as_str()), "{log}");
    }
    Ok(())
}

#[test]
fn an_address_that_others_reach_needs_credentials() -> Result<()> {
    let home = Home::new()?;
    let serve = |more: &[&str]| -> Result<String> {
        let mut command = sandstep(&["serve", "--listen", "0.0.0.0:0", "--data"])?;
        let output = command.arg(home.data()).args(more).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
        Ok(said)
    };
    let said = serve(&[])?;
    ensure!(
        said.contains("has no credentials") && said.contains("sandstep keys new"),
        "{said}"
    );
    let open = home.path("open.toml");
    fs::write(&open, "")?;
    let said = serve(&["--credentials", &open.to_string_lossy()])?;
    ensure!(
        said.contains("lets others at them") && said.contains("chmod 600"),
        "{said}"
    );
    ensure!(!home.data().exists(), "nothing was made");
    Ok(())
}
