//! What only a disk can do: be used by somebody else, be damaged, say no.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use asl::{Status, Timestamp};
use engine::batch::AppendOutcome;
use engine::ids::ExecutionId;
use engine::ports::{Catalogue, ModuleDescription, Reader, TaskLimits};
use rusqlite::Connection;
use store::{Error, Store};

use super::journal::input_of;
use super::{append, commit, machine, outcomes, start, stop, task_started};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_this_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let outer = directory();
    let new = outer.path().join("data");
    Store::open(&new).expect("opens");
    assert_eq!(mode(&new), 0o700, "payloads and the key of task tokens are in it");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o750)).expect("ours");
    Store::open(&new).expect("opens again");
    assert_eq!(mode(&new), 0o750, "what its owner wants stays");
}

fn module(store: &Store, name: &str, component: &[u8]) {
    let description = ModuleDescription {
        entry: "sandstep:task".to_owned(),
        exports: vec![],
        imports: vec![],
        limits: TaskLimits::default(),
        uploaded_as: "component".to_owned(),
        ..ModuleDescription::default()
    };
    store
        .put_module(name, component, description, Timestamp(1))
        .expect("stores");
}

/// Changes the database behind the store's back.
fn tamper(directory: &Path, sql: &str) {
    Connection::open(directory.join("sandstep.db"))
        .expect("opens")
        .execute_batch(sql)
        .expect("tampers");
}

#[test]
fn everything_is_there_after_opening_again() {
    let directory = directory();
    let path = directory.path().join("made/on/the way");
    let store = Store::open(&path).expect("opens");
    let machine = store.create_machine(machine("orders", " {} ")).expect("creates");
    module(&store, "charge", b"component");
    outcomes(&store, vec![start(1, "a", " [1,  2]\n"), start(2, "b", "1")]);
    outcomes(&store, vec![append(1, 1, vec![task_started(2)]), stop(2, 1, 3)]);
    drop(store);
    assert!(!path.join("sandstep.db-wal").exists(), "closing tidies up");

    let store = Store::open(&path).expect("opens again");
    assert_eq!(store.machines().expect("reads"), std::slice::from_ref(&machine));
    assert_eq!(
        store.definition(&machine.definition).expect("reads").as_deref(),
        Some(" {} ")
    );
    assert_eq!(
        store
            .component(&store::digest_of(b"component"))
            .expect("reads")
            .as_deref(),
        Some(&b"component"[..])
    );
    assert_eq!(input_of(&store, 1), " [1,  2]\n");
    assert_eq!(
        store
            .running()
            .expect("reads")
            .iter()
            .map(|record| record.id.0)
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(store.last_execution().expect("reads"), ExecutionId(2));
    let moved_on = [append(1, 1, vec![task_started(4)]), append(1, 2, vec![task_started(4)])];
    let moved_on = moved_on.map(|append| outcomes(&store, vec![append]));
    assert_eq!(
        moved_on,
        [[AppendOutcome::Conflict], [AppendOutcome::Appended]],
        "positions are asked of the disk"
    );
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    let clone = store.clone();
    let refusal = Store::open(directory.path()).err().expect("is refused");
    assert!(matches!(refusal, Error::InUse { .. }));
    let path = directory.path().canonicalize().expect("exists");
    assert!(
        refusal.to_string().contains(&format!("`{}`", path.display())),
        "{refusal}"
    );
    drop(store);
    assert!(Store::open(directory.path()).is_err(), "a clone keeps it open");
    drop(clone);
    Store::open(directory.path()).expect("opens");
}

#[test]
fn a_closed_store_answers_everybody() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    let before = super::submit(&store, vec![start(1, "a", "1")]);
    store.close();
    assert_eq!(
        before.recv().expect("answered").expect("flushed"),
        [AppendOutcome::Appended]
    );
    assert!(
        commit(&store, vec![start(2, "b", "1")])
            .expect_err("closed")
            .to_string()
            .contains("closed")
    );
    assert!(store.running().expect_err("closed").to_string().contains("closed"));
    assert!(store.create_machine(machine("orders", "{}")).is_err());
    store.close();
    Store::open(directory.path()).expect("the directory is free");
}

#[test]
fn the_last_clone_may_be_dropped_by_a_callback() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    let log: std::sync::Arc<dyn engine::ports::CommitLog> = std::sync::Arc::new(store.clone());
    let (sender, receiver) = std::sync::mpsc::channel();
    let batch = Arc::new(engine::batch::Batch {
        id: engine::ids::BatchId(1),
        appends: vec![start(1, "a", "1")],
    });
    let done = move |result: engine::ports::CommitResult| {
        drop(store);
        sender.send(result).expect("the test waits");
    };
    let handed_over = std::sync::Arc::clone(&log);
    handed_over.commit(batch, Box::new(done));
    drop((log, handed_over));
    receiver.recv().expect("answered").expect("commits");
}

