//! A thousand guests at once, and what they cost: `cargo bench -p sandstep --bench guests`.
//!
//! The real binary on a fresh directory, asked over HTTP. Guests that never end, each with a mebibyte of memory it has
//! written: most sleep in a call of the host, a third say now and then that they are alive, a tenth compute. While all
//! but one slot are theirs, short tasks are timed. Then every slot is taken, one more task waits, and goes on when a
//! guest is stopped. Then the same number of guests wants more memory together than a server may give them: all of them
//! come to their end, one after the other. Last, many modules, each called once and once more. Exits with 1 where the
//! bounds the product promises don't hold.
//!
//! `GUESTS` (1000) and `MODULES` (500) are the numbers.

#[path = "../durable/server.rs"]
mod server;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::{Product, Result};

/// What a guest may cost beside the memory it asked for, in MiB.
const GUEST_MIB: f64 = 0.15;
/// What a short task may take at 99 %, while a tenth of all guests compute, in milliseconds for each of them.
const SHORT_MS: f64 = 10.0;
/// What the server may hold above what it lets guests have and what it had before, in MiB.
const SLACK_MIB: f64 = 256.0;
/// Pages of a guest's memory, and where in it nothing is but what the guest writes: behind a stack and a heap.
const PAGES: u64 = 20;
const HEAP: u64 = 4 << 16;
/// What each guest has written.
const WRITTEN_MIB: f64 = 1.0;
/// What each guest of the second part wants, and what all of them may have.
const WANTED_MIB: u64 = 8;
const ALL_MIB: u64 = 512;
const SHORT_TASKS: usize = 100;
/// Functions of a module beside its task: with them it has as much code as a small guest in Rust.
const FUNCTIONS: usize = 250;
/// What a module that was called may cost in memory, in MiB.
const MODULE_MIB: f64 = 0.5;
/// A guest that beats does so ten times as often as it must.
const HEARTBEAT_SECONDS: u64 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// For this long a task that waits for a slot is seen to wait.
const SEEN_WAITING: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<ExitCode> {
    let guests = number("GUESTS", 1000)?.max(10);
    let mut held = guests_at_once(guests)?;
    held &= memory_of_all(guests)?;
    held &= many_modules(number("MODULES", 500)?.max(100))?;
    if !held {
        println!("the bounds don't hold");
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A guest: it writes a mebibyte, then does `body`, which may sleep (`$sleep`, milliseconds) and beat (`$beat`).
fn guest(body: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "sandstep:task/host@0.1.0" "heartbeat" (func $beat))
          (memory (export "memory") {PAGES})
          (global $heap (mut i32) (i32.const 65536))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (global.get $heap))
            (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
            (local.get $at))
          (func $sleep (param $milliseconds i64)
            (i32.store8 (i32.const 8) (i32.const 0))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.mul (local.get $milliseconds) (i64.const 1000000)))
            (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256))))
          (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32)
            (memory.fill (i32.const {HEAP}) (i32.const 1) (i32.const 1048576))
            {body}
            (i32.store8 (i32.const 1024) (i32.const 0))
            (i32.store (i32.const 1028) (i32.const 1040))
            (i32.store (i32.const 1032) (i32.const 1))
            (i32.store8 (i32.const 1040) (i32.const 48))
            (i32.const 1024)))"#
    )
}

