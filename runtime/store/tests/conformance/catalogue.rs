//! State machines, definitions, modules.

use asl::Timestamp;
use engine::ids::{Digest, MachineId};
use engine::ports::{Catalogue, CatalogueError, MachineType, MachineUpdate, ModuleDescription, NewMachine, TaskLimits};
use serde_json::json;

use super::backends;

pub fn machine(name: &str) -> NewMachine {
    NewMachine {
        name: name.to_owned(),
        machine_type: MachineType::Express,
        definition: format!("{{ \"Comment\": \"{name}\" }}\n"),
        revision: "r1".to_owned(),
        role: "role".to_owned(),
        at: Timestamp(10),
        configuration: json!({"b": [1, 2], "a": null}),
        modules: vec![],
        publish: None,
        tags: vec![],
    }
}

pub fn description(export: &str) -> ModuleDescription {
    ModuleDescription {
        entry: "sandstep:task".to_owned(),
        exports: vec![export.to_owned()],
        imports: vec![],
        limits: TaskLimits::default(),
        uploaded_as: "component".to_owned(),
        ..ModuleDescription::default()
    }
}

fn text_of(catalogue: &dyn Catalogue, digest: &Digest) -> Option<String> {
    catalogue.definition(digest).expect("reads")
}

#[test]
fn a_machine_is_created_updated_and_deleted() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let created = catalogue.create_machine(machine("orders")).expect("creates");
        assert_eq!(created.machine_type, MachineType::Express);
        assert_eq!(
            created.configuration.to_string(),
            r#"{"b":[1,2],"a":null}"#,
            "keys keep their order"
        );
        assert_eq!(
            text_of(catalogue, &created.definition),
            Some(machine("orders").definition),
            "{}",
            backend.name
        );
        assert_eq!(catalogue.machine(created.id).expect("reads"), Some(created.clone()));

        let refused = catalogue.create_machine(machine("orders"));
        assert!(
            matches!(refused, Err(CatalogueError::MachineExists(name)) if name == "orders"),
            "{}",
            backend.name
        );
        let other = catalogue.create_machine(machine("other")).expect("creates");
        assert_eq!(catalogue.machines().expect("reads"), [created.clone(), other.clone()]);

        let update = MachineUpdate {
            revision: "r2".to_owned(),
            at: Timestamp(20),
            ..MachineUpdate::default()
        };
        let touched = catalogue.update_machine(created.id, update).expect("updates");
        assert_eq!(
            (touched.revision.as_str(), touched.updated, touched.created),
            ("r2", Timestamp(20), Timestamp(10))
        );
        assert_eq!(
            (&touched.definition, &touched.role),
            (&created.definition, &created.role)
        );
        let update = MachineUpdate {
            definition: Some("{}".to_owned()),
            role: Some("other role".to_owned()),
            configuration: Some(json!({})),
            modules: Some(vec!["charge".to_owned()]),
            revision: "r3".to_owned(),
            publish: None,
            at: Timestamp(30),
        };
        let changed = catalogue.update_machine(created.id, update).expect("updates");
        assert_eq!(
            (changed.role.as_str(), changed.modules.as_slice()),
            ("other role", &["charge".to_owned()][..])
        );
        assert_eq!(text_of(catalogue, &changed.definition).as_deref(), Some("{}"));
        assert!(
            text_of(catalogue, &created.definition).is_some(),
            "executions are pinned to the old definition"
        );
        assert_eq!(catalogue.machine(created.id).expect("reads"), Some(changed.clone()));

        catalogue.delete_machine(created.id).expect("deletes");
        assert_eq!(catalogue.machines().expect("reads"), [other]);
        assert_eq!(
            catalogue.machine(created.id).expect("reads"),
            Some(changed),
            "deleted ones are readable by id"
        );
        let gone = |result| matches!(result, Err(CatalogueError::NoSuchMachine(id)) if id == created.id);
        assert!(gone(catalogue.delete_machine(created.id)), "{}", backend.name);
        assert!(gone(
            catalogue.update_machine(created.id, MachineUpdate::default()).map(drop)
        ));
        let again = catalogue
            .create_machine(machine("orders"))
            .expect("the name is free again");
        assert!(again.id > created.id);
        let named = catalogue.machines_named("orders").expect("reads");
        assert_eq!(
            named.iter().map(|machine| machine.id).collect::<Vec<_>>(),
            [again.id, created.id],
            "newest first"
        );
        assert_eq!(catalogue.machines_named("nobody").expect("reads"), []);
        assert_eq!(catalogue.machine(MachineId(99)).expect("reads"), None);
        assert_eq!(text_of(catalogue, &store::digest_of(b"never stored")), None);
        assert_eq!(text_of(catalogue, &Digest("../sandstep.db".into())), None);
    }
}

