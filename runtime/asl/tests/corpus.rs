//! What the fuzzers keep and once found, on every run and with a stable compiler.

#![allow(clippy::disallowed_methods, reason = "the corpus is files")]

#[path = "../../../fuzz/src/lib.rs"]
mod targets;
#[path = "../../../fuzz/src/corpus.rs"]
mod variations;

use variations::run;

#[test]
fn definitions() {
    run("definition", targets::definition);
}

#[test]
fn json_paths() {
    run("json_path", targets::json_path);
}

#[test]
fn intrinsics() {
    run("intrinsic", targets::intrinsic);
}

#[test]
fn jsonata() {
    run("jsonata", targets::jsonata);
}
