//! Executions and their journals.

use std::sync::Arc;

use asl::{Event, EventKind, Failure, Status, Timestamp};
use engine::batch::{Append, AppendOutcome};
use engine::ids::{ExecutionId, MachineId};
use engine::ports::{ExecutionQuery, Reader};

use super::{append, backends, commit, event, outcomes, start, started, stop, submit, task_started};
use AppendOutcome::{Appended, Conflict, NameTaken};

#[test]
fn a_journal_reads_back_from_any_position() {
    for backend in backends() {
        let events: Vec<Event> = (0..7)
            .map(|at| {
                if at == 0 {
                    started(1, "[1, 2]")
                } else {
                    task_started(at)
                }
            })
            .collect();
        let first = Append {
            events: events[..3].to_vec(),
            ..start(1, "a", "0")
        };
        assert_eq!(outcomes(&*backend.log, vec![first]), [Appended], "{}", backend.name);
        assert_eq!(
            outcomes(&*backend.log, vec![append(1, 3, events[3..4].to_vec())]),
            [Appended]
        );
        assert_eq!(
            outcomes(&*backend.log, vec![append(1, 4, events[4..].to_vec())]),
            [Appended]
        );
        for from in 0..=7 {
            let read = backend.reader.journal(ExecutionId(1), from as u64).expect("reads");
            assert_eq!(read, events[from..], "{} from {from}", backend.name);
        }
        let ends = Some((events[0].clone(), events[6].clone()));
        assert_eq!(
            backend.reader.first_and_last(ExecutionId(1)).expect("reads"),
            ends,
            "{}",
            backend.name
        );
        assert_eq!(backend.reader.first_and_last(ExecutionId(2)).expect("reads"), None);
        assert_eq!(backend.reader.journal(ExecutionId(1), u64::MAX).expect("reads"), []);
        assert_eq!(backend.reader.journal(ExecutionId(2), 0).expect("reads"), []);
    }
}

#[test]
fn a_callers_input_is_kept_letter_by_letter() {
    let long = format!("[\"{}\"]", "spaces  inside, ".repeat(200));
    let inputs = [
        "[1, 2]",
        " {\"a\" : 1}\n",
        "\r\n\t[ ]",
        "\"\\u00e9\\u0000\\/\"",
        "\"é🦀\"",
        "1.0",
        "1e3",
        "-0",
        "123456789012345678901234567890",
        "{\"b\":1,\"a\":2,\"b\":3}",
        "{\"$text\":\"x\"}",
        &long,
    ];
    for backend in backends() {
        for (id, input) in (1..).zip(inputs) {
            let name = format!("n{id}");
            assert_eq!(
                outcomes(&*backend.log, vec![start(id, &name, input)]),
                [Appended],
                "{} {input}",
                backend.name
            );
            assert_eq!(input_of(&*backend.reader, id), input, "{}", backend.name);
        }
    }
}

pub(crate) fn input_of(reader: &dyn Reader, id: u64) -> String {
    match reader
        .journal(ExecutionId(id), 0)
        .expect("reads")
        .first()
        .map(|event| &event.kind)
    {
        Some(EventKind::ExecutionStarted { input, .. }) => input.text().to_owned(),
        other => panic!("execution {id} begins with {other:?}"),
    }
}

