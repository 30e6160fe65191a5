//! Reading, beside the writer: every call sees what is durable at one moment.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use asl::{Event, Timestamp};
use engine::batch::Child;
use engine::ids::{Digest, ExecutionId, MachineId, TaskId};
use engine::ports::{ExecutionQuery, ExecutionRecord, Origin, Redrives, StoreError, Through};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database;
use super::encoding::{RUNNING, STATUSES, column, decode, status_code};
use super::error::{ReadError, store_error};
use super::journal::status_in;

/// Calls that read at the same time; more wait. A read is a matter of microseconds, and each connection has its
/// own page cache.
const CONNECTIONS: usize = 4;

/// Reading connections, opened when first needed.
pub(crate) struct Readers {
    file: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

impl Readers {
    pub(crate) fn new(file: PathBuf) -> Self {
        let pool = Mutex::new(Pool {
            idle: Vec::new(),
            lent: 0,
            closed: false,
        });
        Self {
            file,
            pool,
            returned: Condvar::new(),
        }
    }

    /// Runs `read` on a connection. It must be one statement or begin a transaction: a statement is a snapshot.
    pub(crate) fn read<T>(
        &self,
        attempted: impl FnOnce() -> String,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.lend()
            .and_then(|lent| read(lent.connection()))
            .map_err(|error| store_error(&attempted(), &error))
    }

