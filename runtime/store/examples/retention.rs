//! What deleting old executions does to those that start meanwhile: the time of a durable start, by itself and while
//! executions that closed long ago are deleted as the server does it.
//!
//! `cargo run --release -p store --example retention [EXECUTIONS] [DIRECTORY]`: how many to delete (100,000), directory to
//! write in (the system's temporary one, which may be RAM: give one on the disk that matters).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use asl::{Event, EventKind, Failure, Payload, Status, Timestamp};
use engine::batch::{Append, Batch, Start};
use engine::ids::{BatchId, Digest, ExecutionId, MachineId};
use engine::ports::{CommitLog, Upkeep};
use store::Store;

/// Executions written in one commit while the store is filled.
const GROUP: u64 = 500;

/// What an execution's input and output are: a small order.
const INPUT: &str =
    r#"{"order":"A-1042","customer":"c-77","lines":[{"sku":"mug","quantity":2},{"sku":"tee","quantity":1}]}"#;

/// The server's share: after each step it waits for four times as long as the step took.
const REST: u32 = 4;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let executions: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let root = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = root.join(format!("sandstep-retention-{}", std::process::id()));
    let store = Store::open(&directory)?;
    let measured = measure(&store, executions);
    drop(store);
    std::fs::remove_dir_all(&directory)?;
    measured
}

fn measure(store: &Store, executions: u64) -> Outcome<()> {
    for first in (1..=executions).step_by(GROUP as usize) {
        let ids = first..(first + GROUP).min(executions + 1);
        commit(store, ids.clone().map(start).collect())?;
        commit(store, ids.map(stop).collect())?;
    }
    let mut next = executions + 1;
    let began = Instant::now();
    let alone = starts(store, &mut next, || began.elapsed() < Duration::from_secs(5))?;
    print("starts alone", alone);

    let running = Arc::new(AtomicBool::new(true));
    let (deleting, flag) = (store.clone(), Arc::clone(&running));
    let began = Instant::now();
    let deleter = thread::spawn(move || {
        let deleted = delete(&deleting);
        flag.store(false, Ordering::Relaxed);
        deleted
    });
    let meanwhile = starts(store, &mut next, || running.load(Ordering::Relaxed))?;
    let took = began.elapsed();
    let (deleted, steps, busy) = deleter.join().map_err(|_| "the deleting thread panicked")??;
    print("starts meanwhile", meanwhile);
    println!(
        "deleted {deleted} in {:.1} s: {steps} steps of {:.2} ms",
        took.as_secs_f64(),
        busy.as_secs_f64() * 1000.0 / f64::from(steps)
    );
    Ok(())
}

fn delete(store: &Store) -> Result<(u64, u32, Duration), engine::ports::StoreError> {
    let (mut deleted, mut steps, mut busy, mut from) = (0, 0, Duration::ZERO, Some(ExecutionId(0)));
    while let Some(place) = from {
        let began = Instant::now();
        let step = store.forget(Timestamp(LONG_AGO + 1), place)?;
        let took = began.elapsed();
        deleted += step.executions;
        from = step.next;
        steps += 1;
        busy += took;
        thread::sleep(took * REST);
    }
    Ok((deleted, steps, busy))
}

/// One caller: the next start when the one before is durable.
fn starts(store: &Store, next: &mut u64, go_on: impl Fn() -> bool) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    while go_on() {
        let began = Instant::now();
        commit(store, vec![start_at(*next, LONG_AGO * 2)])?;
        times.push(began.elapsed());
        *next += 1;
    }
    Ok(times)
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "{what:<18} {:>7} starts, {:.2} ms median, {:.2} ms 95 %, {:.2} ms 99 %, {:.2} ms longest",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

const LONG_AGO: i64 = 1_700_000_000_000;

fn commit(store: &Store, appends: Vec<Append>) -> Outcome<()> {
    let (sender, receiver) = channel();
    let batch = Arc::new(Batch {
        id: BatchId(1),
        appends,
    });
    store.commit(batch, Box::new(move |result| drop(sender.send(result))));
    receiver.recv()??;
    Ok(())
}

fn start(id: u64) -> Append {
    start_at(id, LONG_AGO)
}

fn start_at(id: u64, at: i64) -> Append {
    // As random as the names the server gives.
    let name = format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let started = EventKind::ExecutionStarted {
        input: Payload::from_text(INPUT).expect("is JSON"),
        id: format!("arn:aws:states:us-east-1:000000000000:execution:orders:{name}"),
        name: name.clone(),
        role: None,
        machine_id: "arn:aws:states:us-east-1:000000000000:stateMachine:orders".to_owned(),
        machine_name: "orders".to_owned(),
        child_of: None,
        trace_parent: None,
        starter: None,
        mode: asl::Mode::Standard,
    };
    let at = Timestamp(at);
    Append {
        execution: ExecutionId(id),
        expected_position: 0,
        events: vec![Event { at, kind: started }],
        start: Some(Start {
            machine: MachineId(1),
            name,
            definition: Digest("sha256:1".into()),
            at,
            origin: None,
            child: None,
        }),
        status: Status::Running,
        wake_at: None,
    }
}

fn stop(id: u64) -> Append {
    let failure = Failure::new("Stopped", INPUT);
    Append {
        execution: ExecutionId(id),
        expected_position: 1,
        events: vec![Event {
            at: Timestamp(LONG_AGO),
            kind: EventKind::ExecutionAborted { failure },
        }],
        start: None,
        status: Status::Aborted,
        wake_at: None,
    }
}
