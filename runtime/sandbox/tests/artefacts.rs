//! Compiled code as a file, from one machine to another: here from one cache to another.

mod world;

use engine::ports::{StoreError, TaskRunner};
use sandbox::{Options, Sandbox};
use world::{World, guest};

/// This machine by its name, for every CPU of its architecture.
fn here() -> String {
    let (architecture, system) = (std::env::consts::ARCH, std::env::consts::OS);
    match system {
        "macos" => format!("{architecture}-apple-darwin"),
        "windows" => format!("{architecture}-pc-windows-msvc"),
        _ => format!("{architecture}-unknown-linux-gnu"),
    }
}

#[test]
fn code_of_one_machine_runs_on_another_without_compiling() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&guest("echo")).expect("a task");
    let component = || Ok(prepared.component.clone());
    let file = world
        .sandbox
        .compiled(&prepared.digest, &component, &here())
        .expect("compiles");

    let directory = tempfile::TempDir::new().expect("a directory");
    let open = || {
        Sandbox::open(Options {
            slots: 1,
            threads: 1,
            ..Options::new(directory.path())
        })
        .expect("opens")
    };
    let elsewhere = open();
    let nothing = || Err(StoreError("nobody compiles here".to_owned()));
    assert!(elsewhere.ensure(&prepared.digest, &nothing).is_err());
    assert_eq!(elsewhere.take_in(&file).expect("is taken in"), prepared.digest);
    elsewhere.ensure(&prepared.digest, &nothing).expect("is there");
    drop(elsewhere);
    open()
        .ensure(&prepared.digest, &nothing)
        .expect("is there after a restart");
}

#[test]
fn what_is_damaged_or_for_another_machine_is_refused() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&guest("echo")).expect("a task");
    let component = || Ok(prepared.component.clone());
    let compiled = |target: &str| world.sandbox.compiled(&prepared.digest, &component, target);
    let file = compiled(&here()).expect("compiles");
    let refused = |file: &[u8]| world.sandbox.take_in(file).expect_err("refused");
    for end in [0, 10, 300, file.len() - 1] {
        assert_eq!(refused(&file[..end]).code, "UnfitArtefact", "{end} bytes");
    }
    let mut flipped = file.clone();
    *flipped.last_mut().expect("has bytes") ^= 1;
    assert!(refused(&flipped).message.contains("damaged"));
    for target in world.sandbox.targets() {
        let file = compiled(&target).unwrap_or_else(|error| panic!("{target}: {} {}", error.message, error.hint));
        let system = |target: &str| target.split('-').nth(2).map(str::to_owned);
        if target.split('-').next() != here().split('-').next() || system(&target) != system(&here()) {
            assert!(refused(&file).message.contains(&target), "{target}");
        }
    }
    let unknown = compiled("pdp-11").expect_err("there is none");
    assert_eq!(unknown.code, "UnknownTarget");
    assert!(unknown.hint.contains(&here()), "{}", unknown.hint);
    let damaged = world
        .sandbox
        .compiled(&prepared.digest, &|| Ok(b"other".to_vec()), &here());
    assert_eq!(damaged.expect_err("damaged").code, "InvalidModule");
}
