//! One suite for every backend: whatever holds for one of them holds for all.

#[cfg(feature = "sqlite")]
mod backup;
mod catalogue;
#[cfg(feature = "sqlite")]
mod crash;
#[cfg(feature = "sqlite")]
mod disk;
mod journal;
mod labels;
mod objects;
mod random;
mod retention;
#[cfg(feature = "sqlite")]
mod space;
mod versions;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use asl::{Event, EventKind, Failure, Payload, Status, Timestamp};
use engine::batch::{Append, AppendOutcome, Batch, Start};
use engine::ids::{BatchId, Digest, ExecutionId, MachineId};
use engine::ports::{Catalogue, CommitLog, CommitResult, MachineType, NewMachine, Reader, Upkeep};

/// A Standard machine in its first revision.
fn machine(name: &str, definition: &str) -> NewMachine {
    NewMachine {
        name: name.to_owned(),
        machine_type: MachineType::Standard,
        definition: definition.to_owned(),
        revision: "r1".to_owned(),
        role: String::new(),
        at: Timestamp(1),
        configuration: serde_json::json!({}),
        modules: vec![],
        publish: None,
        tags: vec![],
    }
}

/// A store as the floors above see it.
struct Backend {
    name: &'static str,
    log: Arc<dyn CommitLog>,
    reader: Arc<dyn Reader>,
    catalogue: Arc<dyn Catalogue>,
    upkeep: Arc<dyn Upkeep>,
    /// Keeps the directory for as long as the store is used.
    #[cfg(feature = "sqlite")]
    _directory: Option<tempfile::TempDir>,
}

/// Every backend, empty.
fn backends() -> Vec<Backend> {
    let memory = store::memory::Store::new().expect("a thread");
    let memory = Backend {
        name: "memory",
        log: Arc::new(memory.clone()),
        reader: Arc::new(memory.clone()),
        catalogue: Arc::new(memory.clone()),
        upkeep: Arc::new(memory),
        #[cfg(feature = "sqlite")]
        _directory: None,
    };
    #[cfg(feature = "sqlite")]
    {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sqlite = store::Store::open(directory.path()).expect("opens");
        let sqlite = Backend {
            name: "sqlite",
            log: Arc::new(sqlite.clone()),
            reader: Arc::new(sqlite.clone()),
            catalogue: Arc::new(sqlite.clone()),
            upkeep: Arc::new(sqlite),
            _directory: Some(directory),
        };
        vec![memory, sqlite]
    }
    #[cfg(not(feature = "sqlite"))]
    vec![memory]
}

/// Hands a batch over; what it came to is received when it is durable.
fn submit(log: &dyn CommitLog, appends: Vec<Append>) -> Receiver<CommitResult> {
    let (sender, receiver) = channel();
    let done = Box::new(move |result| drop(sender.send(result)));
    log.commit(
        Arc::new(Batch {
            id: BatchId(1),
            appends,
        }),
        done,
    );
    receiver
}

/// Commits a batch and waits.
fn commit(log: &dyn CommitLog, appends: Vec<Append>) -> CommitResult {
    submit(log, appends).recv().expect("a commit is always answered")
}

/// Commits a batch that must not fail as a whole.
fn outcomes(log: &dyn CommitLog, appends: Vec<Append>) -> Vec<AppendOutcome> {
    commit(log, appends).expect("commits")
}

fn event(at: i64, kind: EventKind) -> Event {
    Event {
        at: Timestamp(at),
        kind,
    }
}

fn started(at: i64, input: &str) -> Event {
    event(
        at,
        EventKind::ExecutionStarted {
            input: Payload::from_text(input).expect("is JSON"),
            id: "id".to_owned(),
            name: "name".to_owned(),
            role: None,
            machine_id: "machine".to_owned(),
            machine_name: "machine".to_owned(),
            child_of: None,
            trace_parent: None,
            starter: None,
            mode: asl::Mode::Standard,
        },
    )
}

fn task_started(at: i64) -> Event {
    event(
        at,
        EventKind::TaskStarted {
            scope: asl::ScopeId::ROOT,
            worker: None,
            version: None,
        },
    )
}

fn redriven_at(at: i64, count: u32, round: Option<u32>) -> Event {
    event(
        at,
        EventKind::ExecutionRedriven {
            count,
            token: None,
            round,
            in_turn: true,
        },
    )
}

fn aborted(at: i64) -> Event {
    event(
        at,
        EventKind::ExecutionAborted {
            failure: Failure::new("Stopped", "by the test"),
        },
    )
}

/// The first append of execution `id` of machine 1, started at its id.
fn start(id: u64, name: &str, input: &str) -> Append {
    let at = i64::try_from(id).expect("small");
    Append {
        execution: ExecutionId(id),
        expected_position: 0,
        events: vec![started(at, input)],
        start: Some(Start {
            machine: MachineId(1),
            name: name.to_owned(),
            definition: Digest("sha256:1".into()),
            at: Timestamp(at),
            origin: None,
            child: None,
        }),
        status: Status::Running,
        wake_at: None,
    }
}

/// A later append.
fn append(id: u64, expected_position: u64, events: Vec<Event>) -> Append {
    let execution = ExecutionId(id);
    Append {
        execution,
        expected_position,
        events,
        start: None,
        status: Status::Running,
        wake_at: None,
    }
}

/// The append that stops an execution.
fn stop(id: u64, expected_position: u64, at: i64) -> Append {
    Append {
        status: Status::Aborted,
        ..append(id, expected_position, vec![aborted(at)])
    }
}
