//! Map Runs, read from the rows of their children.

use asl::{Event, Status};
use engine::batch::Child;
use engine::ids::{ExecutionId, TaskId};
use engine::ports::{ChildCount, ChildQuery, ExecutionRecord, MapRunStanding, StoreError, is_unsuccessful};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::encoding::{RUNNING, STATUSES, column, status_code};
use super::error::ReadError;
use super::journal::status_in;
use super::reader::{RECORDS, Readers, first_and_last, record};

/// Of the run ?1, ?2: every count from the index alone.
const COUNTS: &str = "SELECT status, count(*), sum(items), max(id) FROM executions
     WHERE parent = ?1 AND parent_position = ?2 GROUP BY status";

/// Of the run ?1, ?2: those that its redrive number ?3 has not come to. Runs that were never redriven aren't asked for it.
const PENDING_REDRIVE: &str = "SELECT status, count(*), sum(items) FROM executions
     WHERE parent = ?1 AND parent_position = ?2 AND coalesce(round, 0) < ?3 GROUP BY status";

const RUNNING_CHILDREN: &str = "SELECT id FROM executions
     WHERE parent = ?1 AND parent_position = ?2 AND status = ?3 ORDER BY id";

impl Readers {
    pub(crate) fn map_run(&self, run: TaskId, redrives: u32) -> Result<MapRunStanding, StoreError> {
        self.read(
            || format!("read Map Run `{run}`"),
            |connection| standing(connection, run, redrives),
        )
    }

