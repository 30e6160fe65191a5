//! Executions after their retention, and what nothing refers to.

use std::collections::BTreeMap;

use asl::{Event, Status, Timestamp};
use engine::batch::{Append, AppendOutcome, Child, Start};
use engine::ids::{Digest, ExecutionId, MachineId, TaskId};
use engine::ports::{
    Catalogue, ChildQuery, ExecutionQuery, MachineUpdate, ModuleDescription, Sweep, Swept, Tally, TaskLimits, Upkeep,
};
use proptest::prelude::*;

use super::{Backend, append, backends, machine, outcomes, redriven_at, start, stop, task_started};
use AppendOutcome::{Appended, Conflict, NameTaken};

/// Deletes whatever closed before `before`; how many executions that were, children among them.
pub fn pass(upkeep: &dyn Upkeep, before: i64) -> u64 {
    let (mut deleted, mut from) = (0, Some(ExecutionId(0)));
    while let Some(place) = from {
        let step = upkeep.forget(Timestamp(before), place).expect("deletes");
        deleted += step.executions;
        from = step.next;
    }
    deleted
}

/// The start of a child of a run of `parent`.
pub fn child(id: u64, parent: u64, item: u64) -> Append {
    let started = start(id, "", "0");
    Append {
        start: started.start.map(|start| Start {
            child: Some(Child {
                run: run(parent),
                item,
                items: 1,
                round: 0,
            }),
            ..start
        }),
        ..started
    }
}

fn run(parent: u64) -> TaskId {
    TaskId {
        execution: ExecutionId(parent),
        scheduled_at: 0,
    }
}

fn is_there(backend: &Backend, id: u64) -> bool {
    let id = ExecutionId(id);
    let record = backend.reader.execution(id).expect("reads");
    let journal = backend.reader.journal(id, 0).expect("reads");
    assert_eq!(
        record.is_some(),
        !journal.is_empty(),
        "{}: `{id:?}` is there whole or not",
        backend.name
    );
    record.is_some()
}

fn redriven(at: i64) -> Event {
    redriven_at(at, 1, None)
}

#[test]
fn what_closed_long_ago_goes_and_whatever_else_stays() {
    for backend in backends() {
        let log = &*backend.log;
        outcomes(log, (1..=4).map(|id| start(id, &format!("n{id}"), "[1]")).collect());
        outcomes(log, vec![append(1, 1, vec![task_started(2)])]);
        // 1 ends early, 2 later, 3 goes on; 4 ended early and was redriven.
        outcomes(log, vec![stop(1, 2, 10), stop(2, 1, 20), stop(4, 1, 10)]);
        outcomes(log, vec![append(4, 2, vec![redriven(11)])]);

        let upkeep = &*backend.upkeep;
        assert_eq!(upkeep.expired(Timestamp(20)).expect("counts"), 1, "{}", backend.name);
        assert_eq!(pass(upkeep, 10), 0, "{}: at the moment itself it is kept", backend.name);
        assert_eq!(pass(upkeep, 20), 1, "{}", backend.name);
        let there: Vec<bool> = (1..=4).map(|id| is_there(&backend, id)).collect();
        assert_eq!(there, [false, true, true, true], "{}", backend.name);
        let by_name = |name| backend.reader.execution_by_name(MachineId(1), name).expect("reads");
        assert_eq!(by_name("n1"), None);
        let query = ExecutionQuery {
            machine: Some(MachineId(1)),
            through: None,
            status: None,
            before: None,
            limit: 9,
        };
        let listed = backend.reader.executions(&query).expect("reads");
        assert_eq!(listed.len(), 3, "{}", backend.name);
        let running = backend.reader.running().expect("reads");
        assert_eq!(
            running.iter().map(|one| one.id.0).collect::<Vec<_>>(),
            [3, 4],
            "{}",
            backend.name
        );

        // What ends after it was redriven is as old as its last end.
        outcomes(log, vec![stop(4, 3, 30)]);
        assert_eq!(pass(upkeep, 30), 1, "{}: only the second", backend.name);
        assert_eq!(pass(upkeep, i64::MAX), 1, "{}", backend.name);
        assert_eq!(backend.reader.redrives(ExecutionId(4)).expect("reads"), None);
        assert!(
            is_there(&backend, 3),
            "{}: nothing that runs is ever deleted",
            backend.name
        );
    }
}

