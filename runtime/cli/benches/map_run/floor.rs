//! The least that two durable records of each row cost here.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Rows of one transaction.
const TOGETHER: usize = 1000;

/// Reads the file and writes each of its rows twice, as a new row and with a result.
pub fn run(file: &Path, database: &Path) -> Result<(), Box<dyn Error>> {
    let mut database = rusqlite::Connection::open(database)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, input TEXT NOT NULL, result TEXT) STRICT")?;
    let mut lines = BufReader::new(std::fs::File::open(file)?).lines().skip(1);
    loop {
        let together = lines.by_ref().take(TOGETHER).collect::<Result<Vec<String>, _>>()?;
        if together.is_empty() {
            return Ok(());
        }
        let transaction = database.transaction()?;
        let mut ids = Vec::with_capacity(together.len());
        for line in &together {
            let mut insert = transaction.prepare_cached("INSERT INTO row (input) VALUES (?1)")?;
            ids.push(insert.insert([line])?);
        }
        transaction.commit()?;
        let transaction = database.transaction()?;
        for (id, line) in ids.iter().zip(&together) {
            let mut update = transaction.prepare_cached("UPDATE row SET result = ?2 WHERE id = ?1")?;
            update.execute(rusqlite::params![id, line])?;
        }
        transaction.commit()?;
    }
}
