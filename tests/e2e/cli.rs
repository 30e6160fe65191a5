//! The commands against a server: what they print, letter by letter, and how they exit. Times, ids and costs are replaced by
//! words, everything else stands as a person sees it. Commands that need no server are tested beside their code.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::guests;
use crate::server::{Home, Server, binary, until};

/// A server, and a place for files.
struct Shell {
    server: Server,
}

impl Shell {
    fn new() -> Result<Self> {
        Ok(Self {
            server: Server::start()?,
        })
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.server.home().path(name);
        fs::create_dir_all(path.parent().context("it lies in the home")?)?;
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    }

    /// A directory that can be deployed: one module and one machine.
    fn deployable(&self) -> Result<()> {
        self.file("shop/modules/echo.wasm", &guests::echo()?)?;
        self.file("shop/modules/declined.wasm", &guests::declined()?)?;
        self.file(
            "shop/workflow.asl.json",
            guests::one_task("echo").to_string().as_bytes(),
        )?;
        self.file(
            "shop/charge.asl.json",
            guests::one_task("declined").to_string().as_bytes(),
        )
    }

    /// Exit status, standard output and standard error, as one text.
    fn run(&self, arguments: &str) -> Result<String> {
        let output = self.command(arguments)?.output().context("running sandstep")?;
        let mut text = format!("status {}\n", output.status.code().unwrap_or(-1));
        for (prefix, stream) in [("", &output.stdout), ("! ", &output.stderr)] {
            for line in String::from_utf8_lossy(stream).lines() {
                text.push_str(&format!("{prefix}{}\n", scrubbed(line)));
            }
        }
        Ok(text)
    }

    fn command(&self, arguments: &str) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .args(arguments.split(' '))
            .current_dir(self.server.home().path(""));
        command
            .env("SANDSTEP_ENDPOINT", self.server.endpoint())
            .env_remove("NO_COLOR");
        Ok(command)
    }
}

/// Times and costs differ from run to run; words stand for them, with the room they took left as it was.
fn scrubbed(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split("  ").filter(|word| !word.trim().is_empty()) {
        words.push(scrubbed_word(word.trim()));
    }
    words.join("  ")
}

fn scrubbed_word(word: &str) -> String {
    let bytes = word.as_bytes();
    let digits_and = |rest: &[char]| word.chars().all(|c| c.is_ascii_digit() || rest.contains(&c));
    let is_time = bytes.len() >= 12 && digits_and(&[':', '.', '-', 'T', 'Z']) && word.contains(':');
    let quantity = word
        .split_once(' ')
        .filter(|(number, _)| number.parse::<f64>().is_ok())
        .map(|(_, unit)| unit);
    match quantity {
        _ if is_time => "<time>".to_owned(),
        Some("ms" | "s" | "µs") => "<duration>".to_owned(),
        Some("B" | "KiB" | "MiB") => "<size>".to_owned(),
        _ if word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit()) => "<digest>".to_owned(),
        _ => word.to_owned(),
    }
}

