//! A new execution.

use std::sync::Arc;

use asl::execution::Execution;
use asl::{Event, EventKind, Mode, Starter};

use crate::Engine;
use crate::batch::Start;
use crate::ids::ExecutionId;
use crate::input::StartExecution;
use crate::output::Reply;
use crate::quarantine::guarded;
use crate::replay::Pinned;
use crate::resident::{Entry, NewJournal, Resident};

/// Executions that may stand in line for a batch. Past this the disk is far behind its callers, and
/// saying no at once is kinder than a time-out.
const MAX_GATHERING: usize = 65_536;

impl Engine {
    pub(crate) fn start(&mut self, request: StartExecution) {
        if !self.recovered {
            self.refuse(
                &request,
                "the engine has not been told yet what the disk holds; try again in a moment",
            );
            return;
        }
        let synchronous = matches!(request.mode, Mode::Synchronous { .. });
        if !synchronous && self.commits.gathering.len() >= MAX_GATHERING {
            self.refuse(
                &request,
                "the disk is behind its callers; start executions more slowly and try again",
            );
            return;
        }
        let journal = (!synchronous).then(|| self.next_journal());
        let id = match journal {
            Some(journal) if request.mode.is_standard() => journal,
            Some(_) | None => self.next_run(),
        };
        let now = self.now;
        let kind = EventKind::ExecutionStarted {
            input: request.input.clone(),
            id: request.id_text.clone(),
            name: request.name.clone(),
            role: request.role.clone(),
            machine_id: request.machine_id_text.clone(),
            machine_name: request.machine_name.clone(),
            child_of: None,
            mode: request.mode,
            trace_parent: request.trace_parent.clone(),
            starter: request.starter.map(|task| Starter {
                execution: task.execution.0,
                position: task.scheduled_at,
            }),
        };
        let start = journal.map(|journal| NewJournal {
            id: journal,
            start: Start {
                machine: request.machine,
                name: request.stored_as.clone().unwrap_or_else(|| request.name.clone()),
                definition: request.definition.clone(),
                at: now,
                origin: request.origin.clone(),
                child: None,
            },
        });
        let answer = (request.reply, Reply::Started { execution: id, at: now });
        let shown = self.options.show_unrecorded;
        let machine = Arc::clone(&request.state_machine);
        let first = Event { at: now, kind };
        let pinned = Pinned {
            machine: request.machine,
            definition: request.definition.clone(),
            version: request.origin.as_ref().map(|origin| origin.version),
        };
        let started = guarded(|| Resident::start(Execution::new(machine), first, pinned, start, Some(answer), shown));
        let reason = match started {
            Ok(Ok(resident)) => {
                self.executions.insert(id, Entry::Resident(Box::new(resident)));
                if let Some(to) = request.on_closed {
                    self.waiters.entry(id).or_default().push(to);
                }
                self.change(id, |_| Ok(()));
                return;
            }
            Ok(Err(error)) => format!("the first event was refused: {error}"),
            Err(panic) => panic,
        };
        self.refuse(
            &request,
            &format!("execution `{}` could not be started: {reason}", request.name),
        );
    }

    fn next_journal(&mut self) -> ExecutionId {
        self.last = ExecutionId(self.last.0 + 1);
        self.last
    }

    pub(crate) fn next_run(&mut self) -> ExecutionId {
        self.last_run = ExecutionId(self.last_run.0 + 1);
        self.last_run
    }

    fn refuse(&mut self, request: &StartExecution, why: &str) {
        for to in [Some(request.reply), request.on_closed].into_iter().flatten() {
            self.reply(to, Reply::Fault(why.to_owned()));
        }
    }
}
