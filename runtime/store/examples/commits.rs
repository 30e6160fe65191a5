//! What a durable start and a durable step cost, beside the floor of the same machine in the same run: SQLite alone,
//! one thread, one row of the same bytes for each start, grouped and synced alike.
//!
//! `cargo run --release -p store --example commits [SECONDS] [DIRECTORY]`: seconds for each figure (2), directory to
//! write in (the system's temporary one, which may be RAM: give one on the disk that matters). Linux only: CPU time
//! and bytes are read from `/proc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use asl::{Event, EventKind, Payload, ScopeId, StateKind, Status, Timestamp};
use engine::batch::{Append, AppendOutcome, Batch, Start};
use engine::ids::{BatchId, Digest, ExecutionId, MachineId};
use engine::ports::{CommitLog, CommitResult};
use rusqlite::{Connection, params};
use store::Store;

/// What a start writes: as the engine hands it over for a machine whose first state is a task.
const INPUT: &str =
    r#"{"order":"A-1042","customer":"c-77","lines":[{"sku":"mug","quantity":2},{"sku":"tee","quantity":1}]}"#;

/// Starts or steps in one commit: one caller, many, very many.
const GROUPS: [u64; 3] = [1, 31, 275];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let root = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = root.join(format!("sandstep-commits-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let measured = measure(&directory, Duration::from_secs_f64(seconds));
    fs::remove_dir_all(&directory)?;
    measured
}

fn measure(directory: &Path, time: Duration) -> Result<(), Failure> {
    opening(directory)?;
    println!(
        "\n{:<28} {:>5} {:>10} {:>10} {:>8} {:>8}",
        "", "group", "commits/s", "items/s", "CPU us", "bytes"
    );
    for group in GROUPS {
        let floor = floor(&directory.join(format!("floor-{group}.db")), group, time)?;
        floor.print("floor, starts", group);
        let starts = starts(&directory.join(format!("starts-{group}")), group, time)?;
        starts.print("store, starts", group);
        let steps = steps(&directory.join(format!("steps-{group}")), group, time)?;
        steps.print("store, steps of 3 events", group);
        println!(
            "{:<28} {:>5} {:>31.0} % of the floor's CPU",
            "",
            "",
            100.0 * starts.cpu_each() / floor.cpu_each()
        );
    }
    Ok(())
}

/// Time and memory of opening, new and again.
fn opening(directory: &Path) -> Result<(), Failure> {
    let mut times = Vec::new();
    for attempt in 0..10 {
        let path = directory.join(format!("open-{attempt}"));
        let begun = Instant::now();
        let store = Store::open(&path)?;
        let new = begun.elapsed();
        drop(store);
        let begun = Instant::now();
        let store = Store::open(&path)?;
        times.push((new, begun.elapsed()));
        drop(store);
    }
    let median = |pick: fn(&(Duration, Duration)) -> Duration| {
        let mut picked: Vec<Duration> = times.iter().map(pick).collect();
        picked.sort();
        picked[picked.len() / 2]
    };
    println!(
        "open an empty directory {:?}, an existing one {:?}",
        median(|time| time.0),
        median(|time| time.1)
    );
    println!("resident afterwards {} KiB", resident_kib()?);
    Ok(())
}

/// What a run came to.
struct Run {
    commits: u64,
    items: u64,
    elapsed: Duration,
    cpu: Duration,
    bytes: u64,
}

impl Run {
    /// Runs `commit` until the time is over; each call is a commit of `group` items.
    fn of(
        group: u64,
        time: Duration,
        mut commit: impl FnMut(u64) -> Result<(), Failure>,
        finish: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let (cpu, bytes, begun) = (cpu_time()?, bytes_written()?, Instant::now());
        let mut commits = 0;
        while begun.elapsed() < time {
            commit(commits)?;
            commits += 1;
        }
        let elapsed = begun.elapsed();
        let run = Self {
            commits,
            items: commits * group,
            elapsed,
            cpu: cpu_time()? - cpu,
            bytes: bytes_written()? - bytes,
        };
        finish()?;
        Ok(run)
    }

    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.items as f64
    }

    fn print(&self, what: &str, group: u64) {
        let seconds = self.elapsed.as_secs_f64();
        println!(
            "{what:<28} {group:>5} {:>10.0} {:>10.0} {:>8.1} {:>8.0}",
            self.commits as f64 / seconds,
            self.items as f64 / seconds,
            self.cpu_each(),
            self.bytes as f64 / self.items as f64,
        );
    }
}

/// The bare database: a thread that inserts a row for each start, its name unique, and commits the group.
fn floor(file: &Path, group: u64, time: Duration) -> Result<Run, Failure> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE starts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, events BLOB NOT NULL) STRICT;",
    )?;
    let row = serde_json::to_vec(&first_events(1, &name(1)))?;
    let (requests, inbox) = channel::<Vec<(u64, String)>>();
    let (outbox, answers) = channel::<rusqlite::Result<()>>();
    let writer = std::thread::spawn(move || {
        for starts in inbox {
            let insert = || -> rusqlite::Result<()> {
                connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                let mut insert =
                    connection.prepare_cached("INSERT INTO starts (id, name, events) VALUES (?1, ?2, ?3)")?;
                for (id, name) in starts {
                    insert.execute(params![id.cast_signed(), name, row])?;
                }
                connection.prepare_cached("COMMIT")?.execute([])?;
                Ok(())
            };
            if outbox.send(insert()).is_err() {
                return;
            }
        }
    });
    let commit = |commit: u64| {
        let starts = (0..group)
            .map(|n| commit * group + n + 1)
            .map(|id| (id, name(id)))
            .collect();
        requests.send(starts)?;
        answers.recv()??;
        Ok(())
    };
    let run = Run::of(group, time, commit, || Ok(()))?;
    drop(requests);
    writer.join().map_err(|_| "the floor's writer panicked")?;
    Ok(run)
}

