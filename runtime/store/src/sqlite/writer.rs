//! The one thread that writes.
//!
//! It takes whatever waits for it, makes one transaction and one sync of it, and then answers. While it syncs, the
//! next group gathers: the group's size regulates itself, and no timer is needed.

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use engine::batch::{AppendOutcome, Batch};
use engine::ports::StoreError;
use rusqlite::Connection;

use super::encoding::encode;
use super::error::{explained, store_error};
use super::journal::Journals;
use crate::pending::{Pending, closed};

/// Works in one transaction at most, so that the first caller isn't kept waiting by an endless stream. The engine
/// keeps one commit in flight and every caller of the catalogue blocks, so the queue itself needs no bound.
const GROUP: usize = 256;

/// The writer as the rest of the store sees it.
pub(crate) struct Writer {
    queue: Sender<Work>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Work {
    Commit(Arc<Batch>, Pending),
    Change(Box<dyn Change>),
    Stop,
}

/// A change of the catalogue, in the same transaction as the batches around it.
trait Change: Send {
    /// Inside the transaction.
    fn apply(&mut self, connection: &Connection, journals: &mut Journals) -> rusqlite::Result<()>;
    /// After it.
    fn answer(self: Box<Self>, ended: Result<(), StoreError>);
}

impl Writer {
    /// Starts the thread. `lock` is kept until the thread has ended and the database is closed.
    pub(crate) fn start(connection: Connection, lock: File) -> std::io::Result<Self> {
        let (queue, receiver) = channel();
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let mut group_writer = GroupWriter {
                connection,
                journals: Journals::new(),
            };
            group_writer.run(&receiver);
            drop(group_writer);
            drop(lock);
        })?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands a batch over. A batch that can't be is answered when the queue drops it.
    pub(crate) fn commit(&self, batch: Arc<Batch>, done: Pending) {
        // A failed send drops the work, and with it the Pending, which answers.
        drop(self.queue.send(Work::Commit(batch, done)));
    }

    /// Makes a change and waits until it is durable. What `change` wrote before an error is undone.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        attempted: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.change_with_journals(attempted, |connection, _| change(connection))
    }

    /// [`Writer::change`] for one that touches what is remembered of the database.
    pub(crate) fn change_with_journals<T: Send + 'static>(
        &self,
        attempted: &str,
        change: impl FnOnce(&Connection, &mut Journals) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let change = ChangeOf {
            change: Some(change),
            made: None,
            reply,
        };
        drop(self.queue.send(Work::Change(Box::new(change))));
        let changed = answer.recv().unwrap_or_else(|_| Err(closed()));
        changed.map_err(|error| store_error(attempted, &error))
    }

    /// Writes what was handed over before, closes the database and waits for that.
    pub(crate) fn close(&self) {
        drop(self.queue.send(Work::Stop));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last reference to the store may be dropped by a caller's `done`, on the thread itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked; what it had acknowledged is on disk");
        }
    }
}

struct ChangeOf<F, T> {
    change: Option<F>,
    made: Option<rusqlite::Result<T>>,
    reply: SyncSender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection, &mut Journals) -> rusqlite::Result<T> + Send> Change for ChangeOf<F, T> {
    fn apply(&mut self, connection: &Connection, journals: &mut Journals) -> rusqlite::Result<()> {
        let Some(change) = self.change.take() else {
            return Ok(());
        };
        connection.execute_batch("SAVEPOINT change")?;
        let made = change(connection, journals);
        let end = if made.is_ok() {
            "RELEASE change"
        } else {
            "ROLLBACK TO change; RELEASE change"
        };
        self.made = Some(made);
        connection.execute_batch(end)
    }

    fn answer(self: Box<Self>, ended: Result<(), StoreError>) {
        let answer = match (ended, self.made) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(made)) => made.map_err(|error| StoreError(explained(&error))),
            (Ok(()), None) => Err(closed()),
        };
        // Nobody waits any more where the caller's thread is gone.
        drop(self.reply.send(answer));
    }
}

