//! A virtual world around one engine: a clock that jumps, a disk that is slow, fails and loses its last
//! batch, tasks that end when they like and report twice, callers who try again, and a process that
//! dies between any two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::{Attempt, Failure, Payload, TimeoutKind, Timestamp};
use engine::batch::Batch;
use engine::ids::{ExecutionId, MachineId, ReplyTo, TaskId};
use engine::input::{MapRunBounds, Release};
use engine::output::{MapRunRequest, TaskRequest};
use engine::ports::{MapRunStanding, Outcome, Report, StoreError};
use engine::replay::{Loaded, Pinned};
use engine::{Engine, Input, Options, Output, Why};
use serde_json::{Value, json};

use crate::Seen;
use crate::callers::{Call, Caller};
use crate::disk::{Disk, Stored};
use crate::map_runs::Question;
use crate::outside::{Holder, Saying};
use crate::rng::Rng;
use crate::script::{Answer, Everything, ONCE, answer, may_repeat};
use crate::workflow;

/// Crashes in one case, at most: a case has to end.
const MAX_CRASHES: u32 = 6;

/// More steps than any case that ends has taken.
const MAX_STEPS: u32 = 60_000;

/// What happens at its time.
#[derive(Debug)]
pub enum Happening {
    /// The disk answers.
    Written,
    /// A run of an attempt ends by itself.
    TaskEnds(TaskId, u64, Answer),
    /// An attempt gives its slot back; whether its request is recorded.
    Released(TaskId, u64, Release, bool),
    /// Somebody outside speaks of an attempt.
    Says(TaskId, Saying),
    /// A report arrives that was sent before its run was cancelled, or for the second time.
    StrayReport(TaskRequest),
    /// A journal was read.
    Read(ExecutionId),
    /// A caller starts an execution.
    Call(usize),
    /// Somebody stops one.
    Stop(ExecutionId),
    /// Items of a Map Run are read.
    ItemsRead {
        run: TaskId,
        redrives: u32,
        from: u64,
        limit: usize,
    },
    /// Somebody looks how far a Map Run has come.
    LookAtMapRun(MapRunRequest),
    /// What was seen is told.
    MapRunSeen(TaskId, u32, Box<Result<Result<MapRunStanding, Failure>, StoreError>>),
    /// The results of a Map Run are put together.
    Results(MapRunRequest, Option<Failure>),
    /// Children of a redriven Map Run are looked for.
    Earlier {
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    },
    /// Somebody redrives an execution.
    Redrive(ExecutionId),
    /// Somebody changes the bounds of a Map Run.
    UpdateMapRun(TaskId, MapRunBounds),
    /// The operator restarts the process.
    Restart,
}

/// An attempt is stopped when its end is on disk; these are the exceptions.
#[derive(Debug, PartialEq)]
pub enum MayCancel {
    Nothing,
    /// A commit or a read has just failed.
    Anything,
}

