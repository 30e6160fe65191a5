//! Backups: made beside a busy store, checked, put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use asl::Timestamp;
use engine::batch::{Append, AppendOutcome};
use engine::ids::{Digest, ExecutionId};
use engine::ports::{Catalogue, Expected, ModuleDescription, Reader, Sweep, TaskLimits, Upkeep};
use store::Store;
use store::backup::{Error, Manifest, What, back_up, restore, verify};

use super::{machine, outcomes, start};

const WHAT: What<'_> = What {
    objects: Some("objects"),
    made_by: "a test",
    made_at: "today",
};

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn open(&self, name: &str) -> Store {
        Store::open(&self.path(name)).expect("opens")
    }
}

fn module(store: &Store, name: &str, component: &str) -> Digest {
    let description = ModuleDescription {
        entry: "sandstep:task".to_owned(),
        exports: vec![],
        imports: vec![],
        limits: TaskLimits::default(),
        uploaded_as: "component".to_owned(),
        ..ModuleDescription::default()
    };
    let put = store.put_module(name, component.as_bytes(), description, Timestamp(1));
    put.expect("stores").digest
}

fn create(store: &Store, name: &str, definition: &str) -> Digest {
    store
        .create_machine(machine(name, definition))
        .expect("creates")
        .definition
}

/// A start by this definition.
fn of(definition: &Digest, mut append: Append) -> Append {
    append.start.as_mut().expect("is a start").definition = definition.clone();
    append
}

/// A data directory with something of everything.
fn filled(place: &Place) -> Store {
    let store = place.open("data");
    let definition = create(&store, "m", "{}");
    module(&store, "task", "component");
    store
        .put_label("task", "prod", 1, Expected::Anything, Timestamp(1))
        .expect("is set");
    for id in 1..=50 {
        outcomes(&store, vec![of(&definition, start(id, &format!("n{id}"), "[1]"))]);
    }
    let objects = place.path("data/objects");
    fs::create_dir_all(objects.join("bucket/a")).expect("creates");
    fs::create_dir_all(objects.join(".incomplete")).expect("creates");
    fs::write(objects.join("bucket/a/key"), "an object").expect("writes");
    fs::write(objects.join(".incomplete/1"), "half").expect("writes");
    store
}

fn made(place: &Place) -> Manifest {
    back_up(&place.path("data"), &place.path("backup"), WHAT).expect("makes a backup")
}

#[test]
fn what_is_restored_is_what_was_there() {
    let place = Place::new();
    let store = filled(&place);
    let key = store.token_key().expect("reads");
    let manifest = made(&place);
    assert_eq!(
        (manifest.executions, manifest.state_machines, manifest.modules),
        (50, 1, 1)
    );
    assert_eq!((manifest.objects.files, manifest.objects.bytes), (1, 9));
    assert_eq!(verify(&place.path("backup")).expect("is whole"), manifest);
    // What happens afterwards is in another backup.
    outcomes(&store, vec![start(51, "later", "[1]")]);

    restore(&place.path("backup"), &place.path("again")).expect("restores");
    let again = place.open("again");
    assert_eq!(again.last_execution().expect("reads"), ExecutionId(50));
    for id in 1..=50 {
        let id = ExecutionId(id);
        assert_eq!(
            again.journal(id, 0).expect("reads"),
            store.journal(id, 0).expect("reads")
        );
    }
    let listed = again.machines().expect("reads");
    assert_eq!(
        again.definition(&listed[0].definition).expect("reads").as_deref(),
        Some("{}")
    );
    assert_eq!(again.labels().expect("reads"), store.labels().expect("reads"));
    let module = &again.modules().expect("reads")[0];
    assert_eq!(
        again.component(&module.digest).expect("reads").as_deref(),
        Some(&b"component"[..])
    );
    assert_eq!(
        again.token_key().expect("reads"),
        key,
        "tokens that were handed out are good"
    );
    assert_eq!(
        outcomes(&again, vec![start(51, "later", "[2]")]),
        [AppendOutcome::Appended]
    );
    assert!(again.space().expect("reads").shrinks);
    let object = fs::read_to_string(place.path("again/objects/bucket/a/key")).expect("reads");
    assert_eq!(object, "an object");
    assert!(!place.path("again/objects/.incomplete/1").exists());
}

