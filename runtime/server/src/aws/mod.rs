//! The wire API of AWS Step Functions: JSON 1.0 on `POST /`.
//!
//! This room owns AWS's spelling: operation and field names, ARNs, error types and their texts, and the
//! rendering of journals as AWS's history. It translates and decides nothing: what an execution does is
//! the engine's, what is stored the catalogue's.

pub(crate) mod access;
pub mod arn;
mod constraints;
mod definition;
pub mod errors;
pub mod history;
pub mod lambda;
mod module_call;
mod module_findings;
pub(crate) mod module_users;
pub mod operations;
mod page_token;
pub(crate) mod reach;
pub mod resource;
mod router;
pub mod signature;
pub(crate) mod target;
mod test_state;
pub mod wasm;
mod wire;

pub(crate) use constraints::is_name;
pub(crate) use router::{operation_of, routes};
pub(crate) use wire::{Object, respond};
