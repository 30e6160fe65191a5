//! Tags.

use engine::ports::{CatalogueError, Tag, Tagged};
use rusqlite::{Connection, params};

use super::Store;

impl Store {
    pub(super) fn tags_of(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError> {
        let name = name_of(tagged);
        Ok(self.0.readers.read(
            || format!("read the tags of `{name}`"),
            |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT key, value FROM tags WHERE tagged = ?1 ORDER BY id")?;
                let rows = statement.query_map([&name], |row| {
                    Ok(Tag {
                        key: row.get(0)?,
                        value: row.get(1)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            },
        )?)
    }

    pub(super) fn replace_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError> {
        let tagged = tagged.clone();
        let attempted = format!("write the tags of `{}`", name_of(&tagged));
        let _turn = self.catalogue_turn();
        self.0.writer.change(&attempted, move |connection| {
            delete_tags(connection, &tagged)?;
            insert_tags(connection, &tagged, &tags)
        })?;
        Ok(())
    }
}

pub(super) fn insert_tags(connection: &Connection, tagged: &Tagged, tags: &[Tag]) -> rusqlite::Result<()> {
    let name = name_of(tagged);
    let mut insert = connection.prepare_cached(
        "INSERT INTO tags (tagged, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (tagged, key) DO UPDATE SET value = excluded.value",
    )?;
    for tag in tags {
        insert.execute(params![name, tag.key, tag.value])?;
    }
    Ok(())
}

pub(super) fn delete_tags(connection: &Connection, tagged: &Tagged) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM tags WHERE tagged = ?1")?
        .execute([name_of(tagged)])?;
    Ok(())
}

/// What stands in the column `tagged`.
fn name_of(tagged: &Tagged) -> String {
    match tagged {
        Tagged::Machine(id) => format!("machine:{}", id.0),
        Tagged::Activity(name) => format!("activity:{name}"),
    }
}
