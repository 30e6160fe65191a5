//! The commands that need no server: what they print, letter by letter, and how they exit.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A directory of the test's own to run in.
struct Shell(tempfile::TempDir);

impl Shell {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.0.path().join(name), content).expect("the test's own directory can be written");
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandstep"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        for variable in ["SANDSTEP_ENDPOINT", "SANDSTEP_DATA", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command
    }

    /// Exit status, standard output and standard error, as one text.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self
            .command(arguments)
            .output()
            .expect("the binary was built with this test");
        let lines = |prefix: &str, stream: &[u8]| -> String {
            String::from_utf8_lossy(stream)
                .lines()
                .map(|line| format!("{prefix}{line}\n"))
                .collect()
        };
        format!(
            "status {}\n{}{}",
            output.status.code().unwrap_or(-1),
            lines("", &output.stdout),
            lines("! ", &output.stderr)
        )
    }
}

/// A guest that answers with its input, or fails with `CardDeclined: no money`.
fn guest(fails: bool) -> Vec<u8> {
    let result = if fails {
        "(i32.store8 (i32.const 0) (i32.const 1))
         (i32.store (i32.const 4) (i32.const 64)) (i32.store (i32.const 8) (i32.const 12))
         (i32.store (i32.const 12) (i32.const 128)) (i32.store (i32.const 16) (i32.const 8))"
    } else {
        "(i32.store (i32.const 4) (local.get $input)) (i32.store (i32.const 8) (local.get $length))"
    };
    let text = format!(
        r#"(module
  (memory (export "memory") 1)
  (data (i32.const 64) "CardDeclined") (data (i32.const 128) "no money")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    {result} (i32.const 0)))"#
    );
    wat::parse_str(text).expect("the guest is well-formed")
}

fn one_task() -> String {
    json!({ "StartAt": "Pay", "States": { "Pay": { "Type": "Task", "Resource": "wasm:charge", "End": true } } })
        .to_string()
}

#[test]
fn a_workflow_runs_without_a_server_and_its_output_is_all_that_is_printed() {
    let shell = Shell::new();
    shell
        .file("pay.asl.json", one_task())
        .file("charge.wasm", guest(false))
        .file("order.json", "{ \"total\": 12 }\n");
    let expected = "status 0\n{ \"total\": 12 }\n";
    assert_eq!(
        shell.run(&[
            "run",
            "pay.asl.json",
            "--input",
            "order.json",
            "--module",
            "charge=charge.wasm"
        ]),
        expected
    );
    assert_eq!(
        shell.run(&["run", "pay.asl.json", "--input", "{ \"total\": 12 }", "--module", "."]),
        expected
    );
    shell.file("labelled.asl.json", one_task().replace("charge", "charge@prod"));
    assert_eq!(
        shell.run(&[
            "run",
            "labelled.asl.json",
            "--input",
            "order.json",
            "--module",
            "charge.wasm"
        ]),
        expected
    );
}

#[test]
fn a_workflow_file_may_have_any_name() {
    let shell = Shell::new();
    let name_shown = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"n.$": "$$.StateMachine.Name"}, "End": true}}}"#;
    shell.file("my flow*.asl.json", name_shown);
    assert_eq!(
        shell.run(&["run", "my flow*.asl.json"]),
        "status 0\n{\"n\":\"my-flow-\"}\n"
    );
}

