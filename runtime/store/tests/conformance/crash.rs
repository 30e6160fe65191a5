//! A process that dies in the middle, and a log that ends in the middle.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use engine::ids::ExecutionId;
use engine::ports::Reader;
use store::Store;

use super::{append, outcomes, start, task_started};

/// Tells the child where to write; without it the child's test does nothing.
const CHILD_DIRECTORY: &str = "SANDSTEP_TEST_CHILD_DIRECTORY";

/// What the child writes for every commit that was acknowledged.
const ACKNOWLEDGED: &str = "acknowledged ";

/// Two executions move in step, so that half a commit would show.
const PAIR: [u64; 2] = [1, 2];

fn commit_pair(store: &Store, position: u64) {
    let at = i64::try_from(position).expect("small");
    let appends = PAIR.map(|id| match position {
        0 => start(id, &format!("n{id}"), "1"),
        _ => append(id, position, vec![task_started(at)]),
    });
    outcomes(store, appends.into());
}

/// How many commits a store holds, each of them whole.
fn whole_commits(store: &Store) -> usize {
    let journals = PAIR.map(|id| store.journal(ExecutionId(id), 0).expect("reads"));
    assert_eq!(journals[0].len(), journals[1].len(), "half a commit");
    for (position, event) in journals[0].iter().enumerate().skip(1) {
        assert_eq!(usize::try_from(event.at.0), Ok(position), "a gap");
    }
    journals[0].len()
}

/// Not a test of its own: what [`what_was_acknowledged_survives_a_kill`] runs in a process it kills.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else {
        return;
    };
    let store = Store::open(Path::new(&directory)).expect("opens");
    for position in whole_commits(&store) as u64.. {
        commit_pair(&store, position);
        let mut output = std::io::stdout().lock();
        writeln!(output, "{ACKNOWLEDGED}{position}").expect("the parent reads");
        output.flush().expect("the parent reads");
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut before = 0;
    for commits in [1, 2, 7, 40, 300] {
        let mut child = Command::new(std::env::current_exe().expect("runs from a file"))
            .args(["--exact", "crash::child", "--nocapture"])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let acknowledged: Vec<usize> = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split_once(ACKNOWLEDGED)?.1.parse().ok())
            .take(commits)
            .collect();
        child.kill().expect("is killed");
        child.wait().expect("is gone");
        assert_eq!(acknowledged.len(), commits, "the child ended by itself");
        assert_eq!(
            acknowledged.first(),
            Some(&before),
            "the child went on where the last one ended"
        );

        let store = Store::open(directory.path()).expect("opens after the kill");
        let whole = whole_commits(&store);
        assert!(
            acknowledged.last() < Some(&whole),
            "{whole} of {acknowledged:?} survived"
        );
        before = whole;
    }
}

#[test]
fn a_torn_log_loses_whole_commits_from_its_end_only() {
    const COMMITS: u64 = 5;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(directory.path()).expect("opens");
    for position in 0..COMMITS {
        commit_pair(&store, position);
    }
    // The files as a power cut would leave them: the store is not closed.
    let files = ["sandstep.db", "sandstep.db-wal"];
    let bytes = files.map(|file| fs::read(directory.path().join(file)).expect("reads"));
    let log = bytes[1].len();
    let mut survivors = Vec::new();
    for cut in (0..log).step_by(1499).chain([log]) {
        let copy = tempfile::tempdir().expect("a temporary directory");
        fs::write(copy.path().join(files[0]), &bytes[0]).expect("copies");
        let mut torn = bytes[1][..log - cut].to_vec();
        // Half a sector of something else where the end was.
        torn.extend_from_slice(&bytes[1][..cut.min(300)]);
        fs::write(copy.path().join(files[1]), torn).expect("copies");
        let store = Store::open(copy.path()).expect("opens a torn log");
        survivors.push(whole_commits(&store) as u64);
        commit_pair(&store, *survivors.last().expect("just pushed"));
    }
    assert_eq!(
        survivors.first(),
        Some(&COMMITS),
        "uncut, everything acknowledged is there"
    );
    assert_eq!(survivors.last(), Some(&0));
    assert!(
        survivors.is_sorted_by(|longer, shorter| longer >= shorter),
        "{survivors:?}"
    );
}
