//! What bad input gets: an answer that says what is wrong, a server that goes on, and nothing stored changed.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::guests;
use crate::server::{Server, refusal, text};

const ROLE: &str = "arn:aws:iam::000000000000:role/test";

/// A server with something stored; `attempt` must leave it as it was.
fn unchanged_by(attempt: impl FnOnce(&Server, &str) -> Result<()>) -> Result<()> {
    let server = Server::start()?;
    server.push("echo", &guests::echo()?)?;
    let machine = server.create("echoes", &guests::one_task("echo"))?;
    let execution = server.start_execution(&machine, &json!({ "kept": true }))?;
    server.wait(&execution)?;
    let before = server.contents()?;
    attempt(&server, &machine)?;
    assert_eq!(server.contents()?, before, "something stored changed");
    let next = server.start_execution(&machine, &json!([1]))?;
    assert_eq!(server.wait(&next)?["output"], "[1]", "the server goes on");
    Ok(())
}

/// Our own refusals are `{code, message, hint}`, none of them empty.
fn own_refusal((status, body): (u16, Value)) -> Result<(u16, String, String)> {
    ensure!((400..500).contains(&status), "{status}: {body}");
    let (code, message) = (text(&body, "code")?, text(&body, "message")?);
    ensure!(
        !code.is_empty() && !message.is_empty() && !text(&body, "hint")?.is_empty(),
        "{body}"
    );
    Ok((status, code, message))
}

#[test]
fn malformed_json() -> Result<()> {
    unchanged_by(|server, machine| {
        let (status, body) = server.post("StartExecution", "{\"stateMachineArn\": ")?;
        ensure!(status == 400 && body["__type"].is_string(), "{status}: {body}");
        let parameters = json!({ "stateMachineArn": machine, "input": "{\"a\": oops}" });
        let (code, message) = server.refused("StartExecution", &parameters)?;
        assert_eq!(code, "InvalidExecutionInput");
        ensure!(message.contains("Unrecognized token 'oops'"), "{message}");
        let parameters = json!({ "name": "x", "definition": "{\"StartAt\": ", "roleArn": ROLE });
        assert_eq!(
            server.refused("CreateStateMachine", &parameters)?.0,
            "InvalidDefinition"
        );
        Ok(())
    })
}

#[test]
fn every_mistake_of_a_definition_is_listed() -> Result<()> {
    let definition = ten_mistakes();
    unchanged_by(|server, _| {
        let parameters = json!({ "name": "wrong", "definition": definition.to_string(), "roleArn": ROLE });
        let (code, message) = server.refused("CreateStateMachine", &parameters)?;
        assert_eq!(code, "InvalidDefinition");
        let missing: Vec<_> = MISTAKES.iter().filter(|place| !message.contains(*place)).collect();
        ensure!(missing.is_empty(), "{missing:?} are not in: {message}");
        let answer = server.call(
            "ValidateStateMachineDefinition",
            &json!({ "definition": definition.to_string() }),
        )?;
        assert_eq!(answer["result"], "FAIL");
        let found = answer["diagnostics"].as_array().map_or(0, Vec::len);
        ensure!(found >= MISTAKES.len(), "{found} of {}: {answer:#}", MISTAKES.len());
        Ok(())
    })
}

/// Where the mistakes of [`ten_mistakes`] are.
pub const MISTAKES: [&str; 10] = [
    "/TimeoutSeconds",
    "/States/A/End",
    "/States/B",
    "/States/C",
    "/States/D/Seconds",
    "/States/E/Choices",
    "/States/F/Branches",
    "/States/G/Retry[0]",
    "/States/H/Catch[0]",
    "/States/I/Type",
];

/// A definition with a mistake at each of [`MISTAKES`].
pub fn ten_mistakes() -> Value {
    json!({
        "StartAt": "A",
        "TimeoutSeconds": 0,
        "States": {
            "A": { "Type": "Pass", "End": "yes" },
            "B": { "Type": "Pass" },
            "C": { "Type": "Task", "End": true },
            "D": { "Type": "Wait", "Seconds": -1, "End": true },
            "E": { "Type": "Choice", "Choices": [] },
            "F": { "Type": "Parallel", "Branches": "none", "End": true },
            "G": { "Type": "Task", "Resource": "wasm:echo", "End": true, "Retry": [{ "IntervalSeconds": 1 }] },
            "H": { "Type": "Task", "Resource": "wasm:echo", "End": true, "Catch": [{ "ErrorEquals": ["States.ALL"] }] },
            "I": { "Type": "Teleport", "End": true },
        },
    })
}

#[test]
fn an_upload_of_300_megabytes() -> Result<()> {
    const SIZE: usize = 300 << 20;
    unchanged_by(|server, _| {
        let mut writer = TcpStream::connect(server.address()).context("connecting")?;
        let mut reader = writer.try_clone().context("cloning the connection")?;
        let sender = std::thread::spawn(move || {
            let head = format!(
                "PUT /v1/modules/big HTTP/1.1\r\nhost: sandstep\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
            );
            let chunk = vec![0_u8; 1 << 20];
            let sent = writer.write_all(head.as_bytes());
            // A server that has said no may hang up before the end.
            let _ = sent.and_then(|()| (0..SIZE / chunk.len()).try_for_each(|_| writer.write_all(&chunk)));
        });
        let mut answer = Vec::new();
        let read = reader.read_to_end(&mut answer);
        let _ = sender.join();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer ({read:?}): {answer:?}"))?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("no status")?;
        let body = serde_json::from_str(body).with_context(|| format!("not JSON: {body:?}"))?;
        let (status, code, message) = own_refusal((status, body))?;
        assert_eq!((status, code.as_str()), (413, "TooLarge"), "{message}");
        Ok(())
    })
}

