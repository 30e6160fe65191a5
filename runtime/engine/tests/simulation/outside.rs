//! Attempts that outlive their slots: calls elsewhere, nested executions, workers that take tasks from a
//! queue, and holders of task tokens, who live through every crash of the process.

use std::collections::BTreeMap;

use asl::{Event, EventKind, Failure, Payload, ScopeId};
use engine::Input;
use engine::ids::{ExecutionId, TaskId};
use engine::input::{Release, Word};
use engine::output::{Reply, TaskRequest};
use serde_json::json;

use crate::callers::Call;
use crate::rng::hash;
use crate::script::{Answer, ONCE};
use crate::world::{Happening, World};

/// What becomes of an attempt once it runs: the same before and after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// It keeps its slot.
    Sandbox,
    /// It gives its slot back and is reported on later; only this process knows of it.
    Elsewhere,
    /// Its request is recorded, and it is reported on later.
    Submitted,
    /// Its request is recorded, and the holder of its token ends it.
    Callback,
    /// A worker takes it from a queue and ends it.
    Queue,
}

/// What the holder of a token says next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    Take,
    Beat,
    Report,
}

/// Somebody outside with a task.
#[derive(Debug)]
pub struct Holder {
    answer: Answer,
    heartbeat_seconds: Option<u64>,
    takes: bool,
}

impl World {
    pub fn style(&self, task: TaskId) -> Style {
        // an Express workflow may not hold tasks that end from outside
        if !self.stored(task.execution).fold.mode().is_standard() {
            return Style::Sandbox;
        }
        let scheduled = self.stored(task.execution).events.get(task.scheduled_at as usize);
        let once = scheduled
            .is_some_and(|event| matches!(&event.kind, EventKind::TaskScheduled { resource, .. } if resource == ONCE));
        match hash(self.seed, &format!("style {task}")) % 10 {
            // a module keeps its slot, or hands out its token
            5 | 6 | 9 if once => Style::Sandbox,
            0..5 => Style::Sandbox,
            5 => Style::Elsewhere,
            6 => Style::Submitted,
            7 | 8 => Style::Callback,
            _ => Style::Queue,
        }
    }

    /// An attempt that was just handed out leaves its slot, unless it stays in the sandbox. Says how long
    /// that takes, and whether somebody outside ends it.
    pub fn park(&mut self, request: &TaskRequest, run: u64, answer: &Answer) -> (i64, bool) {
        let task = request.task;
        let style = self.style(task);
        let (release, submits) = match style {
            Style::Sandbox => return (0, false),
            Style::Elsewhere => (Release::Elsewhere, false),
            Style::Submitted => (Release::Elsewhere, !request.submitted),
            Style::Callback => (Release::Callback, !request.submitted),
            Style::Queue if request.started => (Release::Callback, false),
            Style::Queue => (Release::Queued, false),
        };
        let after = if request.submitted { 0 } else { self.rng.between(0, 30) };
        if request.submitted {
            self.parked.insert(task);
        }
        // some shells give the slot back first, and hear later that the request was taken
        if submits && release == Release::Elsewhere && self.rng.percent(50) {
            self.plan(0, Happening::Released(task, run, release, false));
        }
        self.plan(after, Happening::Released(task, run, release, submits));
        let outside = matches!(style, Style::Callback | Style::Queue);
        if outside && !self.holders.contains_key(&task) {
            let takes = style == Style::Queue && !request.started;
            let holder = Holder {
                answer: answer.clone(),
                heartbeat_seconds: request.heartbeat_seconds,
                takes,
            };
            self.holders.insert(task, holder);
            self.hold(task, after + 1);
        }
        if outside && *answer == Answer::FallsSilent {
            self.note(task, json!({"timed out": "Heartbeat"}));
        }
        (after + 1, outside)
    }

    /// What was waited for elsewhere ended only after its request was recorded.
    pub fn check_submissions(&self, id: ExecutionId, events: &[Event]) {
        let mut asked: BTreeMap<ScopeId, (u64, bool)> = BTreeMap::new();
        for (position, event) in (0..).zip(events) {
            match &event.kind {
                EventKind::TaskScheduled { scope, .. } => {
                    asked.insert(*scope, (position, false));
                }
                EventKind::TaskSubmitted { scope, .. } => {
                    let (_, submitted) = asked.get_mut(scope).expect("submitted after it was scheduled");
                    assert!(!std::mem::replace(submitted, true), "a request is recorded once");
                }
                EventKind::TaskSucceeded { scope, .. } => {
                    let (scheduled_at, submitted) = asked[scope];
                    let task = TaskId {
                        execution: id,
                        scheduled_at,
                    };
                    let waited = self.style(task) == Style::Submitted && !self.crossed.contains(&task);
                    assert!(submitted || !waited, "{task} ended, and its request isn't recorded");
                }
                _ => {}
            }
        }
    }

