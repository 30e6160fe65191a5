//! Attempts on their way to the runner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use asl::{Attempt, Failure, Payload};
use engine::ids::{Digest, TaskId};
use engine::input::{Input, Release};
use engine::output::TaskRequest;
use engine::ports::{Class, Job, Outcome, Report, Resources, SharedRunner};

use super::known::Known;
use super::{Mailbox, Message};
use crate::activities::{Activities, Queued};
use crate::aws::lambda::{self, Invocation};
use crate::aws::resource::{self, Asked, Resource};
use crate::aws::wasm;
use crate::modules::{self, Found, ModuleReference, Modules, Readiness, Version};
use crate::services::{Service, Services};

/// Finds the component an attempt asks for and hands both to the sandbox.
pub(crate) struct Runner {
    runner: SharedRunner,
    modules: Arc<Modules>,
    mailbox: Mailbox,
    /// Attempts whose module is still being compiled after a start of the process.
    parked: HashMap<Digest, Vec<Ready>>,
    running: HashSet<TaskId>,
    activities: Arc<Activities>,
    services: Services,
}

/// A job, and the shape its task wants the result in.
struct Ready {
    job: Job,
    result: Shape,
    /// Of its module.
    version: u32,
    /// Whether its answer is made of its input alone.
    pure: bool,
}

#[derive(Clone, Copy)]
enum Shape {
    /// What the module returned.
    Plain,
    /// The same, and the task goes on until its token comes back.
    PlainWithToken,
    /// The answer of Lambda's Invoke around it, with the version that ran where the task said which.
    LambdaInvoke(Option<u32>),
    /// The same, and the task goes on until its token comes back.
    LambdaInvokeWithToken(Option<u32>),
}

/// Where an attempt goes.
enum Place {
    /// Into the sandbox.
    Sandbox(Box<Ready>),
    /// To a worker of this activity.
    Activity(String),
    /// To this server itself.
    Service(Service),
    /// Nowhere: its request was made, and somebody has its token.
    Callback,
}

