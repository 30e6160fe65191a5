//! Who gets a slot: executions take turns, so that a Map over ten thousand items holds up nobody else.

use asl::Timestamp;

use crate::Engine;
use crate::ids::{ExecutionId, TaskId};
use crate::line::Line;
use crate::output::{Output, TaskRequest};
use crate::ports::Beginning;
use crate::quarantine::guarded;
use crate::resident::{Entry, Resident, Running};

/// The slots and who waits for one.
#[derive(Debug)]
pub(crate) struct Slots {
    /// Executions with attempts that may run, one attempt a turn.
    pub(crate) line: Line<ExecutionId>,
    total: usize,
    taken: usize,
}

impl Slots {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            line: Line::default(),
            total,
            taken: 0,
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How many attempts have one.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// An attempt ended or was stopped.
    pub(crate) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }
}

impl Resident {
    /// Takes the oldest waiting attempt that is still open, and what it needs to run.
    fn take_waiting(&mut self, id: ExecutionId, now: Timestamp) -> Option<TaskRequest> {
        while let Some(scheduled_at) = self.waiting.pop_first() {
            if let Some(request) = self.request(id, scheduled_at) {
                self.running.insert(scheduled_at, Running::given(now));
                return Some(request);
            }
        }
        None
    }

    /// Takes the attempts whose request was made before the execution was read back. They need no slot.
    pub(crate) fn take_submitted(&mut self, id: ExecutionId, now: Timestamp) -> Vec<TaskRequest> {
        let submitted = self.execution.open_tasks().filter(|task| task.submitted);
        let submitted: Vec<u64> = submitted
            .map(|task| task.scheduled_at)
            .filter(|scheduled_at| !self.running.contains_key(scheduled_at))
            .collect();
        let requests: Vec<_> = submitted
            .into_iter()
            .filter_map(|scheduled_at| self.request(id, scheduled_at))
            .collect();
        for request in &requests {
            let running = Running {
                has_slot: false,
                ..Running::given(now)
            };
            self.running.insert(request.task.scheduled_at, running);
        }
        requests
    }

    /// What an attempt needs to run, while it is open.
    pub(crate) fn request(&self, id: ExecutionId, scheduled_at: u64) -> Option<TaskRequest> {
        let (task, context) = (self.execution.open_task(scheduled_at)?, self.execution.context()?);
        Some(TaskRequest {
            task: TaskId {
                execution: id,
                scheduled_at,
            },
            resource: task.resource.to_owned(),
            parameters: task.parameters.clone(),
            execution: context.id.as_str().into(),
            machine: context.machine_id.as_str().into(),
            state: task.state.into(),
            retry_count: task.retry_count,
            deadline: task.deadline,
            heartbeat_seconds: task.heartbeat_seconds,
            started: task.started,
            submitted: task.submitted,
            version: task.version,
        })
    }
}

impl Engine {
    /// What an attempt begins as: as recorded, whatever its module's names mean today.
    fn beginning(&self, request: &TaskRequest) -> Beginning {
        match request.version {
            Some(_) => Beginning {
                version: request.version,
                may_repeat: false,
            },
            None => self.resources.beginning(&request.resource, &request.parameters),
        }
    }

    /// Gives free slots away, one attempt of one execution at a time.
    pub(crate) fn grant_slots(&mut self) {
        while self.slots.taken < self.slots.total {
            let Some(id) = self.slots.line.pop_front() else {
                break;
            };
            let Some(Entry::Resident(resident)) = self.executions.get_mut(&id) else {
                continue;
            };
            let now = self.now;
            match guarded(|| resident.take_waiting(id, now)) {
                Ok(Some(mut request)) => {
                    if !resident.waiting.is_empty() {
                        self.slots.line.push_back(id);
                    }
                    self.slots.taken += 1;
                    match guarded(|| self.beginning(&request)) {
                        Ok(Beginning { version, may_repeat }) if may_repeat => {
                            request.version = version;
                            self.unrecorded.push_back((now, request.task));
                            self.outputs.push_back(Output::Run(request));
                        }
                        Ok(Beginning { version, .. }) => self.begin_once(request.task, version),
                        Err(panic) => self.quarantine(id, panic),
                    }
                }
                Ok(None) => {}
                Err(panic) => self.quarantine(id, panic),
            }
        }
    }
}
