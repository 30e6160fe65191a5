//! `sandstep new` and the directories `sandstep modules push` takes: what is written, printed and refused. That the
//! projects build and run is shown end to end.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const LANGUAGES: [&str; 7] = [
    "rust",
    "javascript",
    "typescript",
    "go",
    "c",
    "python",
    "assemblyscript",
];

/// Exit status, standard output and standard error of a command in `directory`.
fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sandstep"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("SANDSTEP_ENDPOINT")
        .stdin(Stdio::null())
        .output()
        .expect("the binary was built with this test");
    let text = |stream: Vec<u8>| String::from_utf8(stream).expect("it prints text");
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

#[test]
fn a_new_project_says_what_to_do_with_it() {
    let home = home();
    let (status, stdout, stderr) = run(home.path(), &["new", "--lang", "go", "tasks/charge-card"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "charge-card, a task in Go: tasks/charge-card/main.go\n\
         build it, and give it to a server:\n    \
         cd tasks/charge-card && make\n    \
         sandstep modules push charge-card .\n"
    );
}

#[test]
fn every_language_has_a_project_with_its_name_in_it() {
    let home = home();
    for language in LANGUAGES {
        let name = format!("in-{language}");
        let (status, stdout, stderr) = run(home.path(), &["new", "-o", "json", "-l", language, &name]);
        assert_eq!((status, stderr.as_str()), (0, ""), "{language}");
        let answer: Value = serde_json::from_str(&stdout).expect("it was asked for JSON");
        let files: Vec<_> = answer["files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        assert!(files.contains(&"wit/task.wit"), "{language}: {files:?}");
        let mut named = false;
        for file in files {
            let text = std::fs::read_to_string(home.path().join(&name).join(file)).expect("what it names is there");
            assert!(!text.contains("{{name}}"), "{language}: {file}");
            named |= text.contains(&name);
        }
        assert!(named, "{language}: no file says `{name}`");
    }
}

#[test]
fn nothing_is_written_over_and_names_are_what_every_tool_takes() {
    let home = home();
    std::fs::create_dir(home.path().join("there")).expect("a directory can be made");
    let (status, _, stderr) = run(home.path(), &["new", "--lang", "c", "there"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("`there` exists already"), "{stderr}");

    for name in ["Charge", "1st", "a_b", "a b", "größe", "sandstep", "a-", "..", "/"] {
        let (status, _, stderr) = run(home.path(), &["new", "--lang", "c", name]);
        assert_eq!(status, 2, "`{name}`: {stderr}");
        assert!(stderr.contains("is no name for a task"), "`{name}`: {stderr}");
    }
    let left = std::fs::read_dir(home.path()).expect("it is there").count();
    assert_eq!(left, 1, "a refused command writes nothing");
}

#[test]
fn pushing_a_directory_takes_what_was_built_in_it() {
    let home = home();
    let push = |directory: &str| {
        run(
            home.path(),
            &["modules", "push", "x", directory, "--endpoint", "http://127.0.0.1:1"],
        )
    };
    for (language, command) in [("go", "make"), ("javascript", "npm run build"), ("rust", "cargo build")] {
        run(home.path(), &["new", "--lang", language, language]);
        let (status, _, stderr) = push(language);
        assert_eq!(status, 2, "{stderr}");
        assert!(
            stderr.contains(&format!("there is no module in `{language}`")),
            "{stderr}"
        );
        assert!(stderr.contains(&format!("build it first: `{command}")), "{stderr}");
    }

    let built = home.path().join("rust/target/wasm32-unknown-unknown/release");
    std::fs::create_dir_all(&built).expect("a directory can be made");
    std::fs::write(built.join("task.wasm"), "").expect("a file can be written");
    let (status, _, stderr) = push("rust");
    assert_eq!(status, 3, "it is found, and nobody listens there: {stderr}");

    std::fs::write(built.join("other.wasm"), "").expect("a file can be written");
    let (status, _, stderr) = push("rust");
    assert_eq!(status, 2, "{stderr}");
    assert!(
        stderr.contains("other.wasm`, `") && stderr.contains("name the file"),
        "{stderr}"
    );
}