#[test]
fn a_record_says_how_the_execution_stands() {
    for backend in backends() {
        let reader = &backend.reader;
        outcomes(
            &*backend.log,
            vec![Append {
                wake_at: Some(Timestamp(50)),
                ..start(7, "a", "1")
            }],
        );
        let record = reader.execution(ExecutionId(7)).expect("reads").expect("is there");
        assert_eq!(
            (record.id, record.machine, record.name.as_str()),
            (ExecutionId(7), MachineId(1), "a")
        );
        assert_eq!((record.status, record.started), (Status::Running, Timestamp(7)));
        assert_eq!((record.stopped, record.wake_at), (None, Some(Timestamp(50))));
        assert_eq!(*record.definition.0, *"sha256:1");
        assert_eq!(
            reader.execution_by_name(MachineId(1), "a").expect("reads"),
            Some(record.clone())
        );
        assert_eq!(reader.execution_by_name(MachineId(2), "a").expect("reads"), None);
        assert_eq!(reader.execution_by_name(MachineId(1), "A").expect("reads"), None);
        assert_eq!(reader.execution(ExecutionId(8)).expect("reads"), None);

        outcomes(&*backend.log, vec![append(7, 1, vec![task_started(8)])]);
        let woken = reader.execution(ExecutionId(7)).expect("reads").expect("is there");
        assert_eq!(woken.wake_at, None, "{}", backend.name);

        outcomes(&*backend.log, vec![stop(7, 2, 99)]);
        let stopped = reader.execution(ExecutionId(7)).expect("reads").expect("is there");
        assert_eq!(
            (stopped.status, stopped.stopped),
            (Status::Aborted, Some(Timestamp(99))),
            "{}",
            backend.name
        );
        assert_eq!(reader.running().expect("reads"), []);
    }
}

#[test]
fn a_name_is_given_once_in_a_machine_and_its_holder_is_named() {
    for backend in backends() {
        outcomes(&*backend.log, vec![start(1, "a", "[1, 2]"), start(2, "b", "1")]);
        let taken = |same_input, status| NameTaken {
            execution: ExecutionId(1),
            started: Timestamp(1),
            status,
            same_input,
        };
        assert_eq!(
            outcomes(
                &*backend.log,
                vec![start(3, "a", "[1, 2]"), start(4, "a", "[1,2]"), start(5, "c", "1")]
            ),
            [taken(true, Status::Running), taken(false, Status::Running), Appended],
            "{}",
            backend.name
        );
        outcomes(&*backend.log, vec![stop(1, 1, 9)]);
        assert_eq!(
            outcomes(&*backend.log, vec![start(6, "a", "[1, 2]")]),
            [taken(true, Status::Aborted)]
        );
        let mut elsewhere = start(7, "a", "1");
        elsewhere.start.as_mut().expect("is a start").machine = MachineId(2);
        assert_eq!(outcomes(&*backend.log, vec![elsewhere]), [Appended]);
        for refused in [3, 4, 6] {
            assert_eq!(backend.reader.execution(ExecutionId(refused)).expect("reads"), None);
            assert_eq!(backend.reader.journal(ExecutionId(refused), 0).expect("reads"), []);
        }
    }
}

#[test]
fn an_append_at_another_position_conflicts_and_writes_nothing() {
    for backend in backends() {
        let log = &*backend.log;
        outcomes(log, vec![start(1, "a", "1"), start(2, "b", "1")]);
        let again = |append| outcomes(log, vec![append]);
        assert_eq!(
            again(append(1, 0, vec![task_started(5)])),
            [Conflict],
            "{}",
            backend.name
        );
        assert_eq!(again(append(1, 2, vec![task_started(5)])), [Conflict]);
        assert_eq!(
            again(append(9, 0, vec![task_started(5)])),
            [Conflict],
            "an execution that never started"
        );
        assert_eq!(again(start(1, "a", "1")), [Conflict], "the same start again");
        assert_eq!(again(start(1, "z", "1")), [Conflict], "an id that is taken");
        assert_eq!(
            again(Append {
                expected_position: 1,
                ..start(3, "c", "1")
            }),
            [Conflict]
        );
        assert_eq!(
            outcomes(
                log,
                vec![append(1, 7, vec![task_started(5)]), append(2, 1, vec![task_started(6)])]
            ),
            [Conflict, Appended],
            "one conflict doesn't touch its neighbours"
        );
        assert_eq!(backend.reader.journal(ExecutionId(1), 0).expect("reads").len(), 1);
        assert_eq!(backend.reader.journal(ExecutionId(2), 0).expect("reads").len(), 2);
        assert_eq!(
            backend
                .reader
                .execution(ExecutionId(1))
                .expect("reads")
                .expect("is there")
                .status,
            Status::Running
        );
    }
}

