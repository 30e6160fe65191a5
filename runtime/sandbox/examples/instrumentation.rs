//! What fuel and epoch checks cost a guest that only computes, on this machine, in one run.
//!
//! `cargo run -p sandbox --release --example instrumentation`

use std::time::Instant;

use wasmtime::{Config, Engine, Linker, Module, Store};

const GUEST: &str = r#"(module
  (memory 16)
  (func (export "registers") (param $n i32) (result i32) (local $x i32)
    (local.set $x (i32.const 12345))
    (loop $l
      (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (i32.const 12345)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func $fib (export "calls") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "memory") (param $rounds i32) (result i32) (local $h i32) (local $i i32)
    (local.set $h (i32.const 0x811c9dc5))
    (loop $again
      (local.set $i (i32.const 0))
      (loop $byte
        (local.set $h (i32.mul (i32.xor (local.get $h) (i32.load8_u (local.get $i))) (i32.const 16777619)))
        (br_if $byte (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 65536))))
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $h))
)"#;

/// Exports and how often each goes round: some 0.2 s.
const WORK: [(&str, i32); 3] = [("registers", 200_000_000), ("calls", 37), ("memory", 3000)];

/// Name, fuel, epoch, units of fuel between yields.
const VARIANTS: [(&str, bool, bool, Option<u64>); 6] = [
    ("neither", false, false, None),
    ("epoch", false, true, None),
    ("fuel", true, false, None),
    ("fuel and epoch (ours)", true, true, None),
    ("fuel, yielding at 20,000", true, false, Some(20_000)),
    ("fuel, yielding at 200,000", true, false, Some(200_000)),
];

fn main() -> wasmtime::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let wasm = wat::parse_str(GUEST)?;
    for (name, fuel, epoch, interval) in VARIANTS {
        print!("{name:>26}");
        let mut config = Config::new();
        config
            .consume_fuel(fuel)
            .epoch_interruption(epoch)
            .concurrency_support(false);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, &wasm)?;
        for (export, rounds) in WORK {
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                let mut store = Store::new(&engine, ());
                if fuel {
                    store.set_fuel(u64::MAX / 4)?;
                    store.fuel_async_yield_interval(interval)?;
                }
                if epoch {
                    store.set_epoch_deadline(u64::MAX / 4);
                }
                best = best.min(runtime.block_on(async {
                    let instance = Linker::new(&engine).instantiate_async(&mut store, &module).await?;
                    let function = instance.get_typed_func::<i32, i32>(&mut store, export)?;
                    let started = Instant::now();
                    function.call_async(&mut store, rounds).await?;
                    wasmtime::error::Ok(started.elapsed().as_secs_f64())
                })?);
            }
            print!("  {export} {:>6.1} ms", best * 1e3);
        }
        println!();
    }
    Ok(())
}
