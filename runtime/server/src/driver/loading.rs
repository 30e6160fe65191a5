//! Reads executions back, on threads of their own.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use engine::ids::ExecutionId;
use engine::input::Input;
use engine::ports::{Reader, StoreError};
use engine::replay::{Loaded, Pinned, Replay};

use super::{Mailbox, Message};
use crate::machines::Machines;

/// Threads that read back: reading is mostly parsing, and more would starve the driver of a small machine.
const LOADERS: usize = 2;

/// Where executions are handed in; the engine bounds how many are under way.
pub(crate) struct Loaders {
    wanted: Sender<ExecutionId>,
}

impl Loaders {
    /// Starts the threads; they end with the driver.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(reader: Arc<dyn Reader>, machines: Arc<Machines>, mailbox: &Mailbox) -> io::Result<Self> {
        let (wanted, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..LOADERS {
            let (reader, machines, queue, mailbox) = (
                Arc::clone(&reader),
                Arc::clone(&machines),
                Arc::clone(&queue),
                mailbox.clone(),
            );
            std::thread::Builder::new()
                .name(format!("loader-{number}"))
                .spawn(move || {
                    while let Some(execution) = next(&queue) {
                        let result = load(&*reader, &machines, execution);
                        mailbox.send(Message::Input(Input::Loaded { execution, result }));
                    }
                })?;
        }
        Ok(Self { wanted })
    }

    pub(super) fn load(&self, execution: ExecutionId) {
        // The threads hold the other end as long as this one lives.
        let _ = self.wanted.send(execution);
    }
}

fn next(queue: &Mutex<Receiver<ExecutionId>>) -> Option<ExecutionId> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn load(reader: &dyn Reader, machines: &Machines, execution: ExecutionId) -> Result<Loaded, StoreError> {
    let record = reader.execution(execution)?.ok_or_else(|| {
        StoreError(format!(
            "execution {} has a timer but no row; check the database with `PRAGMA integrity_check`",
            execution.0
        ))
    })?;
    let state_machine = machines
        .definitions()
        .get(&record.definition)
        .map_err(|error| StoreError(error.to_string()))?;
    let pinned = Pinned {
        machine: record.machine,
        definition: record.definition,
        version: record.origin.map(|origin| origin.version),
    };
    let mut replay = Replay::new(state_machine, pinned);
    reader.visit_journal(execution, 0, &mut |event| replay.push(&event))?;
    Ok(replay.finish())
}
