//! What a manifest grants, and that nothing else can be had: files, variables, secrets, limits.

mod world;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asl::Payload;
use engine::ids::Digest;
use engine::ports::{
    AskedLimits, Class, Directory, Granted, GrantedDirectory, Grants, Manifest, Outcome, Report, Sensitive, TaskLimits,
    TaskRunner,
};
use tempfile::TempDir;
use world::{World, guest, job};

/// A program of preview 1 around `main`. It has `$in` bytes of input at 4096, a JSON string, and answers with `$say`,
/// or with an error number through `$say_number`.
fn program(main: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_create_directory"
            (func $make_directory (param i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
          (memory (export "memory") 20)
          (data (i32.const 256) "\"\"")
          (data (i32.const 272) "{{\"tea\": 5}}")
          (func $say (param $to i32) (param $at i32) (param $length i32)
            (i32.store (i32.const 16) (local.get $at)) (i32.store (i32.const 20) (local.get $length))
            (drop (call $fd_write (local.get $to) (i32.const 16) (i32.const 1) (i32.const 24))))
          (func $say_number (param $number i32)
            (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 10))))
            (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
            (if (i32.lt_u (local.get $number) (i32.const 10))
              (then (call $say (i32.const 1) (i32.const 65) (i32.const 1)))
              (else (call $say (i32.const 1) (i32.const 64) (i32.const 2)))))
          (func $read (param $from i32) (param $to i32) (result i32) (local $in i32)
            (loop $more
              (i32.store (i32.const 16) (i32.add (local.get $to) (local.get $in)))
              (i32.store (i32.const 20) (i32.const 4096))
              (i32.store (i32.const 24) (i32.const 0))
              (drop (call $fd_read (local.get $from) (i32.const 16) (i32.const 1) (i32.const 24)))
              (local.set $in (i32.add (local.get $in) (i32.load (i32.const 24))))
              (br_if $more (i32.load (i32.const 24))))
            (local.get $in))
          (func (export "_start") (local $in i32) (local $errno i32)
            (local.set $in (call $read (i32.const 0) (i32.const 4096)))
            {main}))"#
    );
    wat::parse_str(text).expect("WAT")
}

