//! What the engine promises beyond the simulation's invariants: bounds, turns and time.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::definition::StateMachine;
use asl::{Attempt, Event, EventKind, Failure, MapItem, Payload, Status, Timestamp};
use engine::batch::{AppendOutcome, Batch};
use engine::ids::{BatchId, Digest, ExecutionId, MachineId, ReplyTo, TaskId};
use engine::input::{ItemsRead, StartExecution};
use engine::output::Reply;
use engine::ports::{ExecutionRecord, Outcome, Report, StoreError};
use engine::replay::{Loaded, Pinned};
use engine::{Engine, Input, Options, Output, Why};
use serde_json::{Value, json};

/// An engine and a shell that writes everything down and does nothing by itself.
struct Shell {
    engine: Engine,
    now: i64,
    machines: u64,
    replies: u64,
    batches: Vec<Batch>,
    journals: BTreeMap<ExecutionId, Vec<Event>>,
    runs: Vec<TaskId>,
    loads: Vec<ExecutionId>,
    reads: Vec<(TaskId, u64, usize)>,
    finished: Vec<TaskId>,
    answers: BTreeMap<ReplyTo, Reply>,
}

impl Shell {
    fn new(options: Options) -> Self {
        let mut shell = Self {
            engine: Engine::new(options),
            now: 1_000_000,
            machines: 0,
            replies: 0,
            batches: Vec::new(),
            journals: BTreeMap::new(),
            runs: Vec::new(),
            loads: Vec::new(),
            reads: Vec::new(),
            finished: Vec::new(),
            answers: BTreeMap::new(),
        };
        shell.hand_in(Input::Recover {
            running: Vec::new(),
            last: ExecutionId(0),
        });
        shell
    }

    fn hand_in(&mut self, input: Input) {
        self.engine.handle(Timestamp(self.now), input);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Commit(batch) => self.batches.push(batch),
                Output::Reply { to, reply } => {
                    assert!(self.answers.insert(to, reply).is_none(), "{to:?} is answered twice");
                }
                Output::Run(request) => self.runs.push(request.task),
                Output::Cancel(task) | Output::Forget(task) => self.runs.retain(|run| *run != task),
                Output::Load(execution) => self.loads.push(execution),
                Output::Unrecorded { .. } => {}
                Output::ReadItems { run, from, limit, .. } => self.reads.push((run, from, limit)),
                Output::LoadMapRun(request) => panic!("{request:?} is asked after"),
                Output::FindChildrenToRedrive { run, .. } => panic!("{run} was never redriven"),
                Output::FinishMapRun { request, failure, .. } => {
                    assert_eq!(failure, None);
                    self.finished.push(request.run);
                }
                Output::MapRunOver(_) => {}
                Output::Quarantined { execution, reason } => panic!("{execution:?}: {reason}"),
            }
        }
    }

    fn tick(&mut self) {
        self.hand_in(Input::Tick);
    }

    fn start(&mut self, definition: Value, input: Value) -> ReplyTo {
        self.machines += 1;
        let machine = machine(&definition);
        self.replies += 1;
        let reply = ReplyTo(self.replies);
        self.hand_in(Input::Start(StartExecution {
            machine: MachineId(self.machines),
            definition: Digest("sha256:0".into()),
            state_machine: machine,
            mode: asl::Mode::Standard,
            stored_as: None,
            origin: None,
            name: "name".into(),
            input: Payload::from_value(input),
            id_text: "id".into(),
            role: None,
            trace_parent: None,
            starter: None,
            machine_id_text: "machine".into(),
            machine_name: "machine".into(),
            reply,
            on_closed: None,
        }));
        reply
    }

    /// The disk writes the batch in flight.
    fn commit(&mut self) {
        let batch = self.batches.pop().expect("a batch is in flight");
        let outcomes = vec![AppendOutcome::Appended; batch.appends.len()];
        for append in batch.appends {
            self.journals.entry(append.execution).or_default().extend(append.events);
        }
        self.hand_in(Input::Committed {
            batch: batch.id,
            result: Ok(outcomes),
        });
    }

    fn commit_all(&mut self) {
        while !self.batches.is_empty() {
            self.commit();
        }
    }

    fn fail(&mut self) {
        let batch = self.batches.pop().expect("a batch is in flight");
        self.hand_in(Input::Committed {
            batch: batch.id,
            result: Err(StoreError("the disk is full".into())),
        });
    }

    fn finish(&mut self, task: TaskId) {
        self.runs.retain(|run| *run != task);
        let outcome = Outcome::Succeeded(Payload::empty_object());
        self.hand_in(Input::TaskDone {
            task,
            report: Report {
                outcome,
                attempt: Attempt::default(),
            },
        });
    }
}

