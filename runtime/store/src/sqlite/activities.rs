//! Activities, and the key that signs task tokens.

use asl::Timestamp;
use engine::ports::{ActivityRecord, CatalogueError, StoreError, Tag, Tagged};
use engine::token::TokenKey;
use rusqlite::params;

use super::Store;
use super::tags::{delete_tags, insert_tags};

/// Name of the row that holds the key of task tokens.
const TOKEN_KEY: &str = "task tokens";

impl Store {
    pub(super) fn put_activity(
        &self,
        name: &str,
        tags: Vec<Tag>,
        at: Timestamp,
    ) -> Result<ActivityRecord, CatalogueError> {
        let row = name.to_owned();
        let (id, created) = self
            .0
            .writer
            .change(&format!("create activity `{name}`"), move |connection| {
                let sql = "INSERT INTO activities (name, created) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
                if connection.prepare_cached(sql)?.execute(params![row, at.0])? == 1 {
                    insert_tags(connection, &Tagged::Activity(row.clone()), &tags)?;
                }
                let sql = "SELECT id, created FROM activities WHERE name = ?1";
                connection
                    .prepare_cached(sql)?
                    .query_row([&row], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            })?;
        Ok(ActivityRecord {
            id: id.unsigned_abs(),
            name: name.to_owned(),
            created: Timestamp(created),
        })
    }

    pub(super) fn take_activity(&self, name: &str) -> Result<(), CatalogueError> {
        let row = name.to_owned();
        self.0
            .writer
            .change(&format!("delete activity `{name}`"), move |connection| {
                connection
                    .prepare_cached("DELETE FROM activities WHERE name = ?1")?
                    .execute([&row])?;
                delete_tags(connection, &Tagged::Activity(row))
            })?;
        Ok(())
    }

    pub(super) fn every_activity(&self) -> Result<Vec<ActivityRecord>, StoreError> {
        self.0.readers.read(
            || "list activities".to_owned(),
            |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT id, name, created FROM activities ORDER BY id")?;
                let rows = statement.query_map([], |row| {
                    Ok(ActivityRecord {
                        id: row.get::<_, i64>(0)?.unsigned_abs(),
                        name: row.get(1)?,
                        created: Timestamp(row.get(2)?),
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )
    }

    pub(super) fn kept_token_key(&self) -> Result<TokenKey, StoreError> {
        self.0.writer.change("read the key of task tokens", |connection| {
            let sql = "INSERT INTO secrets (name, value) VALUES (?1, randomblob(32)) ON CONFLICT (name) DO NOTHING";
            connection.prepare_cached(sql)?.execute([TOKEN_KEY])?;
            let sql = "SELECT value FROM secrets WHERE name = ?1";
            let key = connection
                .prepare_cached(sql)?
                .query_row([TOKEN_KEY], |row| row.get(0))?;
            Ok(TokenKey(key))
        })
    }
}
