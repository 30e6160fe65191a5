//! Attempts on their way to the runner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use asl::{Attempt, Failure, Payload};
use engine::ids::{Digest, TaskId};
use engine::input::Input;
use engine::output::TaskRequest;
use engine::ports::{Job, Outcome, Report, SharedRunner};

use super::{Mailbox, Message};
use crate::aws::lambda::{self, Invocation};
use crate::aws::resource::{self, Asked, Resource};
use crate::modules::{Found, Modules, Readiness};

/// Finds the component an attempt asks for and hands both to the sandbox.
pub(crate) struct Runner {
    runner: SharedRunner,
    modules: Arc<Modules>,
    mailbox: Mailbox,
    /// Attempts whose module is still being compiled after a start of the process.
    parked: HashMap<Digest, Vec<Ready>>,
    running: HashSet<TaskId>,
}

/// A job, and the shape its task wants the result in.
struct Ready {
    job: Job,
    result: Shape,
}

#[derive(Clone, Copy)]
enum Shape {
    /// What the module returned.
    Plain,
    /// The answer of Lambda's Invoke around it.
    LambdaInvoke,
}

impl Runner {
    pub(crate) fn new(runner: SharedRunner, modules: Arc<Modules>, mailbox: Mailbox) -> Self {
        Self {
            runner,
            modules,
            mailbox,
            parked: HashMap::new(),
            running: HashSet::new(),
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.runner.slots()
    }

    pub(super) fn run(&mut self, request: TaskRequest) {
        let task = request.task;
        self.running.insert(task);
        match self.prepare(request) {
            Ok(ready) => self.run_when_ready(ready),
            Err(failure) => self.fail(task, failure),
        }
    }

    /// The code of a module is at hand, or can't be had.
    pub(super) fn module_ready(&mut self, digest: &Digest) {
        for ready in self.parked.remove(digest).unwrap_or_default() {
            self.run_when_ready(ready);
        }
    }

    pub(super) fn cancel(&mut self, task: TaskId) {
        self.running.remove(&task);
        for parked in self.parked.values_mut() {
            if let Some(place) = parked.iter().position(|ready| ready.job.task == task) {
                parked.swap_remove(place);
                return;
            }
        }
        self.runner.cancel(task);
    }

    /// An attempt's end was heard.
    pub(super) fn ended(&mut self, task: TaskId) {
        self.running.remove(&task);
    }

    pub(super) fn cancel_all(&mut self) {
        self.parked.clear();
        for task in self.running.drain() {
            self.runner.cancel(task);
        }
    }

    fn prepare(&self, request: TaskRequest) -> Result<Ready, Failure> {
        match resource::parse(&request.resource).map_err(resource::refused)? {
            Asked::Module(asked) => {
                let found = self.modules.find(asked.module);
                let found = found.map_err(|failure| resource::not_found(asked.form, failure))?;
                let input = request.parameters.clone();
                Self::ready(&request, asked, found, input, Shape::Plain)
            }
            Asked::LambdaInvoke => {
                let invocation = Invocation::read(&request.parameters)?;
                let asked = invocation.module(&request.machine)?;
                let found = self.modules.find(asked.module);
                let found = found.map_err(|_| invocation.not_found(&request.machine))?;
                Self::ready(&request, asked, found, invocation.payload.clone(), Shape::LambdaInvoke)
            }
        }
    }

    fn ready(
        request: &TaskRequest,
        asked: Resource<'_>,
        found: Found,
        input: Payload,
        result: Shape,
    ) -> Result<Ready, Failure> {
        if let Some(function) = asked.function {
            return Err(Failure::new(
                "Sandbox.FunctionNotFound",
                format!(
                    "`{}` names the function `{function}`, and module `{}` is called through its entry `{}`; \
                     leave `#{function}` out",
                    request.resource, asked.module.name, found.entry
                ),
            ));
        }
        let job = Job {
            task: request.task,
            module: found.digest,
            limits: found.limits,
            input,
            execution: request.execution.clone(),
            machine: request.machine.clone(),
            state: request.state.clone(),
            retry_count: request.retry_count,
            deadline: request.deadline,
            heartbeat_seconds: request.heartbeat_seconds,
        };
        Ok(Ready { job, result })
    }

    fn run_when_ready(&mut self, Ready { job, result }: Ready) {
        match self.modules.readiness(&job.module) {
            Readiness::Ready => {
                let (task, mailbox) = (job.task, self.mailbox.clone());
                let done = move |report: Report| {
                    let report = shaped(report, result);
                    mailbox.send(Message::Input(Input::TaskDone { task, report }));
                };
                self.runner.run(job, Box::new(done));
            }
            Readiness::Compiling => {
                self.parked
                    .entry(job.module.clone())
                    .or_default()
                    .push(Ready { job, result });
            }
            Readiness::Failed(error) => {
                let cause = format!(
                    "module `{}` can't be compiled any more: {error}; {}",
                    job.module, error.hint
                );
                self.fail(job.task, Failure::new("Sandbox.ModuleUnavailable", cause));
            }
        }
    }

    fn fail(&self, task: TaskId, failure: Failure) {
        let report = Report {
            outcome: Outcome::Failed(failure),
            attempt: Attempt::default(),
        };
        self.mailbox.send(Message::Input(Input::TaskDone { task, report }));
    }
}

fn shaped(report: Report, result: Shape) -> Report {
    match (result, report.outcome) {
        (Shape::LambdaInvoke, Outcome::Succeeded(output)) => Report {
            outcome: Outcome::Succeeded(lambda::answer(&output)),
            attempt: report.attempt,
        },
        (_, outcome) => Report {
            outcome,
            attempt: report.attempt,
        },
    }
}