fn pinned() -> Pinned {
    Pinned {
        machine: MachineId(1),
        definition: Digest("sha256:0".into()),
        version: None,
    }
}

fn machine(definition: &Value) -> Arc<StateMachine> {
    let (machine, diagnostics) = asl::definition::parse(&definition.to_string());
    Arc::new(machine.unwrap_or_else(|| panic!("a valid machine: {diagnostics:?}")))
}

fn endless() -> Value {
    json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Pass", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.on", "BooleanEquals": true, "Next": "A"}], "Default": "D"},
        "D": {"Type": "Succeed"}
    }})
}

fn one_task() -> Value {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "wasm:t", "End": true}}})
}

#[test]
fn a_loop_without_a_wait_holds_up_nobody() {
    let mut shell = Shell::new(Options {
        step_budget: 100,
        ..Options::default()
    });
    shell.start(endless(), json!({"on": true}));
    shell.start(one_task(), json!({}));
    assert!(matches!(shell.engine.poll_timeout(), Some((_, Why::Ready))));
    for _ in 0..3 {
        shell.commit();
    }
    assert_eq!(
        shell.runs.len(),
        1,
        "the other execution's task runs after a few commits"
    );
    shell.hand_in(Input::Stop {
        execution: ExecutionId(1),
        failure: Failure::default(),
        reply: ReplyTo(99),
    });
    shell.commit_all();
    assert!(matches!(shell.answers.get(&ReplyTo(99)), Some(Reply::Stopped { .. })));
}

#[test]
fn a_loop_without_a_wait_waits_for_a_slow_disk() {
    let mut shell = Shell::new(Options::default());
    shell.start(endless(), json!({"on": true}));
    for _ in 0..100 {
        shell.tick();
    }
    assert_eq!(
        shell.engine.poll_timeout(),
        None,
        "it waits for the disk and for nothing else"
    );
    shell.commit();
    let append = &shell.batches[0].appends[0];
    assert!(append.events.len() <= 1_100, "{} events gathered", append.events.len());
    assert_eq!(append.status, Status::Running);
}

#[test]
fn executions_take_turns_for_slots() {
    let items: Vec<u32> = (0..500).collect();
    let map = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": one_task(), "End": true
    }}});
    let mut shell = Shell::new(Options {
        slots: 2,
        step_budget: 100_000,
        ..Options::default()
    });
    shell.start(map, json!({"items": items}));
    while shell.runs.is_empty() {
        shell.commit();
    }
    shell.start(one_task(), json!({}));
    shell.commit_all();
    assert!(
        shell.runs.iter().all(|task| task.execution == ExecutionId(1)),
        "the slots are taken"
    );
    for _ in 0..2 {
        shell.finish(shell.runs[0]);
        shell.commit_all();
    }
    assert!(
        shell.runs.iter().any(|task| task.execution == ExecutionId(2)),
        "500 items are ahead of it, two turns is all they get"
    );
}

#[test]
fn a_long_attempt_is_recorded_as_started_and_a_short_one_with_its_end() {
    let mut shell = Shell::new(Options::default());
    shell.start(one_task(), json!({}));
    shell.commit_all();
    let task = shell.runs[0];
    let (at, why) = shell.engine.poll_timeout().expect("a second from now");
    assert_eq!((at, why), (Timestamp(shell.now + 1_000), Why::TaskStarted(task)));
    shell.now += 999;
    shell.tick();
    assert!(shell.batches.is_empty());
    shell.now += 1;
    shell.tick();
    let events = &shell.batches[0].appends[0].events;
    assert_eq!(events.len(), 1);
    assert!(matches!(events[0].kind, EventKind::TaskStarted { .. }));
    assert_eq!(events[0].at, Timestamp(shell.now - 1_000), "when it got its slot");
    shell.commit_all();
    shell.finish(task);
    shell.commit_all();

    shell.start(one_task(), json!({}));
    shell.commit_all();
    shell.finish(shell.runs[0]);
    shell.commit_all();
    for journal in shell.journals.values() {
        let started = journal
            .iter()
            .filter(|event| matches!(event.kind, EventKind::TaskStarted { .. }));
        assert_eq!(started.count(), 1);
    }
    assert_eq!(shell.engine.poll_timeout(), None, "nothing is left to wait for");
}