#[test]
fn a_name_is_free_again_and_an_id_never() {
    for backend in backends() {
        let log = &*backend.log;
        outcomes(log, vec![start(1, "orders", "[1]"), start(7, "last", "0")]);
        outcomes(log, vec![stop(1, 1, 10), stop(7, 1, 10)]);
        let again = || vec![start(8, "orders", "[2]")];
        assert!(
            matches!(outcomes(log, again())[..], [NameTaken { .. }]),
            "{}",
            backend.name
        );
        assert_eq!(pass(&*backend.upkeep, 11), 2);
        assert_eq!(
            backend.reader.last_execution().expect("reads"),
            ExecutionId(7),
            "{}",
            backend.name
        );
        assert_eq!(
            outcomes(log, vec![append(1, 2, vec![redriven(12)])]),
            [Conflict],
            "{}",
            backend.name
        );
        assert_eq!(outcomes(log, again()), [Appended], "{}", backend.name);
    }
}

#[test]
fn the_children_of_a_map_run_stay_until_their_parent_goes() {
    const CHILDREN: u64 = 700;
    for backend in backends() {
        let log = &*backend.log;
        outcomes(log, vec![start(1, "parent", "0")]);
        for id in 2..2 + CHILDREN {
            outcomes(log, vec![child(id, 1, id - 2)]);
            outcomes(log, vec![stop(id, 1, 5)]);
        }
        // One of the children has a child of its own.
        outcomes(log, vec![child(900, 3, 0)]);
        outcomes(log, vec![stop(900, 1, 5)]);
        outcomes(log, vec![start(901, "beside", "0")]);
        assert_eq!(
            pass(&*backend.upkeep, 1000),
            0,
            "{}: they are as old as their parent",
            backend.name
        );
        let standing = backend.reader.map_run(run(1), 0).expect("reads");
        assert_eq!(standing.count(Status::Aborted).executions, CHILDREN, "{}", backend.name);

        outcomes(log, vec![stop(1, 1, 10)]);
        assert_eq!(
            backend.upkeep.expired(Timestamp(11)).expect("counts"),
            1,
            "{}",
            backend.name
        );
        assert_eq!(pass(&*backend.upkeep, 11), 2 + CHILDREN, "{}", backend.name);
        assert_eq!(
            (1..=900).filter(|id| is_there(&backend, *id)).count(),
            0,
            "{}",
            backend.name
        );
        let query = ChildQuery {
            run: run(1),
            status: None,
            before: None,
            limit: 9,
        };
        assert_eq!(backend.reader.children(&query).expect("reads"), [], "{}", backend.name);
        assert!(is_there(&backend, 901));
    }
}

#[test]
fn a_parent_stays_while_a_child_runs() {
    for backend in backends() {
        let log = &*backend.log;
        outcomes(log, vec![start(1, "parent", "0")]);
        outcomes(log, vec![child(2, 1, 0), child(3, 1, 1)]);
        outcomes(log, vec![stop(1, 1, 5), stop(2, 1, 5)]);
        assert_eq!(pass(&*backend.upkeep, 10), 0, "{}", backend.name);
        outcomes(log, vec![stop(3, 1, 6)]);
        assert_eq!(pass(&*backend.upkeep, 10), 3, "{}", backend.name);
    }
}

#[test]
fn definitions_stay_as_long_as_anything_has_them() {
    for backend in backends() {
        let catalogue: &dyn Catalogue = &*backend.catalogue;
        let first = catalogue.create_machine(machine("m", "first")).expect("creates");
        let of_first = Append {
            start: start(1, "x", "0").start.map(|start| Start {
                machine: first.id,
                definition: first.definition.clone(),
                ..start
            }),
            ..start(1, "x", "0")
        };
        outcomes(&*backend.log, vec![of_first]);
        let update = |text: &str| MachineUpdate {
            definition: Some(text.to_owned()),
            revision: text.to_owned(),
            at: Timestamp(2),
            ..MachineUpdate::default()
        };
        let second = catalogue.update_machine(first.id, update("second")).expect("updates");
        let third = catalogue.update_machine(first.id, update("third")).expect("updates");
        let sweep = |mode, held: &Digest| backend.upkeep.sweep(&|digest| digest == held, mode).expect("sweeps");
        let one = |text: &str| Swept {
            definitions: Tally::of(text.len() as u64),
            ..Swept::default()
        };
        // The first has an execution, the third a machine.
        assert_eq!(
            sweep(Sweep::Delete, &second.definition),
            Swept::default(),
            "{}: held",
            backend.name
        );
        assert_eq!(
            sweep(Sweep::Count, &Digest("".into())),
            one("second"),
            "{}",
            backend.name
        );
        assert!(catalogue.definition(&second.definition).expect("reads").is_some());
        assert_eq!(
            sweep(Sweep::Delete, &Digest("".into())),
            one("second"),
            "{}",
            backend.name
        );
        assert_eq!(
            catalogue.definition(&second.definition).expect("reads"),
            None,
            "{}",
            backend.name
        );

        catalogue.delete_machine(first.id).expect("deletes");
        let other = catalogue.create_machine(machine("other", "second")).expect("creates");
        assert_eq!(other.definition, second.definition);
        assert_eq!(
            sweep(Sweep::Delete, &Digest("".into())),
            Swept::default(),
            "{}: it is deleted and can be looked at",
            backend.name
        );
        assert!(
            catalogue.machine(first.id).expect("reads").is_some(),
            "it has an execution"
        );
        outcomes(&*backend.log, vec![stop(1, 1, 5)]);
        pass(&*backend.upkeep, 6);
        let all = Swept {
            machines: 1,
            definitions: Tally { count: 2, bytes: 10 },
            ..Swept::default()
        };
        assert_eq!(sweep(Sweep::Count, &Digest("".into())), all, "{}", backend.name);
        assert_eq!(sweep(Sweep::Delete, &Digest("".into())), all, "{}", backend.name);
        assert_eq!(catalogue.machines_named("m").expect("reads"), [], "{}", backend.name);
        assert_eq!(catalogue.definition(&third.definition).expect("reads"), None);

        // The number of a definition that came back is the new one.
        let back = catalogue.create_machine(machine("m", "first")).expect("creates");
        let started = Append {
            start: start(2, "x", "0").start.map(|start| Start {
                machine: back.id,
                definition: back.definition.clone(),
                ..start
            }),
            ..start(2, "x", "0")
        };
        assert_eq!(outcomes(&*backend.log, vec![started]), [Appended]);
        let record = backend.reader.execution(ExecutionId(2)).expect("reads");
        assert_eq!(
            record.map(|record| record.definition),
            Some(back.definition),
            "{}",
            backend.name
        );
    }
}

