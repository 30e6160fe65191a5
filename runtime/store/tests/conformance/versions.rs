//! Versions, aliases, tags, and executions by what they were started through.

use asl::{Status, Timestamp};
use engine::batch::Append;
use engine::ids::{ExecutionId, MachineId};
use engine::ports::{
    AliasRecord, CatalogueError, ExecutionQuery, MachineUpdate, NewAlias, NewVersion, Origin, Route, Tag, Tagged,
    Through, VersionRecord,
};
use serde_json::json;

use super::catalogue::{description, machine};
use super::{Backend, backends, outcomes, start};

fn described(text: &str) -> NewVersion {
    NewVersion {
        description: Some(text.to_owned()),
    }
}

fn alias(name: &str, routes: &[(u32, u8)], at: i64) -> NewAlias {
    let routes = routes.iter().map(|(version, weight)| Route {
        version: *version,
        weight: *weight,
    });
    NewAlias {
        name: name.to_owned(),
        description: None,
        routes: routes.collect(),
        at: Timestamp(at),
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn numbers(backend: &Backend) -> Vec<(MachineId, u32)> {
    let versions = backend.catalogue.versions().expect("reads");
    versions
        .iter()
        .map(|version| (version.machine, version.number))
        .collect()
}

#[test]
fn a_version_is_the_machine_as_it_was_and_its_number_never_comes_again() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let mut new = machine("orders");
        new.publish = Some(described("first"));
        new.modules = vec!["charge".to_owned()];
        let created = catalogue.create_machine(new).expect("creates");
        assert_eq!(created.last_version, 1, "{}", backend.name);
        let first = VersionRecord::of(&created, described("first"), Timestamp(10));
        assert_eq!(catalogue.versions().expect("reads"), std::slice::from_ref(&first));

        let update = MachineUpdate {
            definition: Some("{}".to_owned()),
            role: Some("other".to_owned()),
            configuration: Some(json!({})),
            modules: Some(vec![]),
            revision: "r2".to_owned(),
            publish: Some(NewVersion::default()),
            at: Timestamp(20),
        };
        let updated = catalogue.update_machine(created.id, update).expect("updates");
        assert_eq!(updated.last_version, 2);
        let second = VersionRecord::of(&updated, NewVersion::default(), Timestamp(20));
        assert_eq!(catalogue.versions().expect("reads"), [first.clone(), second.clone()]);
        assert_eq!(catalogue.machine(created.id).expect("reads"), Some(updated));

        catalogue.delete_version(created.id, 2).expect("deletes");
        let again = catalogue.delete_version(created.id, 2);
        assert!(
            matches!(again, Err(CatalogueError::NoSuchVersion { number: 2, .. })),
            "{}",
            backend.name
        );
        let third = catalogue
            .publish_version(created.id, described("third"), Timestamp(30))
            .expect("publishes");
        let expected = VersionRecord {
            number: 3,
            description: Some("third".to_owned()),
            created: Timestamp(30),
            ..second
        };
        assert_eq!(third, expected, "{}", backend.name);
        let other = catalogue.create_machine(machine("other")).expect("creates");
        catalogue
            .publish_version(other.id, NewVersion::default(), Timestamp(40))
            .expect("publishes");
        assert_eq!(numbers(&backend), [(created.id, 1), (created.id, 3), (other.id, 1)]);

        catalogue.delete_machine(created.id).expect("deletes");
        assert_eq!(numbers(&backend), [(other.id, 1)], "{}", backend.name);
        let gone = catalogue.publish_version(created.id, NewVersion::default(), Timestamp(50));
        assert!(matches!(gone, Err(CatalogueError::NoSuchMachine(id)) if id == created.id));
    }
}

#[test]
fn an_alias_keeps_its_place_when_it_changes_and_holds_its_versions() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let orders = catalogue.create_machine(machine("orders")).expect("creates").id;
        for _ in 0..2 {
            catalogue
                .publish_version(orders, NewVersion::default(), Timestamp(1))
                .expect("publishes");
        }
        let live = catalogue
            .put_alias(orders, alias("live", &[(1, 100)], 2))
            .expect("creates");
        let next = catalogue
            .put_alias(orders, alias("next", &[(2, 100)], 3))
            .expect("creates");
        assert!(live.id < next.id, "{}", backend.name);
        assert_eq!((live.created, live.updated), (Timestamp(2), Timestamp(2)));

        let mut change = alias("live", &[(1, 90), (2, 10)], 4);
        change.description = Some("careful".to_owned());
        let changed = catalogue.put_alias(orders, change.clone()).expect("changes");
        let expected = AliasRecord {
            description: change.description,
            routes: change.routes,
            updated: Timestamp(4),
            ..live
        };
        assert_eq!(changed, expected, "{}", backend.name);
        assert_eq!(catalogue.aliases().expect("reads"), [changed, next.clone()]);

        let missing = catalogue.put_alias(orders, alias("live", &[(1, 50), (3, 50)], 5));
        assert!(
            matches!(missing, Err(CatalogueError::NoSuchVersion { number: 3, .. })),
            "{}",
            backend.name
        );
        let in_use = |number| match catalogue.delete_version(orders, number) {
            Err(CatalogueError::VersionInUse { aliases, .. }) => aliases,
            other => panic!("{}: {other:?}", backend.name),
        };
        assert_eq!(in_use(1), ["live"]);
        assert_eq!(in_use(2), ["live", "next"]);
        catalogue.delete_alias(orders, "live").expect("deletes");
        catalogue.delete_version(orders, 1).expect("nothing points to it");
        let again = catalogue.delete_alias(orders, "live");
        assert!(matches!(again, Err(CatalogueError::NoSuchAlias { alias, .. }) if alias == "live"));
        assert_eq!(catalogue.aliases().expect("reads"), [next]);

        catalogue.delete_machine(orders).expect("deletes");
        assert_eq!(catalogue.aliases().expect("reads"), [], "{}", backend.name);
        let gone = catalogue.put_alias(orders, alias("live", &[(2, 100)], 6));
        assert!(matches!(gone, Err(CatalogueError::NoSuchMachine(_))));
    }
}