#[test]
fn an_append_without_events_fails_its_own_batch_only() {
    for backend in backends() {
        let refused = commit(&*backend.log, vec![start(1, "a", "1"), append(2, 0, vec![])]);
        assert!(
            refused.expect_err("no events").to_string().contains("`2`"),
            "{}",
            backend.name
        );
        assert_eq!(
            outcomes(&*backend.log, vec![start(1, "a", "1")]),
            [Appended],
            "nothing of the batch was written"
        );
    }
}

#[test]
fn batches_that_wait_together_are_answered_each_with_its_own() {
    for backend in backends() {
        // The writer is held in the first answer, so that the others become one group.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = Arc::new(engine::batch::Batch {
            id: engine::ids::BatchId(1),
            appends: vec![start(1, "a", "1")],
        });
        backend.log.commit(
            first,
            Box::new(move |_| {
                let _ = held.recv();
            }),
        );
        let waiting: Vec<_> = [
            vec![start(2, "b", "1")],
            vec![start(3, "b", "1")],
            vec![append(2, 1, vec![task_started(3)]), start(4, "d", "1")],
            vec![append(2, 1, vec![task_started(4)])],
            vec![append(2, 2, vec![task_started(5)])],
            vec![],
        ]
        .into_iter()
        .map(|appends| submit(&*backend.log, appends))
        .collect();
        drop(release);
        let results: Vec<_> = waiting
            .iter()
            .map(|answer| answer.recv().expect("answered").expect("commits"))
            .collect();
        let taken = NameTaken {
            execution: ExecutionId(2),
            started: Timestamp(2),
            status: Status::Running,
            same_input: true,
        };
        let expected = [
            vec![Appended],
            vec![taken],
            vec![Appended, Appended],
            vec![Conflict],
            vec![Appended],
            vec![],
        ];
        assert_eq!(results, expected, "{}", backend.name);
        let journal = backend.reader.journal(ExecutionId(2), 0).expect("reads");
        assert_eq!(journal.iter().map(|event| event.at.0).collect::<Vec<_>>(), [2, 3, 5]);
    }
}

#[test]
fn a_panicking_callback_does_not_stop_the_writer() {
    for backend in backends() {
        let batch = Arc::new(engine::batch::Batch {
            id: engine::ids::BatchId(1),
            appends: vec![start(1, "a", "1")],
        });
        backend.log.commit(batch, Box::new(|_| panic!("expected by the test")));
        assert_eq!(
            outcomes(&*backend.log, vec![start(2, "b", "1")]),
            [Appended],
            "{}",
            backend.name
        );
        assert_eq!(backend.reader.running().expect("reads").len(), 2, "{}", backend.name);
    }
}

#[test]
fn pages_list_the_newest_first() {
    for backend in backends() {
        let statuses = [
            Status::Running,
            Status::Succeeded,
            Status::Failed,
            Status::Aborted,
            Status::TimedOut,
        ];
        for id in 1..=40 {
            let mut new = start(id, &format!("n{id}"), "1");
            new.start.as_mut().expect("is a start").machine = MachineId(id % 2);
            outcomes(&*backend.log, vec![new]);
            let status = statuses[usize::try_from(id / 2).expect("small") % statuses.len()];
            outcomes(
                &*backend.log,
                vec![Append {
                    status,
                    ..append(id, 1, vec![task_started(1)])
                }],
            );
        }
        for machine in [None, Some(MachineId(0)), Some(MachineId(1)), Some(MachineId(9))] {
            for status in statuses.into_iter().map(Some).chain([None]) {
                check_pages(&*backend.reader, machine, status, backend.name);
            }
        }
        let ids: Vec<u64> = backend
            .reader
            .running()
            .expect("reads")
            .iter()
            .map(|record| record.id.0)
            .collect();
        assert!(ids.is_sorted() && !ids.is_empty(), "{}: {ids:?}", backend.name);
    }
}