#[test]
fn modules_that_are_none() -> Result<()> {
    let whole = guests::echo()?;
    let truncated = &whole[..whole.len() / 2];
    unchanged_by(|server, _| {
        let (_, code, _) = own_refusal(server.http("PUT", "/v1/modules/text", b"not wasm at all")?)?;
        assert_eq!(code, "NotWasm");
        let (_, code, _) = own_refusal(server.http("PUT", "/v1/modules/empty", b"")?)?;
        assert_eq!(code, "NotWasm");
        let (_, code, _) = own_refusal(server.http("PUT", "/v1/modules/truncated", truncated)?)?;
        assert_eq!(code, "InvalidModule");
        let (_, code, message) = own_refusal(server.http("PUT", "/v1/modules/wants", &guests::unknown_import()?)?)?;
        assert_eq!(code, "UnknownImport");
        ensure!(
            message.contains("acme:billing/ledger"),
            "the import isn't named: {message}"
        );
        own_refusal(server.http("PUT", "/v1/modules/a%20b", &guests::echo()?)?)?;
        own_refusal(server.http("GET", "/v1/modules/nowhere", b"")?)?;
        own_refusal(server.http("DELETE", "/v1/modules/nowhere", b"")?)?;
        Ok(())
    })
}

#[test]
fn a_module_deleted_while_referenced() -> Result<()> {
    unchanged_by(|server, _| {
        let (status, _, message) = own_refusal(server.http("DELETE", "/v1/modules/echo", b"")?)?;
        assert_eq!(status, 409);
        ensure!(message.contains("echoes"), "the state machine isn't named: {message}");
        Ok(())
    })
}

#[test]
fn an_input_over_256_kib() -> Result<()> {
    const LIMIT: usize = 262_144;
    let input = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    unchanged_by(|server, machine| {
        let parameters = json!({ "stateMachineArn": machine, "input": input(LIMIT + 1) });
        let (code, _) = refusal("StartExecution", server.try_call("StartExecution", &parameters)?)?;
        ensure!(
            matches!(code.as_str(), "InvalidExecutionInput" | "ValidationException"),
            "{code}"
        );
        Ok(())
    })?;
    let server = Server::start()?;
    let machine = server.create("passes", &guests::one_pass())?;
    let parameters = json!({ "stateMachineArn": machine, "input": input(LIMIT) });
    let execution = text(&server.call("StartExecution", &parameters)?, "executionArn")?;
    assert_eq!(
        server.wait(&execution)?["status"],
        "SUCCEEDED",
        "the limit itself is allowed"
    );
    Ok(())
}

#[test]
fn names_and_arns() -> Result<()> {
    unchanged_by(|server, machine| {
        for name in ["a b", "a/b", "", &"x".repeat(81), "a\u{7}b", "a*"] {
            let parameters = json!({ "name": name, "definition": guests::one_pass().to_string(), "roleArn": ROLE });
            let (code, _) = server.refused("CreateStateMachine", &parameters)?;
            ensure!(
                matches!(code.as_str(), "InvalidName" | "ValidationException"),
                "`{name}`: {code}"
            );
            let parameters = json!({ "stateMachineArn": machine, "name": name });
            let (code, _) = server.refused("StartExecution", &parameters)?;
            ensure!(
                matches!(code.as_str(), "InvalidName" | "ValidationException"),
                "`{name}`: {code}"
            );
        }
        let nowhere = machine.replace("echoes", "nowhere");
        let unknown = json!({ "stateMachineArn": nowhere });
        assert_eq!(
            server.refused("StartExecution", &unknown)?.0,
            "StateMachineDoesNotExist"
        );
        assert_eq!(
            server.refused("DescribeStateMachine", &unknown)?.0,
            "StateMachineDoesNotExist"
        );
        let execution = json!({ "executionArn": format!("{}:none", machine.replace(":stateMachine:", ":execution:")) });
        for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution"] {
            assert_eq!(
                server.refused(operation, &execution)?.0,
                "ExecutionDoesNotExist",
                "{operation}"
            );
        }
        assert_eq!(
            server
                .refused("DescribeExecution", &json!({ "executionArn": "arn:what" }))?
                .0,
            "InvalidArn"
        );
        Ok(())
    })
}

#[test]
fn what_is_no_request_of_ours() -> Result<()> {
    unchanged_by(|server, _| {
        assert_eq!(
            server.refused("LaunchRocket", &json!({}))?.0,
            "UnknownOperationException"
        );
        let (status, body) = server.http("GET", "/nowhere", b"")?;
        ensure!(status == 404 && body["hint"].is_string(), "{status}: {body}");
        let (status, body) = server.http("POST", "/", b"{}")?;
        ensure!((400..500).contains(&status) && !body.is_null(), "{status}: {body}");
        let mut stream = TcpStream::connect(server.address()).context("connecting")?;
        stream
            .write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            .context("writing")?;
        let _ = stream.read_to_end(&mut Vec::new());
        Ok(())
    })
}
