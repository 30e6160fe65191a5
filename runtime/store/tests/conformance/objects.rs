//! Objects: the same answers in RAM and in a directory.

use std::io::{Read as _, Write as _};

use engine::ports::{ObjectError, ObjectStore};
use proptest::prelude::*;

fn memory() -> store::memory::Objects {
    let objects = store::memory::Objects::default();
    objects.create_bucket("bucket").expect("a bucket");
    objects
}

#[cfg(feature = "sqlite")]
fn directory() -> (tempfile::TempDir, store::ObjectDirectory) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let objects = store::ObjectDirectory::open(directory.path()).expect("opens");
    objects.create_bucket("bucket").expect("a bucket");
    (directory, objects)
}

/// Runs `check` for every backend, with an empty bucket called `bucket`.
fn each(check: impl Fn(&dyn ObjectStore)) {
    check(&memory());
    #[cfg(feature = "sqlite")]
    check(&directory().1);
}

fn put(objects: &dyn ObjectStore, key: &str, content: &str) {
    objects
        .put("bucket", key, &mut content.as_bytes())
        .unwrap_or_else(|error| panic!("put {key:?}: {error}"));
}

fn get(objects: &dyn ObjectStore, key: &str, offset: u64) -> Result<String, ObjectError> {
    let mut text = String::new();
    let mut object = objects.open("bucket", key, offset)?;
    object.content.read_to_string(&mut text).expect("text");
    Ok(text)
}

fn keys(objects: &dyn ObjectStore, prefix: &str, after: Option<&str>) -> Vec<String> {
    let listing = objects.list("bucket", prefix, after).expect("lists");
    listing.map(|head| head.expect("lists on").key).collect()
}

#[test]
fn what_was_put_is_read_from_any_offset() {
    each(|objects| {
        put(objects, "a/b.txt", "hello");
        assert_eq!(get(objects, "a/b.txt", 0), Ok("hello".to_owned()));
        assert_eq!(get(objects, "a/b.txt", 3), Ok("lo".to_owned()));
        assert_eq!(get(objects, "a/b.txt", 99), Ok(String::new()));
        let first = objects.head("bucket", "a/b.txt").expect("is there");
        assert_eq!((first.size, first.key.as_str()), (5, "a/b.txt"));
        put(objects, "a/b.txt", "HELLO");
        let second = objects.head("bucket", "a/b.txt").expect("is there");
        assert_ne!(first.etag, second.etag, "equally long, another content");
        assert_eq!(get(objects, "a/b.txt", 0), Ok("HELLO".to_owned()));
    });
}

#[test]
fn what_is_missing_is_told_apart() {
    each(|objects| {
        let no_key = ObjectError::NoSuchKey {
            bucket: "bucket".to_owned(),
            key: "x".to_owned(),
        };
        assert_eq!(objects.head("bucket", "x"), Err(no_key.clone()));
        assert_eq!(get(objects, "x", 0), Err(no_key));
        let no_bucket = ObjectError::NoSuchBucket {
            bucket: "elsewhere".to_owned(),
        };
        assert_eq!(objects.head("elsewhere", "x"), Err(no_bucket.clone()));
        assert_eq!(objects.list("elsewhere", "", None).err(), Some(no_bucket.clone()));
        assert_eq!(objects.create("elsewhere", "x").err(), Some(no_bucket.clone()));
        assert_eq!(objects.delete("elsewhere", "x"), Err(no_bucket));
        assert_eq!(objects.delete("bucket", "x"), Ok(()));
        for bucket in ["..", "../bucket", "", "A"] {
            let error = objects.head(bucket, "x");
            assert!(matches!(error, Err(ObjectError::InvalidName { .. })), "{bucket}");
        }
    });
}

#[test]
fn what_is_not_finished_never_was() {
    each(|objects| {
        put(objects, "k", "old");
        let mut writer = objects.create("bucket", "k").expect("begins");
        writer.write_all(b"new").expect("writes");
        assert_eq!(get(objects, "k", 0), Ok("old".to_owned()));
        drop(writer);
        assert_eq!(get(objects, "k", 0), Ok("old".to_owned()));
        assert_eq!(keys(objects, "", None), ["k"]);
    });
}

#[test]
fn a_reader_keeps_what_it_opened() {
    each(|objects| {
        put(objects, "k", "old");
        let mut opened = objects.open("bucket", "k", 0).expect("opens");
        put(objects, "k", "newer");
        put(objects, "k/below", "makes room");
        let mut text = String::new();
        opened.content.read_to_string(&mut text).expect("reads");
        assert_eq!((text.as_str(), opened.head.size), ("old", 3));
    });
}

