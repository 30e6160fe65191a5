//! Tells of executions, step by step, to those who keep what they hear: logs and traces.

use std::ops::ControlFlow;
use std::sync::Arc;

use asl::{Event, EventKind};
use engine::ids::{ExecutionId, MachineId};
use engine::ports::{Reader, StoreError};

use super::hook::Gain;
use super::logged::Logged;
use super::ongoing::Ongoing;
use crate::aws::arn::{Namespace, unlabelled};
use crate::execution_logs::{Logging, Writer};
use crate::machines::Machines;
use crate::traces::{self, Lineage, TraceParent, Traced};

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
    traces: Option<traces::Writer>,
    /// What the children of the latest Map Run are a part of.
    family: Option<(ExecutionId, Option<TraceParent>)>,
    ongoing: Ongoing<Tale>,
}

/// What is told of one execution.
struct Tale {
    /// How many of its events were heard.
    position: u64,
    /// Whether its past is on disk.
    recorded: bool,
    logged: Option<Box<Logged>>,
    traced: Option<Box<Traced>>,
}

/// What an execution is an execution of.
struct Subject {
    execution: ExecutionId,
    id: Option<MachineId>,
    version: Option<u32>,
    recorded: bool,
}

impl Chronicle {
    /// Told to these.
    pub(crate) fn new(archive: Archive, logs: Option<Writer>, traces: Option<traces::Writer>) -> Self {
        Self {
            archive,
            logs,
            traces,
            family: None,
            ongoing: Ongoing::new(),
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
                if let (Some(traced), Some(writer)) = (&mut tale.traced, &self.traces) {
                    let mut spans = Vec::new();
                    for event in gain.events {
                        traced.apply(event, &mut spans);
                    }
                    writer.write(spans);
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
                "an execution's past can't be read; logs and traces miss what it does"
            ),
        }
    }

    /// Lets everybody finish what they were told.
    pub(super) fn end(self) {
        if let Some(writer) = self.logs {
            writer.finish();
        }
        if let Some(writer) = self.traces {
            writer.finish();
        }
    }

    fn listens(&self) -> bool {
        self.logs.is_some() || self.traces.is_some()
    }

    /// What was told before these events.
    fn tale(&mut self, gain: &Gain<'_>) -> Result<Option<Tale>, StoreError> {
        let known = self.ongoing.take(gain.execution);
        if let Some(first) = gain.events.first()
            && begins(first).is_some()
        {
            let subject = Subject {
                execution: gain.execution,
                id: gain.start.map(|start| start.machine),
                version: gain.version,
                recorded: gain.from.is_some(),
            };
            let parent = self.parent(first)?;
            return Ok(self.begin(&subject, first, parent));
        }
        match (known, gain.from) {
            (Some(tale), Some(from)) if tale.position == from => Ok(Some(tale)),
            (Some(tale), None) => Ok(Some(tale)),
            (None, None) => Ok(None),
            (_, Some(from)) => self.learn(gain.execution, from),
        }
    }

    fn begin(&self, subject: &Subject, first: &Event, parent: Option<TraceParent>) -> Option<Tale> {
        let (arn, machine) = begins(first)?;
        let machine = unlabelled(machine);
        let logging = self.logs.as_ref().and_then(|_| self.logging(subject, machine));
        let traced = self.traces.as_ref();
        Some(Tale {
            position: 0,
            recorded: subject.recorded,
            logged: logging.map(|logging| Box::new(Logged::new(logging, subject.execution, arn, machine))),
            traced: traced
                .and_then(|writer| Traced::new(first, parent, writer.sampler))
                .map(Box::new),
        })
    }

    /// What the execution that begins with this event is a part of.
    fn parent(&mut self, first: &Event) -> Result<Option<TraceParent>, StoreError> {
        let EventKind::ExecutionStarted {
            trace_parent, child_of, ..
        } = &first.kind
        else {
            return Ok(None);
        };
        let Some(child_of) = child_of else {
            return Ok(trace_parent.as_deref().and_then(TraceParent::parse));
        };
        if self.traces.is_none() {
            return Ok(None);
        }
        let execution = ExecutionId(child_of.execution);
        match self.family {
            Some((known, parent)) if known == execution => Ok(parent),
            _ => {
                let lineage = Lineage {
                    reader: &*self.archive.reader,
                };
                let parent = lineage.of_execution(execution)?;
                self.family = Some((execution, parent));
                Ok(parent)
            }
        }
    }

    /// Reads what an execution did before.
    fn learn(&mut self, execution: ExecutionId, until: u64) -> Result<Option<Tale>, StoreError> {
        let reader = Arc::clone(&self.archive.reader);
        let (Some(record), Some((first, _))) = (reader.execution(execution)?, reader.first_and_last(execution)?) else {
            return Ok(None);
        };
        let subject = Subject {
            execution,
            id: Some(record.machine),
            version: record.origin.as_ref().map(|origin| origin.version),
            recorded: true,
        };
        let parent = self.parent(&first)?;
        let Some(mut tale) = self.begin(&subject, &first, parent) else {
            return Ok(None);
        };
        if tale.logged.is_none() && tale.traced.is_none() {
            tale.position = until;
            return Ok(Some(tale));
        }
        let mut told_before = Vec::new();
        reader.visit_journal(execution, 0, &mut |event| {
            if tale.position >= until {
                return ControlFlow::Break(());
            }
            tale.position += 1;
            if let Some(traced) = &mut tale.traced {
                traced.apply(&event, &mut told_before);
                told_before.clear();
            }
            if let Some(logged) = &mut tale.logged {
                logged.learn(event);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(tale))
    }

    /// What the machine, or the version of it, wants logged.
    fn logging(&self, subject: &Subject, machine: &str) -> Option<Logging> {
        let machine = self.archive.machines.get(machine)?;
        if subject.id.is_some_and(|id| id != machine.record.id) {
            return None;
        }
        let version = subject.version.and_then(|number| machine.versions.get(&number));
        Logging::of(version.map_or(&machine.record.configuration, |version| &version.record.configuration))
    }
}

/// The ARN and the machine's name, where the event is an execution's first.
fn begins(event: &Event) -> Option<(&str, &str)> {
    match &event.kind {
        EventKind::ExecutionStarted { id, machine_name, .. } => Some((id, machine_name)),
        _ => None,
    }
}
