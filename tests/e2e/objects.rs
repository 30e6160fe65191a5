//! Objects by command: the same bytes come back, from the server's directory and after a restart.

use std::fs;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::server::{Server, binary};

fn run(server: &Server, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command
        .arg("objects")
        .args(arguments)
        .current_dir(server.home().path(""))
        .env("SANDSTEP_ENDPOINT", server.endpoint());
    command.output().context("running sandstep")
}

fn said(output: &Output) -> String {
    let text = |stream: &[u8]| String::from_utf8_lossy(stream).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn objects_go_in_and_come_out() -> Result<()> {
    let server = Server::start()?;
    let rows = "id,name\n1,x\n".repeat(100_000);
    fs::write(server.home().path("orders.csv"), &rows)?;
    let put = run(&server, &["put", "s3://data/in/", "orders.csv"])?;
    ensure!(
        put.status.success() && said(&put).contains("s3://data/in/orders.csv"),
        "{}",
        said(&put)
    );
    let got = run(&server, &["get", "s3://data/in/orders.csv"])?;
    ensure!(got.status.success() && got.stdout == rows.as_bytes(), "another content");
    let got = run(&server, &["get", "s3://data/in/orders.csv", "copy.csv"])?;
    ensure!(got.status.success(), "{}", said(&got));
    ensure!(fs::read_to_string(server.home().path("copy.csv"))? == rows);
    let listed = run(&server, &["list", "s3://data/in"])?;
    ensure!(said(&listed).contains("in/orders.csv"), "{}", said(&listed));
    ensure!(said(&run(&server, &["list"])?).contains("s3://data"));
    let refused = run(&server, &["delete", "s3://data"])?;
    ensure!(
        refused.status.code() == Some(3) && said(&refused).contains("BucketNotEmpty"),
        "{}",
        said(&refused)
    );
    let missing = run(&server, &["get", "s3://data/nothing", "nothing.csv"])?;
    ensure!(missing.status.code() == Some(3) && said(&missing).contains("NoSuchKey"));
    ensure!(!server.home().path("nothing.csv").exists());
    for name in ["s3://data/in/orders.csv", "s3://data"] {
        let deleted = run(&server, &["delete", name])?;
        ensure!(deleted.status.success(), "{}", said(&deleted));
    }
    Ok(())
}
