//! The least a durable answer can cost here: a request becomes a row, rows that wait together become one synced transaction.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::oneshot;

/// First argument of the process that serves the floor.
pub const MODE: &str = "floor";
/// Rows of one transaction at most, so that an answer doesn't wait for ever.
const LARGEST_COMMIT: usize = 1000;

type Row = (Bytes, oneshot::Sender<i64>);

/// The floor, as a process of its own.
pub struct Floor {
    child: Child,
    /// Where it listens.
    pub address: String,
    _directory: tempfile::TempDir,
}

impl Floor {
    /// On a free port and a fresh directory.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(MODE)
            .arg(directory.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("its output was asked for")?).read_line(&mut address)?;
        Ok(Self {
            child,
            address: address.trim().to_owned(),
            _directory: directory,
        })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What that process does.
pub fn serve(directory: &str) -> Result<(), Box<dyn Error>> {
    let mut database = rusqlite::Connection::open(std::path::Path::new(directory).join("floor.sqlite"))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")?;
    let (rows, waiting) = mpsc::channel::<Row>();
    std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let together: Vec<Row> = std::iter::once(first)
                .chain(waiting.try_iter().take(LARGEST_COMMIT - 1))
                .collect();
            match commit(&mut database, &together) {
                Ok(ids) => {
                    for ((_, reply), id) in together.into_iter().zip(ids) {
                        // A client that hung up wants no answer.
                        let _ = reply.send(id);
                    }
                }
                Err(error) => eprintln!("floor: {error}"),
            }
        }
    });
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            let router = Router::new().route("/", post(insert)).with_state(rows);
            Ok(axum::serve(listener, router).await?)
        })
}

fn commit(database: &mut rusqlite::Connection, rows: &[Row]) -> rusqlite::Result<Vec<i64>> {
    let transaction = database.transaction()?;
    let mut ids = Vec::with_capacity(rows.len());
    {
        let mut insert = transaction.prepare_cached("INSERT INTO row (body) VALUES (?1)")?;
        for (body, _) in rows {
            ids.push(insert.insert([body.as_ref()])?);
        }
    }
    transaction.commit()?;
    Ok(ids)
}

async fn insert(State(rows): State<mpsc::Sender<Row>>, body: Bytes) -> (StatusCode, String) {
    let (reply, answer) = oneshot::channel();
    if rows.send((body, reply)).is_err() {
        return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
    }
    match answer.await {
        Ok(id) => (StatusCode::OK, format!("{{\"id\":{id}}}")),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    }
}
