//! Who is let in, and to what.
//!
//! This room owns keys, tokens, roles, the table of routes and the one place every request passes before a handler sees
//! it. It must not know what an operation does, nor how a signature is made: that spelling is [`crate::aws`]'s.

mod credentials;
mod gate;
mod origin;
mod payload;
mod policy;
mod routes;
mod secret;

use std::net::SocketAddr;

pub(crate) use credentials::unhex;
pub use credentials::{AccessKey, BearerToken, Caller, Credentials, Keyring, TokenHash};
pub(crate) use gate::{Gate, pass};
pub use policy::{Action, NamePattern, Policy, Role};
pub use secret::Secret;

use crate::tls::Tls;

/// How a server is reached.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// Whose keys are taken; nobody is asked for one where there are none.
    pub keyring: Option<Keyring>,
    /// The certificate; plain HTTP without.
    pub tls: Option<Tls>,
    /// Origins (`https://console.example`) whose pages browsers let use this server.
    pub origins: Vec<String>,
}

impl Entrance {
    /// Whether it is closed enough for this address: one that others reach needs keys.
    pub fn suits(&self, address: SocketAddr) -> bool {
        self.keyring.is_some() || address.ip().to_canonical().is_loopback()
    }
}
