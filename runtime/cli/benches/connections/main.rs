//! What waiting clients cost: `cargo bench -p sandstep --bench connections`.
//!
//! The real binary on a fresh directory; 10,000 keep-alive connections that made a request and idle, 1,000 that poll an
//! activity and wait. The memory they cost is the server's resident memory with them less that without. Then StartExecution
//! one at a time, timed, while they all wait. Exits with 1 where the bounds the product promises don't hold.
//!
//! `IDLE` (10000), `POLLERS` (1000) and `STARTS` (300) are the numbers; `TLS=1` has all of it over TLS.

mod stream;

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stream::{Authority, Stream};

/// What all waiting clients may cost together, in MiB.
const MEMORY_MIB: f64 = 200.0;
/// What a start may take in the middle, in milliseconds.
const START_MS: f64 = 50.0;
/// Files of this process beside its connections.
const OTHER_FILES: u64 = 64;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let idle = number("IDLE", 10_000)?;
    let pollers = number("POLLERS", 1_000)?;
    let starts = number("STARTS", 300)?;
    allow_files(idle + pollers)?;
    let server = Server::start(number("TLS", 0)? != 0)?;
    let machine = server.machine()?;
    let activity = text(
        &server.call("CreateActivity", &json!({ "name": "nothing-to-do" }))?,
        "activityArn",
    )?;
    let before = server.resident()?;

    let began = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..pollers {
        waiting.push(server.ask("GetActivityTask", &json!({ "activityArn": activity }))?);
    }
    let mut resting = Vec::new();
    for _ in 0..idle {
        let mut stream = server.connect()?;
        let head = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
        stream.write_all(head.as_bytes())?;
        resting.push(stream);
    }
    for stream in &mut resting {
        let status = read_answer(stream)?.0;
        if status != 200 {
            return Err(format!("an idle connection was answered {status}").into());
        }
    }
    println!(
        "{} connections in {:.1} s",
        idle + pollers,
        began.elapsed().as_secs_f64()
    );
    let with = server.resident()?;

    let mut stream = server.connect()?;
    let mut times = Vec::new();
    for _ in 0..starts {
        let request = server.request("StartExecution", &json!({ "stateMachineArn": machine, "input": "{}" }));
        let since = Instant::now();
        stream.write_all(request.as_bytes())?;
        let (status, body) = read_answer(&mut stream)?;
        times.push(since.elapsed().as_secs_f64() * 1e3);
        if status != 200 {
            return Err(format!("StartExecution answered {status}: {body}").into());
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| {
        times
            .get((times.len() as f64 * part) as usize)
            .copied()
            .unwrap_or_default()
    };
    let (median, slow) = (at(0.5), at(0.99));
    let open = server.open_files()?;
    println!("open files of the server       {open:>10}");
    println!("resident memory, alone         {before:>10.1} MiB");
    println!("resident memory, with them     {with:>10.1} MiB");
    println!(
        "they cost                      {:>10.1} MiB (at most {MEMORY_MIB})",
        with - before
    );
    println!("StartExecution, median         {median:>10.1} ms (at most {START_MS})");
    println!("StartExecution, 99 %           {slow:>10.1} ms");
    let held = with - before <= MEMORY_MIB && median <= START_MS && open >= idle + pollers;
    if !held {
        println!("the bounds don't hold");
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A server on a free port and a fresh directory.
struct Server {
    child: Child,
    address: String,
    authority: Option<Authority>,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(over_tls: bool) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandstep"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.path().join("data"))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped());
        let authority = if over_tls {
            let (certificate, key) = (directory.path().join("server.pem"), directory.path().join("server.key"));
            let authority = Authority::new(&certificate, &key)?;
            command.arg("--tls-certificate").arg(certificate);
            command.arg("--tls-key").arg(key);
            Some(authority)
        } else {
            None
        };
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("its output was asked for")?).read_line(&mut line)?;
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split_once("://")?.1.split_once(','))
            .ok_or_else(|| format!("the server said {line:?}"))?
            .0
            .to_owned();
        Ok(Self {
            child,
            address,
            authority,
            _directory: directory,
        })
    }

    fn connect(&self) -> Result<Stream> {
        Stream::connect(&self.address, self.authority.as_ref())
    }

    fn request(&self, operation: &str, parameters: &Value) -> String {
        let body = parameters.to_string();
        format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AWSStepFunctions.{operation}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
    }

    /// A connection on which this was asked.
    fn ask(&self, operation: &str, parameters: &Value) -> Result<Stream> {
        let mut stream = self.connect()?;
        stream.write_all(self.request(operation, parameters).as_bytes())?;
        Ok(stream)
    }

    fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        let (status, body) = read_answer(&mut self.ask(operation, parameters)?)?;
        if status != 200 {
            return Err(format!("{operation} answered {status}: {body}").into());
        }
        Ok(serde_json::from_str(&body)?)
    }

    /// A machine that does nothing: what is measured is starting it.
    fn machine(&self) -> Result<String> {
        let definition = json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } });
        let parameters = json!({
            "name": "nothing",
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/bench",
        });
        let machine = text(&self.call("CreateStateMachine", &parameters)?, "stateMachineArn")?;
        // What the first execution makes is made.
        self.call("StartExecution", &json!({ "stateMachineArn": machine }))?;
        std::thread::sleep(LOOK_AGAIN);
        Ok(machine)
    }

    /// Resident memory in MiB.
    fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<f64>()? / 1024.0)
    }

    fn open_files(&self) -> Result<u64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count() as u64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of one answer on a connection that stays.
fn read_answer(stream: &mut Stream) -> Result<(u16, String)> {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(Ok(0), |length| length.trim().parse::<usize>())?;
            if answer.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
                return Ok((status, String::from_utf8_lossy(&answer[end + 4..]).into_owned()));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err("the server hung up".into()),
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
}

/// This process has one end of every connection.
fn allow_files(connections: u64) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = connections + OTHER_FILES;
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(format!("the limit of open files is below {wanted}: raise it with `ulimit -Hn`").into());
    }
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn text(value: &Value, key: &str) -> Result<String> {
    let text = value[key].as_str();
    Ok(text.ok_or_else(|| format!("no `{key}` in {value}"))?.to_owned())
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} is `{text}`, which is no number").into()),
        Err(_) => Ok(default),
    }
}
