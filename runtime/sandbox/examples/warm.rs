//! What a warm task costs next to bare wasmtime: the same guest, a fresh instance and one call each,
//! in one run.
//!
//! `cargo run -p sandbox --release --example warm [GUEST.wasm JSON-INPUT]`

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
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

/// Each measurement is made so often, one beside the other: what a round meets of other people's work it meets all through.
/// The median of the rounds counts, and of their ratios.
const ROUNDS: usize = 15;

/// Places of what the others are compared with.
const UNLIMITED: usize = 1;
const LIMITED: usize = 2;

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

    let component = &prepared.component;
    let defaults = bare(Config::new(), Limits::None, component)?;
    let plain = bare(pooled(one.allocation()), Limits::None, component)?;
    let limited = bare(pooled(one.allocation()), Limits::FuelAndEpochs, component)?;
    let mut measurements: [(&str, u64, Work); 6] = [
        (
            "bare wasmtime, sync, its defaults",
            CALLS / 10,
            Box::new(|calls| defaults(input.text(), calls)),
        ),
        (
            "bare wasmtime, sync, pooled",
            CALLS,
            Box::new(|calls| plain(input.text(), calls)),
        ),
        (
            "the same async, fuel, epochs",
            CALLS,
            Box::new(|calls| limited(input.text(), calls)),
        ),
        (
            "TaskRunner::run, 200 at a time",
            CALLS,
            Box::new(|calls| through(&one, &prepared.digest, &input, calls, TOGETHER)),
        ),
        (
            "the same on two guest threads",
            CALLS,
            Box::new(|calls| through(&two, &prepared.digest, &input, calls, TOGETHER)),
        ),
        (
            "TaskRunner::run, one at a time",
            CALLS / 10,
            Box::new(|calls| through(&one, &prepared.digest, &input, calls, 1)),
        ),
    ];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut costs = Vec::new();
        for (_, calls, work) in &mut measurements {
            let (cpu, clock) = (cpu_seconds(), Instant::now());
            work(*calls);
            let calls = *calls as f64;
            costs.push(Cost {
                cpu: (cpu_seconds() - cpu) / calls,
                clock: clock.elapsed().as_secs_f64() / calls,
            });
        }
        rounds.push(costs);
    }
    println!("{:<34}   CPU a call  x unlimited  x limited   calls/s  x limited", "");
    for (index, (name, ..)) in measurements.iter().enumerate() {
        let all = |of: &dyn Fn(&[Cost]) -> f64| median(rounds.iter().map(|costs| of(costs)).collect());
        println!(
            "{name:<34}  {:>8.2} us  {:>10.2}  {:>10.2}  {:>8.0}  {:>9.2}",
            all(&|costs| costs[index].cpu * 1e6),
            all(&|costs| costs[index].cpu / costs[UNLIMITED].cpu),
            all(&|costs| costs[index].cpu / costs[LIMITED].cpu),
            all(&|costs| 1.0 / costs[index].clock),
            all(&|costs| costs[LIMITED].clock / costs[index].clock),
        );
    }
    println!("{} kB resident", resident_kb());
    Ok(())
}

/// Makes so many calls.
type Work<'a> = Box<dyn FnMut(u64) + 'a>;

/// What a call cost, in seconds.
struct Cost {
    cpu: f64,
    clock: f64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Limits {
    None,
    FuelAndEpochs,
}

/// Instances are made as the sandbox makes them.
fn pooled(allocation: Allocation) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(2 << 20).table_keep_resident(64 << 10);
    if allocation == Allocation::PoolWithPagemapScan {
        pool.pagemap_scan(Enabled::Yes);
    }
    let mut config = Config::new();
    config.concurrency_support(false);
    if allocation != Allocation::OnDemand {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// A closure that makes calls, each in a fresh instance.
fn bare(mut config: Config, limits: Limits, component: &[u8]) -> wasmtime::Result<impl Fn(&str, u64) + use<>> {
    if limits == Limits::FuelAndEpochs {
        config.consume_fuel(true).epoch_interruption(true);
    }
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let pre = host(&engine, &component)?.instantiate_pre(&component)?;
    let handler = component.get_export_index(None, "sandstep:task/handler@0.1.0");
    let handle = component
        .get_export_index(handler.as_ref(), "handle")
        .ok_or_else(|| wasmtime::format_err!("no handle"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(move |input: &str, calls| {
        type Answer = (Result<String, Failure>,);
        for _ in 0..calls {
            let mut store = Store::new(&engine, ());
            let answer = if limits == Limits::FuelAndEpochs {
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

/// Makes calls through the sandbox, `together` at a time. Whoever waits is woken once they are
/// all done: waking somebody for each would measure the kernel's scheduler.
fn through(sandbox: &Sandbox, module: &Digest, input: &Payload, calls: u64, together: u64) {
    // Neither is counted in each call.
    static LEFT: AtomicU64 = AtomicU64::new(0);
    static WAITING: OnceLock<Thread> = OnceLock::new();
    let waiting = WAITING.get_or_init(std::thread::current);
    let text: Arc<str> = "arn:aws:states:us-east-1:000000000000:execution:orders:1".into();
    let state: Arc<str> = "Charge".into();
    let start = |number| {
        let done = move |report: Report| {
            assert!(matches!(report.outcome, Outcome::Succeeded(_)), "{report:?}");
            if LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
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
            execution: Arc::clone(&text),
            machine: Arc::clone(&text),
            state: Arc::clone(&state),
            retry_count: 0,
            deadline: None,
            heartbeat_seconds: None,
        };
        sandbox.run(job, Box::new(done));
    };
    for batch in 0..calls / together {
        LEFT.store(together, Ordering::Release);
        (batch * together..(batch + 1) * together).for_each(start);
        while LEFT.load(Ordering::Acquire) > 0 {
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
