//! Tells of executions, step by step, to those who keep what they hear: logs.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use asl::{Event, EventKind};
use engine::batch::Start;
use engine::ids::{ExecutionId, MachineId};
use engine::ports::{Reader, StoreError};
use serde_json::Value;

use super::hook::Gain;
use super::logged::Logged;
use super::ongoing::Ongoing;
use crate::aws::arn::{Namespace, unlabelled};
use crate::execution_logs::{Logging, Writer};
use crate::machines::Machines;

/// Executions of Express machines that were started through a version and haven't moved: the start is heard of first.
const MOST_ORIGINS: usize = 65_536;

/// Where the past and the names of executions are looked up.
pub(crate) struct Archive {
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) machines: Arc<Machines>,
    pub(crate) namespace: Namespace,
}

/// Tells of executions.
pub(crate) struct Chronicle {
    archive: Archive,
    logs: Option<Writer>,
    ongoing: Ongoing<Tale>,
    /// Through which version Express executions were started, by their ARN.
    origins: HashMap<String, u32>,
}

/// What is told of one execution.
struct Tale {
    /// How many of its events were heard.
    position: u64,
    /// Whether its past is on disk.
    recorded: bool,
    logged: Option<Box<Logged>>,
}

/// What an execution is an execution of.
struct Subject<'a> {
    execution: ExecutionId,
    arn: &'a str,
    /// The name its events show.
    machine: &'a str,
    id: Option<MachineId>,
    version: Option<u32>,
}

impl Chronicle {
    /// Told to these.
    pub(crate) fn new(archive: Archive, logs: Option<Writer>) -> Self {
        Self {
            archive,
            logs,
            ongoing: Ongoing::new(),
            origins: HashMap::new(),
        }
    }

    /// An Express execution's start is on disk; its events come beside the journal.
    pub(super) fn starts(&mut self, gain: &Gain<'_>) {
        let version = gain
            .start
            .and_then(|start| start.origin.as_ref())
            .map(|origin| origin.version);
        if let (Some(version), Some(EventKind::ExecutionStarted { id, .. })) =
            (version, gain.events.first().map(|event| &event.kind))
            && self.listens()
            && self.origins.len() < MOST_ORIGINS
        {
            self.origins.insert(id.clone(), version);
        }
    }

    /// An execution has gained these events.
    pub(super) fn tell(&mut self, gain: &Gain<'_>) {
        if !self.listens() {
            return;
        }
        match self.tale(gain) {
            Ok(Some(mut tale)) => {
                tale.position += gain.events.len() as u64;
                if let (Some(logged), Some(writer)) = (&mut tale.logged, &self.logs)
                    && let Some(lines) = logged.tell(gain.events, &self.archive.namespace)
                {
                    writer.write(lines);
                }
                if gain.events.last().is_none_or(|event| event.kind.closes().is_none()) {
                    self.ongoing.put(gain.execution, tale, |tale| !tale.recorded);
                }
            }
            // One that went on unobserved, and whose past nobody has.
            Ok(None) => {}
            Err(error) => tracing::warn!(
                execution = gain.execution.0,
                %error,
                "an execution's past can't be read; logs miss what it does"
            ),
        }
    }

    /// Lets everybody finish what they were told.
    pub(super) fn end(self) {
        if let Some(writer) = self.logs {
            writer.finish();
        }
    }

    fn listens(&self) -> bool {
        self.logs.is_some()
    }

    /// What was told before these events.
    fn tale(&mut self, gain: &Gain<'_>) -> Result<Option<Tale>, StoreError> {
        let known = self.ongoing.take(gain.execution);
        if let Some(first) = gain.events.first()
            && let Some((arn, machine)) = begins(first)
        {
            let origin = |start: &Start| start.origin.as_ref().map(|origin| origin.version);
            let subject = Subject {
                execution: gain.execution,
                arn,
                machine,
                id: gain.start.map(|start| start.machine),
                version: gain.start.and_then(origin).or_else(|| self.origins.remove(arn)),
            };
            return Ok(Some(self.begin(&subject, gain.from.is_some())));
        }
        match (known, gain.from) {
            (Some(tale), Some(from)) if tale.position == from => Ok(Some(tale)),
            (Some(tale), None) => Ok(Some(tale)),
            (None, None) => Ok(None),
            (_, Some(from)) => self.learn(gain.execution, from),
        }
    }

    fn begin(&self, subject: &Subject<'_>, recorded: bool) -> Tale {
        let configuration = self.configuration(subject);
        let logging = configuration.as_ref().and_then(Logging::of);
        let logged = logging.filter(|_| self.logs.is_some()).map(|logging| {
            let machine = unlabelled(subject.machine);
            Box::new(Logged::new(logging, subject.execution, subject.arn, machine))
        });
        Tale {
            position: 0,
            recorded,
            logged,
        }
    }

    /// Reads what an execution did before.
    fn learn(&self, execution: ExecutionId, until: u64) -> Result<Option<Tale>, StoreError> {
        let Some(record) = self.archive.reader.execution(execution)? else {
            return Ok(None);
        };
        let mut tale: Option<Tale> = None;
        self.archive.reader.visit_journal(execution, 0, &mut |event| {
            if tale.is_none() {
                tale = begins(&event).map(|(arn, machine)| {
                    let subject = Subject {
                        execution,
                        arn,
                        machine,
                        id: Some(record.machine),
                        version: record.origin.as_ref().map(|origin| origin.version),
                    };
                    self.begin(&subject, true)
                });
            }
            let Some(tale) = &mut tale else {
                return ControlFlow::Break(());
            };
            let Some(logged) = &mut tale.logged else {
                tale.position = until;
                return ControlFlow::Break(());
            };
            if tale.position >= until {
                return ControlFlow::Break(());
            }
            tale.position += 1;
            logged.learn(event);
            ControlFlow::Continue(())
        })?;
        Ok(tale)
    }

    /// What the machine, or the version of it, is configured to do.
    fn configuration(&self, subject: &Subject<'_>) -> Option<Value> {
        let machine = self.archive.machines.get(unlabelled(subject.machine))?;
        if subject.id.is_some_and(|id| id != machine.record.id) {
            return None;
        }
        let version = subject.version.and_then(|number| machine.versions.get(&number));
        let configuration = version.map_or(&machine.record.configuration, |version| &version.record.configuration);
        Some(configuration.clone())
    }
}

/// The ARN and the machine's name, where the event is an execution's first.
fn begins(event: &Event) -> Option<(&str, &str)> {
    match &event.kind {
        EventKind::ExecutionStarted { id, machine_name, .. } => Some((id, machine_name)),
        _ => None,
    }
}