#[test]
fn a_long_wait_leaves_memory_and_is_read_back_in_time() {
    let wait =
        |seconds: u64| json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": seconds, "End": true}}});
    let mut shell = Shell::new(Options::default());
    shell.start(wait(30), json!({}));
    shell.start(wait(31_536_000), json!({}));
    shell.commit_all();
    shell.now += 30_000;
    shell.tick();
    assert!(shell.loads.is_empty(), "half a minute is waited out in memory");
    shell.commit_all();
    let year = Timestamp(1_000_000 + 31_536_000_000);
    assert_eq!(
        shell.engine.poll_timeout(),
        Some((year, Why::Wakeup(ExecutionId(2), None)))
    );
    shell.now = year.0;
    shell.tick();
    assert_eq!(shell.loads, [ExecutionId(2)]);
    let loaded = Loaded::replay(machine(&wait(31_536_000)), pinned(), &shell.journals[&ExecutionId(2)]);
    shell.hand_in(Input::Loaded {
        execution: ExecutionId(2),
        result: Ok(loaded),
    });
    assert_eq!(shell.batches[0].appends[0].status, Status::Succeeded);
}

#[test]
fn a_full_disk_is_tried_less_and_less_often() {
    let mut shell = Shell::new(Options::default());
    shell.start(one_task(), json!({}));
    shell.commit_all();
    for pause in [100, 200, 400] {
        shell.finish(shell.runs[0]);
        shell.fail();
        assert!(shell.loads.is_empty(), "nothing is read back before the pause is over");
        assert_eq!(
            shell.engine.poll_timeout(),
            Some((Timestamp(shell.now + pause), Why::Reload))
        );
        shell.now += pause;
        shell.tick();
        let execution = shell.loads.pop().expect("read back after the pause");
        let loaded = Loaded::replay(machine(&one_task()), pinned(), &shell.journals[&execution]);
        shell.hand_in(Input::Loaded {
            execution,
            result: Ok(loaded),
        });
        assert_eq!(shell.runs.len(), 1, "the attempt runs again");
    }
}

#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    let mut shell = Shell::new(Options::default());
    let reply = shell.start(one_task(), json!({}));
    shell.fail();
    assert_eq!(shell.answers[&reply], Reply::Fault("the disk is full".into()));
    assert_eq!(shell.engine.poll_timeout(), None);
    shell.hand_in(Input::Stop {
        execution: ExecutionId(1),
        failure: Failure::default(),
        reply: ReplyTo(99),
    });
    assert_eq!(shell.answers[&ReplyTo(99)], Reply::NotRunning);
}

#[test]
fn an_attempt_that_runs_again_is_stopped_when_its_first_run_reports() {
    let mut shell = Shell::new(Options::default());
    shell.start(one_task(), json!({}));
    shell.commit_all();
    let task = shell.runs[0];
    shell.now += 1_000;
    shell.tick();
    shell.fail();
    assert!(shell.runs.is_empty(), "a failed commit is a crash");
    shell.now += 100;
    shell.tick();
    let loaded = Loaded::replay(machine(&one_task()), pinned(), &shell.journals[&ExecutionId(1)]);
    shell.hand_in(Input::Loaded {
        execution: ExecutionId(1),
        result: Ok(loaded),
    });
    assert_eq!(shell.runs, [task]);
    // The report of the first run, which was on its way when the commit failed.
    let outcome = Outcome::Succeeded(Payload::empty_object());
    shell.hand_in(Input::TaskDone {
        task,
        report: Report {
            outcome,
            attempt: Attempt::default(),
        },
    });
    assert!(shell.runs.is_empty(), "the second run has nothing left to say");
    shell.commit_all();
    assert!(
        shell.journals[&ExecutionId(1)]
            .last()
            .is_some_and(|event| event.kind.closes().is_some())
    );
}