#[test]
fn keys_are_texts_and_not_paths() {
    let odd = [
        "a",
        "a/b",
        "a/b/c",
        "a%",
        "a//b",
        "/a",
        "a/",
        "..",
        "../up",
        "a/../b",
        "./a",
        "%2E",
        "a b",
        "ü/é",
        "\u{1}\0",
        "a\nb",
        "a-b",
        "a0",
        "a/%",
        "%",
        "CON",
        "~",
        "\u{10ffff}",
    ];
    each(|objects| {
        for key in odd {
            put(objects, key, key);
        }
        for key in odd {
            assert_eq!(get(objects, key, 0).as_deref(), Ok(key));
        }
        let mut sorted = odd.map(str::to_owned).to_vec();
        sorted.sort();
        assert_eq!(keys(objects, "", None), sorted);
        for key in odd {
            assert_eq!(objects.delete("bucket", key), Ok(()), "{key}");
        }
        assert_eq!(keys(objects, "", None), [""; 0]);
        assert_eq!(objects.delete_bucket("bucket"), Ok(()));
        assert_eq!(objects.buckets(), Ok(Vec::new()));
    });
}

#[test]
fn buckets_with_objects_stay() {
    each(|objects| {
        put(objects, "a/b", "");
        let refused = ObjectError::BucketNotEmpty {
            bucket: "bucket".to_owned(),
        };
        assert_eq!(objects.delete_bucket("bucket"), Err(refused));
        assert_eq!(objects.create_bucket("bucket"), Ok(()));
        assert_eq!(objects.create_bucket("another"), Ok(()));
        assert_eq!(objects.buckets(), Ok(vec!["another".to_owned(), "bucket".to_owned()]));
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn a_large_directory_is_listed_in_order() {
    let (place, objects) = directory();
    // More names than are read at once, made the quick way.
    let mut expected: Vec<String> = (0..40_000).map(|number| format!("d/{number}")).collect();
    std::fs::create_dir(place.path().join("bucket/d")).expect("a directory");
    for key in &expected {
        std::fs::write(place.path().join("bucket").join(key), "").expect("a file");
    }
    expected.sort();
    assert_eq!(keys(&objects, "", None), expected);
    assert_eq!(keys(&objects, "d/39", Some("d/3999"))[..2], ["d/39990", "d/39991"]);
}

#[cfg(all(feature = "sqlite", unix))]
#[test]
fn links_and_pipes_are_no_objects() {
    let (place, objects) = directory();
    let bucket = place.path().join("bucket");
    let outside = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(outside.path().join("secret"), "s").expect("a file");
    std::os::unix::fs::symlink(outside.path(), bucket.join("out")).expect("a link");
    std::os::unix::fs::symlink(outside.path().join("secret"), bucket.join("link")).expect("a link");
    std::os::unix::fs::symlink(&bucket, bucket.join("loop")).expect("a link");
    put(&objects, "real", "r");
    assert_eq!(keys(&objects, "", None), ["real"]);
    for key in ["link", "out/secret", "loop/real"] {
        assert!(
            matches!(get(&objects, key, 0), Err(ObjectError::NoSuchKey { .. })),
            "{key}"
        );
        assert!(objects.put("bucket", key, &mut "x".as_bytes()).is_err(), "{key}");
        let _ = objects.delete("bucket", key);
    }
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secret")).expect("still there"),
        "s"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn a_crash_leaves_nothing_incomplete() {
    let (place, objects) = directory();
    let mut writer = objects.create("bucket", "k").expect("begins");
    writer.write_all(b"half").expect("writes");
    // As if the process had ended here.
    std::mem::forget(writer);
    let staging = place.path().join(".incomplete");
    assert_eq!(std::fs::read_dir(&staging).expect("is there").count(), 1);
    let objects = store::ObjectDirectory::open(place.path()).expect("opens again");
    assert_eq!(std::fs::read_dir(&staging).expect("is there").count(), 0);
    assert_eq!(keys(&objects, "", None), [""; 0]);
}

#[derive(Debug, Clone)]
enum Change {
    Put(String),
    Delete(String),
}

fn key() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof!["[ab]", Just("/".to_owned()), Just("%".to_owned()), Just(".".to_owned())],
        1..6,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is put and deleted, both backends hold the same and list it alike, from anywhere.
    #[cfg(feature = "sqlite")]
    #[test]
    fn both_backends_agree(
        changes in proptest::collection::vec(
            prop_oneof![3 => key().prop_map(Change::Put), 1 => key().prop_map(Change::Delete)], 1..30),
        prefix in prop_oneof![Just(String::new()), key()],
        after in proptest::option::of(key()),
    ) {
        let (memory, (_place, directory)) = (memory(), directory());
        for (round, change) in changes.iter().enumerate() {
            for objects in [&memory as &dyn ObjectStore, &directory] {
                match change {
                    Change::Put(key) => put(objects, key, &round.to_string()),
                    Change::Delete(key) => objects.delete("bucket", key).expect("deletes"),
                }
            }
        }
        prop_assert_eq!(keys(&memory, "", None), keys(&directory, "", None));
        prop_assert_eq!(keys(&memory, &prefix, after.as_deref()), keys(&directory, &prefix, after.as_deref()));
        for key in keys(&memory, "", None) {
            prop_assert_eq!(get(&memory, &key, 0), get(&directory, &key, 0));
        }
    }
}
