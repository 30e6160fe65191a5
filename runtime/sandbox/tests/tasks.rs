//! Tasks that do as they should.

mod world;

use asl::Payload;
use engine::ids::TaskId;
use engine::ports::{Outcome, TaskRunner};
use world::{World, input, job};

#[test]
fn an_answer_comes_with_what_it_cost() {
    let world = World::new();
    let echo = world.module("echo");
    let report = world.run(job(&echo));
    assert_eq!(report.outcome, Outcome::Succeeded(input()));
    let attempt = report.attempt;
    assert_eq!(attempt.module, Some(echo.0.clone()));
    assert_eq!(attempt.peak_memory, Some(2 << 20));
    assert!(attempt.micros.is_some() && attempt.log.is_empty());
    assert!(attempt.fuel.is_some_and(|fuel| fuel > 0 && fuel < 1000));
    assert_eq!(
        world.run(job(&echo)).attempt.fuel,
        attempt.fuel,
        "fuel is deterministic"
    );
}

#[test]
fn a_guest_knows_where_it_stands() {
    let world = World::new();
    let job = job(&world.module("context"));
    let report = world.run(job.clone());
    let key = Payload::from_text(format!("\"{}\"", job.task)).expect("JSON");
    assert_eq!(report.outcome, Outcome::Succeeded(key));
    assert_eq!(report.attempt.log.len(), 1);
    assert_eq!(
        (
            report.attempt.log[0].level.as_str(),
            report.attempt.log[0].message.as_str()
        ),
        ("warn", "Charge")
    );
}

#[test]
fn every_task_has_a_fresh_instance() {
    let world = World::new();
    let module = wat::parse_str(
        r#"(module (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0x30))
           (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
           (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32)
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 64) (i32.add (global.get $calls) (i32.load8_u (i32.const 65))))
             (i32.store8 (i32.const 65) (i32.const 1))
             (i32.store (i32.const 4) (i32.const 64)) (i32.store (i32.const 8) (i32.const 1)) (i32.const 0)))"#,
    )
    .expect("WAT");
    let counter = world.sandbox.prepare(&module).expect("a task").digest;
    for _ in 0..100 {
        assert_eq!(
            world.run(job(&counter)).outcome,
            Outcome::Succeeded(Payload::from_text("1").expect("JSON"))
        );
    }
}

#[test]
fn large_inputs_arrive() {
    let world = World::new();
    let mut job = job(&world.module("echo"));
    job.input = Payload::from_text(format!("\"{}\"", "é".repeat(500_000))).expect("JSON");
    assert_eq!(world.run(job.clone()).outcome, Outcome::Succeeded(job.input));
}

#[test]
fn many_tasks_at_once_all_report() {
    let world = World::new();
    let echo = world.module("echo");
    let jobs: Vec<_> = (0..8).map(|_| job(&echo)).collect();
    for _ in 0..200 {
        let reports: Vec<_> = jobs.iter().map(|job| world.start(job.clone())).collect();
        for report in reports {
            assert_eq!(
                report.recv_timeout(world::PATIENCE).expect("a report").outcome,
                Outcome::Succeeded(input())
            );
        }
    }
}

#[test]
fn a_sandbox_closes_over_guests_that_run() {
    let world = World::new();
    let guests = ["spin", "sleep"].map(|name| world.start(job(&world.module(name))));
    drop(world);
    for report in guests {
        assert!(report.recv_timeout(world::PATIENCE).is_err(), "nobody reports any more");
    }
}

#[test]
fn guests_wait_for_memory_that_others_have() {
    let directory = tempfile::TempDir::new().expect("temporary directory");
    let mut options = sandbox::Options::new(directory.path());
    options.slots = 8;
    options.guest_memory = 4 << 20;
    let sandbox = sandbox::Sandbox::open(options).expect("a sandbox");
    let world = World { sandbox, directory };
    // It grows to 1.5 MiB, so that one fits, a second one has the reserve, and the others wait.
    let grows = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 4)
          (global $heap (mut i32) (i32.const 65536))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (global.get $heap))
            (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
            (local.get $at))
          (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
            (drop (memory.grow (i32.const 20)))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const {NAP}))
            (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)))
            (i32.store8 (i32.const 1024) (i32.const 0))
            (i32.store (i32.const 1028) (local.get $input))
            (i32.store (i32.const 1032) (local.get $length))
            (i32.const 1024)))"#
    );
    let grows = wat::parse_str(grows).expect("WAT");
    let grows = world.sandbox.prepare(&grows).expect("a task");
    let reports: Vec<_> = (0..8).map(|_| world.start(job(&grows.digest))).collect();
    for report in reports {
        let report = report.recv_timeout(world::PATIENCE).expect("a report");
        assert_eq!(report.outcome, Outcome::Succeeded(input()));
    }
    // Nobody may have more than half of it, whatever was asked for.
    let mut job = job(&world.module("grow"));
    job.limits.memory = 1 << 30;
    let cause = world.fails(job, "Sandbox.MemoryExceeded");
    assert!(cause.contains("its limit is `2097152`"), "{cause}");
}

#[test]
fn attempts_under_way_say_when_their_guests_last_spoke() {
    let world = World::new();
    let (beating, silent) = (job(&world.module("heartbeat")), job(&world.module("sleep")));
    let tasks = [beating.task, silent.task];
    let under_way = |task: TaskId| world.sandbox.under_way(task.execution);
    let _reports = [world.start(beating), world.start(silent)];
    let patience = std::time::Instant::now() + world::PATIENCE;
    while under_way(tasks[0])[0].last_beat.is_none() {
        assert!(std::time::Instant::now() < patience, "it beats all the time");
        std::thread::yield_now();
    }
    let [beating, silent] = tasks.map(|task| under_way(task).remove(0));
    assert_eq!((&*beating.state, beating.task), ("Charge", tasks[0]));
    assert!(beating.last_beat < Some(world::PATIENCE) && beating.peak_memory > 0);
    assert_eq!((silent.task, silent.last_beat), (tasks[1], None));
    tasks.iter().for_each(|task| world.sandbox.cancel(*task));
    assert!(tasks.map(under_way).iter().all(Vec::is_empty));
}

/// How long a guest keeps its memory, in nanoseconds.
const NAP: u64 = 20_000_000;