pub struct World {
    pub seed: u64,
    pub rng: Rng,
    pub now: i64,
    pub engine: Engine,
    options: Options,
    pub disk: Disk,
    pub definitions: BTreeMap<MachineId, Value>,
    pub agenda: BTreeMap<(i64, u64), Happening>,
    /// What the disk is writing.
    pub in_flight: Option<Batch>,
    /// What runs, and which run it is.
    pub running: BTreeMap<TaskId, (u64, TaskRequest)>,
    /// Which of these have no slot.
    pub parked: BTreeSet<TaskId>,
    /// Who has a task outside.
    pub holders: BTreeMap<TaskId, Holder>,
    /// When those who hold a task with a heartbeat last gave one.
    pub beats: BTreeMap<TaskId, i64>,
    /// Attempts of which a first run has reported while a later one goes on: that one is stopped.
    pub crossed: BTreeSet<TaskId>,
    /// Attempts that may run once and have.
    pub ran_once: BTreeSet<TaskId>,
    runs: u64,
    /// What is seen of executions that aren't recorded step by step, by run.
    pub unrecorded: BTreeMap<ExecutionId, Stored>,
    /// Runs that a failed commit ended.
    pub over: BTreeMap<ExecutionId, Stored>,
    /// Executions that had a run.
    pub begun: BTreeSet<String>,
    /// What the engine asked about Map Runs and hasn't been told.
    pub asked: BTreeSet<Question>,
    /// Map Runs whose bounds somebody changed.
    pub updated: BTreeSet<TaskId>,
    /// Journals being read.
    pub reading: BTreeSet<ExecutionId>,
    pub quarantined: BTreeSet<ExecutionId>,
    /// What may be cancelled in this step though it isn't over on disk.
    pub may_cancel: MayCancel,
    /// Whether a commit failed and none succeeded since.
    pub disk_fails: bool,
    /// Whether anything ever failed that may cost a caller an answer.
    pub faults: bool,
    pub callers: Vec<Caller>,
    /// Calls that wait for an answer.
    pub calls: BTreeMap<ReplyTo, Call>,
    pub last_call: u64,
    pub asked_to_stop: BTreeSet<ExecutionId>,
    pub stopped: BTreeSet<ExecutionId>,
    /// How often somebody wanted a redrive.
    pub redrives: u32,
    /// Runs that callers were told of, and their ids on disk where they have one.
    pub journals: BTreeMap<ExecutionId, Option<ExecutionId>>,
    /// What ran at moments when all was on disk: position, attempts, whether a slot was free.
    pub snapshots: BTreeMap<ExecutionId, BTreeMap<u64, (BTreeSet<u64>, bool)>>,
    pub crashes: u32,
    pub steps: u32,
    pub(crate) seen: Seen,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let options = Options {
            slots: 1 + rng.below(4) as usize,
            step_budget: *rng.pick(&[1, 7, 1_000]),
            seed: rng.bits(),
            show_unrecorded: true,
            map_run_children: 1 + rng.below(5) as usize,
            redrive_page: 1 + rng.below(3) as usize,
            ..Options::default()
        };
        let mut disk = Disk::new(seed);
        let mut definitions = BTreeMap::new();
        for id in 1..=1 + rng.below(3) {
            let definition = workflow::workflow(&mut rng).definition;
            let (machine, diagnostics) = asl::definition::parse(&definition.to_string());
            let machine = machine.unwrap_or_else(|| panic!("a generated machine is valid: {diagnostics:?}"));
            disk.machines.insert(MachineId(id), Arc::new(machine));
            definitions.insert(MachineId(id), definition);
        }
        let mut world = Self {
            seed,
            now: 1_000_000,
            engine: Engine::new(options.clone()).with_resources(Arc::new(Everything { version: 1 })),
            options,
            disk,
            definitions,
            agenda: BTreeMap::new(),
            in_flight: None,
            running: BTreeMap::new(),
            parked: BTreeSet::new(),
            holders: BTreeMap::new(),
            crossed: BTreeSet::new(),
            ran_once: BTreeSet::new(),
            beats: BTreeMap::new(),
            runs: 0,
            unrecorded: BTreeMap::new(),
            over: BTreeMap::new(),
            begun: BTreeSet::new(),
            asked: BTreeSet::new(),
            updated: BTreeSet::new(),
            reading: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            may_cancel: MayCancel::Nothing,
            disk_fails: false,
            faults: false,
            callers: Vec::new(),
            calls: BTreeMap::new(),
            last_call: 0,
            asked_to_stop: BTreeSet::new(),
            stopped: BTreeSet::new(),
            redrives: 0,
            journals: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            crashes: 0,
            steps: 0,
            seen: Seen::default(),
            rng,
        };
        world.invite_callers();
        world.hand_in(Input::Recover {
            running: Vec::new(),
            last: ExecutionId(0),
        });
        world
    }

    pub fn slots(&self) -> usize {
        self.options.slots
    }

    pub fn children_at_once(&self) -> usize {
        self.options.map_run_children
    }

    /// Runs the world until nothing happens any more.
    pub fn run(&mut self) {
        while let Some(input) = self.next_input() {
            self.steps += 1;
            assert!(self.steps < MAX_STEPS, "the case does not end");
            let crash = self.crashes < MAX_CRASHES && self.rng.below(1_000) < 8;
            self.engine.handle(Timestamp(self.now), input);
            let alive_for = if crash { self.rng.below(4) as usize } else { usize::MAX };
            self.do_outputs(alive_for);
            if crash {
                self.crash();
            }
            self.check_moment();
            self.meddle();
            self.redrive_some();
        }
        self.check_end();
    }

    /// Lets something happen at this very moment.
    pub fn hand_in(&mut self, input: Input) {
        self.engine.handle(Timestamp(self.now), input);
        self.do_outputs(usize::MAX);
    }

    pub fn plan(&mut self, after: i64, happening: Happening) {
        self.agenda.insert((self.now + after, self.rng.bits()), happening);
    }

    /// Moves the clock to whatever comes first.
    fn next_input(&mut self) -> Option<Input> {
        loop {
            let planned = self.agenda.keys().next().map(|(at, _)| *at);
            let wanted = self.engine.poll_timeout().map(|(at, _)| at.0.max(self.now));
            let ticks = match (planned, wanted) {
                (None, None) => return None,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(planned), Some(wanted)) if planned == wanted => self.rng.percent(50),
                (Some(planned), Some(wanted)) => wanted < planned,
            };
            if ticks || self.rng.percent(2) {
                if let (true, Some(wanted)) = (ticks, wanted) {
                    // A shell may be late, if nothing else happens meanwhile.
                    let late = if self.rng.percent(10) {
                        wanted + self.rng.between(0, 20)
                    } else {
                        wanted
                    };
                    self.now = late.min(planned.unwrap_or(late));
                }
                return Some(Input::Tick);
            }
            let ((at, _), happening) = self.agenda.pop_first()?;
            self.may_cancel = MayCancel::Nothing;
            self.now = self.now.max(at);
            if let Some(input) = self.input_of(happening) {
                return Some(input);
            }
        }
    }

    fn input_of(&mut self, happening: Happening) -> Option<Input> {
        match happening {
            Happening::Written => {
                let batch = self.in_flight.take()?;
                let id = batch.id;
                if self.rng.percent(3) {
                    self.seen.failed_commits += 1;
                    self.may_cancel = MayCancel::Anything;
                    self.disk_fails = true;
                    self.faults = true;
                    self.forget_runs(&batch);
                    self.note_interrupted();
                    return Some(Input::Committed {
                        batch: id,
                        result: Err(StoreError("the disk said no".into())),
                    });
                }
                self.disk_fails = false;
                let outcomes = self.disk.write(batch, Timestamp(self.now));
                Some(Input::Committed {
                    batch: id,
                    result: Ok(outcomes),
                })
            }
            Happening::TaskEnds(task, run, answer) => {
                if self.running.get(&task).is_none_or(|(current, _)| *current != run) {
                    return None;
                }
                let (_, request) = self.running.remove(&task)?;
                self.parked.remove(&task);
                if self.rng.percent(15) {
                    let after = self.rng.between(0, 3_000);
                    self.plan(after, Happening::StrayReport(request));
                }
                Some(self.report(task, answer))
            }
            Happening::Released(task, run, release, submits) => {
                if self.running.get(&task).is_none_or(|(current, _)| *current != run) {
                    return None;
                }
                self.parked.insert(task);
                if release == Release::Callback {
                    self.beats.insert(task, self.now);
                }
                Some(Input::TaskReleased {
                    task,
                    release,
                    submitted: submits.then(|| Payload::from_value(json!("submitted"))),
                })
            }
            Happening::Says(task, saying) => self.says(task, saying),
            Happening::StrayReport(request) => {
                let task = request.task;
                if !self.running.contains_key(&task) {
                    self.seen.late_reports += 1;
                    let outcome = Outcome::Succeeded(Payload::from_value(json!("poison")));
                    return Some(Input::TaskDone {
                        task,
                        report: Report {
                            outcome,
                            attempt: Attempt::default(),
                        },
                    });
                }
                // Whoever has it outside reports by its token.
                if self.holders.contains_key(&task) {
                    return None;
                }
                // The attempt is being run again: an answer of its first run is as good as any.
                match self.answer(&request) {
                    answer @ (Answer::Returns(_) | Answer::Fails(_)) => {
                        self.seen.crossed_reports += 1;
                        self.crossed.insert(task);
                        Some(self.report(task, answer))
                    }
                    Answer::FallsSilent | Answer::Hangs => None,
                }
            }
            Happening::Read(execution) => {
                self.reading.remove(&execution);
                let stored = &self.disk.executions[&execution];
                let pinned = Pinned {
                    machine: stored.start.machine,
                    definition: stored.start.definition.clone(),
                    version: stored.start.origin.as_ref().map(|origin| origin.version),
                };
                let loaded = Loaded::replay(Arc::clone(&stored.machine), pinned, &stored.events);
                let result = if self.rng.below(150) == 0 {
                    self.faults = true;
                    self.seen.quarantines += 1;
                    self.quarantined.insert(execution);
                    self.plan(5_000, Happening::Restart);
                    Err(StoreError("a bad sector".into()))
                } else {
                    Ok(loaded)
                };
                Some(Input::Loaded { execution, result })
            }
            Happening::Call(caller) => self.call(caller),
            Happening::Stop(execution) => Some(self.stop(execution)),
            Happening::ItemsRead {
                run,
                redrives,
                from,
                limit,
            } => Some(self.items_read(run, redrives, from, limit)),
            Happening::LookAtMapRun(request) => {
                self.look_at_map_run(&request);
                None
            }
            Happening::MapRunSeen(run, redrives, result) => {
                self.asked.remove(&Question::Standing(run, redrives));
                if result.is_err() {
                    self.may_cancel = MayCancel::Anything;
                }
                Some(Input::MapRunLoaded {
                    run,
                    redrives,
                    result: *result,
                })
            }
            Happening::Results(request, failure) => Some(self.results(&request, failure)),
            Happening::Earlier {
                run,
                redrives,
                after,
                limit,
            } => Some(self.children_to_redrive(run, redrives, after, limit)),
            Happening::Redrive(execution) => Some(self.redrive(execution)),
            Happening::UpdateMapRun(run, bounds) => Some(self.update_map_run(run, bounds)),
            Happening::Restart => {
                self.crash();
                None
            }
        }
    }

    fn answer(&self, request: &TaskRequest) -> Answer {
        let parameters = request.parameters.value();
        answer(
            self.seed,
            &request.resource,
            &request.state,
            parameters,
            request.retry_count,
        )
    }

    /// What the runner says of an attempt; noted, because nothing else may be recorded of it.
    fn report(&mut self, task: TaskId, answer: Answer) -> Input {
        let state = self.stored(task.execution).fold.open_task(task.scheduled_at);
        let state = state.map(|task| task.state.to_owned()).unwrap_or_default();
        let (noted, outcome) = match answer {
            Answer::Returns(value) => (value.clone(), Outcome::Succeeded(Payload::from_value(value))),
            Answer::Fails(error) => (json!({"failed": error}), Outcome::Failed(Failure::new(error, state))),
            Answer::FallsSilent => (
                json!({"timed out": "Heartbeat"}),
                Outcome::TimedOut(TimeoutKind::Heartbeat),
            ),
            Answer::Hangs => (
                json!({"timed out": "Deadline"}),
                Outcome::TimedOut(TimeoutKind::Deadline),
            ),
        };
        self.note(task, noted);
        Input::TaskDone {
            task,
            report: Report {
                outcome,
                attempt: Attempt::default(),
            },
        }
    }

    /// Notes what an attempt really came to.
    pub fn note(&mut self, task: TaskId, came_to: Value) {
        let noted = self.disk.legitimate.entry(task).or_default();
        noted.push(Payload::from_value(came_to));
    }

    /// Attempts that may not be repeated, and whose start is on disk, may fail from here on.
    fn note_interrupted(&mut self) {
        let mut interrupted = Vec::new();
        for (id, stored) in &self.disk.executions {
            let open = stored.fold.open_tasks();
            let begun = open.filter(|task| task.resource == ONCE && task.started);
            interrupted.extend(begun.map(|task| TaskId {
                execution: *id,
                scheduled_at: task.scheduled_at,
            }));
        }
        for task in interrupted {
            self.seen.interrupted += 1;
            self.note(task, json!({"failed": engine::interrupted().error}));
        }
    }

    /// Does what the engine asks, as far as the process lives.
    fn do_outputs(&mut self, alive_for: usize) {
        for _ in 0..alive_for {
            let Some(output) = self.engine.poll_output() else {
                break;
            };
            match output {
                Output::Commit(batch) => self.commit(batch),
                Output::Reply { to, reply } => self.answered(to, reply),
                Output::Run(request) => self.run_task(request),
                Output::Cancel(task) | Output::Forget(task) => {
                    self.seen.cancels += 1;
                    self.check_cancel(task);
                    self.parked.remove(&task);
                    self.beats.remove(&task);
                    if let Some((_, request)) = self.running.remove(&task)
                        && self.rng.percent(40)
                    {
                        let longest = *self.rng.pick(&[500, 3_000]);
                        let after = self.rng.between(0, longest);
                        self.plan(after, Happening::StrayReport(request));
                    }
                }
                Output::Load(execution) => {
                    self.seen.loads += 1;
                    assert!(self.reading.insert(execution), "an execution is read twice at once");
                    let after = self.rng.between(0, 20);
                    self.plan(after, Happening::Read(execution));
                }
                Output::Unrecorded { execution, events, .. } => self.see(execution, events),
                Output::ReadItems {
                    run,
                    redrives,
                    from,
                    limit,
                    ..
                } => self.read_items(run, redrives, from, limit),
                Output::LoadMapRun(request) => self.load_map_run(request),
                Output::FinishMapRun { request, failure, .. } => self.finish_map_run(request, failure),
                Output::FindChildrenToRedrive {
                    run,
                    redrives,
                    after,
                    limit,
                } => self.find_children_to_redrive(run, redrives, after, limit),
                Output::MapRunOver(_) => {}
                Output::Quarantined { execution, reason } => {
                    self.disk.put_away.insert(execution);
                    assert!(
                        self.quarantined.contains(&execution),
                        "{execution:?} was put away: {reason}"
                    );
                }
            }
        }
    }

    fn check_cancel(&self, task: TaskId) {
        let open = self.stored(task.execution).fold.open_task(task.scheduled_at);
        let excused = self.may_cancel == MayCancel::Anything || self.crossed.contains(&task);
        assert!(
            !self.running.contains_key(&task) || open.is_none() || excused,
            "{task} is stopped before its end is on disk"
        );
    }

    fn commit(&mut self, batch: Batch) {
        assert!(self.in_flight.is_none(), "two batches are in flight");
        assert!(!batch.appends.is_empty(), "an empty batch");
        self.in_flight = Some(batch);
        let after = if self.rng.percent(3) {
            self.rng.between(500, 5_000)
        } else {
            self.rng.between(0, 20)
        };
        self.plan(after, Happening::Written);
    }

    fn run_task(&mut self, request: TaskRequest) {
        self.check_run(&request);
        if request.resource == ONCE && !request.version.is_some_and(may_repeat) {
            self.ran_once.insert(request.task);
        }
        self.runs += 1;
        let (task, run) = (request.task, self.runs);
        let lasts = if self.rng.percent(10) {
            self.rng.between(500, 9_000)
        } else {
            self.rng.between(0, 300)
        };
        let (released, outside) = self.park(&request, run, &self.answer(&request));
        if outside {
            self.running.insert(task, (run, request));
            return;
        }
        let lasts = lasts + released;
        let (after, answer) = match self.answer(&request) {
            Answer::FallsSilent => {
                let seconds = request
                    .heartbeat_seconds
                    .expect("only attempts with a heartbeat fall silent");
                (seconds as i64 * 1_000, Answer::FallsSilent)
            }
            Answer::Hangs => (i64::MAX / 4, Answer::Hangs),
            answer @ (Answer::Returns(_) | Answer::Fails(_)) => (lasts, answer),
        };
        // Half of the runners kill at the deadline, the others leave that to the engine.
        let left = request.deadline.map_or(i64::MAX / 2, |deadline| deadline.0 - self.now);
        self.running.insert(task, (run, request));
        if after >= left && self.rng.percent(50) {
            self.plan(left.max(0), Happening::TaskEnds(task, run, Answer::Hangs));
        } else if answer != Answer::Hangs {
            self.plan(after, Happening::TaskEnds(task, run, answer));
        }
    }

    /// The process dies and starts again: all that is left is the disk, and callers who try again.
    pub fn crash(&mut self) {
        self.crashes += 1;
        if let Some(batch) = self.in_flight.take()
            && self.rng.percent(50)
        {
            self.disk.write(batch, Timestamp(self.now));
        }
        self.note_interrupted();
        self.running.clear();
        self.unrecorded.clear();
        self.over.clear();
        self.parked.clear();
        self.beats.clear();
        self.reading.clear();
        self.asked.clear();
        self.disk.put_away.clear();
        self.quarantined.clear();
        self.disk_fails = false;
        self.agenda
            .retain(|_, happening| matches!(happening, Happening::Call(_) | Happening::Stop(_)));
        self.callers_try_again();
        self.holders_try_again();
        self.now += if self.rng.percent(50) {
            0
        } else {
            self.rng.between(0, 30_000)
        };
        self.options.seed = self.rng.bits();
        let version = if self.rng.percent(50) { 1 } else { 2 };
        let resources = Everything { version };
        self.engine = Engine::new(self.options.clone()).with_resources(Arc::new(resources));
        self.hand_in(Input::Recover {
            running: self.disk.running(),
            last: self.disk.last(),
        });
    }

    /// Whether all that has happened is on disk and done with.
    pub fn is_quiet(&self) -> bool {
        let busy = matches!(self.engine.poll_timeout(), Some((_, Why::Ready)));
        let answered = self.reading.is_empty() && self.asked.is_empty();
        !busy && self.in_flight.is_none() && answered && !self.disk_fails
    }
}
