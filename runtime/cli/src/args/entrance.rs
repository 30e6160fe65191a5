//! How a server is reached, and with which keys.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use server::access::Role;

/// How `sandstep serve` is reached.
#[derive(Debug, ClapArgs)]
pub struct Entrance {
    /// Keys and tokens to ask for, a TOML file; needed on every address that others reach
    #[arg(long, value_name = "FILE", env = "SANDSTEP_CREDENTIALS", hide_env = true)]
    pub credentials: Option<PathBuf>,
    /// Certificate to serve HTTPS with, and those that lead to a known authority, in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Origin whose web pages browsers let use this server, such as https://console.example; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN", value_parser = origin)]
    pub origins: Vec<String>,
}

/// `sandstep keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make an access key, or a token
    New(NewKey),
}

/// `sandstep keys new`
#[derive(Debug, ClapArgs)]
pub struct NewKey {
    /// File to add it to; made when absent. Without one, what is to be added is shown
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// What the key is called in logs and refusals
    #[arg(long)]
    pub name: Option<String>,
    /// What it may do: read-only, start-only, worker, operator or admin; may be repeated
    #[arg(long = "role", value_name = "ROLE", default_value = "admin", value_parser = |text: &str| text.parse::<Role>())]
    pub roles: Vec<Role>,
    /// Names it is limited to, such as `orders-*`: of state machines, activities, modules and buckets; may be repeated
    #[arg(long = "names", value_name = "PATTERN")]
    pub names: Vec<String>,
    /// A token for `Authorization: Bearer`, in place of a key that signs
    #[arg(long)]
    pub bearer: bool,
}

/// A scheme, a host and perhaps a port, as browsers write them.
fn origin(text: &str) -> Result<String, String> {
    let is_origin = text.split_once("://").is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https") && !authority.is_empty() && !authority.contains(['/', '*', '?', '#', '@'])
    });
    match is_origin {
        true => Ok(text.to_owned()),
        false => Err("an origin is a scheme and a host, like `https://console.example`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_whole() {
        assert!(origin("https://console.example:8443").is_ok());
        for wrong in [
            "*",
            "console.example",
            "https://",
            "https://a/b",
            "https://*.example",
            "null",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
