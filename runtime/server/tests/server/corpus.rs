//! What the fuzzer of requests keeps and once found, on every run and with a stable compiler.

#[path = "../../../../fuzz/src/corpus.rs"]
mod variations;

use super::requests;

#[test]
fn requests() {
    variations::run("requests", requests::play);
}
