//! A server that asks for keys, over TLS, and the clients that bring them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::clients::{python, run, with_credentials};
use crate::closed::{Closed, Key, new_key, sandstep};
use crate::guests;
use crate::server::{Home, text, until};

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