#[test]
fn from_a_directory_to_a_history() -> Result<()> {
    let shell = Shell::new()?;
    shell.deployable()?;
    assert_eq!(
        shell.run("deploy shop")?,
        "\
status 0
KIND  NAME  RESULT  DIGEST OR ARN
module  declined  version 1  <digest>
module  echo  version 1  <digest>
state machine  charge  created  arn:aws:states:us-east-1:000000000000:stateMachine:charge
state machine  shop  created  arn:aws:states:us-east-1:000000000000:stateMachine:shop
! `sandstep start charge --input FILE-or-JSON --wait` runs it
"
    );
    ensure!(
        shell.run("deploy shop")?.contains("state machine  shop  unchanged"),
        "doing it twice changes nothing"
    );
    assert_eq!(
        shell.run(r#"start shop --name one --wait --input {"n":1}"#)?,
        "status 0\n{\"n\":1}\n! started shop:one\n"
    );
    assert_eq!(
        shell.run("start charge --name two --wait")?,
        "\
status 1
! started charge:two
! FAILED: CardDeclined: no money
! `sandstep history charge:two` shows what it did
"
    );
    assert_eq!(
        shell.run("describe shop:one")?,
        "\
status 0
execution  shop:one
arn  arn:aws:states:us-east-1:000000000000:execution:shop:one
status  SUCCEEDED
started  <time>
stopped  <time>
took  <duration>
input  {\"n\":1}
output  {\"n\":1}
! `sandstep history shop:one` shows what it did
"
    );
    assert_eq!(
        shell.run("list")?,
        "\
status 0
EXECUTION  STATUS  STARTED  TOOK
charge:two  FAILED  <time>  <duration>
shop:one  SUCCEEDED  <time>  <duration>
"
    );
    assert_eq!(
        shell.run("list --status failed --machine shop")?,
        "status 0\n! no executions; `sandstep start MACHINE --input JSON` starts one\n"
    );
    let history = shell.run("history shop:one")?;
    let kinds: Vec<_> = history
        .lines()
        .skip(2)
        .filter_map(|line| line.split("  ").nth(2))
        .collect();
    assert_eq!(
        kinds,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ],
        "{history}"
    );
    let succeeded = history
        .lines()
        .find(|line| line.contains("TaskSucceeded"))
        .context("it succeeded")?;
    ensure!(
        succeeded.contains("Only") && succeeded.contains("<size>  <duration>"),
        "no costs: {succeeded}"
    );
    Ok(())
}

#[test]
fn modules_and_machines_are_listed_shown_and_deleted() -> Result<()> {
    let shell = Shell::new()?;
    shell.deployable()?;
    assert_eq!(
        shell.run("modules")?,
        "status 0\n! no modules; `sandstep modules push NAME FILE` uploads one\n"
    );
    assert_eq!(
        shell.run("machines")?,
        "status 0\n! no state machines; `sandstep deploy DIR` deploys those of a directory\n"
    );
    let pushed = shell.run("modules push echo shop/modules/echo.wasm")?;
    ensure!(
        pushed.starts_with("status 0\nname  echo\nversion  1\ndigest  sha256:"),
        "{pushed}"
    );
    ensure!(pushed.contains("\nexports  sandstep:task/handler@0.1.0"), "{pushed}");
    assert_eq!(
        shell.run("modules list")?,
        "status 0\nNAME  VERSION  DIGEST  SIZE  CLASS  LABELS  UPLOADED\necho  1  <digest>  <size>  pure  <time>\n"
    );
    ensure!(
        shell.run("deploy shop")?.starts_with("status 0\n"),
        "deploying after pushing works"
    );
    let refused = shell.run("modules delete echo")?;
    ensure!(
        refused.starts_with("status 3\n! error: ") && refused.contains("\n! hint: "),
        "{refused}"
    );
    assert_eq!(shell.run("machines delete shop")?, "status 0\ndeleted  shop\n");
    assert_eq!(shell.run("modules delete echo")?, "status 0\ndeleted  echo\n");
    Ok(())
}

#[test]
fn labels_are_set_moved_listed_and_deleted() -> Result<()> {
    let shell = Shell::new()?;
    shell.deployable()?;
    ensure!(
        shell
            .run("modules push echo shop/modules/echo.wasm --label prod")?
            .contains("\nlabels  prod\n")
    );
    shell.run("modules push echo shop/modules/declined.wasm")?;
    assert_eq!(
        shell.run("modules label echo canary 2")?,
        format!(
            "status 0\nmodule  echo\nlabel  canary\nversion  2\ndigest  {}\nmoved  <time>\n",
            {
                let digest = shell.run("modules describe echo@canary")?;
                let line = digest.lines().find_map(|line| line.strip_prefix("digest  "));
                line.context("it has one")?.to_owned()
            }
        )
    );
    let stale = shell.run("modules label echo prod canary --from 2")?;
    ensure!(
        stale.starts_with("status 3\n! error: ") && stale.contains("points at version `1` by now (LabelMoved)"),
        "{stale}"
    );
    ensure!(
        shell
            .run("modules label echo prod canary --from 1")?
            .contains("\nversion  2\n")
    );
    assert_eq!(
        shell.run("modules label echo")?,
        "status 0\nLABEL  VERSION  DIGEST  MOVED\ncanary  2  <digest>  <time>\nprod  2  <digest>  <time>\n"
    );
    shell.file(
        "named/workflow.asl.json",
        guests::one_task("echo@prod").to_string().as_bytes(),
    )?;
    shell.file(
        "other/workflow.asl.json",
        guests::one_task("echo@beta").to_string().as_bytes(),
    )?;
    let deployed = shell.run("deploy named")?;
    ensure!(!deployed.contains("warning"), "{deployed}");
    let deployed = shell.run("deploy other")?;
    ensure!(
        deployed.starts_with("status 0\n")
            && deployed.contains(
                "\n! warning: other, /States/Only/Resource: module `echo` has no label `beta`, it has `canary`, `prod`; "
            ),
        "{deployed}"
    );
    let validated = shell.run("validate other/workflow.asl.json --server")?;
    ensure!(
        validated.starts_with(
            "status 0\nother/workflow.asl.json: warning[UNKNOWN_LABEL]: module `echo` has no label `beta`, it has `canary`, `prod`; "
        ) && validated.contains(" at /States/Only/Resource\nother/workflow.asl.json: 1 warning\n"),
        "{validated}"
    );
    let refused = shell.run("modules unlabel echo prod")?;
    ensure!(
        refused.contains("is used by state machines [\"named\"]") && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(
        shell.run("modules unlabel echo canary")?,
        "status 0\ndeleted  echo@canary\n"
    );
    let refused = shell.run("modules delete echo@2")?;
    ensure!(refused.contains("(ModuleInUse)"), "{refused}");
    assert_eq!(shell.run("modules delete echo@1")?, "status 0\ndeleted  echo@1\n");
    ensure!(
        shell
            .run("modules get echo@prod fetched.wasm")?
            .starts_with("status 0\n")
    );
    ensure!(
        shell
            .run("modules reach echo@prod")?
            .contains("module  echo@2\nlabels  prod\n")
    );
    let [fetched, missing] = [
        "modules get echo@prod fetched.wasm",
        "modules get echo@beta fetched2.wasm",
    ];
    ensure!(shell.run(fetched)?.starts_with("status 0"));
    ensure!(shell.run(missing)?.contains("(NoSuchLabel)"));
    ensure!(!shell.server.home().path("fetched2.wasm").exists());
    assert_eq!(&fs::read(shell.server.home().path("fetched.wasm"))?[..4], b"\0asm");
    ensure!(
        shell
            .run("modules get echo@prod uploaded.wasm --uploaded")?
            .starts_with("status 0\n")
    );
    let [pushed, uploaded] = ["shop/modules/declined.wasm", "uploaded.wasm"];
    assert_eq!(
        fs::read(shell.server.home().path(pushed))?,
        fs::read(shell.server.home().path(uploaded))?
    );
    Ok(())
}

#[test]
fn programs_get_the_apis_own_json() -> Result<()> {
    let shell = Shell::new()?;
    shell.deployable()?;
    let json = |arguments: &str| -> Result<Value> {
        let output = shell.command(arguments)?.output()?;
        ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).with_context(|| format!("`{arguments}` printed no JSON"))
    };
    let deployed = json("deploy shop -o json")?;
    assert_eq!(deployed["stateMachines"][1]["result"], "created");
    let ended = json("start shop --name one --wait -o json")?;
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&json!("SUCCEEDED"), &json!("{}"))
    );
    assert_eq!(json("describe shop:one -o json")?, ended);
    let history = json("history shop:one -o json")?;
    assert_eq!(history["events"][0]["type"], "ExecutionStarted");
    assert_eq!(
        json("list -o json")?["executions"][0]["executionArn"],
        ended["executionArn"]
    );
    Ok(())
}

