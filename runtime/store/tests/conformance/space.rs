//! What deleting leaves on a disk.

use std::fs;
use std::path::Path;

use asl::Timestamp;
use engine::ids::{Digest, ExecutionId};
use engine::ports::{Catalogue, Reader, Sweep, Upkeep};
use rusqlite::Connection;
use store::Store;

use super::retention::{child, pass};
use super::{machine, outcomes, start, stop};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(directory: &Path) -> Store {
    Store::open(directory).expect("opens")
}

fn rows(directory: &Path, table: &str) -> i64 {
    let database = Connection::open(directory.join("sandstep.db")).expect("opens");
    let count = database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
    count.expect("counts")
}

/// A thousand executions of four kilobytes each.
fn fill(store: &Store) {
    let input = format!("\"{}\"", noise(4000));
    for id in 1..=1000 {
        outcomes(store, vec![start(id, &format!("n{id}"), &input)]);
        outcomes(store, vec![stop(id, 1, 2000)]);
    }
}

/// Letters that can't be compressed much.
fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    });
    letters.take(length).collect()
}

#[test]
fn what_a_crash_left_half_deleted_goes_after_the_next_start() {
    let directory = directory();
    let store = open(directory.path());
    outcomes(&store, vec![start(1, "parent", "0")]);
    for id in 2..600 {
        outcomes(&store, vec![child(id, 1, id)]);
        outcomes(&store, vec![stop(id, 1, 5)]);
    }
    outcomes(&store, vec![stop(1, 1, 5)]);
    let step = store.forget(Timestamp(6), ExecutionId(0)).expect("deletes");
    assert!(
        step.next.is_some() && step.executions < 599,
        "it is too much for one step: {step:?}"
    );
    assert_eq!(
        store.execution(ExecutionId(1)).expect("reads"),
        None,
        "whoever looks sees nothing of it"
    );
    drop(store);

    let store = open(directory.path());
    assert_eq!(step.executions + pass(&store, 6), 599);
    drop(store);
    for table in ["executions", "journal", "forgotten"] {
        assert_eq!(rows(directory.path(), table), 0, "{table}");
    }
}

#[test]
fn free_space_goes_back_to_the_file_system_in_steps() {
    let directory = directory();
    let store = open(directory.path());
    fill(&store);
    outcomes(&store, vec![start(1001, "kept", "[1]")]);
    let full = store.space().expect("reads");
    assert!(full.shrinks && full.bytes > 3 << 20, "{full:?}");
    assert_eq!(pass(&store, 2001), 1000);
    let deleted = store.space().expect("reads");
    assert!(deleted.free > 3 << 20, "{deleted:?}");
    let (mut given, mut steps) = (0, 0);
    loop {
        match store.shrink().expect("shrinks") {
            0 => break,
            bytes => (given, steps) = (given + bytes, steps + 1),
        }
    }
    let small = store.space().expect("reads");
    assert!(
        steps > 2 && small.free == 0 && small.bytes + given == deleted.bytes,
        "{small:?} {given} {steps}"
    );
    drop(store);
    let file = fs::metadata(directory.path().join("sandstep.db"))
        .expect("is there")
        .len();
    assert!(file < 1 << 20, "{file}");
    assert_eq!(
        open(directory.path())
            .journal(ExecutionId(1001), 0)
            .expect("reads")
            .len(),
        1
    );
}

#[test]
fn a_database_of_an_earlier_version_shrinks_once_it_was_rewritten() {
    let directory = directory();
    drop(open(directory.path()));
    let file = directory.path().join("sandstep.db");
    let old = Connection::open(&file).expect("opens");
    old.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
        .expect("rewrites");
    drop(old);
    let store = open(directory.path());
    fill(&store);
    pass(&store, 2001);
    let space = store.space().expect("reads");
    assert!(!space.shrinks && space.free > 3 << 20, "{space:?}");
    assert_eq!(store.shrink().expect("is no error"), 0);
    assert!(store::compact(directory.path()).is_err(), "it is in use");
    drop(store);
    store::compact(directory.path()).expect("rewrites");
    let space = open(directory.path()).space().expect("reads");
    assert!(space.shrinks && space.free == 0 && space.bytes < 1 << 20, "{space:?}");
}

#[test]
fn files_nobody_names_are_deleted() {
    let directory = directory();
    let store = open(directory.path());
    let kept = store.create_machine(machine("m", "{}")).expect("creates").definition;
    let hex = store::digest_of(b"nobody's").0.replace("sha256:", "");
    for place in ["definitions", "components"] {
        fs::write(directory.path().join(place).join(&hex), "nobody's").expect("writes");
        fs::write(directory.path().join(place).join("README"), "somebody's").expect("writes");
    }
    let none = |_: &Digest| false;
    let counted = store.sweep(&none, Sweep::Count).expect("counts");
    assert_eq!((counted.definitions.count, counted.components.bytes), (1, 8));
    assert_eq!(store.sweep(&none, Sweep::Delete).expect("deletes"), counted);
    for place in ["definitions", "components"] {
        assert!(!directory.path().join(place).join(&hex).exists());
        assert!(
            directory.path().join(place).join("README").exists(),
            "what isn't ours stays"
        );
    }
    assert!(store.definition(&kept).expect("reads").is_some());
}
