//! Map Runs, read from the rows of their children.

use asl::Event;
use engine::ids::{ExecutionId, TaskId};
use engine::ports::{ChildCount, ChildQuery, ExecutionRecord, MapRunStanding, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use super::encoding::{RUNNING, STATUSES, column, status_code};
use super::error::ReadError;
use super::journal::status_in;
use super::reader::{RECORDS, Readers, first_and_last, record};

/// Of the run ?1, ?2: every count from the index alone.
const COUNTS: &str = "SELECT status, count(*), sum(items), max(id) FROM executions
     WHERE parent = ?1 AND parent_position = ?2 GROUP BY status";

const RUNNING_CHILDREN: &str = "SELECT id FROM executions
     WHERE parent = ?1 AND parent_position = ?2 AND status = ?3 ORDER BY id";

impl Readers {
    pub(crate) fn map_run(&self, run: TaskId) -> Result<MapRunStanding, StoreError> {
        self.read(
            || format!("read Map Run `{run}`"),
            |connection| standing(connection, run),
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

fn standing(connection: &Connection, run: TaskId) -> Result<MapRunStanding, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let (parent, position) = (column(run.execution.0), column(run.scheduled_at));
    let mut counts = Vec::new();
    let mut last = None;
    {
        let mut by_status = snapshot.prepare_cached(COUNTS)?;
        let mut rows = by_status.query([parent, position])?;
        while let Some(row) = rows.next()? {
            let (executions, items, newest): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            counts.push(ChildCount {
                status: status_in(row, 0)?,
                executions: executions.cast_unsigned(),
                items: items.cast_unsigned(),
            });
            last = last.max(Some(newest));
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
        running,
    })
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