#[test]
fn following_a_history_ends_with_the_execution() -> Result<()> {
    let shell = Shell::new()?;
    let machine = shell.server.create("waits", &guests::long_wait())?;
    let arn = shell.server.start_execution(&machine, &json!({}))?;
    let name = arn.split(":execution:").nth(1).context("an execution's ARN")?;
    ensure!(
        shell.run(&format!("history {name}"))?.contains("--follow` goes on"),
        "an open history says so"
    );
    let mut follow = shell.command(&format!("history {name} --follow -o json"))?;
    let mut follow = follow
        .stdout(fs::File::create(shell.server.home().path("followed"))?)
        .spawn()?;
    let followed = || fs::read_to_string(shell.server.home().path("followed")).context("reading what was followed");
    until("the first events", || {
        Ok(followed()?.contains("WaitStateEntered").then_some(()))
    })?;
    ensure!(
        shell
            .run(&format!("stop {name} --error Enough --cause tired"))?
            .starts_with("status 0\n"),
        "it stops"
    );
    let status = until("the end of --follow", || Ok(follow.try_wait()?))?;
    assert_eq!(status.code(), Some(0));
    let kinds: Vec<String> = followed()?
        .lines()
        .map(|line| {
            Ok(serde_json::from_str::<Value>(line)?["type"]
                .as_str()
                .unwrap_or_default()
                .to_owned())
        })
        .collect::<Result<_>>()?;
    assert_eq!(kinds, ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"]);
    let described = shell.run(&format!("describe {name}"))?;
    ensure!(described.contains("\nerror  Enough\ncause  tired\n"), "{described}");
    Ok(())
}

#[test]
fn refusals_say_what_to_do_next() -> Result<()> {
    let shell = Shell::new()?;
    assert_eq!(
        shell.run("start nowhere")?,
        "\
status 3
! error: no state machine is named `nowhere` (StateMachineDoesNotExist)
! hint: `sandstep machines` lists the state machines, `sandstep deploy DIR` deploys more
"
    );
    ensure!(
        shell
            .run("modules describe nothing")?
            .contains("(NoSuchModule)\n! hint: `sandstep modules` lists "),
        "commands are told of commands"
    );
    let absent = shell.run("reach nowhere/workflow.asl.json")?;
    ensure!(
        absent.starts_with("status 2\n! error: can't read `nowhere/workflow.asl.json`: "),
        "{absent}"
    );
    shell.file(
        "bad/workflow.asl.json",
        b"{\n  \"StartAt\": \"A\",\n  \"States\": { \"A\": { \"Type\": \"Pass\", \"Next\": \"B\" } }\n}",
    )?;
    shell.file("bad/modules/echo.wasm", &guests::echo()?)?;
    let refused = shell.run("deploy bad")?;
    ensure!(refused.starts_with("status 1\n! bad/workflow.asl.json:"), "{refused}");
    ensure!(
        refused.contains("bad/workflow.asl.json:3:38: error[MISSING_TRANSITION_TARGET]: "),
        "{refused}"
    );
    assert_eq!(
        shell.run("modules")?,
        "status 0\n! no modules; `sandstep modules push NAME FILE` uploads one\n"
    );
    shell.file("unbuilt/tasks/Cargo.toml", b"")?;
    assert_eq!(
        shell.run("deploy unbuilt")?,
        "\
status 2
! error: the tasks in `unbuilt` are not built: there is no `modules/*.wasm`
! hint: build them into `unbuilt/modules` first
"
    );
    shell.file("text.wasm", b"not wasm")?;
    let refused = shell.run("modules push text text.wasm")?;
    ensure!(
        refused.starts_with("status 3\n! error: ") && refused.contains("(NotWasm)\n! hint: "),
        "{refused}"
    );
    Ok(())
}

#[test]
fn an_absent_server_is_told_how_to_start() -> Result<()> {
    let server = Server::start()?;
    let endpoint = server.endpoint().to_owned();
    let address = server.address().to_owned();
    let _home: Home = server.kill()?;
    let output = Command::new(binary()?)
        .args(["list", "--endpoint", &endpoint])
        .output()?;
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: can't reach the server at `{endpoint}`: nobody listens there\n\
             hint: start one with `sandstep serve --listen {address}`, or name another with --endpoint or SANDSTEP_ENDPOINT\n"
        )
    );
    Ok(())
}