fn check_pages(reader: &dyn Reader, machine: Option<MachineId>, status: Option<Status>, name: &str) {
    let everything = ExecutionQuery {
        through: None,
        machine: None,
        status: None,
        before: Some(ExecutionId(u64::MAX)),
        limit: usize::MAX,
    };
    let mut expected = reader.executions(&everything).expect("reads");
    assert_eq!(expected.len(), 40);
    assert!(expected.is_sorted_by_key(|record| std::cmp::Reverse(record.id)));
    expected.retain(|record| machine.is_none_or(|m| record.machine == m) && status.is_none_or(|s| record.status == s));
    let mut listed = Vec::new();
    let mut before = None;
    loop {
        let page = reader
            .executions(&ExecutionQuery {
                through: None,
                machine,
                status,
                before,
                limit: 3,
            })
            .expect("reads");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        assert!(
            before.is_none_or(|before| last.id < before),
            "{name}: a page that doesn't move on"
        );
        before = Some(last.id);
        listed.extend(page);
    }
    assert_eq!(listed, expected, "{name}, {machine:?}, {status:?}");
}

#[test]
fn the_last_id_only_rises() {
    for backend in backends() {
        assert_eq!(
            backend.reader.last_execution().expect("reads"),
            ExecutionId(0),
            "{}",
            backend.name
        );
        outcomes(&*backend.log, vec![start(5, "a", "1")]);
        outcomes(&*backend.log, vec![start(3, "b", "1")]);
        assert_eq!(
            backend.reader.last_execution().expect("reads"),
            ExecutionId(5),
            "{}",
            backend.name
        );
    }
}

#[test]
fn a_redrive_opens_an_execution_again_and_is_noted() {
    for backend in backends() {
        let id = ExecutionId(1);
        let failed = |at| {
            event(
                at,
                EventKind::ExecutionFailed {
                    failure: Failure::default(),
                },
            )
        };
        let redriven = |at, count| {
            event(
                at,
                EventKind::ExecutionRedriven {
                    count,
                    token: Some(format!("token {count}")),
                    round: None,
                    in_turn: true,
                },
            )
        };
        let mut first = start(1, "one", "0");
        first.events.push(failed(20));
        first.status = Status::Failed;
        let end = first.events.len() as u64;
        assert_eq!(outcomes(&*backend.log, vec![first]), [Appended]);
        assert_eq!(backend.reader.redrives(id).expect("reads"), None, "{}", backend.name);
        assert_eq!(
            outcomes(&*backend.log, vec![append(1, end, vec![redriven(30, 1)])]),
            [Appended]
        );
        let record = backend.reader.execution(id).expect("reads").expect("is there");
        assert_eq!(
            (record.status, record.stopped),
            (Status::Running, None),
            "{}",
            backend.name
        );
        // fails, and is redriven and fails again in one commit
        let mut again = append(1, end + 1, vec![failed(40)]);
        again.status = Status::Failed;
        let mut twice = append(1, end + 2, vec![redriven(50, 2), failed(60)]);
        twice.status = Status::Failed;
        for step in [again, twice] {
            assert_eq!(outcomes(&*backend.log, vec![step]), [Appended]);
        }
        let record = backend.reader.execution(id).expect("reads").expect("is there");
        assert_eq!(
            (record.status, record.stopped),
            (Status::Failed, Some(Timestamp(60))),
            "{}",
            backend.name
        );
        let redrives = backend.reader.redrives(id).expect("reads").expect("was redriven");
        assert_eq!(
            (redrives.count, redrives.at, redrives.token.as_deref()),
            (2, Timestamp(50), Some("token 2")),
            "{}",
            backend.name
        );
    }
}
