//! A batch is on disk, or isn't.

use crate::Engine;
use crate::batch::AppendOutcome;
use crate::durability::Namesake;
use crate::ids::BatchId;
use crate::ports::CommitResult;

impl Engine {
    pub(crate) fn committed(&mut self, batch: BatchId, result: CommitResult) {
        let Some(in_flight) = self.commits.in_flight.take_if(|in_flight| in_flight.id == batch) else {
            return;
        };
        self.map_runs.disk_answered();
        let outcomes = match result {
            Ok(outcomes) if outcomes.len() == in_flight.members.len() => outcomes,
            Ok(outcomes) => {
                let why = format!(
                    "the journal answered {} outcomes to a batch of {}; nothing of it is taken for written",
                    outcomes.len(),
                    in_flight.members.len()
                );
                return self.batch_failed(in_flight.members, &why);
            }
            Err(error) => return self.batch_failed(in_flight.members, &error.to_string()),
        };
        self.loads.resume();
        for (member, outcome) in in_flight.members.into_iter().zip(outcomes) {
            match outcome {
                AppendOutcome::Appended => self.appended(member),
                AppendOutcome::NameTaken {
                    execution,
                    started,
                    status,
                    same_input,
                } => {
                    self.name_taken(
                        member,
                        &Namesake {
                            execution,
                            started,
                            status,
                            same_input,
                        },
                    );
                }
                AppendOutcome::Conflict => {
                    let why = format!("execution {} was moved by another process", member.execution.0);
                    self.crashed(member, &why);
                }
            }
        }
        self.rewind_map_runs();
    }

    fn batch_failed(&mut self, members: Vec<crate::group_commit::Member>, why: &str) {
        self.loads.pause(self.now);
        for member in members {
            self.crashed(member, why);
        }
        self.rewind_map_runs();
    }
}
