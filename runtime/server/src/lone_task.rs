//! Tasks of no execution: what TestState runs for real.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asl::trial::TaskWanted;
use asl::{Failure, TaskOutcome, TimeoutKind};
use engine::ids::{ExecutionId, TaskId};
use engine::output::TaskRequest;
use engine::ports::{Outcome, Report, SharedRunner};
use tokio::sync::{Semaphore, oneshot};

use crate::clock;
use crate::driver;
use crate::handle::Handle;
use crate::http_task::Watch;
use crate::modules::Modules;
use crate::services;

/// Tests that run a task at once. They have no slot of the engine's: the runner keeps room for as many attempts more
/// than it has slots for as it has threads, and this is less than that on any machine worth the name.
const AT_ONCE: usize = 2;
/// What guests are told as the name of their machine and of their execution.
const MACHINE: &str = "test";

/// Runs tasks one by one, with nothing recorded.
pub(crate) struct LoneTasks {
    runner: SharedRunner,
    modules: Arc<Modules>,
    permits: Semaphore,
    begun: AtomicU64,
}

/// Stops an attempt whose caller went away.
struct Stop {
    runner: SharedRunner,
    task: TaskId,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.runner.cancel(self.task);
    }
}

impl LoneTasks {
    pub(crate) fn new(runner: SharedRunner, modules: Arc<Modules>) -> Self {
        Self {
            runner,
            modules,
            permits: Semaphore::new(AT_ONCE),
            begun: AtomicU64::new(0),
        }
    }

    /// Runs a task to its end, for `limit_seconds` at most.
    pub(crate) async fn run(
        &self,
        handle: &Handle,
        wanted: TaskWanted,
        limit_seconds: u64,
        watch: Option<Watch<'_>>,
    ) -> TaskOutcome {
        let task = TaskId {
            // executions are numbered upwards from 1 and never come this far
            execution: ExecutionId(u64::MAX),
            scheduled_at: self.begun.fetch_add(1, Ordering::Relaxed),
        };
        let namespace = &handle.inner().namespace;
        let seconds = wanted.timeout_seconds.unwrap_or(limit_seconds).min(limit_seconds);
        let request = TaskRequest {
            task,
            resource: wanted.resource,
            parameters: wanted.parameters,
            execution: namespace.express_execution(MACHINE, MACHINE).into(),
            machine: namespace.machine(MACHINE).into(),
            state: wanted.state.into(),
            retry_count: 0,
            deadline: Some(clock::now().plus_seconds(seconds as f64)),
            heartbeat_seconds: wanted.heartbeat_seconds,
            started: false,
            submitted: false,
            version: None,
        };
        let (sender, receiver) = oneshot::channel();
        let done = move |report| {
            // nobody listens when the caller has gone
            let _ = sender.send(report);
        };
        let _stop = Stop {
            runner: Arc::clone(&self.runner),
            task,
        };
        let Ok(permit) = self.permits.acquire().await else {
            return TaskOutcome::Failed(stopping());
        };
        if let Some(service) = driver::run_alone(&self.runner, &self.modules, &request, Box::new(done)) {
            drop(permit);
            let asked = services::once(handle, &request, service, watch);
            return match tokio::time::timeout(Duration::from_secs(seconds), asked).await {
                Ok(Ok(output)) => TaskOutcome::Succeeded(output),
                Ok(Err(failure)) => TaskOutcome::Failed(failure),
                Err(_) => TaskOutcome::TimedOut(TimeoutKind::Deadline),
            };
        }
        match receiver.await {
            Ok(Report {
                outcome: Outcome::Succeeded(output),
                ..
            }) => TaskOutcome::Succeeded(output),
            Ok(Report {
                outcome: Outcome::Failed(failure),
                ..
            }) => TaskOutcome::Failed(failure),
            Ok(Report {
                outcome: Outcome::TimedOut(timeout),
                ..
            }) => TaskOutcome::TimedOut(timeout),
            Err(_) => TaskOutcome::Failed(stopping()),
        }
    }
}

fn stopping() -> Failure {
    Failure::new(
        "Sandbox.HostRestarted",
        "the server is stopping; test the state again once it is back",
    )
}
