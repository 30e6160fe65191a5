//! A panic in one execution stops that execution, visibly, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Engine;
use crate::ids::ExecutionId;
use crate::output::{Output, Reply};
use crate::resident::{Entry, Pending};

/// Runs code that reads or moves one execution. What it was moving may be half moved after a panic:
/// whoever gets an `Err` puts the execution away with [`Engine::quarantine`].
///
/// # Errors
/// The panic's message.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("the interpreter panicked: {text}")
    })
}

impl Engine {
    /// Puts an execution away until the next start of the process: what runs for it is stopped, who
    /// waits for it is told, what is on disk stays as it is. Answers that belong to a batch in flight
    /// still follow that batch.
    pub(crate) fn quarantine(&mut self, id: ExecutionId, reason: String) {
        let text = format!("execution {} is quarantined: {reason}", id.0);
        match self.executions.insert(id, Entry::Quarantined) {
            Some(Entry::Resident(mut resident)) => {
                self.release(id, &mut resident, Output::Forget);
                for (to, _) in std::mem::take(&mut resident.replies) {
                    self.reply(to, Reply::Fault(text.clone()));
                }
                if resident.start.is_some() || resident.journal.is_none() {
                    // Its first event never left this process: nothing is on disk.
                    self.executions.remove(&id);
                    if let Some(parent) = self.child_dropped(id) {
                        self.rewind_map_runs();
                        let reason = format!("a child of its Map Run could not be started: {reason}");
                        self.quarantine(parent, reason);
                    }
                }
            }
            Some(Entry::Loading(loading)) => {
                for to in loading.pending.iter().filter_map(Pending::reply) {
                    self.reply(to, Reply::Fault(text.clone()));
                }
            }
            Some(Entry::Dormant(_) | Entry::Quarantined) | None => {}
        }
        self.child_quarantined(id);
        self.timers.set(id, None);
        for to in self.waiters.remove(&id).unwrap_or_default() {
            self.reply(to, Reply::Fault(text.clone()));
        }
        self.outputs.push_back(Output::Quarantined { execution: id, reason });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use asl::{Failure, Payload, Timestamp};

    use super::*;
    use crate::batch::AppendOutcome;
    use crate::ids::{Digest, MachineId, ReplyTo, TaskId};
    use crate::input::StartExecution;
    use crate::{Input, Options};

    /// Two executions, each with a task running in one of the two slots.
    fn two_running() -> (Engine, Vec<TaskId>) {
        let text = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"wasm:t","End":true}}}"#;
        let machine = Arc::new(asl::definition::parse(text).0.expect("a valid machine"));
        let mut engine = Engine::new(Options {
            slots: 2,
            ..Options::default()
        });
        let now = Timestamp(1);
        engine.handle(
            now,
            Input::Recover {
                running: Vec::new(),
                last: ExecutionId(0),
            },
        );
        let mut runs = Vec::new();
        for number in 1..=2 {
            engine.handle(
                now,
                Input::Start(StartExecution {
                    machine: MachineId(1),
                    definition: Digest("sha256:0".into()),
                    state_machine: Arc::clone(&machine),
                    mode: asl::Mode::Standard,
                    stored_as: None,
                    origin: None,
                    name: format!("execution-{number}"),
                    input: Payload::empty_object(),
                    id_text: "id".into(),
                    role: None,
                    trace_parent: None,
                    starter: None,
                    machine_id_text: "machine".into(),
                    machine_name: "machine".into(),
                    reply: ReplyTo(number),
                    on_closed: Some(ReplyTo(10 + number)),
                }),
            );
            while let Some(output) = engine.poll_output() {
                match output {
                    Output::Commit(batch) => {
                        let outcomes = vec![AppendOutcome::Appended; batch.appends.len()];
                        engine.handle(
                            now,
                            Input::Committed {
                                batch: batch.id,
                                result: Ok(outcomes),
                            },
                        );
                    }
                    Output::Run(request) => runs.push(request.task),
                    _ => {}
                }
            }
        }
        (engine, runs)
    }

    #[test]
    fn a_panic_stops_one_execution_and_nothing_else() {
        let (mut engine, runs) = two_running();
        assert_eq!(runs.len(), 2);
        engine.change(ExecutionId(1), |_| panic!("a bug in the interpreter"));
        let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
        assert!(matches!(&outputs[0], Output::Forget(task) if *task == runs[0]));
        assert!(matches!(
            &outputs[1],
            Output::Reply {
                to: ReplyTo(11),
                reply: Reply::Fault(_)
            }
        ));
        let Output::Quarantined { execution, reason } = &outputs[2] else {
            panic!("it is put away visibly: {outputs:?}");
        };
        assert_eq!((*execution, outputs.len()), (ExecutionId(1), 3));
        assert!(reason.contains("a bug in the interpreter"), "{reason}");

        let failure = Failure::default();
        engine.handle(
            Timestamp(2),
            Input::Stop {
                execution: *execution,
                failure,
                reply: ReplyTo(20),
            },
        );
        assert!(matches!(
            engine.poll_output(),
            Some(Output::Reply {
                reply: Reply::Fault(_),
                ..
            })
        ));
        let failure = Failure::default();
        engine.handle(
            Timestamp(2),
            Input::Stop {
                execution: ExecutionId(2),
                failure,
                reply: ReplyTo(21),
            },
        );
        assert!(
            matches!(engine.poll_output(), Some(Output::Commit(_))),
            "the other one goes on"
        );
    }
}
