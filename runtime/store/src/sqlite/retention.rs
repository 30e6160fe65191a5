//! Deleting executions that closed long ago, in steps so small that nobody waits for one.
//!
//! Ids rise with the time of the start, so what is old stands at the front of its table and needs no index of its own:
//! an index on the time of the end would cost every execution that ends. A row goes first, and with it the name and
//! whatever leads to the execution; `forgotten` remembers whose journal and children are still to go, over a crash too.

use asl::Timestamp;
use engine::ids::ExecutionId;
use engine::ports::{Forgotten, StoreError};
use rusqlite::{Connection, params};

use super::Store;
use super::encoding::{RUNNING, column};
use super::error::ReadError;

/// Rows looked at in one read: a third of a millisecond.
const LOOKED_AT: i64 = 512;

/// Executions deleted in one step. Their names lie anywhere in their index, so each is a page to write.
const EXECUTIONS: usize = 32;

/// Rows deleted in one step: about two milliseconds of the writer.
const ROWS: u64 = 160;

/// Bytes of journals deleted in one step, unless a single row has more.
const BYTES: i64 = 2 << 20;

impl Store {
    pub(super) fn forget_some(&self, before: Timestamp, from: ExecutionId) -> Result<Forgotten, StoreError> {
        let attempted = "delete executions after their retention";
        let found = self
            .0
            .readers
            .read(|| attempted.to_owned(), |connection| look(connection, before, from))?;
        if found.expired.is_empty() && !found.leftover {
            return Ok(Forgotten {
                executions: 0,
                next: found.next,
            });
        }
        let expired = found.expired;
        let (executions, unfinished) = self.0.writer.change(attempted, move |connection| {
            let mut step = Step {
                connection,
                rows: ROWS,
                bytes: BYTES,
                executions: 0,
            };
            // What was begun before is ended before more is begun.
            let mut unfinished = step.clear()?;
            for id in expired {
                if !unfinished {
                    step.forget(id, before)?;
                }
            }
            if !unfinished {
                unfinished = step.clear()?;
            }
            Ok((step.executions, unfinished))
        })?;
        Ok(Forgotten {
            executions,
            next: if unfinished { Some(from) } else { found.next },
        })
    }

    pub(super) fn count_expired(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut from = Some(ExecutionId(0));
        while let Some(place) = from {
            let found = self.0.readers.read(
                || "count executions after their retention".to_owned(),
                |connection| look(connection, before, place),
            )?;
            count += found.expired.len() as u64;
            from = found.next;
        }
        Ok(count)
    }
}

/// What a look at the front of the table found.
struct Found {
    expired: Vec<i64>,
    /// Where to look next.
    next: Option<ExecutionId>,
    /// An earlier step left something of an execution.
    leftover: bool,
}

fn look(connection: &Connection, before: Timestamp, from: ExecutionId) -> Result<Found, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut expired = Vec::new();
    let mut last = None;
    let (mut seen, mut old) = (0, false);
    {
        let mut page = snapshot.prepare_cached(PAGE)?;
        let mut rows = page.query(params![column(from.0), LOOKED_AT])?;
        while let Some(row) = rows.next()? {
            if expired.len() == EXECUTIONS {
                break;
            }
            seen += 1;
            let (id, status, started): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            last = Some(id);
            old |= started < before.0;
            let stopped: Option<i64> = row.get(3)?;
            let is_child: bool = row.get(4)?;
            if !is_child
                && status != RUNNING
                && stopped.is_some_and(|stopped| stopped < before.0)
                && !has_running_child(&snapshot, id)?
            {
                expired.push(id);
            }
        }
    }
    let leftover = snapshot.prepare_cached(LEFTOVER)?.query_row([], |row| row.get(0))?;
    snapshot.commit()?;
    let is_full = seen == LOOKED_AT || expired.len() == EXECUTIONS;
    // One that started too late can't have ended in time; a whole page of them is more than a clock that jumped.
    let next = last
        .filter(|_| is_full && old)
        .map(|last| ExecutionId(last.cast_unsigned()));
    Ok(Found {
        expired,
        next,
        leftover,
    })
}

fn has_running_child(connection: &Connection, parent: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(RUNNING_CHILD)?
        .query_row([parent, RUNNING], |row| row.get(0))
}

const PAGE: &str = "SELECT id, status, started, stopped, parent IS NOT NULL FROM executions
     WHERE id > ?1 ORDER BY id LIMIT ?2";

