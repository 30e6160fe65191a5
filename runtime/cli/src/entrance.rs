//! How a server is reached: its keys and its certificate, read at the start and again on SIGHUP.

use std::net::SocketAddr;
use std::path::Path;

use server::access::{Entrance, Keyring};
use server::tls::Tls;
use tokio::net::{TcpListener, TcpSocket};

use crate::args;
use crate::config::{private_text, read_text};
use crate::credentials::credentials;
use crate::problem::{Problem, Result};

/// A chain of certificates has some kilobytes; whatever is larger is another file.
const LARGEST_PEM: u64 = 1 << 20;

/// Reads what the arguments name.
pub fn entrance(asked: &args::Entrance) -> Result<Entrance> {
    let keyring = match &asked.credentials {
        Some(file) => Some(Keyring::new(credentials(file)?)),
        None => None,
    };
    let tls = match asked.tls_certificate.as_deref().zip(asked.tls_key.as_deref()) {
        Some(files) => {
            let (certificate, key) = pair(files)?;
            let tls = Tls::new(certificate.as_bytes(), key.as_bytes());
            Some(tls.map_err(|error| unusable(files, &error))?)
        }
        None => None,
    };
    Ok(Entrance {
        keyring,
        tls,
        origins: asked.origins.clone(),
    })
}

fn pair((certificate, key): (&Path, &Path)) -> Result<(String, String)> {
    Ok((
        read_text(
            certificate,
            LARGEST_PEM,
            "a certificate",
            "--tls-certificate takes a PEM file",
        )?,
        private_text(key, LARGEST_PEM, "a private key", "--tls-key takes a PEM file")?,
    ))
}

fn unusable((certificate, key): (&Path, &Path), error: &server::tls::Error) -> Problem {
    Problem::usage(
        format!("`{}` and `{}`: {error}", certificate.display(), key.display()),
        "--tls-certificate takes the certificate and its chain, --tls-key its key, both in PEM form",
    )
}

/// Refuses an address that others reach when nobody would be asked for a key.
pub fn check(entrance: &Entrance, address: SocketAddr) -> Result<()> {
    if !entrance.suits(address) {
        return Err(Problem::usage(
            format!("others reach `{address}`, and the server has no credentials to ask them for"),
            "`sandstep keys new --credentials FILE` makes a key; then serve with --credentials FILE, or listen on 127.0.0.1",
        ));
    }
    if entrance.tls.is_none() && !address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            %address,
            "what is said to this server can be read on the way, tokens included; \
             --tls-certificate and --tls-key keep it private"
        );
    }
    Ok(())
}

/// Reads keys and certificate again whenever the process is told to. What can't be used changes nothing.
#[cfg(unix)]
pub fn reload_on_hangup(asked: &args::Entrance, entrance: &Entrance) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let files = (
        asked.credentials.clone().zip(entrance.keyring.clone()),
        asked
            .tls_certificate
            .clone()
            .zip(asked.tls_key.clone())
            .zip(entrance.tls.clone()),
    );
    if files.0.is_none() && files.1.is_none() {
        return Ok(());
    }
    let mut hangups = signal(SignalKind::hangup()).map_err(|error| {
        Problem::refused(
            format!("can't listen to signals: {error}"),
            "raise the limit of open files (`ulimit -n`)",
        )
    })?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let (keys, certificate) = files.clone();
            let read = move || {
                if let Some((file, keyring)) = keys {
                    told("credentials", credentials(&file).map(|read| keyring.replace(read)));
                }
                if let Some(((certificate, key), tls)) = certificate {
                    told("certificate", replace(&tls, (&certificate, &key)));
                }
            };
            // A panic was told of by itself.
            let _ = tokio::task::spawn_blocking(read).await;
        }
    });
    Ok(())
}

/// There is no such signal.
#[cfg(not(unix))]
pub fn reload_on_hangup(_asked: &args::Entrance, _entrance: &Entrance) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn replace(tls: &Tls, files: (&Path, &Path)) -> Result<()> {
    let (certificate, key) = pair(files)?;
    tls.replace(certificate.as_bytes(), key.as_bytes())
        .map_err(|error| unusable(files, &error))
}

#[cfg(unix)]
fn told(what: &str, read: Result<()>) {
    match read {
        Ok(()) => tracing::info!("{what} read again"),
        Err(problem) => {
            tracing::error!(%problem, hint = problem.hint(), "{what} not replaced, those before stay in force")
        }
    }
}

/// Connections the system keeps until they are taken: as many as it usually allows. Where there are more, clients try
/// again after a second.
const BACKLOG: u32 = 4096;

/// Listens on an address, by number or by name.
pub async fn listen(asked: &str) -> Result<TcpListener> {
    let bound = async {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name leads to no address");
        for address in tokio::net::lookup_host(asked).await? {
            match listen_on(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    bound.await.map_err(|error| {
        Problem::refused(
            format!("can't listen on `{asked}`: {error}"),
            "choose another address with --listen; port 0 takes a free one",
        )
    })
}

fn listen_on(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Elsewhere than on Unix this would let two servers have the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Lets the process have as many files open as it may: each connection is one.
#[cfg(unix)]
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub fn raise_file_limit() {}
