//! What `sandstep new` writes, carried in the binary: for each language a small task that builds, its tests, and the SDK
//! as files of the project, so that nothing has to be published or downloaded for it.

use crate::args::Language;

/// Stands in a template for the task's name.
pub const NAME: &str = "{{name}}";

/// A file of a new project: where it goes, and what is in it.
pub type File = (&'static str, &'static str);

/// Every file of a new project.
pub fn files(language: Language) -> impl Iterator<Item = File> {
    let of_language: [&[File]; 2] = match language {
        Language::Rust => [RUST, RUST_SDK],
        Language::Javascript => [JAVASCRIPT, JAVASCRIPT_SDK],
        Language::Typescript => [TYPESCRIPT, JAVASCRIPT_SDK],
        Language::Go => [GO, GO_SDK],
        Language::C => [C, C_SDK],
        Language::Python => [PYTHON, PYTHON_SDK],
        Language::Assemblyscript => [ASSEMBLYSCRIPT, ASSEMBLYSCRIPT_SDK],
    };
    of_language.into_iter().chain([COMMON]).flatten().copied()
}

/// A table of files: where each goes in the project, and where it lies in this repository.
macro_rules! files {
    ($($place:literal = $source:literal),* $(,)?) => {
        &[$(($place, include_str!(concat!("../../../", $source)))),*]
    };
}

const COMMON: &[File] = files![".gitignore" = "templates/gitignore", "wit/task.wit" = "wit/task.wit",];

const RUST: &[File] = files![
    "Cargo.toml" = "templates/rust/Cargo.toml",
    "rust-toolchain.toml" = "templates/rust/rust-toolchain.toml",
    ".cargo/config.toml" = "templates/rust/.cargo/config.toml",
    "src/lib.rs" = "templates/rust/src/lib.rs",
];

const RUST_SDK: &[File] = files![
    "vendor/sandstep/Cargo.toml" = "guest-sdk/rust/Cargo.toml",
    "vendor/sandstep/README.md" = "guest-sdk/rust/README.md",
    "vendor/sandstep/macros/Cargo.toml" = "guest-sdk/rust/macros/Cargo.toml",
    "vendor/sandstep/macros/src/lib.rs" = "guest-sdk/rust/macros/src/lib.rs",
    "vendor/sandstep/src/allocator.rs" = "guest-sdk/rust/src/allocator.rs",
    "vendor/sandstep/src/context.rs" = "guest-sdk/rust/src/context.rs",
    "vendor/sandstep/src/error.rs" = "guest-sdk/rust/src/error.rs",
    "vendor/sandstep/src/handle.rs" = "guest-sdk/rust/src/handle.rs",
    "vendor/sandstep/src/host/component.rs" = "guest-sdk/rust/src/host/component.rs",
    "vendor/sandstep/src/host/native.rs" = "guest-sdk/rust/src/host/native.rs",
    "vendor/sandstep/src/lib.rs" = "guest-sdk/rust/src/lib.rs",
    "vendor/sandstep/src/log.rs" = "guest-sdk/rust/src/log.rs",
    "vendor/sandstep/src/testing.rs" = "guest-sdk/rust/src/testing.rs",
];

const JAVASCRIPT: &[File] = files![
    "package.json" = "templates/javascript/package.json",
    "src/task.js" = "templates/javascript/src/task.js",
    "src/task.test.js" = "templates/javascript/src/task.test.js",
];

const TYPESCRIPT: &[File] = files![
    "package.json" = "templates/typescript/package.json",
    "tsconfig.json" = "templates/typescript/tsconfig.json",
    "src/task.ts" = "templates/typescript/src/task.ts",
    "src/task.test.ts" = "templates/typescript/src/task.test.ts",
];

const JAVASCRIPT_SDK: &[File] = files![
    "sandstep/README.md" = "guest-sdk/javascript/README.md",
    "sandstep/console.js" = "guest-sdk/javascript/console.js",
    "sandstep/host-native.js" = "guest-sdk/javascript/host-native.js",
    "sandstep/host.js" = "guest-sdk/javascript/host.js",
    "sandstep/index.d.ts" = "guest-sdk/javascript/index.d.ts",
    "sandstep/index.js" = "guest-sdk/javascript/index.js",
    "sandstep/package.json" = "guest-sdk/javascript/package.json",
    "sandstep/random.js" = "guest-sdk/javascript/random.js",
];

