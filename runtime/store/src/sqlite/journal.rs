//! Appending to journals, inside a transaction somebody else begins and ends.

use asl::{Event, EventKind, Payload, Status, Timestamp};
use engine::batch::{Append, AppendOutcome, Start};
use engine::ids::{Digest, ExecutionId};
use hashlink::LruCache;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::encoding::{column, decode, status_code, status_of};

/// Running executions whose state the writer remembers; others cost a query on their next append. At about 100
/// bytes each this is 6 MB when full, and more than run at once where that matters.
const KNOWN_EXECUTIONS: usize = 1 << 16;

/// Definitions whose number the writer remembers: more machines than start executions in one moment.
const KNOWN_DEFINITIONS: usize = 1 << 10;

/// What the writer remembers of the database, so that the usual append is one statement.
///
/// True only of what it wrote itself: after a transaction that was rolled back, [`Journals::forget`].
pub(crate) struct Journals {
    executions: LruCache<ExecutionId, Standing>,
    definitions: LruCache<Digest, i64>,
}

/// How an execution stands in the database.
#[derive(Clone, Copy)]
struct Standing {
    position: u64,
    status: Status,
    wake_at: Option<Timestamp>,
}

impl Journals {
    pub(crate) fn new() -> Self {
        Self {
            executions: LruCache::new(KNOWN_EXECUTIONS),
            definitions: LruCache::new(KNOWN_DEFINITIONS),
        }
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Writes an append whose events are encoded in `row`, or says why not; then it wrote nothing.
    pub(crate) fn append(
        &mut self,
        connection: &Connection,
        append: &Append,
        row: &[u8],
    ) -> rusqlite::Result<AppendOutcome> {
        let id = append.execution;
        if let Some(start) = &append.start {
            if append.expected_position != 0 {
                return Ok(AppendOutcome::Conflict);
            }
            if !self.insert_execution(connection, append, start)? {
                return why_not_started(connection, append, start);
            }
        } else {
            let Some(standing) = self.standing(connection, id)? else {
                return Ok(AppendOutcome::Conflict);
            };
            if standing.position != append.expected_position {
                return Ok(AppendOutcome::Conflict);
            }
            let redriven = note_redrive(connection, append)?;
            update_execution(connection, append, standing, redriven)?;
        }
        let count = append.events.len() as u64;
        connection
            .prepare_cached("INSERT INTO journal (execution, position, count, events) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                column(id.0),
                column(append.expected_position),
                column(count),
                row
            ])?;
        if append.status.is_closed() {
            self.executions.remove(&id);
        } else {
            let position = append.expected_position + count;
            self.executions.insert(
                id,
                Standing {
                    position,
                    status: append.status,
                    wake_at: append.wake_at,
                },
            );
        }
        Ok(AppendOutcome::Appended)
    }

    /// False when the id or the name is taken.
    fn insert_execution(&mut self, connection: &Connection, append: &Append, start: &Start) -> rusqlite::Result<bool> {
        let definition = self.definition_number(connection, &start.definition)?;
        let inserted = connection
            .prepare_cached(
                "INSERT INTO executions (id, machine, name, definition, status, started, stopped, wake_at, version, alias,
                     parent, parent_position, item, items, round)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                column(append.execution.0),
                column(start.machine.0),
                if start.child.is_some() { "" } else { &start.name },
                definition,
                status_code(append.status),
                start.at.0,
                stopped(append),
                append.wake_at.map(|at| at.0),
                start.origin.as_ref().map(|origin| origin.version),
                start.origin.as_ref().and_then(|origin| origin.alias.as_deref()),
                start.child.map(|child| column(child.run.execution.0)),
                start.child.map(|child| column(child.run.scheduled_at)),
                start.child.map(|child| column(child.item)),
                start.child.map(|child| column(child.items)),
                start.child.map(|child| child.round).filter(|round| *round > 0),
            ])?;
        Ok(inserted == 1)
    }

    fn definition_number(&mut self, connection: &Connection, digest: &Digest) -> rusqlite::Result<i64> {
        if let Some(number) = self.definitions.get(digest) {
            return Ok(*number);
        }
        let number = definition_number(connection, digest)?;
        self.definitions.insert(digest.clone(), number);
        Ok(number)
    }

    fn standing(&mut self, connection: &Connection, id: ExecutionId) -> rusqlite::Result<Option<Standing>> {
        if let Some(standing) = self.executions.get(&id) {
            return Ok(Some(*standing));
        }
        connection
            .prepare_cached(
                "SELECT status, wake_at,
                     (SELECT position + count FROM journal WHERE execution = executions.id ORDER BY id DESC LIMIT 1)
                 FROM executions WHERE id = ?1",
            )?
            .query_row([column(id.0)], |row| {
                let position: Option<i64> = row.get(2)?;
                Ok(Standing {
                    position: position.map_or(0, i64::cast_unsigned),
                    status: status_in(row, 0)?,
                    wake_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                })
            })
            .optional()
    }
}

