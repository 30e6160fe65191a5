//! Guests that mean harm, or just fail: each ends in its own named error within a tenth of a second
//! of its limit, and the next task runs at once.

mod world;

use std::time::{Duration, Instant};

use asl::TimeoutKind;
use engine::ports::{Job, Outcome, TaskRunner};
use world::{PATIENCE, World, guests, in_time, job, within_grace};

/// Runs a job that only a clock can end.
fn times_out(world: &World, mut job: Job, kind: TimeoutKind) {
    within_grace(|| {
        let limit = match kind {
            TimeoutKind::Deadline => {
                job.deadline = Some(in_time(Duration::from_millis(200)));
                Duration::from_millis(200)
            }
            TimeoutKind::Heartbeat => {
                job.heartbeat_seconds = Some(1);
                Duration::from_secs(1)
            }
        };
        let started = Instant::now();
        let report = world.run(job.clone());
        let took = started.elapsed();
        assert_eq!(report.outcome, Outcome::TimedOut(kind));
        assert_eq!(
            report.attempt.fuel, None,
            "a guest killed by the clock can't tell its fuel"
        );
        // Deadlines are whole milliseconds of the system's clock.
        assert!(
            took + Duration::from_millis(2) >= limit,
            "ended after {took:?}, before {limit:?}"
        );
        took.saturating_sub(limit)
    });
    world.still_runs();
}

#[test]
fn spin_burns_its_fuel() {
    let world = World::new();
    let mut job = job(&world.module("spin"));
    job.limits.fuel = 1_000_000;
    world.fails(job.clone(), "Sandbox.FuelExhausted");
    assert_eq!(world.run(job).attempt.fuel, Some(1_000_000));
}

#[test]
fn spin_meets_its_deadline() {
    let world = World::new();
    times_out(&world, job(&world.module("spin")), TimeoutKind::Deadline);
}

#[test]
fn who_recurses_deeply_may_have_a_larger_stack() {
    let world = World::new();
    let deep = wat::parse_str(
        r#"(module
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
          (func $down (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
              (then (i32.const 48))
              (else (i32.or (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 0)))))
          (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32)
            (i32.store8 (i32.const 1040) (call $down (i32.const 40000)))
            (i32.store (i32.const 1028) (i32.const 1040))
            (i32.store (i32.const 1032) (i32.const 1))
            (i32.const 1024)))"#,
    );
    let deep = world.sandbox.prepare(&deep.expect("WAT")).expect("a task").digest;
    let cause = world.fails(job(&deep), "Sandbox.StackExhausted");
    assert!(cause.contains("raise `stack`"), "{cause}");
    let mut larger = job(&deep);
    larger.limits.stack = Some(8 << 20);
    let nought = asl::Payload::from_text("0").expect("JSON");
    assert_eq!(world.run(larger).outcome, Outcome::Succeeded(nought));
    // The same limits hold for them.
    let mut endless = job(&world.module("recurse"));
    endless.limits.stack = Some(2 << 20);
    world.fails(endless, "Sandbox.StackExhausted");
    let mut spins = job(&world.module("spin"));
    spins.limits.stack = Some(1 << 20);
    times_out(&world, spins, TimeoutKind::Deadline);
}

#[test]
fn spin_meets_its_heartbeat() {
    let world = World::new();
    times_out(&world, job(&world.module("spin")), TimeoutKind::Heartbeat);
}

#[test]
fn spin_at_start_burns_its_fuel_and_meets_its_deadline() {
    let world = World::new();
    let mut short = job(&world.module("spin_at_start"));
    times_out(&world, short.clone(), TimeoutKind::Deadline);
    short.limits.fuel = 1_000_000;
    world.fails(short, "Sandbox.FuelExhausted");
}

