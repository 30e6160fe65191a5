//! Programs: WASI's commands, as components and as core modules of preview 1.

mod world;

use asl::Payload;
use engine::ports::{Outcome, TaskRunner, WayKind};
use world::{World, job};

/// A program of preview 1 around `main`, which finds `$in` bytes of input at 4096 and writes with `$say`.
fn program(main: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
          (memory (export "memory") 20)
          (data (i32.const 256) "not JSON")
          (data (i32.const 272) "{{\"error\": \"OutOfStock\", \"cause\": \"no tea\"}}\n")
          (data (i32.const 336) "something broke\n")
          (data (i32.const 384) "\ff\fe")
          (func $say (param $to i32) (param $at i32) (param $length i32)
            (i32.store (i32.const 16) (local.get $at)) (i32.store (i32.const 20) (local.get $length))
            (drop (call $fd_write (local.get $to) (i32.const 16) (i32.const 1) (i32.const 24))))
          (func $read (result i32) (local $in i32)
            (loop $more
              (i32.store (i32.const 16) (i32.add (i32.const 4096) (local.get $in)))
              (i32.store (i32.const 20) (i32.const 4096))
              (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
              (local.set $in (i32.add (local.get $in) (i32.load (i32.const 24))))
              (br_if $more (i32.load (i32.const 24))))
            (local.get $in))
          (func (export "_start") (local $in i32) {main}))"#
    );
    wat::parse_str(text).expect("WAT")
}

const ECHO: &str = "(call $say (i32.const 1) (i32.const 4096) (call $read))";

fn outcome(world: &World, main: &str, input: &str) -> Outcome {
    let module = world.sandbox.prepare(&program(main)).expect("a program").digest;
    world.call(&module, None, input)
}

fn failure(world: &World, main: &str) -> (String, String) {
    match outcome(world, main, "{}") {
        Outcome::Failed(failure) => (failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()),
        other => panic!("a failure expected, got {other:?}"),
    }
}

#[test]
fn a_preview_1_program_reads_its_input_and_writes_its_output() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&program(ECHO)).expect("a program");
    let description = &prepared.description;
    assert_eq!(
        (description.entry.as_str(), description.uploaded_as.as_str()),
        ("wasi:cli/run", "core module")
    );
    assert_eq!(description.ways[0].kind, WayKind::Command);
    let input = format!("{{\"text\": \"{}\"}}", "é".repeat(50_000));
    for input in ["{\"order\": 7}", "\"a\"", &input] {
        let echoed = Outcome::Succeeded(Payload::from_text(input).expect("JSON"));
        assert_eq!(world.call(&prepared.digest, None, input), echoed);
        assert_eq!(world.call(&prepared.digest, Some("wasi:cli/run"), input), echoed);
    }
    // The component that was made of it is the same program.
    let again = world.sandbox.prepare(&prepared.component).expect("a component");
    assert_eq!(again.digest, prepared.digest);
}

#[test]
fn a_small_input_is_in_a_variable_too() {
    let world = World::new();
    // The first variable's value: behind its name and `=`.
    let main = r#"
      (drop (call $environ_sizes (i32.const 32) (i32.const 36)))
      (if (i32.load (i32.const 32)) (then
        (drop (call $environ_get (i32.const 40) (i32.const 8192)))
        (call $say (i32.const 1)
          (i32.add (i32.load (i32.const 40)) (i32.const 15))
          (i32.sub (i32.load (i32.const 36)) (i32.const 16)))))"#;
    assert_eq!(
        outcome(&world, main, "[1, 2]"),
        Outcome::Succeeded(Payload::from_text("[1, 2]").expect("JSON"))
    );
    let large = format!("\"{}\"", "x".repeat(40_000));
    assert_eq!(
        outcome(&world, main, &large),
        Outcome::Succeeded(Payload::null()),
        "too large for one"
    );
}

#[test]
fn nothing_written_is_null_and_a_clean_exit_is_an_end() {
    let world = World::new();
    assert_eq!(
        outcome(&world, "(call $exit (i32.const 0))", "{}"),
        Outcome::Succeeded(Payload::null())
    );
    let exits = format!("{ECHO} (call $exit (i32.const 0)) unreachable");
    assert_eq!(
        outcome(&world, &exits, "[]"),
        Outcome::Succeeded(Payload::from_text("[]").expect("JSON"))
    );
}

#[test]
fn exit_code_and_standard_error_make_the_failure() {
    let world = World::new();
    let broke = "(call $say (i32.const 2) (i32.const 336) (i32.const 16)) (call $exit (i32.const 3))";
    assert_eq!(
        failure(&world, broke),
        (
            "Sandbox.Exited".to_owned(),
            "the program ended with exit code `3`\nstandard error:\nsomething broke".to_owned()
        )
    );
    let named = r#"(call $say (i32.const 2) (i32.const 336) (i32.const 16))
      (call $say (i32.const 2) (i32.const 272) (i32.const 43)) (call $exit (i32.const 1))"#;
    assert_eq!(failure(&world, named), ("OutOfStock".to_owned(), "no tea".to_owned()));
    let said = world.sandbox.prepare(&program(broke)).expect("a program").digest;
    let log = world.run(job(&said)).attempt.log;
    assert_eq!(
        log.iter()
            .filter(|line| line.level == "stderr")
            .map(|line| line.message.as_str())
            .collect::<Vec<_>>(),
        ["something broke"]
    );
}

#[test]
fn output_that_is_no_json_is_a_failure() {
    let world = World::new();
    let (error, cause) = failure(&world, "(call $say (i32.const 1) (i32.const 256) (i32.const 8))");
    assert_eq!(error, "Sandbox.InvalidOutput");
    assert!(cause.contains("`not JSON`"), "{cause}");
    let (error, cause) = failure(&world, "(call $say (i32.const 1) (i32.const 384) (i32.const 2))");
    assert_eq!(error, "Sandbox.InvalidOutput");
    assert!(cause.contains("UTF-8"), "{cause}");
}

#[test]
fn programs_run_under_the_limits_of_every_task() {
    let world = World::new();
    let endless = world
        .sandbox
        .prepare(&program("(loop (br 0))"))
        .expect("a program")
        .digest;
    let mut endless = job(&endless);
    endless.limits.fuel = 1_000_000;
    world.fails(endless, "Sandbox.FuelExhausted");

    let flood = "(loop (call $say (i32.const 1) (i32.const 0) (i32.const 65536)) (br 0))";
    let flood = world.sandbox.prepare(&program(flood)).expect("a program").digest;
    let cause = world.fails(job(&flood), "Sandbox.OutputTooLarge");
    assert!(cause.contains(&format!("`{}`", sandbox::OUTPUT_BYTES)), "{cause}");

    let traps = world
        .sandbox
        .prepare(&program("unreachable"))
        .expect("a program")
        .digest;
    world.fails(job(&traps), "Sandbox.Trapped");
}

#[test]
fn a_program_without_wasi_is_one_too() {
    let world = World::new();
    let idle = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).expect("WAT");
    let module = world.sandbox.prepare(&idle).expect("a program").digest;
    assert_eq!(world.call(&module, None, "{}"), Outcome::Succeeded(Payload::null()));
}
