//! Attempts on their way to the runner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use asl::{Attempt, Failure};
use engine::ids::{Digest, TaskId};
use engine::input::Input;
use engine::output::TaskRequest;
use engine::ports::{Job, Outcome, Report, SharedRunner};

use super::{Mailbox, Message};
use crate::aws::resource;
use crate::modules::{Modules, Readiness};

/// Finds the component an attempt asks for and hands both to the sandbox.
pub(crate) struct Runner {
    runner: SharedRunner,
    modules: Arc<Modules>,
    mailbox: Mailbox,
    /// Attempts whose module is still being compiled after a start of the process.
    parked: HashMap<Digest, Vec<Job>>,
    running: HashSet<TaskId>,
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
        match self.job(request) {
            Ok(job) => self.run_when_ready(job),
            Err(failure) => self.fail(task, failure),
        }
    }

    /// The code of a module is at hand, or can't be had.
    pub(super) fn module_ready(&mut self, digest: &Digest) {
        for job in self.parked.remove(digest).unwrap_or_default() {
            self.run_when_ready(job);
        }
    }

    pub(super) fn cancel(&mut self, task: TaskId) {
        self.running.remove(&task);
        for parked in self.parked.values_mut() {
            if let Some(place) = parked.iter().position(|job| job.task == task) {
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

    fn job(&self, request: TaskRequest) -> Result<Job, Failure> {
        let asked = resource::parse(&request.resource).map_err(resource::refused)?;
        let found = self
            .modules
            .find(asked.module)
            .map_err(|failure| resource::not_found(asked.form, failure))?;
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
        Ok(Job {
            task: request.task,
            module: found.digest,
            limits: found.limits,
            input: request.parameters,
            execution: request.execution,
            machine: request.machine,
            state: request.state,
            retry_count: request.retry_count,
            deadline: request.deadline,
            heartbeat_seconds: request.heartbeat_seconds,
        })
    }

    fn run_when_ready(&mut self, job: Job) {
        match self.modules.readiness(&job.module) {
            Readiness::Ready => {
                let (task, mailbox) = (job.task, self.mailbox.clone());
                let done = move |report| mailbox.send(Message::Input(Input::TaskDone { task, report }));
                self.runner.run(job, Box::new(done));
            }
            Readiness::Compiling => self.parked.entry(job.module.clone()).or_default().push(job),
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