    /// Plans what the holder does next.
    fn hold(&mut self, task: TaskId, soonest: i64) {
        let Some(Holder {
            answer,
            heartbeat_seconds,
            takes,
        }) = self.holders.get(&task)
        else {
            return;
        };
        let (takes, beats) = (*takes, *heartbeat_seconds);
        let reports = matches!(answer, Answer::Returns(_) | Answer::Fails(_));
        let lasts = soonest + self.rng.between(0, *self.rng.clone().pick(&[300, 9_000]));
        if takes {
            self.plan(lasts, Happening::Says(task, Saying::Take));
        } else if reports {
            self.plan(lasts, Happening::Says(task, Saying::Report));
            if let Some(seconds) = beats {
                self.plan(soonest + seconds as i64 * 400, Happening::Says(task, Saying::Beat));
            }
        }
    }

    pub fn says(&mut self, task: TaskId, saying: Saying) -> Option<Input> {
        let Holder {
            answer,
            heartbeat_seconds,
            ..
        } = self.holders.get(&task)?;
        let (noted, word) = match (saying, answer) {
            (Saying::Take, _) => (None, Word::Taken { worker: None }),
            (Saying::Beat, _) => {
                let again = heartbeat_seconds.unwrap_or(1) as i64 * 400;
                self.plan(again, Happening::Says(task, Saying::Beat));
                (None, Word::Heartbeat)
            }
            (Saying::Report, Answer::Returns(value)) => {
                (Some(value.clone()), Word::Succeeded(Payload::from_value(value.clone())))
            }
            (Saying::Report, Answer::Fails(error)) => {
                let state = self.stored(task.execution).fold.open_task(task.scheduled_at);
                let state = state.map(|task| task.state.to_owned()).unwrap_or_default();
                (
                    Some(json!({"failed": error})),
                    Word::Failed(Failure::new(*error, state)),
                )
            }
            (Saying::Report, Answer::FallsSilent | Answer::Hangs) => return None,
        };
        if let Some(noted) = noted {
            self.note(task, noted);
        }
        self.seen.words += 1;
        if saying != Saying::Report && self.running.contains_key(&task) {
            self.beats.insert(task, self.now);
        }
        let reply = self.ask(Call::Word(task, saying));
        Some(Input::Callback { task, word, reply })
    }

    pub fn heard(&mut self, task: TaskId, saying: Saying, reply: Reply) {
        let open = self
            .stored(task.execution)
            .fold
            .open_task(task.scheduled_at)
            .map(|open| open.started);
        match reply {
            Reply::Fault(_) => {
                assert!(self.faults, "a fault out of nowhere");
                if saying != Saying::Beat {
                    self.plan(1_000, Happening::Says(task, saying));
                }
            }
            Reply::TaskHeard => match saying {
                Saying::Beat => {}
                Saying::Report => {
                    assert_eq!(open, None, "told of a result that isn't on disk");
                    self.holders.remove(&task);
                }
                Saying::Take => {
                    assert_ne!(open, Some(false), "told of a start that isn't on disk");
                    self.took(task);
                }
            },
            Reply::TaskNotOpen => {
                self.seen.words_too_late += 1;
                match (saying, open) {
                    // its first word was heard, and the answer was lost
                    (Saying::Take, Some(true)) => self.took(task),
                    (_, None) => drop(self.holders.remove(&task)),
                    (_, Some(_)) => panic!("{task} is open, and {saying:?} is refused"),
                }
            }
            reply => panic!("{saying:?} of {task} is answered with {reply:?}"),
        }
    }

    fn took(&mut self, task: TaskId) {
        if let Some(holder) = self.holders.get_mut(&task) {
            holder.takes = false;
            self.hold(task, 0);
        }
    }

    /// Those outside live on and ask again whatever was not answered.
    pub fn holders_try_again(&mut self) {
        let tasks: Vec<TaskId> = self.holders.keys().copied().collect();
        for task in tasks {
            let soonest = self.rng.between(0, 2_000);
            self.hold(task, soonest);
        }
    }
}