fn guests_at_once(guests: u64) -> Result<bool> {
    let server = Product::start_with(&["--guests", &guests.to_string()])?;
    let sleeping = machine(&server, "sleeping", "(call $sleep (i64.const 3600000))", None)?;
    let beats = "(loop $on (call $beat) (call $sleep (i64.const 1000)) (br $on))";
    let beating = machine(&server, "beating", beats, Some(HEARTBEAT_SECONDS))?;
    let computing = machine(&server, "computing", "(loop $on (br $on))", None)?;
    let short = machine(&server, "short", "", None)?;
    run(&server, &short)?;
    let before = server.resident()?;

    let began = Instant::now();
    let mut asleep = Vec::new();
    let computes = guests / 10;
    for number in 0..guests - 1 {
        let machine = match number {
            number if number < computes => &computing,
            number if number % 3 == 0 => &beating,
            _ => &sleeping,
        };
        let execution = start(&server, machine)?;
        if machine == &sleeping {
            asleep.push(execution);
        }
    }
    wait_for(&server, "sandstep_task_slots_taken", guests - 1)?;
    println!(
        "{} guests run after {:.1} s, {computes} of them compute",
        guests - 1,
        began.elapsed().as_secs_f64()
    );
    let mut times = Vec::new();
    for _ in 0..SHORT_TASKS {
        times.push(run(&server, &short)?);
    }
    times.sort_by(f64::total_cmp);
    let (median, slow) = (times[SHORT_TASKS / 2], times[SHORT_TASKS * 99 / 100]);

    asleep.push(start(&server, &sleeping)?);
    wait_for(&server, "sandstep_task_slots_taken", guests)?;
    let with = server.resident()?;
    let one_more = start(&server, &short)?;
    std::thread::sleep(SEEN_WAITING);
    let waits = metric(&server, "sandstep_tasks_waiting")? == 1 && is_running(&server, &one_more)?;
    let stopped = asleep.pop().ok_or("nobody sleeps")?;
    let since = Instant::now();
    server.call("StopExecution", &json!({ "executionArn": stopped }))?;
    server.wait_until_closed(&one_more)?;
    let went_on = since.elapsed().as_secs_f64() * 1e3;
    // Long enough for a beat that is missed.
    let beats_missed = failed(&server, &beating)?;

    let each = (with - before) / guests as f64;
    let slots_ms = SHORT_MS * computes as f64;
    println!("resident memory, alone             {before:>10.1} MiB");
    println!("resident memory, with {guests:>5} guests {with:>9.1} MiB");
    println!(
        "a guest beside its own memory      {:>10.3} MiB (at most {GUEST_MIB})",
        each - WRITTEN_MIB
    );
    println!("a short task among them, median    {median:>10.1} ms");
    println!("a short task among them, 99 %      {slow:>10.1} ms (at most {slots_ms})");
    println!(
        "one task more {}, and ends {went_on:.1} ms after a guest is stopped",
        if waits { "waits" } else { "DOESN'T WAIT" }
    );
    println!("guests that beat and died          {beats_missed:>10}");
    Ok(each - WRITTEN_MIB <= GUEST_MIB && slow <= slots_ms && waits && beats_missed == 0)
}

/// More guests than their memory has room for.
fn memory_of_all(guests: u64) -> Result<bool> {
    let all = format!("{ALL_MIB}MiB");
    let server = Product::start_with(&["--guests", &guests.to_string(), "--guest-memory", &all])?;
    let pages = WANTED_MIB * 16;
    let grows = format!(
        "(drop (memory.grow (i32.const {})))
         (memory.fill (i32.const {HEAP}) (i32.const 1) (i32.const {}))
         (call $sleep (i64.const 100))",
        pages - PAGES,
        (pages << 16) - HEAP
    );
    let growing = machine(&server, "growing", &grows, None)?;
    run(&server, &growing)?;
    let before = server.resident()?;
    let began = Instant::now();
    let executions = (0..guests)
        .map(|_| start(&server, &growing))
        .collect::<Result<Vec<_>>>()?;
    let mut succeeded = 0;
    for execution in &executions {
        succeeded += u64::from(server.wait_until_closed(execution)?["status"] == "SUCCEEDED");
    }
    let most = server.peak()?;
    println!();
    println!(
        "{guests} guests that want {WANTED_MIB} MiB each while all may have {ALL_MIB}: {succeeded} succeeded in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let bound = before + ALL_MIB as f64 + SLACK_MIB;
    println!("most resident memory               {most:>10.1} MiB (at most {bound:.0}, {before:.0} before)");
    println!("resident memory after them         {:>10.1} MiB", server.resident()?);
    Ok(succeeded == guests && most <= bound)
}

/// Modules of which no two are alike, all in use.
fn many_modules(modules: u64) -> Result<bool> {
    let server = Product::start()?;
    let before = server.resident()?;
    let began = Instant::now();
    let mut machines = Vec::new();
    for number in 0..modules {
        let mut text = guest("");
        text.truncate(text.len() - 1);
        for function in 0..FUNCTIONS {
            text += &format!(
                "(func (param i32) (result i32) (loop $on (i32.store (local.get 0) (i32.const {number}))
                   (br_if $on (local.tee 0 (i32.sub (i32.load (local.get 0)) (i32.const {function})))))
                 (local.get 0))"
            );
        }
        let name = format!("module-{number}");
        server.module(&name, &wat::parse_str(text + ")")?)?;
        machines.push(machine_of(&server, &name, None)?);
    }
    let uploaded = began.elapsed().as_secs_f64();
    let compiled = bytes_in(&server.data().join("compiled"))?;
    let mut times = [Vec::new(), Vec::new()];
    for times in &mut times {
        for machine in &machines {
            times.push(run(&server, machine)?);
        }
        times.sort_by(f64::total_cmp);
    }
    let with = server.resident()?;
    let each = (with - before) / modules as f64;
    println!();
    println!(
        "{modules} modules uploaded and compiled in {uploaded:.1} s, {:.0} MiB of code on disk",
        compiled as f64 / f64::from(1 << 20)
    );
    for (call, times) in ["first", "second"].iter().zip(&times) {
        println!("{call} task of each, median {:>17.1} ms", times[times.len() / 2]);
    }
    println!("resident memory, alone             {before:>10.1} MiB");
    println!("resident memory, all in use        {with:>10.1} MiB");
    println!("a module                           {each:>10.3} MiB (at most {MODULE_MIB})");
    Ok(each <= MODULE_MIB)
}

fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

/// A machine whose task is such a guest; its ARN.
fn machine(server: &Product, name: &str, body: &str, heartbeat: Option<u64>) -> Result<Value> {
    server.module(name, &wat::parse_str(guest(body))?)?;
    machine_of(server, name, heartbeat)
}

/// A machine whose task is the module of its name; its ARN.
fn machine_of(server: &Product, name: &str, heartbeat: Option<u64>) -> Result<Value> {
    let mut task = json!({ "Type": "Task", "Resource": format!("wasm:{name}"), "End": true });
    if let Some(seconds) = heartbeat {
        task["HeartbeatSeconds"] = json!(seconds);
    }
    server.create_machine(name, &json!({ "StartAt": "Only", "States": { "Only": task } }))
}

fn start(server: &Product, machine: &Value) -> Result<Value> {
    Ok(server.call("StartExecution", &json!({ "stateMachineArn": machine }))?["executionArn"].take())
}

/// Milliseconds from the start of an execution to its end.
fn run(server: &Product, machine: &Value) -> Result<f64> {
    let since = Instant::now();
    let execution = start(server, machine)?;
    let closed = server.wait_until_closed(&execution)?;
    if closed["status"] != "SUCCEEDED" {
        return Err(format!("a short task didn't go well: {closed}").into());
    }
    Ok(since.elapsed().as_secs_f64() * 1e3)
}

fn is_running(server: &Product, execution: &Value) -> Result<bool> {
    Ok(server.call("DescribeExecution", &json!({ "executionArn": execution }))?["status"] == "RUNNING")
}

/// Executions of a machine that didn't go well.
fn failed(server: &Product, machine: &Value) -> Result<usize> {
    let mut failed = 0;
    for status in ["FAILED", "TIMED_OUT"] {
        let parameters = json!({ "stateMachineArn": machine, "statusFilter": status });
        let list = server.call("ListExecutions", &parameters)?;
        failed += list["executions"].as_array().map_or(0, Vec::len);
    }
    Ok(failed)
}

fn wait_for(server: &Product, name: &str, wanted: u64) -> Result<()> {
    let since = Instant::now();
    while metric(server, name)? != wanted {
        if since.elapsed() > PATIENCE {
            return Err(format!("`{name}` is {}, wanted {wanted}", metric(server, name)?).into());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn metric(server: &Product, name: &str) -> Result<u64> {
    let page = server.metrics()?;
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.ok_or_else(|| format!("no `{name}` among the metrics"))?;
    Ok(value.trim().parse()?)
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} is `{text}`, which is no number").into()),
        Err(_) => Ok(default),
    }
}
