//! Mutations of valid guests, uploaded and run: `cargo run --release -p sandbox --example mutate -- SECONDS [SEED]`.
//!
//! Takes the guests of `tests/guests`, breaks bytes, cuts pieces out, doubles them and puts pieces of one into another.
//! What is taken for a task in spite of that is run with little fuel and a short deadline. Whatever happens there must be an
//! answer: a panic or a report that doesn't come ends the program. Prints how uploads and tasks ended.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use asl::{Payload, Timestamp};
use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{Job, Outcome, TaskLimits, TaskRunner};
use sandbox::{Options, Sandbox};

/// A report that takes longer won't come.
const PATIENCE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_millis(200);
const FUEL: u64 = 1_000_000;
/// Changes made to one guest at most.
const CHANGES: u64 = 6;

/// SplitMix64: a seed shows the same mutations again.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().ok_or("for how many seconds?")?.parse()?;
    let seed: u64 = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let directory = tempfile::tempdir()?;
    let sandbox = Sandbox::open(Options::new(directory.path()))?;
    let guests = guests(&sandbox)?;
    println!("{} guests, seed {seed}", guests.len());

    let mut dice = Dice(seed);
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut uploads = 0_u64;
    while Instant::now() < until {
        uploads += 1;
        let upload = mutated(&guests, &mut dice);
        let end = match sandbox.prepare(&upload) {
            Err(error) => format!("refused {}", error.code),
            Ok(prepared) => match run(&sandbox, prepared.digest.clone(), uploads)? {
                Outcome::Succeeded(_) => "succeeded".to_owned(),
                Outcome::TimedOut(kind) => format!("timed out {kind:?}"),
                Outcome::Failed(failure) => match failure.error {
                    Some(error) if error.starts_with("Sandbox.") => error,
                    _ => "an error of the task's own".to_owned(),
                },
            },
        };
        *ends.entry(end).or_default() += 1;
        if uploads.is_multiple_of(1000) {
            println!("{uploads} uploads, most memory held: {} MiB", most_resident() >> 20);
        }
    }
    println!(
        "{uploads} uploads in {seconds} s, most memory held: {} MiB",
        most_resident() >> 20
    );
    for (end, count) in ends {
        println!("{count:>9} {end}");
    }
    Ok(())
}

/// The binaries of all guests, and their components.
fn guests(sandbox: &Sandbox) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut guests = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests"))? {
        let guest = wat::parse_file(entry?.path())?;
        guests.extend(sandbox.prepare(&guest).ok().map(|prepared| prepared.component));
        guests.push(guest);
    }
    Ok(guests)
}

fn mutated(guests: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut upload = guests[dice.below(guests.len())].clone();
    for _ in 0..=dice.next() % CHANGES {
        let at = dice.below(upload.len());
        let length = 1 + dice.below(32);
        let end = (at + length).min(upload.len());
        match dice.next() % 6 {
            0 | 1 => upload[at] = dice.next() as u8,
            2 => upload[at] ^= 1 << (dice.next() % 8),
            3 if upload.len() > 64 => drop(upload.drain(at..end)),
            4 => {
                let piece = upload[at..end].to_vec();
                upload.splice(at..at, piece);
            }
            _ => {
                let other = &guests[dice.below(guests.len())];
                let from = dice.below(other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                upload.splice(at..end, piece);
            }
        }
    }
    upload
}

fn run(sandbox: &Sandbox, module: Digest, number: u64) -> Result<Outcome, Box<dyn Error>> {
    let (done, report) = mpsc::channel();
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + DEADLINE;
    let job = Job {
        task: TaskId {
            execution: ExecutionId(number),
            scheduled_at: 1,
        },
        module,
        function: None,
        granted: None,
        limits: TaskLimits {
            fuel: FUEL,
            ..TaskLimits::default()
        },
        input: Payload::empty_object(),
        execution: "arn:execution".into(),
        machine: "arn:machine".into(),
        state: "Mutated".into(),
        retry_count: 0,
        deadline: Some(Timestamp(i64::try_from(deadline.as_millis())?)),
        heartbeat_seconds: None,
    };
    sandbox.run(job, Box::new(move |report| drop(done.send(report.outcome))));
    Ok(report.recv_timeout(PATIENCE).map_err(|_| "a task gave no report")?)
}

fn most_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}
