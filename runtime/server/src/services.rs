//! Tasks that ask this server itself: nested executions, and the API's own operations.

mod sdk;
mod start_execution;

pub(crate) use start_execution::starter;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asl::{Attempt, Failure, Payload};
use engine::ids::TaskId;
use engine::input::{Input, Release};
use engine::output::TaskRequest;
use engine::ports::{Outcome, Report};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::aws::resource::Waits;
use crate::driver::{Mailbox, Message};
use crate::handle::{Handle, WeakHandle};
use crate::http_task::{self, Watch};

/// What a task asks of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    /// `states:startExecution`, and what the task waits for.
    StartExecution(Waits),
    /// `aws-sdk:sfn:<operation>`, the operation in camelCase.
    Sdk(String),
    /// `http:invoke`.
    Http,
}

/// Asks this server once for a task of no execution's, which is over with the answer.
pub(crate) async fn once(
    handle: &Handle,
    request: &TaskRequest,
    service: Service,
    watch: Option<Watch<'_>>,
) -> Result<Payload, Failure> {
    match service {
        // what is asked for may be such a task again
        Service::Sdk(operation) => Box::pin(sdk::run(handle, request, &operation)).await,
        Service::Http => http_task::run(handle, request, watch).await,
        Service::StartExecution(_) => start_execution::once(handle, request).await,
    }
}

/// The tasks under way, each in a task of the async runtime.
#[derive(Clone)]
pub(crate) struct Services {
    runtime: runtime::Handle,
    mailbox: Mailbox,
    handle: Arc<Mutex<Option<WeakHandle>>>,
    under_way: Arc<Mutex<HashMap<TaskId, oneshot::Sender<Fate>>>>,
}

/// Why a task under way isn't wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its state is over: what it began elsewhere ends with it.
    Over,
    /// It will be asked for again: what it waits for goes on.
    Forgotten,
}

impl Services {
    pub(crate) fn new(runtime: runtime::Handle, mailbox: Mailbox) -> Self {
        Self {
            runtime,
            mailbox,
            handle: Arc::default(),
            under_way: Arc::default(),
        }
    }

    /// The server that answers; tasks before this is known wait for the next start.
    pub(crate) fn attach(&self, handle: &Handle) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.downgrade());
    }

    /// Begins a task. One that is under way goes on.
    pub(crate) fn run(&self, request: TaskRequest, service: Service) {
        let task = request.task;
        self.release(task, Release::Elsewhere, None);
        let mut under_way = self.under_way();
        if under_way.contains_key(&task) {
            return;
        }
        let this = self.clone();
        let (sender, fate) = oneshot::channel();
        under_way.insert(task, sender);
        drop(under_way);
        self.runtime.spawn(async move {
            let handle = this.handle.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(handle) = handle.as_ref().and_then(WeakHandle::upgrade) else {
                return;
            };
            let outcome = match service {
                Service::StartExecution(waits) => start_execution::run(&this, &handle, &request, waits, fate).await,
                Service::Sdk(operation) => tokio::select! {
                    outcome = sdk::run(&handle, &request, &operation) => Some(outcome),
                    _ = fate => None,
                },
                Service::Http => tokio::select! {
                    outcome = http_task::run(&handle, &request, None) => Some(outcome),
                    _ = fate => None,
                },
            };
            if let Some(outcome) = outcome {
                this.under_way().remove(&task);
                this.report(task, outcome);
            }
        });
    }

    /// Ends a task nobody wants any more.
    pub(crate) fn cancel(&self, task: TaskId) {
        self.end(task, Fate::Over);
    }

    /// Ends a task that will be asked for again: what it waits for goes on.
    pub(crate) fn forget(&self, task: TaskId) {
        self.end(task, Fate::Forgotten);
    }

    fn end(&self, task: TaskId, fate: Fate) {
        if let Some(under_way) = self.under_way().remove(&task) {
            // one that has just ended by itself doesn't listen
            let _ = under_way.send(fate);
        }
    }

    fn release(&self, task: TaskId, release: Release, submitted: Option<Payload>) {
        self.mailbox.send(Message::Input(Input::TaskReleased {
            task,
            release,
            submitted,
        }));
    }

    fn report(&self, task: TaskId, outcome: Result<Payload, Failure>) {
        let report = Report {
            outcome: match outcome {
                Ok(output) => Outcome::Succeeded(output),
                Err(failure) => Outcome::Failed(failure),
            },
            attempt: Attempt::default(),
        };
        self.mailbox.send(Message::Input(Input::TaskDone { task, report }));
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<TaskId, oneshot::Sender<Fate>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