    /// Closes every connection and waits for those in use.
    pub(crate) fn close(&self) {
        let mut pool = self.pool();
        pool.closed = true;
        pool.idle.clear();
        self.returned.notify_all();
        while pool.lent > 0 {
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lend(&self) -> Result<Lent<'_>, ReadError> {
        let mut pool = self.pool();
        loop {
            if pool.closed {
                return Err(ReadError::Closed);
            }
            if let Some(connection) = pool.idle.pop() {
                pool.lent += 1;
                return Ok(Lent {
                    readers: self,
                    connection: Some(connection),
                });
            }
            if pool.lent < CONNECTIONS {
                pool.lent += 1;
                drop(pool);
                let mut lent = Lent {
                    readers: self,
                    connection: None,
                };
                lent.connection = Some(database::open_reader(&self.file)?);
                return Ok(lent);
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan; goes back when dropped, also by a panic.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Lent<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("set by lend before anybody sees it")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        pool.lent -= 1;
        if !pool.closed {
            pool.idle.extend(self.connection.take());
        } else {
            // Closed before the count is seen to fall: whoever closes relies on it.
            self.connection = None;
        }
        drop(pool);
        self.readers.returned.notify_all();
    }
}

impl Readers {
    pub(crate) fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        self.read(
            || format!("read execution `{}`", id.0),
            |connection| {
                let mut by_id = connection.prepare_cached(&format!("{RECORDS} WHERE e.id = ?1"))?;
                Ok(by_id.query_row([column(id.0)], record).optional()?)
            },
        )
    }

    pub(crate) fn execution_by_name(
        &self,
        machine: MachineId,
        name: &str,
    ) -> Result<Option<ExecutionRecord>, StoreError> {
        self.read(
            || format!("read execution `{name}`"),
            |connection| {
                let mut by_name = connection.prepare_cached(&format!("{RECORDS} WHERE {BY_NAME}"))?;
                Ok(by_name.query_row(params![column(machine.0), name], record).optional()?)
            },
        )
    }

    pub(crate) fn executions(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        let machine = query.machine.map(|machine| column(machine.0));
        let status = query.status.map(status_code);
        let before = query.before.map_or(i64::MAX, |before| column(before.0));
        let limit = column(query.limit as u64);
        let through = query.through.as_ref().map(|through| match through {
            Through::Version(number) => Value::Integer(i64::from(*number)),
            Through::Alias(name) => Value::Text(name.clone()),
        });
        self.read(
            || "list executions".to_owned(),
            |connection| {
                let mut page = connection.prepare_cached(&page_sql(query))?;
                let rows = page.query_map(params![machine, status, before, limit, through], record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(crate) fn running(&self) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.read(
            || "read the running executions".to_owned(),
            |connection| {
                let mut running = connection.prepare_cached(&format!("{RECORDS} WHERE e.status = ?1 ORDER BY e.id"))?;
                let rows = running.query_map([RUNNING], record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(crate) fn redrives(&self, id: ExecutionId) -> Result<Option<Redrives>, StoreError> {
        self.read(
            || format!("read the redrives of execution `{}`", id.0),
            |connection| {
                let sql = "SELECT count, at, token FROM redrives WHERE execution = ?1";
                let redrives = connection.prepare_cached(sql)?.query_row([column(id.0)], |row| {
                    Ok(Redrives {
                        count: row.get(0)?,
                        at: Timestamp(row.get(1)?),
                        token: row.get(2)?,
                    })
                });
                Ok(redrives.optional()?)
            },
        )
    }

    pub(crate) fn last_execution(&self) -> Result<ExecutionId, StoreError> {
        self.read(
            || "read the last execution's id".to_owned(),
            |connection| {
                let sql = "SELECT max(highest, coalesce((SELECT max(id) FROM executions), 0)) FROM deleted_executions";
                let last: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(ExecutionId(last.cast_unsigned()))
            },
        )
    }

    pub(crate) fn visit_journal(
        &self,
        id: ExecutionId,
        from: u64,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read(
            || format!("read the journal of execution `{}`", id.0),
            |connection| visit_journal(connection, id, from, visit),
        )
    }

    pub(crate) fn first_and_last(&self, id: ExecutionId) -> Result<Option<(Event, Event)>, StoreError> {
        self.read(
            || format!("read the ends of execution `{}`", id.0),
            |connection| first_and_last(connection, id),
        )
    }
}

fn visit_journal(
    connection: &Connection,
    id: ExecutionId,
    from: u64,
    visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(JOURNAL)?;
    let mut rows = statement.query(params![column(id.0), column(from)])?;
    let mut next: Option<u64> = None;
    while let Some(columns) = rows.next()? {
        let (row, position): (i64, i64) = (columns.get(0)?, columns.get(1)?);
        // The first row begins at or before `from`; each after it where the one before ended.
        let expected = next.unwrap_or_else(|| from.min(position.cast_unsigned()));
        if u64::try_from(position) != Ok(expected) {
            return Err(ReadError::Gap {
                row,
                execution: id.0,
                expected,
                found: position,
            });
        }
        let decoded = events_in(columns, id)?;
        next = Some(expected + decoded.len() as u64);
        let unwanted = from.saturating_sub(expected).min(decoded.len() as u64);
        let mut wanted = decoded
            .into_iter()
            .skip(usize::try_from(unwanted).unwrap_or(usize::MAX));
        if wanted.try_for_each(&mut *visit).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn first_and_last(connection: &Connection, id: ExecutionId) -> Result<Option<(Event, Event)>, ReadError> {
    let mut statement = connection.prepare_cached(FIRST_AND_LAST)?;
    let mut rows = statement.query([column(id.0)])?;
    let mut ends = None;
    while let Some(columns) = rows.next()? {
        let events = events_in(columns, id)?;
        let Some((first, last)) = events.first().cloned().zip(events.last().cloned()) else {
            continue;
        };
        ends = Some(match ends {
            None => (first, last),
            Some((first, _)) => (first, last),
        });
    }
    Ok(ends)
}

/// The events of a row of [`JOURNAL`] or [`FIRST_AND_LAST`].
fn events_in(columns: &Row<'_>, id: ExecutionId) -> Result<Vec<Event>, ReadError> {
    let execution = id.0;
    let (row, position, expected): (i64, i64, i64) = (columns.get(0)?, columns.get(1)?, columns.get(2)?);
    let events = decode(columns.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?).map_err(|reason| {
        ReadError::DamagedRow {
            row,
            execution,
            position,
            reason,
        }
    })?;
    if usize::try_from(expected) != Ok(events.len()) {
        return Err(ReadError::Miscounted {
            row,
            execution,
            expected,
            found: events.len(),
        });
    }
    Ok(events)
}

const JOURNAL: &str = "SELECT id, position, count, events FROM journal
     WHERE execution = ?1 AND position + count > ?2 ORDER BY id";

/// One row where the first is the last.
const FIRST_AND_LAST: &str = "SELECT id, position, count, events FROM journal
     WHERE id IN ((SELECT min(id) FROM journal WHERE execution = ?1),
                  (SELECT max(id) FROM journal WHERE execution = ?1)) ORDER BY id";

const BY_NAME: &str = "e.machine = ?1 AND e.name = ?2 AND e.parent IS NULL";

/// The columns [`record`] reads. CROSS JOIN keeps SQLite from beginning with the definitions.
pub(super) const RECORDS: &str =
    "SELECT e.id, e.machine, e.name, d.digest, e.status, e.started, e.stopped, e.wake_at, e.version, e.alias,
     e.parent, e.parent_position, e.item, e.items, e.round
     FROM executions AS e CROSS JOIN definitions AS d ON d.id = e.definition";

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<ExecutionRecord> {
    let id: i64 = row.get(0)?;
    let machine: i64 = row.get(1)?;
    let id = ExecutionId(id.cast_unsigned());
    let child = child(row)?;
    Ok(ExecutionRecord {
        id,
        machine: MachineId(machine.cast_unsigned()),
        name: if child.is_some() { id.child_name() } else { row.get(2)? },
        definition: Digest(row.get(3)?),
        status: status_in(row, 4)?,
        started: Timestamp(row.get(5)?),
        stopped: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        wake_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        origin: match row.get(8)? {
            Some(version) => Some(Origin {
                version,
                alias: row.get(9)?,
            }),
            None => None,
        },
        child,
    })
}

fn child(row: &Row<'_>) -> rusqlite::Result<Option<Child>> {
    let Some(parent) = row.get::<_, Option<i64>>(10)? else {
        return Ok(None);
    };
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    Ok(Some(Child {
        run: TaskId {
            execution: ExecutionId(parent.cast_unsigned()),
            scheduled_at: number(11)?,
        },
        item: number(12)?,
        items: number(13)?,
        round: row.get::<_, Option<u32>>(14)?.unwrap_or(0),
    }))
}

/// A page of executions: ?1 is the machine, ?2 the status, ?3 the id before which the page begins, ?4 its length, ?5 the
/// version or alias. Every form reads as many rows as it answers, but one: a status without a machine looks at
/// everybody's.
fn page_sql(query: &ExecutionQuery) -> String {
    // Parameters keep their place where a form has no use for them.
    let whose = match (query.machine, &query.through) {
        (None, _) => {
            let status = match query.status {
                Some(_) => "e.status = ?2",
                None => "?2 IS NULL",
            };
            return format!(
                "{RECORDS} WHERE {status} AND e.parent IS NULL AND e.id < ?3 AND ?1 IS NULL AND ?5 IS ?5 ORDER BY e.id DESC LIMIT ?4"
            );
        }
        (Some(_), None) => "machine = ?1 AND parent IS NULL",
        (Some(_), Some(Through::Version(_))) => "machine = ?1 AND version = ?5",
        (Some(_), Some(Through::Alias(_))) => "machine = ?1 AND alias = ?5",
    };
    let of = |status: &str| format!("SELECT id FROM executions WHERE {whose} AND status = {status} AND id < ?3");
    let page = match query.status {
        Some(_) => of("?2"),
        // One range of the index for each status, merged.
        None => {
            let ranges: Vec<String> = (0..STATUSES.len()).map(|code| of(&code.to_string())).collect();
            ranges.join(" UNION ALL ")
        }
    };
    format!("{RECORDS} WHERE e.id IN ({page} ORDER BY id DESC LIMIT ?4) AND ?2 IS ?2 AND ?5 IS ?5 ORDER BY e.id DESC")
}

#[cfg(test)]
/// What SQLite says it will do, a line for each step.
pub(super) fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("is SQL");
    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
    steps
        .expect("runs")
        .map(|step| step.expect("reads"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use asl::Status;

    use super::*;

    #[test]
    fn every_query_uses_the_index_made_for_it_and_sorts_nothing() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let connection = database::open_writer(&database::file_in(directory.path())).expect("creates");
        let page_through = |machine, through, status| {
            page_sql(&ExecutionQuery {
                machine,
                through,
                status,
                before: None,
                limit: 1,
            })
        };
        let page = |machine, status| page_through(machine, None, status);
        let (machine, status) = (Some(MachineId(1)), Some(Status::Failed));
        let (version, alias) = (Some(Through::Version(1)), Some(Through::Alias("a".into())));
        let by_version = "INDEX executions_by_version (machine=? AND version=? AND status=? AND rowid<?)";
        let by_alias = "INDEX executions_by_alias (machine=? AND alias=? AND status=? AND rowid<?)";
        for (sql, index) in [
            (
                page(machine, status),
                "INDEX executions_by_status (machine=? AND status=? AND rowid<?)",
            ),
            (
                page(machine, None),
                "INDEX executions_by_status (machine=? AND status=? AND rowid<?)",
            ),
            (page_through(machine, version.clone(), status), by_version),
            (page_through(machine, version, None), by_version),
            (page_through(machine, alias.clone(), status), by_alias),
            (page_through(machine, alias, None), by_alias),
            (page(None, status), "USING INTEGER PRIMARY KEY (rowid<?)"),
            (page(None, None), "USING INTEGER PRIMARY KEY (rowid<?)"),
            (
                format!("{RECORDS} WHERE {BY_NAME}"),
                "executions_by_name (machine=? AND name=?)",
            ),
            (format!("{RECORDS} WHERE e.status = ?1 ORDER BY e.id"), "SCAN e\n"),
            (JOURNAL.to_owned(), "INDEX journal_by_execution (execution=?)"),
        ] {
            let plan = plan(&connection, &sql);
            assert!(plan.contains(index), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
