//! The same random appends run against every backend and are compared, outcome by outcome and row by row.
//!
//! A failure prints its smallest case; `PROPTEST_RNG_SEED` takes a seed back.

use asl::{Status, Timestamp};
use engine::batch::{Append, Child, Start};
use engine::ids::{Digest, ExecutionId, MachineId, TaskId};
use engine::ports::{ChildQuery, ExecutionQuery, Origin, Through};
use proptest::prelude::*;

use super::{Backend, aborted, backends, outcomes, redriven_at, started, task_started};

/// Few ids and names, so that they collide.
const IDS: u64 = 6;

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![4 => Just(Status::Running), 1 => Just(Status::Aborted), 1 => Just(Status::Succeeded)]
}

fn any_origin() -> impl Strategy<Value = Option<Origin>> {
    let alias = proptest::option::of(prop_oneof!["live", "next"]);
    proptest::option::of((1..3u32, alias)).prop_map(|origin| origin.map(|(version, alias)| Origin { version, alias }))
}

/// Of two runs of a parent that is older than every child.
fn any_child() -> impl Strategy<Value = Option<Child>> {
    let child = (0..2u64, 0..5u64, 1..4u64, 0..2u32).prop_map(|(position, item, items, round)| Child {
        run: run(position),
        item,
        items,
        round,
    });
    proptest::option::weighted(0.4, child)
}

fn run(scheduled_at: u64) -> TaskId {
    TaskId {
        execution: ExecutionId(0),
        scheduled_at,
    }
}

prop_compose! {
    fn any_append()(
        execution in 1..=IDS,
        // Where the append believes the journal to end: mostly right, see `aimed`.
        aim in prop_oneof![8 => Just(0i64), 1 => -1..=1i64],
        start in proptest::option::weighted(0.4, (1..=2u64, 0..4u8, 0..3u8, any_origin(), any_child())),
        count in 1..4usize,
        status in any_status(),
        wake_at in proptest::option::of(0..3i64),
        redriven in proptest::option::weighted(0.3, (1..3u32, proptest::option::of(1..3u32))),
        padding in prop_oneof![3 => Just(0usize), 1 => 0..2000usize],
    ) -> (Append, i64) {
        let mut events: Vec<_> = (0..count).map(|at| task_started(at as i64)).collect();
        let start = start.map(|(machine, name, input, origin, child)| {
            events[0] = started(9, &format!("[{input}, \"{}\"]", "x".repeat(padding)));
            Start {
                machine: MachineId(machine),
                name: format!("n{name}"),
                definition: Digest(format!("sha256:{input}").into()),
                at: Timestamp(i64::from(input)),
                // nobody starts a child through a version
                origin: origin.filter(|_| child.is_none()),
                child,
            }
        });
        if start.is_none() {
            events.extend(redriven.map(|(count, round)| redriven_at(40, count, round)));
        }
        if status != Status::Running {
            events.push(aborted(77));
        }
        let append = Append {
            execution: ExecutionId(execution),
            expected_position: 0,
            events,
            start,
            status,
            wake_at: wake_at.map(Timestamp),
        };
        (append, aim)
    }
}

/// Aims an append at the end of the journal as it stands, give or take; starts stay at 0 mostly.
fn aimed((mut append, aim): (Append, i64), backend: &Backend) -> Append {
    let length = backend.reader.journal(append.execution, 0).expect("reads").len() as u64;
    let end = if append.start.is_some() { 0 } else { length };
    append.expected_position = end.saturating_add_signed(aim);
    append
}

/// Everything a reader can say.
fn everything(backend: &Backend) -> impl PartialEq + std::fmt::Debug + use<> {
    let reader = &backend.reader;
    let pages: Vec<_> = [None, Some(MachineId(1)), Some(MachineId(2))]
        .into_iter()
        .flat_map(|machine| [None, Some(Status::Running), Some(Status::Aborted)].map(|status| (machine, status)))
        .flat_map(|(machine, status)| {
            let through = [
                None,
                Some(Through::Version(1)),
                Some(Through::Version(2)),
                Some(Through::Alias("live".into())),
            ];
            through.map(|through| (machine, through, status))
        })
        .map(|(machine, through, status)| {
            let query = ExecutionQuery {
                machine,
                through,
                status,
                before: Some(ExecutionId(IDS)),
                limit: 3,
            };
            reader.executions(&query).expect("reads")
        })
        .collect();
    let journals: Vec<_> = (0..=IDS + 1)
        .map(|id| {
            (0..4)
                .map(|from| reader.journal(ExecutionId(id), from).expect("reads"))
                .collect::<Vec<_>>()
        })
        .collect();
    let records: Vec<_> = (0..=IDS)
        .map(|id| reader.execution(ExecutionId(id)).expect("reads"))
        .collect();
    let ends: Vec<_> = (0..=IDS)
        .map(|id| reader.first_and_last(ExecutionId(id)).expect("reads"))
        .collect();
    let runs: Vec<_> = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 2)]
        .map(|(position, redrives)| reader.map_run(run(position), redrives).expect("reads"))
        .into();
    let redriven: Vec<_> = (0..=IDS)
        .map(|id| reader.redrives(ExecutionId(id)).expect("reads"))
        .collect();
    let to_redrive: Vec<_> = [(0, 1, None), (0, 2, None), (1, 2, Some(ExecutionId(2)))]
        .map(|(position, redrives, after)| {
            let page = reader.children_to_redrive(run(position), redrives, after, 2);
            page.expect("reads")
        })
        .into();
    let children: Vec<_> = [None, Some(Status::Running), Some(Status::Aborted)]
        .into_iter()
        .flat_map(|status| [None, Some(ExecutionId(IDS))].map(|before| (status, before)))
        .map(|(status, before)| {
            let query = ChildQuery {
                run: run(1),
                status,
                before,
                limit: 2,
            };
            reader.children(&query).expect("reads")
        })
        .collect();
    let results: Vec<_> = [None, Some(ExecutionId(2))]
        .map(|after| reader.closed_children(run(0), after, 2).expect("reads"))
        .into();
    (
        (runs, children, results, redriven, to_redrive),
        ends,
        pages,
        journals,
        records,
        reader.running().expect("reads"),
        reader.last_execution().expect("reads"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_backend_answers_alike(batches in proptest::collection::vec(proptest::collection::vec(any_append(), 1..5), 1..12)) {
        let backends = backends();
        let Some((reference, others)) = backends.split_first() else { return Ok(()) };
        for batch in batches {
            let mut appends: Vec<Append> = Vec::new();
            for append in batch {
                // No execution twice in a batch.
                if appends.iter().all(|earlier| earlier.execution != append.0.execution) {
                    appends.push(aimed(append, reference));
                }
            }
            let expected = outcomes(&*reference.log, appends.clone());
            for other in others {
                prop_assert_eq!(&outcomes(&*other.log, appends.clone()), &expected, "{}", other.name);
                prop_assert_eq!(everything(other), everything(reference), "{}", other.name);
            }
        }
    }
}