    pub(crate) fn children_to_redrive(
        &self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Child)>, StoreError> {
        self.read(
            || format!("find the children of Map Run `{run}` to redrive"),
            |connection| {
                let mut page = connection.prepare_cached(&to_redrive_sql())?;
                let rows = page.query_map(
                    params![
                        column(run.execution.0),
                        column(run.scheduled_at),
                        after.map_or(0, |after| column(after.0)),
                        column(limit as u64),
                        redrives
                    ],
                    |row| {
                        let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
                        let child = Child {
                            run,
                            item: number(1)?,
                            items: number(2)?,
                            round: row.get(3)?,
                        };
                        Ok((ExecutionId(number(0)?), child))
                    },
                )?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(crate) fn children(&self, query: &ChildQuery) -> Result<Vec<ExecutionRecord>, StoreError> {
        let before = query.before.map_or(i64::MAX, |before| column(before.0));
        self.read(
            || format!("list the children of Map Run `{}`", query.run),
            |connection| {
                let codes: Vec<i64> = match query.status {
                    Some(status) => vec![status_code(status)],
                    None => STATUSES.into_iter().map(status_code).collect(),
                };
                let mut page = connection.prepare_cached(&page_sql(&codes, "<", "DESC"))?;
                let rows = page.query_map(
                    params![
                        column(query.run.execution.0),
                        column(query.run.scheduled_at),
                        before,
                        column(query.limit as u64)
                    ],
                    record,
                )?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(crate) fn closed_children(
        &self,
        run: TaskId,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionRecord, Event, Event)>, StoreError> {
        self.read(
            || format!("read the results of Map Run `{run}`"),
            |connection| {
                // what is closed stays as it is, so the children needn't be read at one moment
                let closed: Vec<i64> = STATUSES
                    .into_iter()
                    .filter(|status| status.is_closed())
                    .map(status_code)
                    .collect();
                let mut page = connection.prepare_cached(&page_sql(&closed, ">", "ASC"))?;
                let records = page.query_map(
                    params![
                        column(run.execution.0),
                        column(run.scheduled_at),
                        after.map_or(0, |after| column(after.0)),
                        column(limit as u64)
                    ],
                    record,
                )?;
                let mut children = Vec::new();
                for record in records {
                    let record = record?;
                    if let Some((first, last)) = first_and_last(connection, record.id)? {
                        children.push((record, first, last));
                    }
                }
                Ok(children)
            },
        )
    }
}

fn standing(connection: &Connection, run: TaskId, redrives: u32) -> Result<MapRunStanding, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let (parent, position) = (column(run.execution.0), column(run.scheduled_at));
    let mut counts = Vec::new();
    let mut last = None;
    {
        let mut by_status = snapshot.prepare_cached(COUNTS)?;
        let mut rows = by_status.query([parent, position])?;
        while let Some(row) = rows.next()? {
            counts.push(count_in(row, status_in(row, 0)?)?);
            last = last.max(Some(row.get::<_, i64>(3)?));
        }
    }
    let mut pending_redrive = Vec::new();
    if redrives > 0 {
        let mut pending = snapshot.prepare_cached(PENDING_REDRIVE)?;
        let mut rows = pending.query(params![parent, position, redrives])?;
        while let Some(row) = rows.next()? {
            let status = status_in(row, 0)?;
            if is_unsuccessful(status) {
                pending_redrive.push(count_in(row, status)?);
            }
        }
    }
    let next_item: Option<i64> = snapshot
        .prepare_cached("SELECT item + items FROM executions WHERE id = ?1")?
        .query_row([last], |row| row.get(0))
        .optional()?;
    let running = {
        let mut running = snapshot.prepare_cached(RUNNING_CHILDREN)?;
        let rows = running.query_map([parent, position, RUNNING], |row| row.get::<_, i64>(0))?;
        rows.map(|id| id.map(|id| ExecutionId(id.cast_unsigned())))
            .collect::<Result<_, _>>()?
    };
    snapshot.commit()?;
    Ok(MapRunStanding {
        next_item: next_item.map_or(0, i64::cast_unsigned),
        counts,
        pending_redrive,
        running,
    })
}

fn count_in(row: &Row<'_>, status: Status) -> rusqlite::Result<ChildCount> {
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    Ok(ChildCount {
        status,
        executions: number(1)?,
        items: number(2)?,
    })
}

/// A page of the children of run ?1, ?2 beyond the id ?3, at most ?4, that didn't succeed and that its redrive number ?5
/// has not come to.
fn to_redrive_sql() -> String {
    let codes = STATUSES.into_iter().filter(|status| is_unsuccessful(*status));
    let ranges: Vec<String> = codes
        .map(|status| {
            let code = status_code(status);
            format!(
                "SELECT id, item, items, coalesce(round, 0) FROM executions WHERE parent = ?1 AND parent_position = ?2 \
                 AND status = {code} AND id > ?3 AND coalesce(round, 0) < ?5"
            )
        })
        .collect();
    format!("{} ORDER BY id LIMIT ?4", ranges.join(" UNION ALL "))
}

/// A page of the children of run ?1, ?2 with one of these statuses, beyond the id ?3, at most ?4: one range of the
/// index for each status, merged.
fn page_sql(codes: &[i64], beyond: &str, order: &str) -> String {
    let ranges: Vec<String> = codes
        .iter()
        .map(|code| {
            format!(
                "SELECT id FROM executions WHERE parent = ?1 AND parent_position = ?2 AND status = {code} \
                 AND id {beyond} ?3"
            )
        })
        .collect();
    let page = format!("{} ORDER BY id {order} LIMIT ?4", ranges.join(" UNION ALL "));
    format!("{RECORDS} WHERE e.id IN ({page}) ORDER BY e.id {order}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::database;
    use crate::sqlite::reader::plan;

    #[test]
    fn every_query_uses_the_index_and_sorts_nothing() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let connection = database::open_writer(&database::file_in(directory.path())).expect("creates");
        let range = "INDEX executions_by_map_run (parent=? AND parent_position=? AND status=? AND id";
        for (sql, index) in [
            (
                COUNTS.to_owned(),
                "COVERING INDEX executions_by_map_run (parent=? AND parent_position=?)",
            ),
            (
                RUNNING_CHILDREN.to_owned(),
                "COVERING INDEX executions_by_map_run (parent=? AND parent_position=? AND status=?)",
            ),
            (
                PENDING_REDRIVE.to_owned(),
                "INDEX executions_by_map_run (parent=? AND parent_position=?)",
            ),
            (to_redrive_sql(), range),
            (page_sql(&[0, 1, 2, 3, 4], "<", "DESC"), range),
            (page_sql(&[1], "<", "DESC"), range),
            (page_sql(&[1, 2, 3, 4], ">", "ASC"), range),
        ] {
            let plan = plan(&connection, &sql);
            assert!(plan.contains(index), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