impl Runner {
    pub(crate) fn new(
        runner: SharedRunner,
        modules: Arc<Modules>,
        mailbox: Mailbox,
        activities: Arc<Activities>,
        services: Services,
    ) -> Self {
        Self {
            activities,
            services,
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

    /// What tasks may be scheduled on.
    pub(super) fn resources(&self) -> Arc<dyn Resources> {
        Arc::new(Known {
            activities: Arc::clone(&self.activities),
            modules: Arc::clone(&self.modules),
        })
    }

    pub(super) fn run(&mut self, request: TaskRequest) {
        let task = request.task;
        self.running.insert(task);
        match Self::prepare(&self.modules, &request) {
            Ok(Place::Sandbox(ready)) => self.run_when_ready(*ready),
            // a worker has it already
            Ok(Place::Activity(_)) if request.started => self.release(task, Release::Callback),
            Ok(Place::Activity(name)) => {
                self.release(task, Release::Queued);
                let input = request.parameters;
                self.activities.put(&name, Queued { task, input });
            }
            Ok(Place::Service(service)) => self.services.run(request, service),
            Ok(Place::Callback) => self.release(task, Release::Callback),
            Err(failure) => self.fail(task, failure),
        }
    }

    fn release(&self, task: TaskId, release: Release) {
        self.mailbox.send(Message::Input(Input::TaskReleased {
            task,
            release,
            submitted: None,
        }));
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
        self.activities.withdraw(task);
        self.services.cancel(task);
        self.runner.cancel(task);
    }

    /// Stops an attempt that will be asked for again.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.services.forget(task);
        self.cancel(task);
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

    fn prepare(modules: &Modules, request: &TaskRequest) -> Result<Place, Failure> {
        match resource::parse(&request.resource).map_err(resource::refused)? {
            Asked::Module(asked) => {
                let found = modules.find(settled(asked, request));
                let found = found.map_err(|failure| resource::not_found(asked.form, failure))?;
                let input = request.parameters.clone();
                Self::ready(modules, request, asked, found, input, Shape::Plain)
            }
            Asked::StartExecution(waits) => Ok(Place::Service(Service::StartExecution(waits))),
            Asked::Sdk(operation) => Ok(Place::Service(Service::Sdk(operation.to_owned()))),
            Asked::Http => Ok(Place::Service(Service::Http)),
            Asked::Activity(name) => Ok(Place::Activity(name.to_owned())),
            Asked::LambdaInvoke { token: true } | Asked::WasmInvoke { token: true } if request.submitted => {
                Ok(Place::Callback)
            }
            Asked::WasmInvoke { token } => {
                let invocation = wasm::Invocation::read(&request.parameters)?;
                let asked = invocation.module()?;
                let mut found = modules.find(settled(asked, request))?;
                found.limits = invocation.limits(found.limits);
                let shape = if token { Shape::PlainWithToken } else { Shape::Plain };
                Self::ready(modules, request, asked, found, invocation.payload.clone(), shape)
            }
            Asked::LambdaInvoke { token } => {
                let invocation = Invocation::read(&request.parameters)?;
                let asked = invocation.module(&request.machine)?;
                let found = modules.find(settled(asked, request));
                let found = found.map_err(|_| invocation.not_found(&request.machine))?;
                let said = (asked.module.version != Version::Newest).then_some(found.record.version);
                let shape = if token {
                    Shape::LambdaInvokeWithToken(said)
                } else {
                    Shape::LambdaInvoke(said)
                };
                Self::ready(modules, request, asked, found, invocation.payload.clone(), shape)
            }
        }
    }

    fn ready(
        modules: &Modules,
        request: &TaskRequest,
        asked: Resource<'_>,
        found: Found,
        input: Payload,
        result: Shape,
    ) -> Result<Place, Failure> {
        let (granted, limits) = modules.grant(&found)?;
        let record = found.record;
        let job = Job {
            task: request.task,
            module: record.digest.clone(),
            function: asked.function.map(str::to_owned),
            limits,
            granted,
            input,
            execution: request.execution.clone(),
            machine: request.machine.clone(),
            state: request.state.clone(),
            retry_count: request.retry_count,
            deadline: request.deadline,
            heartbeat_seconds: request.heartbeat_seconds,
        };
        Ok(Place::Sandbox(Box::new(Ready {
            job,
            result,
            version: record.version,
            pure: record.description.class() == Class::Pure,
        })))
    }

    fn run_when_ready(&mut self, ready: Ready) {
        if matches!(self.modules.readiness(&ready.job.module), Readiness::Ready)
            && self.modules.has_to_be_compiled(&ready.job.module)
        {
            self.compile(ready.job.module.clone());
        }
        let Ready {
            job,
            result,
            version,
            pure,
        } = ready;
        match self.modules.readiness(&job.module) {
            Readiness::Ready => {
                let (task, mailbox, retry_count) = (job.task, self.mailbox.clone(), job.retry_count);
                let done = move |mut report: Report| {
                    report.attempt.version = Some(version);
                    if pure {
                        modules::note(&mut report, retry_count);
                    }
                    let report = shaped(report, result);
                    mailbox.send(Message::Input(match (result, report.outcome) {
                        (Shape::LambdaInvokeWithToken(_) | Shape::PlainWithToken, Outcome::Succeeded(answer)) => {
                            Input::TaskReleased {
                                task,
                                release: Release::Callback,
                                submitted: Some(answer),
                            }
                        }
                        (_, outcome) => {
                            let report = Report { outcome, ..report };
                            Input::TaskDone { task, report }
                        }
                    }));
                };
                self.runner.run(job, Box::new(done));
            }
            Readiness::Compiling => {
                self.parked.entry(job.module.clone()).or_default().push(Ready {
                    job,
                    result,
                    version,
                    pure,
                });
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

    /// Compiles a component whose code has made room for others, beside the loop.
    fn compile(&self, module: Digest) {
        let (modules, mailbox) = (Arc::clone(&self.modules), self.mailbox.clone());
        let compile = move || {
            modules.make_ready(&module, &module.0);
            mailbox.send(Message::ModuleReady(module));
        };
        if let Err(error) = std::thread::Builder::new().name("compile".to_owned()).spawn(compile) {
            tracing::error!(%error, "can't start a thread to compile a module on; its tasks wait for the next start");
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

/// Runs a task that is no execution's, and so has no slot and no token. Answers what the server itself is asked for
/// instead, where it is.
pub(crate) fn run_alone(
    runner: &SharedRunner,
    modules: &Modules,
    request: &TaskRequest,
    done: Box<dyn FnOnce(Report) + Send>,
) -> Option<Service> {
    let failed = |failure| Report {
        outcome: Outcome::Failed(failure),
        attempt: Attempt::default(),
    };
    let unavailable = |cause| failed(Failure::new("Sandbox.ModuleUnavailable", cause));
    let Ready { job, result, .. } = match Runner::prepare(modules, request) {
        Ok(Place::Sandbox(ready)) => *ready,
        Ok(Place::Service(service)) => return Some(service),
        Ok(Place::Activity(_) | Place::Callback) => {
            let cause = format!(
                "the task `{}` ends when somebody hands its token back, and has none here",
                request.resource
            );
            done(failed(Failure::new("States.Runtime", cause)));
            return None;
        }
        Err(failure) => {
            done(failed(failure));
            return None;
        }
    };
    match modules.readiness(&job.module) {
        Readiness::Ready => runner.run(job, Box::new(move |report| done(shaped(report, result)))),
        Readiness::Compiling => {
            let cause = format!("module `{}` is still being compiled; try again in a minute", job.module);
            done(unavailable(cause));
        }
        Readiness::Failed(error) => {
            let cause = format!(
                "module `{}` can't be compiled any more: {error}; {}",
                job.module, error.hint
            );
            done(unavailable(cause));
        }
    }
    None
}

/// The module that is meant, in the version that was settled when the attempt got its slot.
fn settled<'a>(asked: Resource<'a>, request: &TaskRequest) -> ModuleReference<'a> {
    let version = request.version.map_or(asked.module.version, Version::Number);
    ModuleReference {
        version,
        ..asked.module
    }
}

fn shaped(report: Report, result: Shape) -> Report {
    match (result, report.outcome) {
        (Shape::LambdaInvoke(version) | Shape::LambdaInvokeWithToken(version), Outcome::Succeeded(output)) => Report {
            outcome: Outcome::Succeeded(lambda::answer(&output, version)),
            attempt: report.attempt,
        },
        (_, outcome) => Report {
            outcome,
            attempt: report.attempt,
        },
    }
}
