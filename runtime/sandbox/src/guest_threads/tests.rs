use std::sync::mpsc;
use std::time::Duration;

use asl::Payload;
use engine::ids::{Digest, ExecutionId};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn threads() -> GuestThreads {
    GuestThreads::start(wasmtime::Engine::default(), 1).expect("a thread")
}

pub(super) fn job() -> Job {
    Job {
        task: TaskId {
            execution: ExecutionId(1),
            scheduled_at: 2,
        },
        module: Digest("sha256:none".into()),
        function: None,
        granted: None,
        limits: TaskLimits::default(),
        input: Payload::null(),
        execution: "".into(),
        machine: "".into(),
        state: "".into(),
        retry_count: 0,
        deadline: None,
        heartbeat_seconds: None,
    }
}

fn run<F>(threads: &GuestThreads, guest: F) -> mpsc::Receiver<Report>
where
    F: Future<Output = Finished> + Send + 'static,
{
    let (done, report) = mpsc::channel();
    let done = Box::new(move |report| drop(done.send(report)));
    let guest = Box::pin(guest);
    threads.run(job(), TaskLimits::default(), done, |_| guest);
    report
}

#[test]
fn a_panic_of_ours_is_a_failure_of_one_attempt() {
    let threads = threads();
    let report = run(&threads, async { panic!("a bug") })
        .recv_timeout(PATIENCE)
        .expect("a report");
    let Outcome::Failed(failure) = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert_eq!(failure.error.as_deref(), Some("Sandbox.InternalError"));
    assert!(failure.cause.is_some_and(|cause| cause.contains("`a bug`")));
    let null = || Outcome::Succeeded(Payload::null());
    let report = run(&threads, async move {
        Finished {
            outcome: null(),
            fuel: None,
        }
    });
    assert_eq!(report.recv_timeout(PATIENCE).expect("a report").outcome, null());
    assert!(threads.common.open().is_empty());
}

#[test]
fn cancelling_drops_a_guest_that_waits_for_ever() {
    let threads = threads();
    let (dropped, saw_drop) = mpsc::channel::<()>();
    let (polled, saw_poll) = mpsc::channel();
    let report = run(&threads, async move {
        let _alive = dropped;
        polled.send(()).expect("the test waits");
        std::future::pending().await
    });
    saw_poll.recv_timeout(PATIENCE).expect("the guest ran");
    threads.cancel(job().task);
    assert_eq!(
        saw_drop.recv_timeout(PATIENCE),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
    assert_eq!(
        report.recv_timeout(PATIENCE).map(drop),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
}

#[test]
fn who_is_cancelled_before_its_turn_never_runs() {
    let threads = threads();
    let (go, held) = mpsc::channel::<()>();
    let first = run(&threads, async move {
        // The only thread.
        let _ = held.recv();
        Finished {
            outcome: Outcome::Succeeded(Payload::null()),
            fuel: None,
        }
    });
    let mut second = job();
    second.task.scheduled_at += 1;
    let task = second.task;
    let (made, saw_making) = mpsc::channel::<()>();
    let reported = made.clone();
    let done = Box::new(move |_| reported.send(()).unwrap_or_default());
    threads.run(second, TaskLimits::default(), done, move |_| {
        let _ = made.send(());
        std::future::pending()
    });
    threads.cancel(task);
    go.send(()).expect("the first one waits");
    first.recv_timeout(PATIENCE).expect("a report");
    assert_eq!(
        saw_making.recv_timeout(PATIENCE),
        Err(mpsc::RecvTimeoutError::Disconnected),
        "neither made nor reported"
    );
    assert!(threads.common.open().is_empty());
}