#[test]
fn fill_meets_its_deadline() {
    let world = World::new();
    let digest = world
        .sandbox
        .prepare(&world::guest("fill"))
        .expect("64 MiB are allowed")
        .digest;
    let mut job = job(&digest);
    job.limits.fuel = u64::MAX;
    times_out(&world, job, TimeoutKind::Deadline);
}

#[test]
fn busy_guests_do_not_delay_a_deadline_nor_the_next_task() {
    let world = World::new();
    let spin = world.module("spin");
    let _echo_is_compiled = world.module("echo");
    let busy: Vec<_> = (0..6).map(|_| job(&spin)).collect();
    let reports: Vec<_> = busy.iter().map(|job| world.start(job.clone())).collect();
    times_out(&world, job(&spin), TimeoutKind::Deadline);
    for job in busy {
        world.sandbox.cancel(job.task);
    }
    for report in reports {
        assert!(
            report.recv_timeout(PATIENCE).is_err(),
            "a cancelled task reports nothing"
        );
    }
    world.still_runs();
}

#[test]
fn grow_meets_its_memory_limit() {
    let world = World::new();
    let job = job(&world.module("grow"));
    let cause = world.fails(job.clone(), "Sandbox.MemoryExceeded");
    assert!(cause.contains("`67108864`"), "{cause}");
    let peak = world.run(job).attempt.peak_memory.expect("counted");
    assert!(peak <= 64 << 20 && peak > 63 << 20, "{peak}");
}

#[test]
fn grow_many_counts_all_memories() {
    let world = World::new();
    let mut job = job(&world.module("grow_many"));
    job.limits.memory = 8 << 20;
    world.fails(job.clone(), "Sandbox.MemoryExceeded");
    let peak = world.run(job).attempt.peak_memory.expect("counted");
    assert!(peak <= 8 << 20 && peak > 7 << 20, "{peak}");
}

#[test]
fn grow_tables_counts_all_tables() {
    let world = World::new();
    let mut job = job(&world.module("grow_tables"));
    job.limits.memory = (1 << 20) + (700 << 10);
    world.fails(job, "Sandbox.MemoryExceeded");
}

#[test]
fn initial_memory_counts_too() {
    let world = World::new();
    let mut job = job(&world.module("echo"));
    job.limits.memory = 1 << 20;
    world.fails(job, "Sandbox.MemoryExceeded");
}

#[test]
fn recurse_exhausts_its_stack() {
    let world = World::new();
    let cause = world.fails(job(&world.module("recurse")), "Sandbox.StackExhausted");
    assert!(cause.contains("deeper") || cause.contains("at function"), "{cause}");
    assert!(cause.len() < 8 << 10, "a bounded backtrace");
}

#[test]
fn flood_log_is_bounded() {
    let world = World::new();
    let mut job = job(&world.module("flood_log"));
    times_out(&world, job.clone(), TimeoutKind::Deadline);
    job.limits.fuel = 1_000_000;
    let log = world.run(job).attempt.log;
    assert!(log[0].message.contains("earlier lines were dropped"), "{:?}", log[0]);
    assert!(log.iter().map(|line| line.message.len()).sum::<usize>() < 17 << 10);
}

#[test]
fn flood_stderr_is_bounded() {
    let world = World::new();
    let mut job = job(&world.module("flood_stderr"));
    times_out(&world, job.clone(), TimeoutKind::Deadline);
    job.limits.fuel = 5_000_000;
    let log = world.run(job).attempt.log;
    assert!(log[0].message.contains("earlier lines were dropped"), "{:?}", log[0]);
    assert!(log.iter().map(|line| line.message.len()).sum::<usize>() < 17 << 10);
}

#[test]
fn leak_traps_at_the_bound_of_host_objects() {
    let world = World::new();
    let cause = world.fails(job(&world.module("leak")), "Sandbox.Trapped");
    assert!(cause.contains("table has no free keys"), "{cause}");
}

#[test]
fn flood_output_is_too_large() {
    let world = World::new();
    world.fails(job(&world.module("flood_output")), "Sandbox.OutputTooLarge");
}

