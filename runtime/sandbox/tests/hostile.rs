//! A table of hostile guests, `hostile/*.wat`: what each tries stands in its first line, how it must end in the lines
//! that begin with `;;!`, and so does what it is given:
//!
//! ```text
//! ;;! ends Sandbox.Trapped | Timeout Deadline | Timeout Heartbeat | refused CODE | succeeds JSON
//! ;;! cause part of the cause      ;;! fuel 1000000      ;;! deadline MILLISECONDS      ;;! heartbeat SECONDS
//! ;;! guest a guest of the folder `http`, in place of text below      ;;! input JSON
//! ;;! grants requests, and private addresses with them      ;;! log part of the attempt's log
//! ```
//!
//! After each the next task must run at once, and the process must not have grown.
//! `$PRELUDE` is a memory of a MiB, an allocator that only goes up, and `$answer`, which answers a text.

mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use asl::{Payload, TimeoutKind};
use engine::ports::{Job, Outcome, TaskRunner};
use world::{PRELUDE, World, http, in_time, job};

/// What the host may hold when all of them have run: compiled code of each, the pool's warm slots, this test.
const MOST_RESIDENT: u64 = 512 << 20;

struct Case {
    name: String,
    source: String,
}

impl Case {
    fn read(path: &Path) -> Self {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let source = fs::read_to_string(path).expect("readable");
        Self { name, source }
    }

    fn says(&self, key: &str) -> Option<&str> {
        let mut lines = self.source.lines().filter_map(|line| line.strip_prefix(";;! "));
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.says(key).map(|text| text.parse().expect("a number"))
    }

    fn upload(&self) -> Vec<u8> {
        if let Some(guest) = self.says("guest") {
            return http::guest(guest);
        }
        let source = self.source.replace("$PRELUDE", PRELUDE);
        wat::parse_str(source).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn set(&self, mut job: Job) -> Job {
        job.limits.fuel = self.number("fuel").unwrap_or(job.limits.fuel);
        job.deadline = self
            .number("deadline")
            .map(|millis| in_time(Duration::from_millis(millis)));
        job.heartbeat_seconds = self.number("heartbeat");
        if let Some(input) = self.says("input") {
            job.input = Payload::from_text(input).expect("JSON");
        }
        if let Some(pattern) = self.says("grants") {
            job.granted = Some(Arc::new(http::requests(&[pattern.to_owned()])));
        }
        job
    }

    /// Runs it; how it ended in the words of the table, the cause and the log.
    fn run(&self, world: &World) -> (String, String, String) {
        let module = match world.sandbox.prepare(&self.upload()) {
            Ok(prepared) => prepared.digest,
            Err(error) => return (format!("refused {}", error.code), error.message, String::new()),
        };
        let report = world.run(self.set(job(&module)));
        let log = report.attempt.log.iter().map(|line| line.message.as_str());
        let log = log.collect::<Vec<_>>().join("\n");
        let (end, cause) = match report.outcome {
            Outcome::Succeeded(output) => (format!("succeeds {}", output.text()), String::new()),
            Outcome::TimedOut(TimeoutKind::Deadline) => ("Timeout Deadline".to_owned(), String::new()),
            Outcome::TimedOut(TimeoutKind::Heartbeat) => ("Timeout Heartbeat".to_owned(), String::new()),
            Outcome::Failed(failure) => (failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()),
        };
        (end, cause, log)
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let entries = fs::read_dir(folder).expect("the folder of hostile guests");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kb| kb << 10)
}

#[test]
fn every_hostile_guest_ends_as_the_table_says_and_the_next_task_is_unaffected() {
    let world = World::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let (end, cause, log) = case.run(&world);
        let wanted = case.says("ends").expect("every guest says how it ends");
        println!("{:<46} {end:.60}", case.name);
        if end != wanted {
            wrong.push(format!("{}: {end:.300} instead of {wanted}: {cause:.600}", case.name));
        }
        if let Some(part) = case.says("cause")
            && !cause.contains(part)
        {
            wrong.push(format!("{}: `{part}` isn't in `{cause:.600}`", case.name));
        }
        if let Some(part) = case.says("log")
            && !log.contains(part)
        {
            wrong.push(format!("{}: `{part}` isn't in the log `{log:.600}`", case.name));
        }
        world.still_runs();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if let Some(bytes) = resident() {
        println!("most memory held: {} MiB", bytes >> 20);
        assert!(bytes < MOST_RESIDENT, "the host held {bytes} bytes");
    }
}