const RUNNING_CHILD: &str = "SELECT EXISTS (SELECT 1 FROM executions WHERE parent = ?1 AND status = ?2)";

const LEFTOVER: &str = "SELECT EXISTS (SELECT 1 FROM forgotten)";

/// Journals are deleted from their front, as far as a step goes.
const JOURNAL_ROWS: &str = "SELECT id, length(events) FROM journal WHERE execution = ?1 ORDER BY id LIMIT ?2";

const CHILDREN: &str = "SELECT id FROM executions WHERE parent = ?1 AND status <> ?2 LIMIT ?3";

/// One transaction's share of the work.
struct Step<'a> {
    connection: &'a Connection,
    rows: u64,
    bytes: i64,
    executions: u64,
}

impl Step<'_> {
    /// Deletes an execution's row, unless it was redriven since somebody looked.
    fn forget(&mut self, id: i64, before: Timestamp) -> rusqlite::Result<()> {
        let deleted = self
            .connection
            .prepare_cached("DELETE FROM executions WHERE id = ?1 AND status <> ?2 AND stopped < ?3")?
            .execute(params![id, RUNNING, before.0])?;
        if deleted == 1 {
            self.forgotten(id)?;
        }
        Ok(())
    }

    /// Its row is gone: the rest follows.
    fn forgotten(&mut self, id: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM redrives WHERE execution = ?1")?
            .execute([id])?;
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO forgotten (execution) VALUES (?1)")?
            .execute([id])?;
        self.executions += 1;
        self.rows = self.rows.saturating_sub(1);
        Ok(())
    }

    /// Deletes what is left of forgotten executions, the youngest first: children before there are more of them. True
    /// when something remains for another step.
    fn clear(&mut self) -> rusqlite::Result<bool> {
        let mut below = i64::MAX;
        while self.rows > 0 && self.bytes > 0 {
            let youngest: Option<i64> = self
                .connection
                .prepare_cached("SELECT max(execution) FROM forgotten WHERE execution < ?1")?
                .query_row([below], |row| row.get(0))?;
            let Some(id) = youngest else { return Ok(false) };
            if !self.clear_journal(id)? {
                continue;
            }
            if self.clear_children(id)? {
                // They are younger than their parent, which is looked at again after them.
                below = i64::MAX;
                continue;
            }
            if has_running_child(self.connection, id)? {
                below = id;
                continue;
            }
            self.connection
                .prepare_cached("DELETE FROM forgotten WHERE execution = ?1")?
                .execute([id])?;
        }
        Ok(true)
    }

    /// True when none of it is left.
    fn clear_journal(&mut self, id: i64) -> rusqlite::Result<bool> {
        let rows: Vec<(i64, i64)> = self
            .connection
            .prepare_cached(JOURNAL_ROWS)?
            .query_map(params![id, column(self.rows)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let found = rows.len() as u64;
        let whole = found < self.rows;
        for (row, bytes) in rows {
            if self.bytes <= 0 {
                return Ok(false);
            }
            self.connection
                .prepare_cached("DELETE FROM journal WHERE id = ?1")?
                .execute([row])?;
            self.rows = self.rows.saturating_sub(1);
            self.bytes -= bytes;
        }
        Ok(whole)
    }

    /// Deletes the rows of closed children, as far as a step goes; true when there were any.
    fn clear_children(&mut self, parent: i64) -> rusqlite::Result<bool> {
        let children: Vec<i64> = self
            .connection
            .prepare_cached(CHILDREN)?
            .query_map(params![parent, RUNNING, column(self.rows)], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for child in &children {
            self.connection
                .prepare_cached("DELETE FROM executions WHERE id = ?1")?
                .execute([child])?;
            self.forgotten(*child)?;
        }
        Ok(!children.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::database;
    use crate::sqlite::reader::plan;

    #[test]
    fn no_step_reads_more_than_it_deletes() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let connection = database::open_writer(&database::file_in(directory.path())).expect("creates");
        for (sql, wanted) in [
            (PAGE, "USING INTEGER PRIMARY KEY (rowid>?)"),
            (RUNNING_CHILD, "COVERING INDEX executions_by_map_run (parent=?)"),
            (CHILDREN, "COVERING INDEX executions_by_map_run (parent=?)"),
            (JOURNAL_ROWS, "INDEX journal_by_execution (execution=?)"),
        ] {
            let plan = plan(&connection, sql);
            assert!(plan.contains(wanted), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