#[test]
fn recovery_reads_a_few_journals_at_a_time() {
    let mut shell = Shell::new(Options::default());
    shell.engine = Engine::new(Options::default());
    let record = |id: u64, wake_at: i64| ExecutionRecord {
        id: ExecutionId(id),
        machine: MachineId(1),
        name: format!("execution-{id}"),
        definition: Digest("sha256:0".into()),
        status: Status::Running,
        started: Timestamp(0),
        stopped: None,
        wake_at: Some(Timestamp(wake_at)),
        origin: None,
        child: None,
    };
    let mut running: Vec<_> = (1..=200).map(|id| record(id, 0)).collect();
    running.push(record(201, i64::MAX));
    shell.hand_in(Input::Recover {
        running,
        last: ExecutionId(300),
    });
    assert_eq!(shell.loads.len(), 64);
    let events = {
        let mut other = Shell::new(Options::default());
        other.start(one_task(), json!({}));
        other.commit_all();
        other.journals.remove(&ExecutionId(1)).expect("started")
    };
    for done in 0..200 {
        let execution = shell.loads[done];
        let loaded = Loaded::replay(machine(&one_task()), pinned(), &events);
        shell.hand_in(Input::Loaded {
            execution,
            result: Ok(loaded),
        });
        assert!(shell.loads.len() - done - 1 <= 64);
    }
    assert_eq!(shell.loads.len(), 200, "the one that waits stays on disk");
    shell.start(one_task(), json!({}));
    assert_eq!(
        shell.batches[0].appends[0].execution,
        ExecutionId(301),
        "ids go on where they were"
    );
}

#[test]
fn a_flood_of_starts_is_cut_into_batches() {
    let mut shell = Shell::new(Options::default());
    for _ in 0..4_000 {
        shell.start(one_task(), json!({}));
    }
    shell.commit();
    let events: usize = shell.batches[0].appends.iter().map(|append| append.events.len()).sum();
    assert!((10_000..10_100).contains(&events), "{events} events in a batch");
    assert_eq!(shell.batches[0].id, BatchId(2));
    shell.commit_all();
    assert_eq!(shell.answers.len(), 4_000);
}

#[test]
fn nothing_starts_before_the_disk_was_read() {
    let mut shell = Shell::new(Options::default());
    shell.engine = Engine::new(Options::default());
    let reply = shell.start(one_task(), json!({}));
    assert!(matches!(shell.answers[&reply], Reply::Fault(_)));
    assert!(shell.batches.is_empty());
}

#[test]
fn a_long_map_run_holds_a_few_of_its_items_and_children() {
    const ITEMS: u64 = 20_000;
    let definition = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "b", "Key": "k"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}},
        },
        "End": true,
    }}});
    let mut shell = Shell::new(Options {
        map_run_children: 300,
        ..Options::default()
    });
    let before = shell.start(definition, json!({}));
    let (mut handed_out, mut finished) = (0, 0);
    while finished < ITEMS {
        assert!(shell.reads.len() <= 1, "one read at a time");
        if let Some((run, from, limit)) = shell.reads.pop() {
            assert_eq!(from, handed_out, "each item is read once");
            assert!(
                from - finished < 3_000,
                "{} items are ahead of the children",
                from - finished
            );
            let to = ITEMS.min(from + limit as u64);
            let items = (from..to).map(|item| MapItem {
                value: Payload::from_value(json!(item)),
                key: None,
                source: "S3://b/k".into(),
            });
            let read = ItemsRead {
                items: items.collect(),
                last: to == ITEMS,
            };
            handed_out = to;
            shell.hand_in(Input::ItemsRead {
                redrives: 0,
                run,
                from,
                result: Ok(read),
            });
        } else if shell.batches.is_empty() {
            shell.tick();
        } else {
            let begun = shell.batches[0].appends.iter().filter(|append| append.start.is_some());
            assert!(begun.count() <= 300, "more children at once than the run may have");
            shell.commit();
            finished = shell.journals.len() as u64 - 1;
        }
    }
    shell.commit_all();
    while shell.finished.is_empty() {
        shell.tick();
        shell.commit_all();
    }
    let mut item = 0;
    for journal in shell.journals.values().skip(1) {
        let EventKind::ExecutionStarted { child_of, input, .. } = &journal[0].kind else {
            panic!("a journal begins with its start");
        };
        let child_of = child_of.as_ref().expect("every other execution is a child");
        assert_eq!((child_of.item, input.text()), (item, &*item.to_string()));
        item += 1;
    }
    assert_eq!(item, ITEMS);
    assert!(
        shell.journals[&ExecutionId(1)].len() < 6,
        "the parent's journal holds no item"
    );
    assert!(shell.answers.contains_key(&before));
}