#[test]
fn a_failed_workflow_exits_with_1_and_says_why() {
    let shell = Shell::new();
    shell.file("pay.asl.json", one_task()).file("charge.wasm", guest(true));
    assert_eq!(
        shell.run(&["run", "pay.asl.json", "--module", "charge.wasm"]),
        "status 1\n! FAILED: CardDeclined: no money\n! run it again with --history to see what it did\n"
    );
    let output = shell
        .command(&["run", "pay.asl.json", "--module", "charge.wasm", "-o", "json"])
        .output();
    let output = output.expect("the binary was built with this test");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON was asked for");
    assert_eq!(
        (&value["status"], &value["error"]),
        (&json!("FAILED"), &json!("CardDeclined"))
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_history_goes_to_standard_error() {
    let shell = Shell::new();
    shell.file("pay.asl.json", one_task()).file("charge.wasm", guest(false));
    let text = shell.run(&["run", "pay.asl.json", "--module", "charge.wasm", "--history"]);
    assert!(text.starts_with("status 0\n{}\n! ID"), "{text}");
    assert!(
        text.contains("TaskStateEntered") && text.contains("ExecutionSucceeded"),
        "{text}"
    );
}

#[test]
fn what_run_lacks_is_said_before_anything_runs() {
    let shell = Shell::new();
    shell.file("pay.asl.json", one_task());
    let missing = shell.run(&["run", "pay.asl.json"]);
    assert!(
        missing.starts_with("status 2\n! error: ") && missing.contains("`charge`"),
        "{missing}"
    );
    assert!(missing.contains("--module"), "{missing}");
    assert_eq!(
        shell.run(&["run", "pay.asl.json", "--module", "charge=nowhere.wasm"]),
        "status 2\n! error: module `charge`: there is no file `nowhere.wasm`\n\
         ! hint: give --module NAME=FILE with a compiled component or core module; build the guest first\n"
    );
    assert_eq!(
        shell.run(&["run", "nowhere.asl.json"]),
        "status 2\n! error: can't read `nowhere.asl.json`: No such file or directory (os error 2)\n\
         ! hint: name a file with a state machine's definition, or `-` for standard input\n"
    );
    assert_eq!(
        shell.run(&["run", "pay.asl.json", "--input", "{\"total\": }"]),
        "status 2\n! error: the input is not JSON\n! --input:1:11: error[INVALID_JSON_DESCRIPTION]: expected value\n\
         !  1 | {\"total\": }\n!    |           ^\n\
         ! hint: mend the JSON where the caret points; in a shell, put single quotes around JSON texts\n"
    );
}

#[test]
fn mistakes_of_a_definition_are_pointed_at() {
    let shell = Shell::new();
    shell.file(
        "wrong.asl.json",
        "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": { \"Type\": \"Pass\", \"Next\": 7 },\n    \
         \"B\": { \"Type\": \"Wait\", \"Seconds\": -1, \"End\": true }\n  }\n}\n",
    );
    let text = shell.run(&["validate", "wrong.asl.json"]);
    assert!(
        text.starts_with("status 1\nwrong.asl.json:4:28: error[SCHEMA_VALIDATION_FAILED]: "),
        "{text}"
    );
    assert!(
        text.contains("\n 4 |     \"A\": { \"Type\": \"Pass\", \"Next\": 7 },\n   |                            ^\n"),
        "{text}"
    );
    assert!(text.ends_with("\nwrong.asl.json: 2 errors\n"), "{text}");
    assert!(
        text.contains("\nwrong.asl.json:5:28: error[SCHEMA_VALIDATION_FAILED]: "),
        "{text}"
    );
    shell.file("broken.asl.json", "{\"StartAt\": \"é\", oops}");
    assert_eq!(
        shell.run(&["validate", "broken.asl.json"]),
        "status 1\nbroken.asl.json:1:18: error[INVALID_JSON_DESCRIPTION]: key must be a string\n \
         1 | {\"StartAt\": \"é\", oops}\n   |                  ^\nbroken.asl.json: 1 error\n"
    );
    shell.file("good.asl.json", one_task());
    assert_eq!(
        shell.run(&["validate", "good.asl.json"]),
        "status 0\ngood.asl.json: no mistakes found\n"
    );
}

#[test]
fn validate_answers_programs_in_the_apis_shape() {
    let shell = Shell::new();
    shell.file(
        "wrong.asl.json",
        "{\n  \"StartAt\": \"A\",\n  \"States\": { \"A\": { \"Type\": \"Pass\" } }\n}\n",
    );
    let output = shell
        .command(&["validate", "wrong.asl.json", "--output", "json"])
        .output();
    let output = output.expect("the binary was built with this test");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON was asked for");
    assert_eq!(value["result"], "FAIL");
    let first = &value["diagnostics"][0];
    assert_eq!(
        (&first["severity"], &first["file"], &first["line"]),
        (&json!("ERROR"), &json!("wrong.asl.json"), &json!(3))
    );
}

#[test]
fn usage_errors_exit_with_2() {
    let shell = Shell::new();
    for arguments in [
        &["lunch"][..],
        &["describe", "no-colon"],
        &["list", "--status", "ASLEEP"],
        &["list", "--endpoint", "x"],
    ] {
        let text = shell.run(arguments);
        assert!(text.starts_with("status 2\n! error: "), "{arguments:?}: {text}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let shell = Shell::new();
    for arguments in [&["completions", "bash"][..], &["--help"]] {
        let mut child = shell
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn every_shell_has_completions_and_every_command_is_in_them() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = shell.run(&["completions", name]);
        assert!(text.starts_with("status 0\n"), "{name}");
        for command in ["serve", "deploy", "history", "validate"] {
            assert!(text.contains(command), "{command} in {name}");
        }
    }
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    let shell = Shell::new();
    shell.file("wrong.asl.json", "{}");
    assert!(!shell.run(&["validate", "wrong.asl.json"]).contains('\x1b'));
    assert!(Path::new(env!("CARGO_BIN_EXE_sandstep")).is_file());
}
