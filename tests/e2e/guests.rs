//! Guests written by hand, so that most tests need no WebAssembly tool chain, and the state machines around them.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What every guest has: memory, the canonical ABI's allocator, and a place at 0 for the result.
const PREAMBLE: &str = r#"
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $fits (loop $grow
      (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
      (br $grow)))
    (local.get $at))
"#;

fn core_module(imports: &str, data: &str, handle: &str) -> Result<Vec<u8>> {
    let text = format!(
        r#"(module {imports} {PREAMBLE} {data}
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    {handle}))"#
    );
    wat::parse_str(text).context("assembling a guest")
}

/// Answers with its input.
pub fn echo() -> Result<Vec<u8>> {
    core_module("", "", ECHO)
}

const ECHO: &str = "(i32.store8 (i32.const 0) (i32.const 0))
    (i32.store (i32.const 4) (local.get $input))
    (i32.store (i32.const 8) (local.get $length))
    (i32.const 0)";

/// Fails with `CardDeclined: no money`.
pub fn declined() -> Result<Vec<u8>> {
    core_module(
        "",
        r#"(data (i32.const 64) "CardDeclined") (data (i32.const 128) "no money")"#,
        "(i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 64)) (i32.store (i32.const 8) (i32.const 12))
    (i32.store (i32.const 12) (i32.const 128)) (i32.store (i32.const 16) (i32.const 8))
    (i32.const 0)",
    )
}

/// Answers with its input after many turns of an empty loop: long enough to be looked at, not to be waited for.
pub fn slow(turns: u64) -> Result<Vec<u8>> {
    let spin = format!(
        "(local $turn i64) (local.set $turn (i64.const {turns}))
    (loop $again
      (local.set $turn (i64.sub (local.get $turn) (i64.const 1)))
      (br_if $again (i64.ne (local.get $turn) (i64.const 0))))"
    );
    core_module("", "", &format!("{spin} {ECHO}"))
}

/// Wants something of its host that no host of ours has.
pub fn unknown_import() -> Result<Vec<u8>> {
    core_module(r#"(import "acme:billing/ledger@1.0.0" "post" (func))"#, "", ECHO)
}

/// One Task state.
pub fn one_task(module: &str) -> Value {
    json!({
        "StartAt": "Only",
        "States": { "Only": { "Type": "Task", "Resource": format!("wasm:{module}"), "End": true } },
    })
}

/// One Pass state.
pub fn one_pass() -> Value {
    json!({ "StartAt": "Only", "States": { "Only": { "Type": "Pass", "End": true } } })
}

/// One Wait state that nobody waits for.
pub fn long_wait() -> Value {
    json!({ "StartAt": "Only", "States": { "Only": { "Type": "Wait", "Seconds": 86_400, "End": true } } })
}
