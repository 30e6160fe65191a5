//! What mapping JSON to WIT's types and back costs: a list of records, of numbers, of texts and of bytes goes into a
//! guest that answers what it was given, beside `serde_json` reading and writing the same texts in the same run.
//!
//! `cargo run -p sandbox --release --example values`

use std::sync::mpsc;
use std::time::{Duration, Instant};

use asl::Payload;
use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{Job, Outcome, TaskLimits, TaskRunner};
use sandbox::{Options, Sandbox};
use serde_json::Value;

/// Length of each text, in bytes.
const TEXT_BYTES: usize = 1 << 20;

/// Each measurement lasts so long, and the best of its passes counts: the others met other people's work.
const MEASURED: Duration = Duration::from_secs(2);

/// Enough for the values of a text, which are many times its size.
const MEMORY: u64 = 1 << 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::TempDir::new()?;
    let mut options = Options::new(directory.path());
    options.threads = 1;
    let sandbox = Sandbox::open(options)?;
    let reading = r#"(type $r' (record (field "sensor" string) (field "at" u64) (field "celsius" f64) (field "ok" bool)))
                     (export $r "reading" (type $r'))"#;
    println!(
        "{:<10} {:>12} {:>12} {:>12} {:>8}",
        "", "parse", "and write", "through WIT", "share"
    );
    for (name, types, element, item) in [
        (
            "records",
            reading,
            "$r",
            r#"{"sensor":"roof-17","at":1717000000123,"celsius":21.25,"ok":true}"#,
        ),
        ("numbers", "", "u32", "4294967295"),
        (
            "texts",
            "",
            "string",
            r#""the quick brown fox jumps over the lazy dog""#,
        ),
        (
            "bytes",
            "(type $b (list u8))",
            "$b",
            &format!("\"{}\"", "ABCD".repeat(16 << 10)),
        ),
    ] {
        let module = sandbox.prepare(&wat::parse_str(echo(types, element))?)?.digest;
        let count = TEXT_BYTES / (item.len() + 1);
        let text = format!("[{}]", vec![item; count].join(","));
        let parsed = rate(&text, || drop(serde_json::from_str::<Value>(&text).expect("JSON")));
        let written = rate(&text, || {
            let value: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value.to_string().len(), text.len());
        });
        let input = Payload::from_text(text.clone())?;
        let mapped = rate(&text, || {
            assert_eq!(call(&sandbox, &module, &input), Outcome::Succeeded(input.clone()));
        });
        println!(
            "{name:<10} {parsed:>7.0} MB/s {written:>7.0} MB/s {mapped:>7.0} MB/s {:>7.0}%",
            mapped / written * 100.0
        );
    }
    Ok(())
}

/// Megabytes of `text` a second.
fn rate(text: &str, mut pass: impl FnMut()) -> f64 {
    let (started, mut best) = (Instant::now(), f64::INFINITY);
    while started.elapsed() < MEASURED {
        let clock = Instant::now();
        pass();
        best = best.min(clock.elapsed().as_secs_f64());
    }
    text.len() as f64 / best / 1e6
}

fn call(sandbox: &Sandbox, module: &Digest, input: &Payload) -> Outcome {
    let (done, report) = mpsc::channel();
    let job = Job {
        task: TaskId {
            execution: ExecutionId(1),
            scheduled_at: 3,
        },
        module: module.clone(),
        function: None,
        granted: None,
        limits: TaskLimits {
            memory: MEMORY,
            ..TaskLimits::default()
        },
        input: input.clone(),
        execution: "".into(),
        machine: "".into(),
        state: "".into(),
        retry_count: 0,
        deadline: None,
        heartbeat_seconds: None,
    };
    sandbox.run(job, Box::new(move |report| drop(done.send(report))));
    report.recv().expect("a report").outcome
}

/// A function that answers the list it is given.
fn echo(types: &str, element: &str) -> String {
    format!(
        r#"(component
          (core module $m
            (memory (export "mem") 1)
            (global $top (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
              (local $at i32)
              (local.set $at (i32.and
                (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get $align))))
              (global.set $top (i32.add (local.get $at) (local.get $size)))
              (block $fits
                (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
                (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 64)))))
              (local.get $at))
            (func (export "echo") (param i32 i32) (result i32)
              (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))
          (core instance $i (instantiate $m))
          {types}
          (type $list (list {element}))
          (func (export "echo") (param "items" $list) (result $list)
            (canon lift (core func $i "echo") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))"#
    )
}