#[test]
fn components_stay_with_their_modules() {
    for backend in backends() {
        let description = ModuleDescription {
            entry: "sandstep:task".to_owned(),
            exports: vec![],
            imports: vec![],
            limits: TaskLimits::default(),
            uploaded_as: "component".to_owned(),
            ..ModuleDescription::default()
        };
        let put = backend
            .catalogue
            .put_module("m", b"component", description, Timestamp(1))
            .expect("stores");
        assert_eq!(
            backend.upkeep.sweep(&|_| false, Sweep::Delete).expect("sweeps"),
            Swept::default()
        );
        let kept = backend.catalogue.component(&put.digest).expect("reads");
        assert_eq!(kept.as_deref(), Some(&b"component"[..]), "{}", backend.name);
    }
}

/// Executions by number: a parent with a smaller one, or none; when they end, if they do.
fn any_family() -> impl Strategy<Value = Vec<(Option<u64>, Option<i64>)>> {
    let one = (
        proptest::option::weighted(0.6, 0..30u64),
        proptest::option::weighted(0.9, 0..100i64),
    );
    proptest::collection::vec(one, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The plain rule, beside every backend: a tree goes whole, when its root has ended early and nothing in it runs.
    #[test]
    fn trees_go_whole_or_stay(family in any_family(), before in 0..100i64) {
        let backends = backends();
        let mut family: BTreeMap<u64, (Option<u64>, Option<i64>)> = (1..).zip(family).collect();
        for (id, (parent, _)) in &mut family {
            *parent = parent.map(|parent| 1 + parent % id).filter(|parent| parent < id);
        }
        // No execution ends before the children of its runs.
        let closed = |id: &u64, family: &BTreeMap<u64, (Option<u64>, Option<i64>)>| {
            family.iter().all(|(child, (parent, end))| *parent != Some(*id) || (child > id && end.is_some()))
        };
        for id in family.keys().rev().copied().collect::<Vec<_>>() {
            if !closed(&id, &family) {
                family.entry(id).and_modify(|one| one.1 = None);
            }
        }
        let root = |mut id: u64| {
            while let Some(parent) = family[&id].0 {
                id = parent;
            }
            id
        };
        let goes = |id: u64| family[&root(id)].1.is_some_and(|end| end < before);
        let expected: Vec<u64> = family.keys().copied().filter(|id| !goes(*id)).collect();
        for backend in &backends {
            for (id, (parent, _)) in &family {
                let append = match parent {
                    Some(parent) => child(*id, *parent, *id),
                    None => start(*id, &format!("n{id}"), "0"),
                };
                prop_assert_eq!(&outcomes(&*backend.log, vec![append])[..], [Appended]);
            }
            for (id, (_, end)) in &family {
                if let Some(end) = end {
                    outcomes(&*backend.log, vec![stop(*id, 1, *end)]);
                }
            }
            let deleted = pass(&*backend.upkeep, before);
            let there: Vec<u64> = family.keys().copied().filter(|id| is_there(backend, *id)).collect();
            prop_assert_eq!(&there, &expected, "{}", backend.name);
            prop_assert_eq!(deleted as usize, family.len() - expected.len(), "{}", backend.name);
        }
    }
}
