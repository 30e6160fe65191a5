//! Labels of modules, and versions that go away one by one.

use asl::Timestamp;
use engine::ports::{Catalogue, CatalogueError, Expected, LABELS, LabelRecord};

use super::backends;
use super::catalogue::description;

/// `charge` with three versions, and `billing` with one.
fn fill(catalogue: &dyn Catalogue) {
    for (name, bytes) in [
        ("charge", "one"),
        ("charge", "two"),
        ("charge", "three"),
        ("billing", "one"),
    ] {
        catalogue
            .put_module(name, bytes.as_bytes(), description("run"), Timestamp(1))
            .expect("stores");
    }
}

fn put(catalogue: &dyn Catalogue, label: &str, version: u32, at: i64) -> LabelRecord {
    catalogue
        .put_label("charge", label, version, Expected::Anything, Timestamp(at))
        .expect("is set")
}

fn listed(catalogue: &dyn Catalogue) -> Vec<(String, String, u32)> {
    let labels = catalogue.labels().expect("reads");
    labels
        .into_iter()
        .map(|label| (label.module, label.label, label.version))
        .collect()
}

#[test]
fn a_label_is_set_moved_and_removed() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        fill(catalogue);
        let set = put(catalogue, "prod", 1, 5);
        assert_eq!(
            (set.created, set.moved),
            (Timestamp(5), Timestamp(5)),
            "{}",
            backend.name
        );
        let moved = put(catalogue, "prod", 3, 6);
        assert_eq!((moved.created, moved.moved), (Timestamp(5), Timestamp(6)));
        assert_eq!(put(catalogue, "prod", 3, 7), moved, "it is there already");
        put(catalogue, "canary", 3, 8);
        catalogue
            .put_label("billing", "prod", 1, Expected::Anything, Timestamp(9))
            .expect("another module's");
        let named = |module: &str, label: &str, version| (module.to_owned(), label.to_owned(), version);
        let (billing, canary) = (named("billing", "prod", 1), named("charge", "canary", 3));
        assert_eq!(
            listed(catalogue),
            [billing.clone(), canary.clone(), named("charge", "prod", 3)]
        );
        catalogue
            .delete_label("charge", "prod", Expected::Anything)
            .expect("is removed");
        assert_eq!(listed(catalogue), [billing, canary]);
        let gone = catalogue.delete_label("charge", "prod", Expected::Anything);
        assert!(matches!(gone, Err(CatalogueError::NoSuchLabel { label, .. }) if label == "prod"));
        for (module, version) in [("charge", 4), ("charge", 0), ("nobody", 1)] {
            let nowhere = catalogue.put_label(module, "prod", version, Expected::Anything, Timestamp(9));
            assert!(
                matches!(nowhere, Err(CatalogueError::NoSuchModuleVersion { .. })),
                "{nowhere:?}"
            );
        }
    }
}

#[test]
fn who_takes_a_label_for_something_else_changes_nothing() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        fill(catalogue);
        let by_now = |refused: Result<(), CatalogueError>| match refused {
            Err(CatalogueError::LabelMoved { version, .. }) => version,
            other => panic!("{}: {other:?}", backend.name),
        };
        let set = |version, expected| {
            let set = catalogue.put_label("charge", "prod", version, expected, Timestamp(5));
            set.map(|_| ())
        };
        assert_eq!(by_now(set(2, Expected::Version(1))), None);
        set(1, Expected::Absent).expect("there is none");
        assert_eq!(by_now(set(2, Expected::Absent)), Some(1));
        assert_eq!(by_now(set(3, Expected::Version(2))), Some(1));
        assert_eq!(
            by_now(catalogue.delete_label("charge", "prod", Expected::Version(2))),
            Some(1)
        );
        set(2, Expected::Version(1)).expect("that is where it is");
        assert_eq!(catalogue.labels().expect("reads")[0].version, 2);
        catalogue
            .delete_label("charge", "prod", Expected::Version(2))
            .expect("that is where it is");
    }
}

#[test]
fn a_module_has_so_many_labels_and_no_more() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        fill(catalogue);
        for number in 0..LABELS {
            put(catalogue, &format!("l{number}"), 1, 5);
        }
        let refused = catalogue.put_label("charge", "more", 1, Expected::Anything, Timestamp(6));
        assert!(
            matches!(refused, Err(CatalogueError::TooManyLabels(_))),
            "{}",
            backend.name
        );
        put(catalogue, "l0", 2, 6);
        catalogue
            .put_label("billing", "more", 1, Expected::Anything, Timestamp(6))
            .expect("another module has room");
    }
}

#[test]
fn what_has_labels_stays_unless_forced() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        fill(catalogue);
        put(catalogue, "prod", 2, 5);
        put(catalogue, "canary", 3, 5);
        let labels = |refused: Result<(), CatalogueError>| match refused {
            Err(CatalogueError::ModuleLabelled { labels, .. }) => labels,
            other => panic!("{}: {other:?}", backend.name),
        };
        assert_eq!(labels(catalogue.delete_module("charge", false)), ["canary", "prod"]);
        assert_eq!(labels(catalogue.delete_module_version("charge", 2, false)), ["prod"]);
        assert_eq!(listed(catalogue).len(), 2);
        catalogue
            .delete_module_version("charge", 2, true)
            .expect("goes by force");
        assert_eq!(listed(catalogue), [("charge".to_owned(), "canary".to_owned(), 3)]);
        catalogue.delete_module("charge", true).expect("goes by force");
        assert_eq!(listed(catalogue), []);
    }
}

#[test]
fn versions_go_one_by_one_and_their_numbers_for_ever() {
    for backend in backends() {
        let catalogue = &*backend.catalogue;
        fill(catalogue);
        let component = |bytes: &str| {
            catalogue
                .component(&store::digest_of(bytes.as_bytes()))
                .expect("reads")
                .is_some()
        };
        catalogue.delete_module_version("charge", 1, false).expect("goes");
        catalogue.delete_module_version("charge", 3, false).expect("goes");
        assert!(component("one"), "{}: billing has it, too", backend.name);
        assert!(!component("three"));
        for (module, version) in [("charge", 3), ("nobody", 1)] {
            let again = catalogue.delete_module_version(module, version, true);
            assert!(matches!(again, Err(CatalogueError::NoSuchModuleVersion { .. })));
        }
        let versions = || {
            let modules = catalogue.modules().expect("reads").into_iter();
            modules
                .filter(|module| module.name == "charge")
                .map(|module| module.version)
                .collect::<Vec<_>>()
        };
        assert_eq!(versions(), [2]);
        let newest = catalogue.put_module("charge", b"two", description("run"), Timestamp(6));
        assert_eq!(newest.expect("stores").version, 2, "it is the newest there is");
        let next = catalogue.put_module("charge", b"three", description("run"), Timestamp(6));
        assert_eq!(next.expect("stores").version, 4, "{}", backend.name);
        assert_eq!(versions(), [2, 4]);
    }
}