#[test]
fn a_damaged_row_is_named_and_harms_nobody_else() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    outcomes(&store, (1..=6).map(|id| start(id, &format!("n{id}"), "1")).collect());
    outcomes(&store, vec![append(3, 1, vec![task_started(2)])]);
    outcomes(&store, vec![append(3, 2, vec![task_started(3)])]);
    drop(store);
    tamper(
        directory.path(),
        "UPDATE journal SET events = CAST(x'01' || substr(events, 9) AS BLOB) WHERE execution = 1;
         UPDATE journal SET count = 5 WHERE execution = 2;
         DELETE FROM journal WHERE execution = 3 AND position = 1;
         UPDATE executions SET status = 17 WHERE id = 4;
         UPDATE journal SET position = 3 WHERE execution = 5;",
    );

    let store = Store::open(directory.path()).expect("opens");
    for id in [1, 2, 3, 5] {
        let error = store.journal(ExecutionId(id), 0).expect_err("damaged").to_string();
        assert!(
            error.contains(&format!("execution `{id}`")) && error.contains("backup"),
            "{error}"
        );
    }
    assert!(store.execution(ExecutionId(4)).is_err());
    assert_eq!(store.journal(ExecutionId(6), 0).expect("reads").len(), 1);
    let taken = AppendOutcome::NameTaken {
        execution: ExecutionId(1),
        started: Timestamp(1),
        status: Status::Running,
        same_input: false,
    };
    assert_eq!(
        outcomes(&store, vec![start(7, "n1", "1"), start(8, "n8", "1")]),
        [taken, AppendOutcome::Appended]
    );
}

#[test]
fn a_damaged_or_lost_file_is_named_and_an_upload_mends_it() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    let digest = store::digest_of(b"component");
    module(&store, "charge", b"component");
    let file = directory.path().join("components").join(&digest.0["sha256:".len()..]);

    fs::write(&file, b"compo").expect("tampers");
    let error = store.component(&digest).expect_err("damaged").to_string();
    assert!(
        error.contains("damaged") && error.contains(&*file.file_name().expect("a name").to_string_lossy()),
        "{error}"
    );
    fs::remove_file(&file).expect("tampers");
    let error = store.component(&digest).expect_err("lost").to_string();
    assert!(error.contains("missing") && error.contains(&*digest.0), "{error}");
    module(&store, "charge", b"component");
    assert_eq!(
        store.component(&digest).expect("reads").as_deref(),
        Some(&b"component"[..])
    );
    assert_eq!(store.modules().expect("reads").len(), 1);

    let definition = store
        .create_machine(machine("orders", "{}"))
        .expect("creates")
        .definition;
    let file = directory
        .path()
        .join("definitions")
        .join(&definition.0["sha256:".len()..]);
    fs::write(&file, b"[]").expect("tampers");
    assert!(
        store
            .definition(&definition)
            .expect_err("damaged")
            .to_string()
            .contains("damaged")
    );
}

#[test]
fn a_refused_machine_leaves_no_file() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    store.create_machine(machine("orders", "{}")).expect("creates");
    store
        .create_machine(machine("orders", "[]"))
        .expect_err("the name is taken");
    assert_eq!(
        fs::read_dir(directory.path().join("definitions"))
            .expect("lists")
            .count(),
        1
    );
}

#[test]
fn what_a_crash_left_incomplete_is_cleared_away() {
    let directory = directory();
    drop(Store::open(directory.path()).expect("opens"));
    let left = directory.path().join("components/00.incomplete");
    fs::write(&left, b"half a compo").expect("writes");
    drop(Store::open(directory.path()).expect("opens"));
    assert!(!left.exists());
}

#[test]
fn a_disk_that_says_no_is_an_error_with_the_path() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, b"").expect("writes");
    let error = Store::open(&file.join("data"))
        .err()
        .expect("is no directory")
        .to_string();
    assert!(error.contains("file/data"), "{error}");

    let occupied = directory.path().join("occupied");
    fs::create_dir_all(occupied.join("sandstep.db")).expect("creates");
    let error = Store::open(&occupied).err().expect("is no file").to_string();
    assert!(error.contains("sandstep.db") && error.contains("check that"), "{error}");

    let unreadable = directory.path().join("unreadable");
    drop(Store::open(&unreadable).expect("opens"));
    fs::write(unreadable.join("sandstep.db"), b"SQLite format 4, surely").expect("tampers");
    let error = Store::open(&unreadable).err().expect("is no database").to_string();
    assert!(error.contains("backup"), "{error}");
}

#[test]
fn a_component_that_cannot_be_written_changes_nothing() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    // A directory where the file belongs: what even the superuser can't write over.
    let digest = store::digest_of(b"component");
    let hex = &digest.0["sha256:".len()..];
    fs::create_dir_all(directory.path().join("components").join(hex).join("in the way")).expect("creates");
    let description = ModuleDescription {
        entry: String::new(),
        exports: vec![],
        imports: vec![],
        limits: TaskLimits::default(),
        uploaded_as: String::new(),
        ..ModuleDescription::default()
    };
    let error = store
        .put_module("charge", b"component", description, Timestamp(1))
        .expect_err("in the way");
    assert!(error.to_string().contains(hex), "{error}");
    assert_eq!(store.modules().expect("reads"), []);
}

#[test]
fn ids_are_not_given_out_again_after_a_deletion() {
    let directory = directory();
    let store = Store::open(directory.path()).expect("opens");
    outcomes(&store, vec![start(1, "a", "1"), start(9, "b", "1")]);
    drop(store);
    tamper(directory.path(), "DELETE FROM executions WHERE id = 9");
    let store = Store::open(directory.path()).expect("opens");
    assert_eq!(store.last_execution().expect("reads"), ExecutionId(9));
}