/// New executions, `group` a commit.
fn starts(directory: &Path, group: u64, time: Duration) -> Result<Run, Failure> {
    let store = Store::open(directory)?;
    let commit = |commit: u64| committed(&store, (0..group).map(|n| start(commit * group + n + 1)).collect());
    Run::of(group, time, commit, || {
        store.close();
        Ok(())
    })
}

/// Steps of executions that go on running: `group` of 2,000 in each commit, in turn.
fn steps(directory: &Path, group: u64, time: Duration) -> Result<Run, Failure> {
    const RUNNING: u64 = 2000;
    let store = Store::open(directory)?;
    committed(&store, (1..=RUNNING).map(start).collect())?;
    let mut positions = vec![3; RUNNING as usize];
    let commit = |commit: u64| {
        let appends = (0..group).map(|n| {
            let index = (commit * group + n) % RUNNING;
            let position = &mut positions[index as usize];
            let append = Append {
                expected_position: *position,
                start: None,
                events: step_events(),
                ..start(index + 1)
            };
            *position += 3;
            append
        });
        committed(&store, appends.collect())
    };
    Run::of(group, time, commit, || {
        store.close();
        Ok(())
    })
}

fn committed(store: &Store, appends: Vec<Append>) -> Result<(), Failure> {
    let (sender, receiver) = channel();
    let done = Box::new(move |result: CommitResult| drop(sender.send(result)));
    store.commit(
        Arc::new(Batch {
            id: BatchId(1),
            appends,
        }),
        done,
    );
    let outcomes = receiver.recv()??;
    if outcomes.iter().any(|outcome| *outcome != AppendOutcome::Appended) {
        return Err(format!("{outcomes:?}").into());
    }
    Ok(())
}

/// As unordered as the names callers give, or UUIDs.
fn name(id: u64) -> String {
    let scattered = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{scattered:016x}-{scattered:016x}")
}

fn start(id: u64) -> Append {
    let name = name(id);
    Append {
        execution: ExecutionId(id),
        expected_position: 0,
        events: first_events(id, &name),
        start: Some(Start {
            origin: None,
            child: None,
            machine: MachineId(1),
            name,
            definition: Digest(format!("sha256:{:064}", 1).into()),
            at: Timestamp(1_790_000_000_000),
        }),
        status: Status::Running,
        wake_at: Some(Timestamp(0)),
    }
}

fn input() -> Payload {
    Payload::from_text(INPUT).expect("the constant is JSON")
}

fn event(kind: EventKind) -> Event {
    Event {
        at: Timestamp(1_790_000_000_000),
        kind,
    }
}

fn first_events(id: u64, name: &str) -> Vec<Event> {
    let scope = ScopeId::ROOT;
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:orders";
    vec![
        event(EventKind::ExecutionStarted {
            input: input(),
            id: format!("arn:aws:states:us-east-1:000000000000:execution:orders:{name}-{id}"),
            name: name.to_owned(),
            role: None,
            machine_id: machine.to_owned(),
            machine_name: "orders".to_owned(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode: asl::Mode::Standard,
        }),
        event(EventKind::StateEntered {
            scope,
            state: "Charge".to_owned(),
            state_kind: StateKind::Task,
            input: input(),
        }),
        scheduled(),
    ]
}

fn scheduled() -> Event {
    event(EventKind::TaskScheduled {
        scope: ScopeId::ROOT,
        resource: "wasm:charge".to_owned(),
        parameters: input(),
        timeout_seconds: None,
        heartbeat_seconds: None,
        credentials: None,
        retry_count: 0,
    })
}

fn step_events() -> Vec<Event> {
    let scope = ScopeId::ROOT;
    vec![
        event(EventKind::TaskSucceeded {
            scope,
            output: input(),
            attempt: asl::Attempt::default(),
        }),
        event(EventKind::StateEntered {
            scope,
            state: "Ship".to_owned(),
            state_kind: StateKind::Task,
            input: input(),
        }),
        scheduled(),
    ]
}

/// CPU time of every thread that lives, to the nanosecond.
fn cpu_time() -> Result<Duration, Failure> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text
            .split_whitespace()
            .next()
            .ok_or("schedstat is empty")?
            .parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// What this process sent to the disk.
fn bytes_written() -> Result<u64, Failure> {
    field("/proc/self/io", "write_bytes:")
}

fn resident_kib() -> Result<u64, Failure> {
    field("/proc/self/status", "VmRSS:")
}

fn field(file: &str, name: &str) -> Result<u64, Failure> {
    let text = fs::read_to_string(file)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or_else(|| format!("{file} has no {name}"))?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