#[test]
fn a_state_is_tested_by_itself_mocked_or_for_real() -> Result<()> {
    let shell = Shell::new()?;
    shell.deployable()?;
    shell.run("deploy shop")?;
    shell.file(
        "charge.json",
        json!({"Type": "Task", "Resource": "wasm:declined", "InputPath": "$.card", "Next": "Ship",
            "Retry": [{"ErrorEquals": ["CardDeclined"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["CardDeclined"], "ResultPath": "$.failed", "Next": "Refund"}]})
        .to_string()
        .as_bytes(),
    )?;
    shell.file("input.json", br#"{"card": 7}"#)?;
    assert_eq!(
        shell.run("test-state charge.json --input input.json --mock \"paid\" --inspect")?,
        "status 0
input  {\"card\": 7}
afterInputPath  7
afterParameters  7
result  \"paid\"
afterResultSelector  \"paid\"
afterResultPath  \"paid\"
\"paid\"
! SUCCEEDED, next is Ship
"
    );
    assert_eq!(
        shell.run("test-state charge.json --input input.json --mock-error CardDeclined=no --retries 1")?,
        "status 0
{\"card\":7,\"failed\":{\"Error\":\"CardDeclined\",\"Cause\":\"no\"}}
! CAUGHT_ERROR: CardDeclined: no, next is Refund
"
    );
    let real = shell.run("test-state charge.json --input input.json")?;
    assert!(real.starts_with("status 1\n! RETRIABLE: CardDeclined"), "{real}");
    assert_eq!(
        shell.run("test-state shop/workflow.asl.json --state Only --input [1]")?,
        "status 0\n[1]\n! SUCCEEDED\n"
    );
    let refused = shell.run("test-state charge.json --context {}")?;
    assert!(
        refused.contains("TestState does not support Context when a mock is not specified."),
        "{refused}"
    );
    Ok(())
}
