//! The server in process: the store in memory, tasks by a fake runner, requests by call and over TCP.

#![allow(clippy::unwrap_used, reason = "tests")]

mod access;
mod bad_input;
mod callbacks;
mod corpus;
mod execution_logs;
mod executions;
mod express;
mod histories;
mod http;
mod http_tasks;
mod items;
mod labels;
mod machines;
mod manifests;
mod map_runs;
mod metrics;
mod modules;
mod objects;
mod openapi;
mod plain;
mod recovery;
mod redrives;
#[path = "../../../../fuzz/src/requests.rs"]
mod requests;
mod retention;
mod signatures;
mod test_state;
mod tls;
mod traces;
mod versions;
mod wasm_invoke;
mod world;
