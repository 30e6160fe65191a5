//! What a warm task costs next to bare wasmtime: the same guest, a fresh instance and one call each,
//! in one run.
//!
//! `cargo run -p sandbox --release --example warm [GUEST.wasm JSON-INPUT]`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use asl::Payload;
use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{Job, Outcome, Report, TaskLimits, TaskRunner};
use sandbox::{Allocation, Options, Sandbox};
use wasmtime::component::{Component, Linker, WasmStr};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreContextMut};

/// Calls of one measurement.
const CALLS: u64 = 100_000;

/// Tasks started together, as the engine starts those of one commit.
const TOGETHER: u64 = 200;

/// Each measurement is made so often; the best counts, the others met other people's work.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::TempDir::new()?;
    let mut arguments = std::env::args().skip(1);
    let wasm = match arguments.next() {
        Some(guest) => std::fs::read(guest)?,
        None => wat::parse_str(include_str!("../tests/guests/echo.wat"))?,
    };
    let input = arguments
        .next()
        .unwrap_or_else(|| format!("{{\"order\": \"{}\"}}", "x".repeat(86)));
    let input = Payload::from_text(input)?;

    let started = Instant::now();
    let mut options = Options::new(directory.path());
    options.threads = 1;
    let one = Sandbox::open(options.clone())?;
    println!(
        "opened in {:.1} ms, {} kB resident",
        started.elapsed().as_secs_f64() * 1e3,
        resident_kb()
    );
    let prepared = one.prepare(&wasm)?;
    options.threads = 2;
    let two = Sandbox::open(options)?;

    let (plain, scheduled) = (
        bare(false, one.allocation(), &prepared.component)?,
        bare(true, one.allocation(), &prepared.component)?,
    );
    let mut measurements: Vec<(&str, Work)> = vec![
        ("bare wasmtime, sync, no limits", Box::new(|| plain(input.text()))),
        (
            "bare wasmtime, async, fuel, epoch",
            Box::new(|| scheduled(input.text())),
        ),
        (
            "TaskRunner::run, 200 at a time",
            Box::new(|| through(&one, &prepared.digest, &input, TOGETHER)),
        ),
        (
            "the same on 2 guest threads",
            Box::new(|| through(&two, &prepared.digest, &input, TOGETHER)),
        ),
        (
            "TaskRunner::run, one at a time",
            Box::new(|| through(&one, &prepared.digest, &input, 1)),
        ),
    ];
    let mut best = vec![(f64::INFINITY, 0.0); measurements.len()];
    for _ in 0..ROUNDS {
        for (measured, best) in measurements.iter_mut().zip(&mut best) {
            let (cpu, clock) = (cpu_seconds(), Instant::now());
            measured.1();
            let cpu = (cpu_seconds() - cpu) * 1e6 / CALLS as f64;
            if cpu < best.0 {
                *best = (cpu, CALLS as f64 / clock.elapsed().as_secs_f64());
            }
        }
    }
    let floor = best[0].0;
    for ((name, _), (cpu, rate)) in measurements.iter().zip(&best) {
        println!(
            "{name:<36} {cpu:>6.2} us CPU a call  {:>5.2} x floor  {rate:>8.0} calls/s",
            cpu / floor
        );
    }
    println!("{} kB resident", resident_kb());
    Ok(())
}

type Work<'a> = Box<dyn FnMut() + 'a>;

/// A closure that makes [`CALLS`] calls, each in a fresh instance.
fn bare(scheduled: bool, allocation: Allocation, component: &[u8]) -> wasmtime::Result<impl Fn(&str) + use<>> {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(2 << 20).table_keep_resident(64 << 10);
    if allocation == Allocation::PoolWithPagemapScan {
        pool.pagemap_scan(Enabled::Yes);
    }
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .consume_fuel(scheduled)
        .epoch_interruption(scheduled);
    if allocation != Allocation::OnDemand {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let pre = host(&engine, &component)?.instantiate_pre(&component)?;
    let handler = component.get_export_index(None, "sandstep:task/handler@0.1.0");
    let handle = component
        .get_export_index(handler.as_ref(), "handle")
        .ok_or_else(|| wasmtime::format_err!("no handle"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(move |input: &str| {
        type Answer = (Result<String, Failure>,);
        for _ in 0..CALLS {
            let mut store = Store::new(&engine, ());
            let answer = if scheduled {
                store.set_fuel(10_000_000_000).expect("fuel is on");
                store.set_epoch_deadline(1_000_000);
                runtime.block_on(async {
                    let instance = pre.instantiate_async(&mut store).await.expect("an instance");
                    let handle = instance
                        .get_typed_func::<(&str,), Answer>(&mut store, &handle)
                        .expect("its type");
                    handle.call_async(&mut store, (input,)).await.expect("an answer").0
                })
            } else {
                let instance = pre.instantiate(&mut store).expect("an instance");
                let handle = instance
                    .get_typed_func::<(&str,), Answer>(&mut store, &handle)
                    .expect("its type");
                handle.call(&mut store, (input,)).expect("an answer").0
            };
            assert!(answer.is_ok(), "{answer:?}");
        }
    })
}

/// A host that hears guests and does nothing.
fn host(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<()>> {
    let mut linker = Linker::new(engine);
    let mut host = linker.instance("sandstep:task/host@0.1.0")?;
    host.func_wrap("heartbeat", |_: StoreContextMut<()>, (): ()| Ok(()))?;
    host.func_wrap("log", |_: StoreContextMut<()>, (_, _): (Level, WasmStr)| Ok(()))?;
    linker.define_unknown_imports_as_traps(component)?;
    Ok(linker)
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "guests make them")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(Debug, wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(record)]
#[expect(dead_code, reason = "part of the type only")]
struct Failure {
    error: String,
    cause: String,
}

/// Makes [`CALLS`] calls through the sandbox, `together` at a time. Whoever waits is woken once they are
/// all done: waking somebody for each would measure the kernel's scheduler.
fn through(sandbox: &Sandbox, module: &Digest, input: &Payload, together: u64) {
    let left = Arc::new(AtomicU64::new(0));
    let text = "arn:aws:states:us-east-1:000000000000:execution:orders:1";
    let start = |number| {
        let (left, waiting) = (Arc::clone(&left), std::thread::current());
        let done = move |report: Report| {
            assert!(matches!(report.outcome, Outcome::Succeeded(_)), "{report:?}");
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                waiting.unpark();
            }
        };
        let job = Job {
            task: TaskId {
                execution: ExecutionId(number),
                scheduled_at: 3,
            },
            module: module.clone(),
            function: None,
            granted: None,
            limits: TaskLimits::default(),
            input: input.clone(),
            execution: text.to_owned(),
            machine: text.to_owned(),
            state: "Charge".to_owned(),
            retry_count: 0,
            deadline: None,
            heartbeat_seconds: None,
        };
        sandbox.run(job, Box::new(done));
    };
    for batch in 0..CALLS / together {
        left.store(together, Ordering::Release);
        (batch * together..(batch + 1) * together).for_each(start);
        while left.load(Ordering::Acquire) > 0 {
            std::thread::park();
        }
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_A_SECOND
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|kb| kb.parse().ok())
        .unwrap_or(0)
}
