//! The backend on disk.
//!
//! A data directory holds `sandstep.db` (journals, executions, state machines, module versions) and two
//! directories of content-addressed files, `definitions/` and `components/`. A file is on disk before the row that
//! names it, so a crash leaves at worst a file nobody names. One thread writes ([`writer`]), a few connections read
//! ([`reader`]).

mod activities;
pub(crate) mod backup;
mod catalogue;
mod content;
mod database;
mod directory;
mod encoding;
mod error;
mod journal;
mod labels;
mod map_runs;
mod modules;
mod reader;
mod retention;
mod space;
mod sweep;
mod tags;
mod versions;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asl::{Event, Timestamp};
use engine::batch::{Batch, Child};
use engine::ids::{Digest, ExecutionId, MachineId, TaskId};
use engine::ports::{
    ChildQuery, CommitLog, CommitResult, ExecutionQuery, ExecutionRecord, Forgotten, MapRunStanding, Reader, Redrives,
    Space, StoreError, Sweep, Swept, Upkeep,
};

use self::content::ContentFiles;
pub(crate) use self::database::file_in as database_in;
pub(crate) use self::directory::{COMPONENTS, DEFINITIONS, DataDirectory};
pub use self::error::Error;
use self::reader::Readers;
pub use self::space::compact;
use self::writer::Writer;
use crate::pending::Pending;

/// An opened data directory. Clones share it; dropping the last one closes it.
///
/// It is a [`CommitLog`], a [`Reader`] and a [`Catalogue`](engine::ports::Catalogue); the last two block.
/// A commit's `done` runs on the writing thread: it may read and commit, but a change of the catalogue made there would
/// wait for itself.
#[derive(Clone)]
pub struct Store(Arc<Opened>);

struct Opened {
    writer: Writer,
    readers: Readers,
    definitions: ContentFiles,
    components: ContentFiles,
    /// Held from the first look to the last write of a change to the catalogue: what it found still holds when it
    /// writes, and no file is taken away that another change is about to name.
    catalogue: Mutex<()>,
}

impl Store {
    /// Opens the data directory at `path`, making it where there is none, and brings its format up to date.
    ///
    /// # Errors
    /// [`Error`] when another process uses the directory, its format is newer than this version, or the disk
    /// says no.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let DataDirectory {
            path,
            definitions,
            components,
            lock,
        } = DataDirectory::open(path)?;
        let file = database::file_in(&path);
        let connection = database::open_writer(&file)?;
        let writer = Writer::start(connection, lock).map_err(|source| Error::File {
            attempted: "start a thread to write",
            path: file.clone(),
            source,
        })?;
        tracing::debug!(directory = %path.display(), "data directory opened");
        let readers = Readers::new(file);
        Ok(Self(Arc::new(Opened {
            writer,
            readers,
            definitions,
            components,
            catalogue: Mutex::new(()),
        })))
    }

    /// Writes what was handed over, closes the database and lets another process have the directory. What is asked
    /// afterwards, of any clone, is answered with an error. Called by the last clone's drop.
    pub fn close(&self) {
        self.0.close();
    }

    /// The turn to change the catalogue.
    fn catalogue_turn(&self) -> MutexGuard<'_, ()> {
        self.0.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// Readers first: the last connection to close tidies up the write-ahead log, and only the writer can.
    fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.close();
    }
}

impl CommitLog for Store {
    fn commit(&self, batch: Arc<Batch>, done: Box<dyn FnOnce(CommitResult) + Send>) {
        self.0.writer.commit(batch, Pending::new(done));
    }
}

impl Reader for Store {
    fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        self.0.readers.execution(id)
    }

    fn execution_by_name(&self, machine: MachineId, name: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        self.0.readers.execution_by_name(machine, name)
    }

    fn redrives(&self, id: ExecutionId) -> Result<Option<Redrives>, StoreError> {
        self.0.readers.redrives(id)
    }

    fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.0.readers.executions(query)
    }

    fn visit_journal(
        &self,
        id: ExecutionId,
        from: u64,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.0.readers.visit_journal(id, from, visit)
    }

    fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        self.0.readers.first_and_last(id)
    }

    fn map_run(&self, run: TaskId, redrives: u32) -> Result<MapRunStanding, StoreError> {
        self.0.readers.map_run(run, redrives)
    }

    fn children_to_redrive(
        &self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Child)>, StoreError> {
        self.0.readers.children_to_redrive(run, redrives, after, limit)
    }

    fn children(&self, query: &ChildQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.0.readers.children(query)
    }

    fn closed_children(
        &self,
        run: TaskId,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionRecord, Event, Event)>, StoreError> {
        self.0.readers.closed_children(run, after, limit)
    }

    fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.0.readers.running()
    }

    fn last_execution(&self) -> Result<ExecutionId, StoreError> {
        self.0.readers.last_execution()
    }
}

impl Upkeep for Store {
    fn forget(&self, before: Timestamp, from: ExecutionId) -> Result<Forgotten, StoreError> {
        self.forget_some(before, from)
    }

    fn expired(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.count_expired(before)
    }

    fn sweep(&self, in_use: &dyn Fn(&Digest) -> bool, sweep: Sweep) -> Result<Swept, StoreError> {
        self.sweep_unnamed(in_use, sweep)
    }

    fn space(&self) -> Result<Space, StoreError> {
        self.used_space()
    }

    fn shrink(&self) -> Result<u64, StoreError> {
        self.shrink_some()
    }
}
