//! Guests that speak HTTP, and servers they meet.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::ports::{Granted, GrantedRequests};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::PRELUDE;

const TASK: &str = include_str!("../../../../wit/task.wit");
const HTTP: &str = include_str!("../http/http.wit");

/// A core module with the WIT of a world of `http.wit` in it; `$PRELUDE` stands for the prelude.
pub fn core_module(source: &str, world: &str) -> Vec<u8> {
    let source = source.replace("$PRELUDE", PRELUDE);
    let mut module = wat::parse_str(&source).unwrap_or_else(|error| panic!("{error}"));
    let mut resolve = Resolve::default();
    resolve.push_str("task.wit", TASK).expect("WIT");
    let guests = resolve.push_str("http.wit", HTTP).expect("WIT");
    let world = resolve.select_world(&[guests], Some(world)).expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
    module
}

/// A guest of the folder `http`; the world of one that `serves` is that of handlers.
pub fn guest(name: &str) -> Vec<u8> {
    let world = if name == "serves" { "answers" } else { "asks" };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/http")
        .join(name)
        .with_extension("wat");
    core_module(&std::fs::read_to_string(path).expect("readable"), world)
}

/// These requests, to private addresses too.
pub fn requests(patterns: &[String]) -> Granted {
    let granted = |pattern: &String| GrantedRequests {
        pattern: pattern.parse().expect("a pattern"),
        private: true,
    };
    Granted {
        http: patterns.iter().map(granted).collect(),
        ..Granted::default()
    }
}

/// A server on a port of its own that keeps what it was sent.
pub struct Server {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Hands each connection, its head read, to `answer`.
    pub fn start(answer: impl Fn(TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), answer, kept) = (stream, answer.clone(), Arc::clone(&kept)) else {
                    continue;
                };
                std::thread::spawn(move || {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    kept.lock().expect("no panic").push(head);
                    answer(stream);
                });
            }
        });
        Self { port, heads }
    }

    /// Answers everybody with these bytes, and closes when they have hung up: closing while they write would break what
    /// they read.
    pub fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::start(move |mut stream| {
            drop(stream.write_all(answer.as_bytes()));
            drop(stream.shutdown(Shutdown::Write));
            drop(std::io::copy(&mut stream, &mut std::io::sink()));
        })
    }

    /// The heads that came.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}