#[test]
fn versions_count_from_one_and_are_never_given_out_twice() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let put = |bytes: &[u8], export, at| {
            catalogue
                .put_module("charge", bytes, description(export), Timestamp(at))
                .expect("stores")
        };
        let first = put(b"one", "run", 1);
        assert_eq!(
            (first.version, first.size, first.created),
            (1, 3, Timestamp(1)),
            "{}",
            backend.name
        );
        assert_eq!(first.digest, store::digest_of(b"one"));
        assert_eq!(put(b"one", "run", 2), first, "the same upload is the same version");
        let second = put(b"one", "walk", 3);
        assert_eq!(
            (second.version, &second.digest),
            (2, &first.digest),
            "described otherwise"
        );
        assert_eq!(put(b"two", "run", 4).version, 3);
        assert_eq!(put(b"one", "run", 5).version, 4, "only the newest is compared");
        catalogue
            .put_module("billing", b"one", description("run"), Timestamp(6))
            .expect("stores");
        let modules = catalogue.modules().expect("reads");
        let listed: Vec<_> = modules
            .iter()
            .map(|module| (module.name.as_str(), module.version))
            .collect();
        assert_eq!(
            listed,
            [
                ("billing", 1),
                ("charge", 1),
                ("charge", 2),
                ("charge", 3),
                ("charge", 4)
            ]
        );
        assert_eq!(modules[1], first);

        catalogue.delete_module("charge", false).expect("deletes");
        assert_eq!(
            catalogue
                .component(&store::digest_of(b"one"))
                .expect("reads")
                .as_deref(),
            Some(&b"one"[..])
        );
        assert_eq!(
            catalogue.component(&store::digest_of(b"two")).expect("reads"),
            None,
            "nothing refers to it"
        );
        assert_eq!(put(b"one", "run", 7).version, 5, "{}", backend.name);
        let unknown = catalogue.delete_module("nobody", true);
        assert!(matches!(unknown, Err(CatalogueError::NoSuchModule(name)) if name == "nobody"));
    }
}

#[test]
fn a_module_in_use_is_kept_unless_forced() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let charge = catalogue
            .put_module("charge", b"one", description("run"), Timestamp(1))
            .expect("stores");
        let users: Vec<_> = ["orders", "returns", "bystander"]
            .into_iter()
            .map(|name| {
                let modules = if name == "bystander" {
                    vec!["charged".to_owned()]
                } else {
                    vec!["charge".to_owned()]
                };
                catalogue
                    .create_machine(NewMachine {
                        modules,
                        ..machine(name)
                    })
                    .expect("creates")
                    .id
            })
            .collect();
        let in_use = |expected: &[&str]| match catalogue.delete_module("charge", false) {
            Err(CatalogueError::ModuleInUse { module, machines }) => {
                assert_eq!(
                    (module.as_str(), machines),
                    ("charge", expected.iter().map(|s| (*s).to_owned()).collect())
                );
            }
            other => panic!("{}: {other:?}", backend.name),
        };
        in_use(&["orders", "returns"]);
        catalogue.delete_machine(users[0]).expect("deletes");
        in_use(&["returns"]);
        assert!(catalogue.component(&charge.digest).expect("reads").is_some());
        catalogue.delete_module("charge", true).expect("deletes by force");
        assert_eq!(catalogue.modules().expect("reads"), []);
        assert_eq!(
            catalogue.component(&charge.digest).expect("reads"),
            None,
            "{}",
            backend.name
        );
    }
}

#[test]
fn an_activity_is_created_once_and_deleted() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        let created = catalogue
            .create_activity("pack", vec![], Timestamp(5))
            .expect("creates");
        let again = catalogue
            .create_activity("pack", vec![], Timestamp(6))
            .expect("answers the first");
        assert_eq!((again, created.created), (created, Timestamp(5)), "{}", backend.name);
        catalogue
            .create_activity("a-later-one", vec![], Timestamp(7))
            .expect("creates");
        let names = || {
            let activities = catalogue.activities().expect("lists");
            activities.into_iter().map(|activity| activity.name).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["pack", "a-later-one"], "by creation");
        catalogue.delete_activity("pack").expect("deletes");
        catalogue.delete_activity("pack").expect("is gone already");
        assert_eq!(names(), ["a-later-one"]);
        let key = catalogue.token_key().expect("makes one");
        assert_eq!(catalogue.token_key().expect("keeps it"), key);
    }
}