const GO: &[File] = files![
    "Makefile" = "templates/go/Makefile",
    "go.mod" = "templates/go/go.mod",
    "main.go" = "templates/go/main.go",
    "main_test.go" = "templates/go/main_test.go",
];

const GO_SDK: &[File] = files![
    "sandstep/README.md" = "guest-sdk/go/README.md",
    "sandstep/empty.s" = "guest-sdk/go/empty.s",
    "sandstep/errors.go" = "guest-sdk/go/errors.go",
    "sandstep/host_native.go" = "guest-sdk/go/host_native.go",
    "sandstep/host_wasm.go" = "guest-sdk/go/host_wasm.go",
    "sandstep/log.go" = "guest-sdk/go/log.go",
    "sandstep/sandstep.go" = "guest-sdk/go/sandstep.go",
];

const C: &[File] = files![
    "Makefile" = "templates/c/Makefile",
    "task.c" = "templates/c/task.c",
    "test.c" = "templates/c/test.c",
];

const C_SDK: &[File] = files![
    "sandstep/README.md" = "guest-sdk/c/README.md",
    "sandstep/json.c" = "guest-sdk/c/json.c",
    "sandstep/json.h" = "guest-sdk/c/json.h",
    "sandstep/sandstep.c" = "guest-sdk/c/sandstep.c",
    "sandstep/sandstep.h" = "guest-sdk/c/sandstep.h",
];

const PYTHON: &[File] = files![
    "Makefile" = "templates/python/Makefile",
    "app.py" = "templates/python/app.py",
    "test_app.py" = "templates/python/test_app.py",
];

const PYTHON_SDK: &[File] = files![
    "sandstep/README.md" = "guest-sdk/python/README.md",
    "sandstep/__init__.py" = "guest-sdk/python/sandstep/__init__.py",
    "sandstep/host.py" = "guest-sdk/python/sandstep/host.py",
    "sandstep/typed.py" = "guest-sdk/python/sandstep/typed.py",
];

const ASSEMBLYSCRIPT: &[File] = files![
    "package.json" = "templates/assemblyscript/package.json",
    "assembly/task.ts" = "templates/assemblyscript/assembly/task.ts",
];

const ASSEMBLYSCRIPT_SDK: &[File] = files![
    "sandstep/README.md" = "guest-sdk/assemblyscript/README.md",
    "sandstep/index.ts" = "guest-sdk/assemblyscript/index.ts",
    "sandstep/json.ts" = "guest-sdk/assemblyscript/json.ts",
    "sandstep/names.mjs" = "guest-sdk/assemblyscript/names.mjs",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use clap::ValueEnum;

    use super::*;

    /// Files of an SDK that a project has no use for: its own tests and what runs them.
    fn stays_at_home(file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.to_string_lossy();
        [
            "Cargo.lock",
            "go.mod",
            "sandstep_test.go",
            "sdk.test.js",
            "test.c",
            "test_sandstep.py",
        ]
        .contains(&name.as_ref())
            || (path.contains("guest-sdk") && name == "Makefile")
            || path.contains("rust/tests/")
            || ["build", "target", "node_modules", "__pycache__"]
                .iter()
                .any(|folder| file.components().any(|part| part.as_os_str() == *folder))
    }

    fn contents(folder: &Path, into: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the repository is whole") {
            let path = entry.expect("the repository can be read").path();
            if path.is_dir() {
                contents(&path, into);
            } else if !stays_at_home(&path) {
                into.insert(fs::read_to_string(&path).expect("sources are text"));
            }
        }
    }

    #[test]
    fn every_file_of_the_templates_and_sdks_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut wanted = BTreeSet::new();
        for folder in ["templates", "guest-sdk"] {
            contents(&root.join(folder), &mut wanted);
        }
        let carried: BTreeSet<_> = Language::value_variants()
            .iter()
            .flat_map(|language| files(*language))
            .map(|(_, text)| text.to_owned())
            .collect();
        let missing: Vec<_> = wanted
            .difference(&carried)
            .map(|text| text.lines().take(3).collect::<Vec<_>>())
            .collect();
        assert!(missing.is_empty(), "not in the tables of this file: {missing:#?}");
    }

    #[test]
    fn no_file_is_written_twice() {
        for language in Language::value_variants() {
            let mut places = BTreeSet::new();
            for (place, _) in files(*language) {
                assert!(places.insert(place), "{language:?} has `{place}` twice");
            }
        }
    }
}
