//! The real binary, from outside: processes, sockets, signals, files, and clients other people wrote.
//!
//! What can be tested deeper down is tested there; here it is proven that the rooms are wired together. Every test starts
//! its own server on a free port and a fresh directory, and waits for conditions, never for a time.

mod artefacts;
mod bad_input;
mod cli;
mod clients;
mod closed;
mod crash;
mod examples;
mod guests;
mod http_guests;
mod languages;
mod lifecycle;
mod map_runs;
mod objects;
mod openapi;
mod probe;
mod sdk;
mod security;
mod server;
mod sessions;
mod upkeep;