#[test]
fn a_module_that_only_a_version_refers_to_is_in_use() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        catalogue
            .put_module("charge", b"one", description("run"), Timestamp(1))
            .expect("stores");
        let mut new = machine("orders");
        new.modules = vec!["charge".to_owned()];
        new.publish = Some(NewVersion::default());
        let orders = catalogue.create_machine(new).expect("creates").id;
        let update = MachineUpdate {
            modules: Some(vec![]),
            revision: "r2".to_owned(),
            ..MachineUpdate::default()
        };
        catalogue.update_machine(orders, update).expect("updates");
        let refused = catalogue.delete_module("charge", false);
        assert!(
            matches!(refused, Err(CatalogueError::ModuleInUse { machines, .. }) if machines == ["orders"]),
            "{}",
            backend.name
        );
        catalogue.delete_version(orders, 1).expect("deletes");
        catalogue.delete_module("charge", false).expect("nobody uses it");
    }
}

#[test]
fn tags_are_replaced_whole_and_go_with_their_machine() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let mut new = machine("orders");
        new.tags = vec![tag("b", "1"), tag("a", ""), tag("b", "2")];
        let orders = Tagged::Machine(catalogue.create_machine(new).expect("creates").id);
        let activity = Tagged::Activity("orders".to_owned());
        for tags in [vec![tag("x", "0")], vec![tag("ignored", "")]] {
            catalogue
                .create_activity("orders", tags, Timestamp(1))
                .expect("creates or answers");
        }
        let tags = |tagged: &Tagged| catalogue.tags(tagged).expect("reads");
        assert_eq!(tags(&orders), [tag("b", "2"), tag("a", "")], "{}", backend.name);
        assert_eq!(tags(&activity), [tag("x", "0")], "{}", backend.name);
        catalogue.set_tags(&activity, vec![tag("x", "y")]).expect("writes");
        catalogue
            .set_tags(&orders, vec![tag("c", "3"), tag("b", "2")])
            .expect("writes");
        assert_eq!(tags(&orders), [tag("c", "3"), tag("b", "2")], "{}", backend.name);
        let Tagged::Machine(id) = orders else { unreachable!() };
        catalogue.delete_machine(id).expect("deletes");
        assert_eq!(tags(&orders), [], "{}", backend.name);
        assert_eq!(tags(&activity), [tag("x", "y")]);
        catalogue.delete_activity("orders").expect("deletes");
        assert_eq!(tags(&activity), [], "{}", backend.name);
    }
}

#[test]
fn executions_are_listed_by_what_they_were_started_through() {
    for backend in backends() {
        let through = |id: u64, version: u32, alias: Option<&str>, status: Status| {
            let mut append = start(id, &format!("n{id}"), "{}");
            let origin = (version > 0).then(|| Origin {
                version,
                alias: alias.map(str::to_owned),
            });
            append.start.as_mut().expect("starts").origin = origin;
            Append { status, ..append }
        };
        outcomes(
            &*backend.log,
            vec![
                through(1, 1, None, Status::Running),
                through(2, 0, None, Status::Running),
                through(3, 2, Some("live"), Status::Running),
                through(4, 1, Some("live"), Status::Aborted),
                through(5, 1, Some("next"), Status::Running),
            ],
        );
        let listed = |through: Through, status, before: u64, limit| -> Vec<u64> {
            let query = ExecutionQuery {
                machine: Some(MachineId(1)),
                through: Some(through),
                status,
                before: Some(ExecutionId(before)),
                limit,
            };
            let page = backend.reader.executions(&query).expect("reads");
            page.iter().map(|record| record.id.0).collect()
        };
        let live = || Through::Alias("live".to_owned());
        assert_eq!(listed(Through::Version(1), None, 9, 9), [5, 4, 1], "{}", backend.name);
        assert_eq!(listed(Through::Version(1), Some(Status::Running), 9, 9), [5, 1]);
        assert_eq!(listed(Through::Version(1), None, 5, 1), [4]);
        assert_eq!(listed(live(), None, 9, 9), [4, 3], "{}", backend.name);
        assert_eq!(listed(live(), Some(Status::Aborted), 9, 9), [4]);
        assert!(listed(Through::Version(3), None, 9, 9).is_empty());
        let record = backend
            .reader
            .execution(ExecutionId(4))
            .expect("reads")
            .expect("is there");
        let alias = Some("live".to_owned());
        assert_eq!(record.origin, Some(Origin { version: 1, alias }), "{}", backend.name);
    }
}