/// Ends the other thread, also where an assertion fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_busy_store_is_copied_as_it_was_at_one_moment() {
    let place = Place::new();
    let store = filled(&place);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = Ends(&stop);
        scope.spawn(|| {
            for id in 51.. {
                let text = format!("{{\"Comment\": \"{id}\"}}");
                let definition = create(&store, &format!("m{id}"), &text);
                outcomes(&store, vec![of(&definition, start(id, &format!("n{id}"), "[1]"))]);
                module(&store, "task", &format!("component {id}"));
                module(&store, "gone", &format!("gone {id}"));
                store.delete_module("gone", true).expect("deletes");
                store.sweep(&|_| false, Sweep::Delete).expect("sweeps");
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for number in 0..3 {
            let backup = place.path(&format!("backup-{number}"));
            back_up(&place.path("data"), &backup, WHAT).expect("makes a backup");
            restore(&backup, &place.path(&format!("again-{number}"))).expect("restores");
            let again = place.open(&format!("again-{number}"));
            let last = again.last_execution().expect("reads");
            for id in 1..=last.0 {
                let record = again.execution(ExecutionId(id)).expect("reads").expect("is there");
                assert_eq!(again.journal(record.id, 0).expect("reads").len(), 1);
                if id > 50 {
                    assert!(again.definition(&record.definition).expect("reads").is_some());
                }
            }
            for module in again.modules().expect("reads") {
                assert!(again.component(&module.digest).expect("reads").is_some());
            }
        }
    });
}

/// What is done to a file.
type Damage = fn(&Path);

fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("writes");
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let hex = |text: &str| store::digest_of(text.as_bytes()).0.replace("sha256:", "");
    let files: [(&str, Damage); 6] = [
        ("sandstep.db", damage),
        (&format!("components/{}", hex("component")), damage),
        (&format!("definitions/{}", hex("{}")), |file| {
            fs::remove_file(file).expect("removes")
        }),
        ("objects/bucket/a/key", |file| {
            fs::write(file, "another").expect("writes")
        }),
        ("backup.json", |file| fs::remove_file(file).expect("removes")),
        ("backup.json", |file| fs::write(file, "{\"form\": 2}").expect("writes")),
    ];
    for (file, damage) in files {
        let place = Place::new();
        drop(filled(&place));
        made(&place);
        damage(&place.path("backup").join(file));
        assert!(verify(&place.path("backup")).is_err(), "{file}");
        assert!(restore(&place.path("backup"), &place.path("again")).is_err(), "{file}");
        assert!(!place.path("again/sandstep.db").exists(), "{file}");
    }
}

#[test]
fn a_backup_of_an_earlier_versions_database_can_shrink() {
    let place = Place::new();
    drop(filled(&place));
    let old = rusqlite::Connection::open(place.path("data/sandstep.db")).expect("opens");
    old.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
        .expect("rewrites");
    drop(old);
    let store = place.open("data");
    made(&place);
    assert!(!store.space().expect("reads").shrinks, "what is copied stays as it is");
    restore(&place.path("backup"), &place.path("again")).expect("restores");
    assert!(place.open("again").space().expect("reads").shrinks);
}

#[test]
fn nothing_is_ever_overwritten() {
    let place = Place::new();
    let store = filled(&place);
    let nowhere = back_up(&place.path("nowhere"), &place.path("backup"), WHAT);
    assert!(matches!(nowhere, Err(Error::NoData(_))), "{nowhere:?}");
    fs::create_dir(place.path("backup")).expect("creates");
    fs::write(place.path("backup/theirs"), "").expect("writes");
    let taken = back_up(&place.path("data"), &place.path("backup"), WHAT);
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
    fs::remove_file(place.path("backup/theirs")).expect("removes");
    // What a crash left is ours, and what else is there isn't.
    fs::create_dir_all(place.path("backup.incomplete/definitions")).expect("creates");
    made(&place);
    fs::create_dir_all(place.path("other.incomplete/photographs")).expect("creates");
    let taken = back_up(&place.path("data"), &place.path("other"), WHAT);
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");

    let busy = restore(&place.path("backup"), &place.path("data"));
    assert!(
        matches!(busy, Err(Error::Store(store::Error::InUse { .. }))),
        "{busy:?}"
    );
    drop(store);
    let held = restore(&place.path("backup"), &place.path("data"));
    assert!(matches!(held, Err(Error::HoldsData(_))), "{held:?}");
    let no_backup = restore(&place.path("data"), &place.path("again"));
    assert!(matches!(no_backup, Err(Error::NoBackup(_))), "{no_backup:?}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(filled(&place));
    made(&place);
    let mode = fs::metadata(place.path("backup")).expect("looks").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
