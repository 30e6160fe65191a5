//! A crate may use only the floors below it. Read off the manifests and the lock file, so that a
//! dependency in the wrong direction fails a test in a second and not a review in a month.

#![expect(clippy::disallowed_methods, reason = "reads the workspace's manifests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What pure floors must not depend on.
const IMPURE: [&str; 4] = ["rand", "getrandom", "uuid", "cap-std"];

/// What they must not reach either, through whomever: each brings a runtime, a disk or a compiler. Dice
/// are not among these, because the JSONata evaluator brings some for built-ins that `asl` overrides.
const FAR: [&str; 7] = ["tokio", "mio", "hyper", "axum", "rusqlite", "wasmtime", "wasmtime-wasi"];

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names under `[dependencies]` of a crate in `runtime/`; those for tests alone don't count.
fn dependencies(floor: &str) -> BTreeSet<String> {
    let path = workspace().join("runtime").join(floor).join("Cargo.toml");
    let manifest = std::fs::read_to_string(&path).expect("every floor has a manifest");
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section == "dependencies" || section.ends_with(".dependencies");
            if let Some((_, name)) = section.split_once("dependencies.")
                && !section.starts_with("dev-")
            {
                names.insert(name.to_owned());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().expect("split gives one at least");
            names.insert(name.trim_matches('"').to_owned());
        }
    }
    names
}

/// Who depends on whom, from the lock file.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock = std::fs::read_to_string(workspace().join("Cargo.lock")).expect("the lock file is committed");
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted = |line: &str| {
            line.split('"')
                .nth(1)
                .map(|text| text.split(' ').next().unwrap_or(text).to_owned())
        };
        let name = package
            .lines()
            .find(|line| line.starts_with("name = "))
            .and_then(quoted);
        let needs = package
            .lines()
            .filter(|line| line.starts_with(" \""))
            .filter_map(quoted);
        packages
            .entry(name.expect("every package has a name"))
            .or_default()
            .extend(needs);
    }
    packages
}

/// Everything a floor needs, directly or not.
fn reach(floor: &str) -> BTreeSet<String> {
    let locked = locked();
    let mut seen = BTreeSet::new();
    let mut open: Vec<String> = dependencies(floor).into_iter().collect();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        // The lock file mixes in what a member's tests need.
        let member = workspace().join("runtime").join(&name).is_dir();
        if member {
            open.extend(dependencies(&name));
        } else {
            open.extend(locked.get(&name).cloned().unwrap_or_default());
        }
    }
    seen
}

#[test]
fn asl_and_engine_are_pure() {
    for floor in ["asl", "engine"] {
        let reach = reach(floor);
        assert!(
            reach.contains("serde_json"),
            "the manifests and the lock file were read: {reach:?}"
        );
        for name in FAR {
            assert!(!reach.contains(name), "`{floor}` reaches `{name}`");
        }
        for name in IMPURE {
            assert!(!dependencies(floor).contains(name), "`{floor}` depends on `{name}`");
        }
    }
}

#[test]
fn floors_point_down() {
    let floors: [(&str, &[&str]); 6] = [
        ("asl", &[]),
        ("engine", &["asl"]),
        ("store", &["asl", "engine"]),
        ("sandbox", &["asl", "engine"]),
        ("server", &["asl", "engine"]),
        ("cli", &["asl", "engine", "store", "sandbox", "server"]),
    ];
    for (floor, below) in floors {
        let uses = dependencies(floor);
        assert!(!uses.is_empty(), "the manifest of `{floor}` was read");
        for other in floors.iter().map(|(name, _)| *name).filter(|name| uses.contains(*name)) {
            assert!(below.contains(&other), "`{floor}` depends on `{other}`");
        }
    }
}
