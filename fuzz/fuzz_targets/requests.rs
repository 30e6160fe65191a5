#![no_main]

#[path = "../src/requests.rs"]
mod requests;
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../runtime/server/tests/server/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|text: &str| requests::play(text));