/// The thread's own: the writing connection and what it remembers.
struct GroupWriter {
    connection: Connection,
    journals: Journals,
}

/// A work ready for the transaction.
enum Prepared {
    Batch {
        batch: Arc<Batch>,
        rows: Vec<Vec<u8>>,
        done: Pending,
        outcomes: Vec<AppendOutcome>,
    },
    Change(Box<dyn Change>),
}

impl GroupWriter {
    fn run(&mut self, queue: &Receiver<Work>) {
        while let Ok(first) = queue.recv() {
            let mut group = Vec::new();
            let mut next = Some(first);
            let mut stop = false;
            while let Some(work) = next {
                match work {
                    Work::Commit(batch, done) => group.extend(prepared(batch, done)),
                    Work::Change(change) => group.push(Prepared::Change(change)),
                    Work::Stop => stop = true,
                }
                next = if stop || group.len() >= GROUP {
                    None
                } else {
                    queue.try_recv().ok()
                };
            }
            if !group.is_empty() {
                self.write(group);
            }
            if stop {
                return;
            }
        }
    }

    /// One transaction, one sync, then the answers.
    fn write(&mut self, mut group: Vec<Prepared>) {
        let ended = self.transaction(&mut group).map_err(|error| {
            self.journals.forget();
            // SQLite may have rolled back by itself.
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "can't roll back");
            }
            let error = StoreError(format!("nothing of the commit was written: {}", explained(&error)));
            tracing::error!(%error, works = group.len(), "a commit failed");
            error
        });
        for work in group {
            match work {
                Prepared::Batch { done, outcomes, .. } => done.answer(ended.clone().map(|()| outcomes)),
                Prepared::Change(change) => change.answer(ended.clone()),
            }
        }
    }

    fn transaction(&mut self, group: &mut [Prepared]) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for work in group {
            match work {
                Prepared::Batch {
                    batch, rows, outcomes, ..
                } => {
                    for (append, row) in batch.appends.iter().zip(rows) {
                        outcomes.push(self.journals.append(&self.connection, append, row)?);
                    }
                }
                Prepared::Change(change) => change.apply(&self.connection, &mut self.journals)?,
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// A batch with its events encoded, before the transaction: one that can't be is answered at once and fails nobody
/// else.
fn prepared(batch: Arc<Batch>, done: Pending) -> Option<Prepared> {
    let mut rows = Vec::with_capacity(batch.appends.len());
    for append in &batch.appends {
        let attempted = || format!("write events of execution `{}`", append.execution.0);
        if append.events.is_empty() {
            done.answer(Err(store_error(&attempted(), &"there are none")));
            return None;
        }
        match encode(&append.events) {
            Ok(row) => rows.push(row),
            Err(error) => {
                done.answer(Err(store_error(&attempted(), &error)));
                return None;
            }
        }
    }
    let outcomes = Vec::with_capacity(batch.appends.len());
    Some(Prepared::Batch {
        batch,
        rows,
        done,
        outcomes,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use asl::{Event, EventKind, Payload, ScopeId, Status, Timestamp};
    use engine::batch::{Append, Start};
    use engine::ids::{BatchId, Digest, ExecutionId, MachineId};
    use engine::ports::CommitResult;

    use super::*;
    use crate::sqlite::database;

    fn group_writer(directory: &tempfile::TempDir) -> GroupWriter {
        let connection = database::open_writer(&database::file_in(directory.path())).expect("creates");
        GroupWriter {
            connection,
            journals: Journals::new(),
        }
    }

    fn batch(execution: u64, expected_position: u64, text: &str) -> (Prepared, mpsc::Receiver<CommitResult>) {
        let start = Start {
            machine: MachineId(1),
            name: format!("n{execution}"),
            definition: Digest("sha256:1".into()),
            at: Timestamp(1),
            origin: None,
            child: None,
        };
        let output = Payload::from_value(text.into());
        let kind = if text.is_empty() {
            EventKind::TaskStarted {
                scope: ScopeId::ROOT,
                worker: None,
                version: None,
            }
        } else {
            EventKind::ExecutionSucceeded { output }
        };
        let append = Append {
            execution: ExecutionId(execution),
            expected_position,
            events: vec![Event { at: Timestamp(1), kind }],
            start: (expected_position == 0).then_some(start),
            status: Status::Running,
            wake_at: None,
        };
        let (sender, receiver) = mpsc::channel();
        let done = Pending::new(Box::new(move |result| drop(sender.send(result))));
        let batch = Arc::new(Batch {
            id: BatchId(1),
            appends: vec![append],
        });
        (prepared(batch, done).expect("has events"), receiver)
    }

    /// Digits of a linear congruential generator: LZ4 finds little to repeat.
    fn incompressible(bytes: usize) -> String {
        let mut seed = 1_u32;
        let mut digit = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from((seed >> 24) % 26).expect("below 26"))
        };
        (0..bytes).map(|_| digit()).collect()
    }

    #[test]
    fn a_full_disk_fails_the_group_and_the_writer_goes_on() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut writer = group_writer(&directory);
        let (start, started) = batch(1, 0, "");
        writer.write(vec![start]);
        assert_eq!(
            started.recv().expect("answered").expect("commits"),
            [AppendOutcome::Appended]
        );

        // SQLite answers a full disk and a full file alike.
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .expect("reads");
        writer
            .connection
            .pragma_update(None, "max_page_count", pages + 1)
            .expect("sets");
        let ((small, small_result), (large, large_result)) = (batch(1, 1, ""), batch(2, 0, &incompressible(200_000)));
        writer.write(vec![small, large]);
        for result in [small_result, large_result] {
            let error = result
                .recv()
                .expect("answered")
                .expect_err("the disk is full")
                .to_string();
            assert!(
                error.contains("nothing of the commit was written") && error.contains("free some space"),
                "{error}"
            );
        }

        let ((small, small_result), (next, next_result)) = (batch(1, 1, ""), batch(2, 0, ""));
        writer.write(vec![small, next]);
        for result in [small_result, next_result] {
            let outcomes = result.recv().expect("answered").expect("commits again");
            assert_eq!(
                outcomes,
                [AppendOutcome::Appended],
                "the writer forgot what was rolled back"
            );
        }
    }

    #[test]
    fn a_change_that_fails_is_undone_and_its_group_commits() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut writer = group_writer(&directory);
        let (reply, answer) = sync_channel(1);
        let change = |connection: &Connection, _: &mut Journals| -> rusqlite::Result<()> {
            connection.execute("INSERT INTO module_names VALUES ('half', 1)", [])?;
            connection.execute("INSERT INTO module_names VALUES ('half', 2)", [])?;
            Ok(())
        };
        let change = Prepared::Change(Box::new(ChangeOf {
            change: Some(change),
            made: None,
            reply,
        }));
        let ((before, before_result), (after, after_result)) = (batch(1, 0, ""), batch(1, 1, ""));
        writer.write(vec![before, change, after]);
        answer.recv().expect("answered").expect_err("the name is there twice");
        for result in [before_result, after_result] {
            assert_eq!(
                result.recv().expect("answered").expect("commits"),
                [AppendOutcome::Appended]
            );
        }
        let names: i64 = writer
            .connection
            .query_row("SELECT count(*) FROM module_names", [], |row| row.get(0))
            .expect("reads");
        assert_eq!(names, 0);
    }

    #[test]
    fn a_running_execution_that_still_waits_costs_its_journal_row_only() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut writer = group_writer(&directory);
        let mut rows_written = |position| {
            let before = writer.connection.total_changes();
            let (append, result) = batch(1, position, "");
            writer.write(vec![append]);
            result.recv().expect("answered").expect("commits");
            let written = writer.connection.total_changes() - before;
            if position == 2 {
                writer.journals.forget();
            }
            written
        };
        assert_eq!(rows_written(0), 3, "its definition, its row, its journal");
        assert_eq!(
            [rows_written(1), rows_written(2), rows_written(3)],
            [1, 1, 1],
            "also where it was forgotten"
        );
    }
}
