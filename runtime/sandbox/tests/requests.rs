//! Requests that guests make: what is granted, what is refused, and that nothing of it lasts for ever.

mod world;

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use asl::{Payload, TimeoutKind};
use engine::ids::Digest;
use engine::ports::{Granted, Job, Outcome, Report, TaskRunner};
use world::http::{Server, core_module, guest, requests};
use world::{World, in_time, job};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\"ok\"";

fn asks(world: &World) -> Digest {
    let prepared = world.sandbox.prepare(&guest("asks"));
    prepared.expect("a task that makes requests").digest
}

fn asking(module: &Digest, input: &str, granted: Granted) -> Job {
    let mut job = job(module);
    job.input = Payload::from_text(format!("\"{input}\"")).expect("JSON");
    job.granted = Some(Arc::new(granted));
    job
}

fn answer(report: &Report) -> String {
    match &report.outcome {
        Outcome::Succeeded(answer) => answer.text().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn log(report: &Report) -> String {
    let lines = report.attempt.log.iter().map(|line| line.message.as_str());
    lines.collect::<Vec<_>>().join("\n")
}

/// Denied by the grant, in the order of WIT's `error-code`.
const DENIED: &str = "\"error 15\"";
const PROHIBITED: &str = "\"error 4\"";
const NO_URI: &str = "\"error 19\"";

#[test]
fn what_is_granted_is_asked_for() {
    let (world, server) = (World::new(), Server::answering(OK));
    let (module, port) = (asks(&world), server.port);
    let granted = || {
        requests(&[
            format!("GET http://localhost:{port}/v1/*"),
            format!("PUT http://localhost:{port}/*"),
        ])
    };
    let run = |input: String| world.run(asking(&module, &input, granted()));
    let get = run(format!("GET|http|localhost:{port}|/v1/a?b=c|x-by|guest|"));
    assert_eq!(answer(&get), "[200,\"ok\"]", "{}", log(&get));
    let put = run(format!("PUT|http|LOCALHOST:{port}|/b|||text"));
    assert_eq!(answer(&put), "[200,\"ok\"]", "{}", log(&put));
    let heads = server.heads();
    assert!(heads[0].starts_with("GET /v1/a?b=c HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[0].contains("x-by: guest\r\n"), "{heads:?}");
    assert!(heads[0].contains(&format!("host: localhost:{port}\r\n")), "{heads:?}");
    assert!(
        heads[1].starts_with("PUT /b ") && heads[1].contains("chunked"),
        "{heads:?}"
    );
}

#[test]
fn nothing_else_is() {
    let (world, server) = (World::new(), Server::answering(OK));
    let (module, port) = (asks(&world), server.port);
    let run = |input: &str, granted: Granted| world.run(asking(&module, input, granted));
    let granted = || requests(&[format!("GET http://localhost:{port}/v1/*")]);
    for (method, scheme, authority, path, said) in [
        ("POST", "http", "localhost:PORT", "/v1/a", DENIED),
        ("GET", "https", "localhost:PORT", "/v1/a", DENIED),
        ("GET", "http", "localhost", "/v1/a", DENIED),
        ("GET", "http", "localhost:1", "/v1/a", DENIED),
        ("GET", "http", "localhost:PORT", "/v2/a", DENIED),
        ("GET", "http", "localhost:PORT", "/v1/../v2", DENIED),
        ("GET", "http", "localhost:PORT", "/v1/%2e%2e/v2", DENIED),
        ("GET", "http", "localhost:PORT", "/v1/%252E./v2", DENIED),
        ("GET", "http", "localhost:PORT", "/v1/..;/v2", DENIED),
        ("GET", "http", "localhost:PORT", "//v1/a", DENIED),
        ("GET", "http", "localhost.:PORT", "/v1/a", DENIED),
        ("GET", "http", "127.0.0.1:PORT", "/v1/a", DENIED),
        ("GET", "http", "2130706433:PORT", "/v1/a", DENIED),
        ("GET", "http", "0177.0.0.1:PORT", "/v1/a", DENIED),
        ("GET", "http", "0x7f000001:PORT", "/v1/a", DENIED),
        ("GET", "http", "[::ffff:127.0.0.1]:PORT", "/v1/a", DENIED),
        ("GET", "http", "localhost@127.0.0.1:PORT", "/v1/a", NO_URI),
        ("GET", "http", "a:b@localhost:PORT", "/v1/a", NO_URI),
        ("GET", "http", "localhost:", "/v1/a", NO_URI),
        ("CONNECT", "http", "localhost:PORT", "/v1/a", "\"error 18\""),
        ("TRACE", "http", "localhost:PORT", "/v1/a", "\"error 18\""),
        ("GET", "gopher", "localhost:PORT", "/v1/a", "\"error 35\""),
        ("GET", "http", "local host:PORT", "/v1/a", "\"refused\""),
        ("GET", "http", "localhost:PORT", "/v1/a b", "\"refused\""),
        ("GET", "http", "localhost:PORT^~x: y", "/v1/a", "\"refused\""),
        ("GET", "http", "localhost:PORT", "/v1/a HTTP/1.1^~x: y", "\"refused\""),
        ("GET^~x: y", "http", "localhost:PORT", "/v1/a", "\"refused\""),
    ] {
        let authority = authority.replace("PORT", &port.to_string());
        let report = run(&format!("{method}|{scheme}|{authority}|{path}|||"), granted());
        assert_eq!(
            answer(&report),
            said,
            "{method} {scheme}://{authority}{path}: {}",
            log(&report)
        );
    }
    let report = run(&format!("GET|http|localhost:{port}|/v2/a|||"), granted());
    let line = format!("`[grants]` `http = [\"GET http://localhost:{port}/v2/a\"]` in module.toml grants it");
    assert!(log(&report).contains(&line), "{}", log(&report));
    let report = run(&format!("GET|http|localhost:{port}|/v1/a|||"), Granted::default());
    assert_eq!(answer(&report), DENIED);
    assert_eq!(server.heads(), Vec::<String>::new());
}

#[test]
fn a_private_address_is_reached_where_the_policy_says_so() {
    let (world, server) = (World::new(), Server::answering(OK));
    let (module, port) = (asks(&world), server.port);
    for (host, granted_host, said) in [
        ("localhost", "localhost", PROHIBITED),
        ("2130706433", "2130706433", PROHIBITED),
        ("0x7f.1", "0x7f.1", PROHIBITED),
        ("127.0.0.1", "127.0.0.1", "[200,\"ok\"]"),
    ] {
        let mut granted = requests(&[format!("GET http://{granted_host}:{port}/*")]);
        granted.http[0].private = false;
        let report = world.run(asking(&module, &format!("GET|http|{host}:{port}|/|||"), granted));
        assert_eq!(answer(&report), said, "{host}: {}", log(&report));
    }
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn headers_of_the_connection_are_not_the_guests() {
    let (world, server) = (World::new(), Server::answering(OK));
    let (module, port) = (asks(&world), server.port);
    let run = |name: &str, value: &str| {
        let input = format!("GET|http|localhost:{port}|/|{name}|{value}|");
        answer(&world.run(asking(
            &module,
            &input,
            requests(&[format!("GET http://localhost:{port}/*")]),
        )))
    };
    for name in [
        "host",
        "Host",
        "connection",
        "transfer-encoding",
        "upgrade",
        "proxy-authorization",
    ] {
        assert_eq!(run(name, "evil.example"), "\"header 1\"", "{name}");
    }
    for (name, value) in [
        ("x", "a^~injected: 1"),
        ("x", "a~injected: 1"),
        ("x: y", "z"),
        ("x^~injected", "1"),
    ] {
        assert_eq!(run(name, value), "\"header 0\"", "{name}: {value}");
    }
    assert_eq!(server.heads(), Vec::<String>::new());
}

#[test]
fn redirects_are_answers() {
    let world = World::new();
    let other = Server::answering(OK);
    let moved = Server::answering(&format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 4\r\n\r\nnull",
        other.port
    ));
    let (module, port) = (asks(&world), moved.port);
    let granted = requests(&[format!("GET http://localhost:{port}/*")]);
    let report = world.run(asking(&module, &format!("GET|http|localhost:{port}|/|||"), granted));
    assert_eq!(answer(&report), "[307,null]");
    assert_eq!(other.heads(), Vec::<String>::new());
}

/// Servers that never come to an end, and how an attempt with 300 ms ends that asks them.
#[test]
fn a_server_without_an_end_keeps_nobody_past_its_clocks() {
    let world = World::new();
    let module = asks(&world);
    let silent = Server::start(|mut stream| drop(stream.read(&mut [0])));
    let half_a_head = Server::start(|mut stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nx-half: "));
        drop(stream.read(&mut [0]));
    });
    let half_a_body = Server::start(|mut stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n1"));
        drop(stream.read(&mut [0]));
    });
    let endless = Server::start(|mut stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        while stream.write_all(&[b'1'; 65536]).is_ok() {}
    });
    for (what, server) in [
        ("silent", silent),
        ("half a head", half_a_head),
        ("half a body", half_a_body),
        ("endless", endless),
    ] {
        let port = server.port;
        let asked = || {
            let granted = requests(&[format!("GET http://localhost:{port}/*")]);
            asking(&module, &format!("GET|http|localhost:{port}|/|||"), granted)
        };
        let mut late = asked();
        late.limits.fuel = u64::MAX;
        late.deadline = Some(in_time(Duration::from_millis(300)));
        let report = world.run(late);
        assert_eq!(report.outcome, Outcome::TimedOut(TimeoutKind::Deadline), "{what}");
        let mut limited = asked();
        limited.limits.fuel = u64::MAX;
        limited.limits.time_millis = Some(300);
        world.fails(limited, "Sandbox.TimeExceeded");
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let world = World::new();
    let module = asks(&world);
    let server = Server::start(|mut stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
        while stream.write_all(b"x-more: and more of it\r\n").is_ok() {}
    });
    let port = server.port;
    let granted = requests(&[format!("GET http://localhost:{port}/*")]);
    let report = world.run(asking(&module, &format!("GET|http|localhost:{port}|/|||"), granted));
    let said = answer(&report);
    assert!(
        said == "\"error 26\"" || said == "\"error 35\"",
        "{said}: {}",
        log(&report)
    );
    assert!(log(&report).contains("wasn't answered"), "{}", log(&report));
}

#[test]
fn a_storm_of_requests_is_a_few() {
    let world = World::new();
    let module = asks(&world);
    let silent = Server::start(|mut stream| drop(stream.read(&mut [0])));
    let port = silent.port;
    let granted = requests(&[format!("GET http://localhost:{port}/*")]);
    let mut storm = asking(&module, &format!("storm|http|localhost:{port}|/|||"), granted);
    storm.limits.time_millis = Some(10_000);
    let cause = world.fails(storm, "Sandbox.Trapped");
    assert!(cause.contains("resource table"), "{cause}");
    assert!(silent.heads().len() <= 8, "{}", silent.heads().len());
}

#[test]
fn sockets_are_for_nobody() {
    let world = World::new();
    let source = r#"(module
      (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $make (param i32 i32)))
      $PRELUDE
      (data (i32.const 64) "[0]")
      (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32)
        (call $make (i32.const 0) (i32.const 32))
        (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.load8_u (i32.const 36))))
        (call $answer (i32.const 64) (i32.const 3))))"#;
    let prepared = world.sandbox.prepare(&core_module(source, "connects")).expect("a task");
    let report = world.run(job(&prepared.digest));
    assert_eq!(answer(&report), "[1]", "`access-denied`");
    assert!(
        log(&report).contains("denied: the task wanted a TCP socket"),
        "{}",
        log(&report)
    );
    assert!(log(&report).contains("`[grants]` `http = "), "{}", log(&report));
}