/// Opens the file that the input names and answers what is in it.
const READ_FILE: &str = r#"
  (local.set $errno (call $path_open (i32.const 3) (i32.const 1) (i32.const 4097)
    (i32.sub (local.get $in) (i32.const 2)) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
  (if (local.get $errno)
    (then (call $say_number (local.get $errno)))
    (else (call $say (i32.const 1) (i32.const 16384) (call $read (i32.load (i32.const 32)) (i32.const 16384)))))"#;

/// Writes a file of the input's name and answers 0.
const WRITE_FILE: &str = r#"
  (local.set $errno (call $path_open (i32.const 3) (i32.const 1) (i32.const 4097)
    (i32.sub (local.get $in) (i32.const 2)) (i32.const 9) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
  (if (i32.eqz (local.get $errno)) (then (call $say (i32.load (i32.const 32)) (i32.const 272) (i32.const 10))))
  (call $say_number (local.get $errno))"#;

const MAKE_DIRECTORY: &str =
    "(call $say_number (call $make_directory (i32.const 3) (i32.const 4097) (i32.sub (local.get $in) (i32.const 2))))";
const UNLINK: &str =
    "(call $say_number (call $unlink (i32.const 3) (i32.const 4097) (i32.sub (local.get $in) (i32.const 2))))";

/// Writes its variables to standard error; fails where it is called with `"fail"`.
const ENVIRONMENT: &str = r#"
  (drop (call $environ_sizes (i32.const 32) (i32.const 36)))
  (drop (call $environ_get (i32.const 8192) (i32.const 16385)))
  (i32.store8 (i32.const 16384) (i32.const 34))
  (i32.store8 (i32.add (i32.const 16384) (i32.load (i32.const 36))) (i32.const 34))
  (call $say (i32.const 2) (i32.const 16384) (i32.load (i32.const 36)))
  (if (i32.eq (local.get $in) (i32.const 6)) (then (unreachable)))
  (call $say (i32.const 1) (i32.const 256) (i32.const 2))"#;

struct Files {
    world: World,
    /// Holds `granted`, which the guest is given, and `secret.json` beside it.
    directory: TempDir,
}

impl Files {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let granted = directory.path().join("granted");
        fs::create_dir_all(granted.join("deep")).expect("made");
        fs::write(granted.join("price.json"), "{\"tea\": 4}").expect("written");
        fs::write(directory.path().join("secret.json"), "{\"secret\": 1}").expect("written");
        Self {
            world: World::new(),
            directory,
        }
    }

    fn granted(&self) -> std::path::PathBuf {
        self.directory.path().join("granted")
    }

    fn run(&self, main: &str, input: &str, write: bool) -> Report {
        let module = self.world.sandbox.prepare(&program(main)).expect("a program").digest;
        run(
            &self.world,
            &module,
            input,
            directories(&self.granted(), &self.granted(), write),
        )
    }

    fn answer(&self, main: &str, input: &str, write: bool) -> String {
        match self.run(main, input, write).outcome {
            Outcome::Succeeded(answer) => answer.text().to_owned(),
            other => panic!("{input}: {other:?}"),
        }
    }
}

fn directories(path: &Path, root: &Path, write: bool) -> Granted {
    Granted {
        dirs: vec![GrantedDirectory {
            directory: Directory {
                path: path.to_owned(),
                guest: "/data".to_owned(),
                write,
            },
            root: root.to_owned(),
        }],
        ..Granted::default()
    }
}

fn run(world: &World, module: &Digest, input: &str, granted: Granted) -> Report {
    let mut job = job(module);
    job.input = Payload::from_text(format!("\"{input}\"")).expect("JSON");
    job.granted = Some(Arc::new(granted));
    world.run(job)
}

fn log(report: &Report) -> String {
    let lines = report.attempt.log.iter().map(|line| line.message.as_str());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_directory_is_read_and_not_written_unless_that_is_granted() {
    let files = Files::new();
    assert_eq!(files.answer(READ_FILE, "price.json", false), "{\"tea\": 4}");
    assert_eq!(files.answer(READ_FILE, "missing.json", false), "44", "no such file");
    for main in [WRITE_FILE, MAKE_DIRECTORY, UNLINK] {
        let report = files.run(main, "price.json", false);
        assert_ne!(
            report.outcome,
            Outcome::Succeeded(Payload::from_text("0").expect("JSON"))
        );
        assert!(log(&report).contains("denied: the task may not"), "{}", log(&report));
        assert!(log(&report).contains("`write = true`"), "{}", log(&report));
    }
    assert_eq!(
        fs::read_to_string(files.granted().join("price.json")).expect("there"),
        "{\"tea\": 4}"
    );
    assert_eq!(files.answer(WRITE_FILE, "new.json", true), "0");
    assert_eq!(
        fs::read_to_string(files.granted().join("new.json")).expect("made"),
        "{\"tea\": 5}"
    );
    assert_eq!(files.answer(MAKE_DIRECTORY, "more", true), "0");
    assert_eq!(files.answer(UNLINK, "new.json", true), "0");
    assert!(!files.granted().join("new.json").exists());
}

#[test]
fn no_path_leads_out_of_a_directory() {
    let files = Files::new();
    let outside = files.directory.path().display().to_string();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret.json", files.granted().join("link")).expect("a link");
        symlink(format!("{outside}/secret.json"), files.granted().join("absolute")).expect("a link");
        symlink("..", files.granted().join("up")).expect("a link");
        symlink("/", files.granted().join("root")).expect("a link");
        symlink("loop", files.granted().join("loop")).expect("a link");
    }
    let absolute = format!("{outside}/secret.json");
    for path in [
        "../secret.json",
        "deep/../../secret.json",
        "./../granted/../secret.json",
        "/etc/hostname",
        absolute.as_str(),
        "link",
        "absolute",
        "up/secret.json",
        "root/etc/hostname",
        "loop",
        "deep/../../../../../../../etc/hostname",
    ] {
        for write in [false, true] {
            let report = files.run(READ_FILE, path, write);
            let Outcome::Succeeded(answer) = &report.outcome else {
                panic!("{path}: {:?}", report.outcome)
            };
            assert!(
                answer.text().parse::<u32>().is_ok_and(|errno| errno > 0),
                "{path}: {answer:?}"
            );
            assert_ne!(files.answer(WRITE_FILE, path, write), "0", "{path}");
            if path.contains("..") || path.starts_with('/') {
                assert!(
                    log(&report).contains("grants another directory"),
                    "{path}: {}",
                    log(&report)
                );
            }
        }
    }
    let secret = fs::read_to_string(files.directory.path().join("secret.json"));
    assert_eq!(secret.expect("there"), "{\"secret\": 1}");
}

#[cfg(unix)]
#[test]
fn a_granted_path_may_not_lead_out_of_what_the_policy_allows() {
    let files = Files::new();
    std::os::unix::fs::symlink(files.directory.path(), files.granted().join("all")).expect("a link");
    let module = files
        .world
        .sandbox
        .prepare(&program(READ_FILE))
        .expect("a program")
        .digest;
    for path in ["all", "nowhere"] {
        let granted = directories(&files.granted().join(path), &files.granted(), false);
        let report = run(&files.world, &module, "secret.json", granted);
        let Outcome::Failed(failure) = report.outcome else {
            panic!("{:?}", report.outcome)
        };
        assert_eq!(failure.error.as_deref(), Some("Sandbox.NotGranted"));
        assert!(failure.cause.is_some_and(|cause| cause.contains(path)));
    }
}

#[test]
fn without_a_grant_there_is_nothing_and_a_failure_says_what_would_give_it() {
    let world = World::new();
    let module = world.sandbox.prepare(&program(READ_FILE)).expect("a program").digest;
    let report = run(&world, &module, "price.json", Granted::default());
    assert_eq!(
        report.outcome,
        Outcome::Succeeded(Payload::from_text("8").expect("JSON")),
        "no such descriptor"
    );
    let module = world.sandbox.prepare(&program(ENVIRONMENT)).expect("a program").digest;
    let report = run(&world, &module, "fail", Granted::default());
    assert!(matches!(report.outcome, Outcome::Failed(_)));
    assert!(log(&report).contains("`env = [\"NAME\"]`"), "{}", log(&report));
}

#[test]
fn variables_are_given_and_secrets_are_seen_by_nobody_else() {
    let world = World::new();
    let module = world.sandbox.prepare(&program(ENVIRONMENT)).expect("a program").digest;
    let granted = |name: &str, value: &str, secret: bool| Granted {
        env: vec![(name.to_owned(), Sensitive::new(value))],
        secrets: secret
            .then(|| ("stripe".to_owned(), Sensitive::new(value)))
            .into_iter()
            .collect(),
        unset: vec!["NOWHERE".to_owned()],
        ..Granted::default()
    };
    let report = run(&world, &module, "ok", granted("TZ", "UTC", false));
    assert!(matches!(report.outcome, Outcome::Succeeded(_)), "{:?}", report.outcome);
    assert!(log(&report).contains("TZ=UTC"), "{}", log(&report));
    assert!(
        log(&report).contains("the variable `NOWHERE` is granted"),
        "{}",
        log(&report)
    );
    let report = run(&world, &module, "fail", granted("KEY", "hush-hush", true));
    let Outcome::Failed(failure) = &report.outcome else {
        panic!("{:?}", report.outcome)
    };
    let cause = failure.cause.as_deref().expect("a cause");
    assert!(
        cause.contains("KEY=[secret stripe]") && !cause.contains("hush"),
        "{cause}"
    );
    assert!(
        log(&report).contains("KEY=[secret stripe]") && !log(&report).contains("hush"),
        "{}",
        log(&report)
    );
}

#[test]
fn a_manifest_sets_limits_that_hold() {
    let world = World::new();
    let spin = world.module("spin");
    let mut slow = job(&spin);
    slow.limits = TaskLimits {
        fuel: u64::MAX,
        time_millis: Some(50),
        ..TaskLimits::default()
    };
    let cause = world.fails(slow.clone(), "Sandbox.TimeExceeded");
    assert!(cause.contains("`50` ms"), "{cause}");
    slow.deadline = Some(world::in_time(Duration::ZERO));
    assert!(
        matches!(world.run(slow).outcome, Outcome::TimedOut(_)),
        "the state's own clock was first"
    );
    let mut wordy = job(&world.module("echo"));
    wordy.limits.output = Some(4);
    let cause = world.fails(wordy, "Sandbox.OutputTooLarge");
    assert!(cause.contains("`4` bytes"), "{cause}");
    let manifest = Manifest {
        limits: AskedLimits {
            memory: Some(256 << 20),
            ..AskedLimits::default()
        },
        ..Manifest::default()
    };
    let prepared = world
        .sandbox
        .prepare_with(&guest("echo"), manifest.clone())
        .expect("a task");
    assert_eq!(prepared.description.limits.memory, 256 << 20);
    assert_eq!(prepared.description.manifest, manifest);
}

#[test]
fn real_components_have_classes() {
    let world = World::new();
    let class = |upload: &[u8], write: Option<bool>| {
        let dirs = write.map(|write| Directory {
            path: "/srv".into(),
            guest: "/".to_owned(),
            write,
        });
        let manifest = Manifest {
            grants: Grants {
                dirs: dirs.into_iter().collect(),
                ..Grants::default()
            },
            ..Manifest::default()
        };
        let prepared = world.sandbox.prepare_with(upload, manifest).expect("a task");
        prepared.description.class()
    };
    assert_eq!(class(&guest("echo"), None), Class::Pure);
    assert_eq!(
        class(&guest("echo"), Some(true)),
        Class::Pure,
        "it imports nothing to reach it by"
    );
    assert_eq!(class(&guest("sleep"), None), Class::Reads);
    assert_eq!(class(&program(READ_FILE), None), Class::Pure);
    assert_eq!(class(&program(READ_FILE), Some(false)), Class::Reads);
    assert_eq!(class(&program(WRITE_FILE), Some(true)), Class::Effectful);
}