#[test]
fn sleep_meets_its_deadline() {
    let world = World::new();
    times_out(&world, job(&world.module("sleep")), TimeoutKind::Deadline);
}

#[test]
fn sleep_meets_its_heartbeat() {
    let world = World::new();
    times_out(&world, job(&world.module("sleep")), TimeoutKind::Heartbeat);
}

#[test]
fn sleep_and_spin_can_be_cancelled() {
    let world = World::new();
    for name in ["sleep", "spin"] {
        let module = world.module(name);
        // As many as there are slots, twice: cancelled guests give their slots back.
        for _ in 0..2 {
            let jobs: Vec<_> = (0..world.sandbox.slots()).map(|_| job(&module)).collect();
            let reports: Vec<_> = jobs.iter().map(|job| world.start(job.clone())).collect();
            for job in jobs {
                world.sandbox.cancel(job.task);
            }
            for report in reports {
                assert!(
                    report.recv_timeout(PATIENCE).is_err(),
                    "a cancelled task reports nothing"
                );
            }
        }
        world.still_runs();
    }
}

#[test]
fn heartbeat_keeps_a_guest_alive_until_its_deadline() {
    let world = World::new();
    let mut job = job(&world.module("heartbeat"));
    job.heartbeat_seconds = Some(1);
    job.deadline = Some(in_time(Duration::from_millis(1500)));
    assert_eq!(world.run(job).outcome, Outcome::TimedOut(TimeoutKind::Deadline));
}

#[test]
fn lies_are_invalid_output() {
    let world = World::new();
    for name in ["lie_utf8", "lie_pointer", "lie_result", "lie_json", "lie_realloc"] {
        let cause = world.fails(job(&world.module(name)), "Sandbox.InvalidOutput");
        if name == "lie_json" {
            assert!(cause.contains("`not JSON!`"), "{cause}");
        }
    }
}

#[test]
fn trap_says_where() {
    let world = World::new();
    let cause = world.fails(job(&world.module("trap")), "Sandbox.Trapped");
    assert!(cause.contains("unreachable") && cause.contains("at inner"), "{cause}");
}

#[test]
fn stderr_trap_says_what_the_guest_said() {
    let world = World::new();
    let cause = world.fails(job(&world.module("stderr_trap")), "Sandbox.Trapped");
    assert!(cause.ends_with("standard error:\nthe disk is made of\nc"), "{cause}");
}

#[test]
fn panic_has_its_message_as_cause() {
    let world = World::new();
    let cause = world.fails(job(&world.module("panic")), "Panic");
    assert_eq!(cause, "boom at src/lib.rs:7:1");
}

#[test]
fn exit_is_no_answer() {
    let world = World::new();
    let cause = world.fails(job(&world.module("exit")), "Sandbox.Exited");
    assert!(cause.contains("a failing status"), "{cause}");
}

#[test]
fn task_error_is_the_guests_own() {
    let world = World::new();
    let cause = world.fails(job(&world.module("task_error")), "OutOfStock");
    assert_eq!(cause, "no pen left!");
}

#[test]
fn a_module_nobody_uploaded_is_a_failure_of_its_task() {
    let world = World::new();
    for digest in [format!("sha256:{:064x}", 1), "sha256:../../etc/passwd".to_owned()] {
        world.fails(job(&engine::ids::Digest(digest.into())), "Sandbox.ModuleNotLoaded");
    }
}

#[test]
fn no_guest_without_a_test() {
    let sources = [
        include_str!("adversaries.rs"),
        include_str!("uploads.rs"),
        include_str!("tasks.rs"),
    ]
    .concat();
    for entry in std::fs::read_dir(guests()).expect("the folder of guests") {
        let path = entry.expect("readable").path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("guests have plain names");
        assert!(
            sources.contains(&format!("\"{name}\"")),
            "no test runs the guest `{name}`"
        );
    }
}