/// The number of a definition, given to it now where it has none yet.
pub(crate) fn definition_number(connection: &Connection, digest: &Digest) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO definitions (digest) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([&digest.0])?;
    connection
        .prepare_cached("SELECT id FROM definitions WHERE digest = ?1")?
        .query_row([&digest.0], |row| row.get(0))
}

/// The status in a column of a row.
pub(crate) fn status_in(row: &Row<'_>, index: usize) -> rusqlite::Result<Status> {
    let code = row.get(index)?;
    status_of(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(index, code))
}

/// Touches the row of the execution only where something in it changes, and its index only where the status
/// does: rewriting rows all over the table is what appends are packed for to avoid.
fn update_execution(
    connection: &Connection,
    append: &Append,
    standing: Standing,
    redriven: bool,
) -> rusqlite::Result<()> {
    let id = column(append.execution.0);
    let wake_at = append.wake_at.map(|at| at.0);
    if append.status != standing.status || redriven {
        connection
            .prepare_cached("UPDATE executions SET status = ?2, stopped = ?3, wake_at = ?4 WHERE id = ?1")?
            .execute(params![id, status_code(append.status), stopped(append), wake_at])?;
    } else if append.wake_at != standing.wake_at {
        connection
            .prepare_cached("UPDATE executions SET wake_at = ?2 WHERE id = ?1")?
            .execute(params![id, wake_at])?;
    }
    Ok(())
}

/// Notes the last redrive among the events, if there is one.
fn note_redrive(connection: &Connection, append: &Append) -> rusqlite::Result<bool> {
    let redriven = append.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::ExecutionRedriven {
            count, token, round, ..
        } => Some((*count, event.at, token, *round)),
        _ => None,
    });
    let Some((count, at, token, round)) = redriven else {
        return Ok(false);
    };
    if round.is_some() {
        connection
            .prepare_cached("UPDATE executions SET round = ?2 WHERE id = ?1 AND parent IS NOT NULL")?
            .execute(params![column(append.execution.0), round])?;
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO redrives (execution, count, at, token) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![column(append.execution.0), count, at.0, token])?;
    Ok(true)
}

/// When the execution closed: at its last event.
fn stopped(append: &Append) -> Option<i64> {
    if append.status.is_closed() {
        append.events.last().map(|event| event.at.0)
    } else {
        None
    }
}

fn why_not_started(connection: &Connection, append: &Append, start: &Start) -> rusqlite::Result<AppendOutcome> {
    if start.child.is_some() {
        // It has no name that could be taken.
        return Ok(AppendOutcome::Conflict);
    }
    let mut by_name: CachedStatement<'_> = connection.prepare_cached(
        "SELECT id, started, status FROM executions WHERE machine = ?1 AND name = ?2 AND parent IS NULL",
    )?;
    let holder = by_name
        .query_row(params![column(start.machine.0), start.name], |row| {
            let id: i64 = row.get(0)?;
            Ok((
                ExecutionId(id.cast_unsigned()),
                Timestamp(row.get(1)?),
                status_in(row, 2)?,
            ))
        })
        .optional()?;
    match holder {
        Some((execution, started, status)) if execution != append.execution => {
            let same_input = input_of(&append.events).is_some_and(|input| has_input(connection, execution, input));
            Ok(AppendOutcome::NameTaken {
                execution,
                started,
                status,
                same_input,
            })
        }
        Some(_) | None => Ok(AppendOutcome::Conflict),
    }
}

/// Whether the execution was started with this text. No where its first row can't be read: a damaged row must not
/// fail the commits of everybody else.
fn has_input(connection: &Connection, execution: ExecutionId, input: &Payload) -> bool {
    first_events(connection, execution).map_or_else(
        |error| {
            tracing::warn!(
                execution = execution.0,
                error,
                "can't compare a start's input with a damaged journal's"
            );
            false
        },
        |events| input_of(&events) == Some(input),
    )
}

fn first_events(connection: &Connection, execution: ExecutionId) -> Result<Vec<Event>, String> {
    let row: Vec<u8> = connection
        .prepare_cached("SELECT events FROM journal WHERE execution = ?1 ORDER BY id LIMIT 1")
        .and_then(|mut first| first.query_row([column(execution.0)], |row| row.get(0)))
        .map_err(|error| error.to_string())?;
    decode(&row).map_err(|error| error.to_string())
}

fn input_of(events: &[Event]) -> Option<&Payload> {
    let EventKind::ExecutionStarted { input, .. } = &events.first()?.kind else {
        return None;
    };
    Some(input)
}
