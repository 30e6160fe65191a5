//! `sandstep gc`: deletes executions after their retention, and what nothing refers to any more.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asl::{Limits, Timestamp};
use engine::ids::{Digest, ExecutionId};
use engine::ports::{Catalogue, StoreError, Sweep, Tally, TaskRunner, Upkeep};
use sandbox::Sandbox;
use serde_json::{Value, json};
use store::Store;

use super::size;
use crate::args::Gc;
use crate::client::Client;
use crate::output::{Output, hint};
use crate::problem::{Ending, Problem, Result};
use crate::progress::Progress;
use crate::serve::{COMPILED, open_store, sandbox_options, sandbox_problem};

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// Counts that the answers of a long collection add up to.
const SUMS: [&str; 8] = [
    "/executions",
    "/stateMachines",
    "/definitions/count",
    "/definitions/bytes",
    "/components/count",
    "/components/bytes",
    "/compiled/count",
    "/compiled/bytes",
];

/// Asks the server, or does it here.
pub fn gc(client: impl FnOnce() -> Result<Client>, asked: &Gc, output: &Output) -> Result {
    let collected = {
        let _progress = Progress::start(if asked.dry_run { "counting" } else { "deleting" });
        match &asked.data {
            Some(data) => idle(data, asked)?,
            None => by_server(&client()?, asked)?,
        }
    };
    show(&collected, asked, output)
}

/// A server works for some seconds at a time.
fn by_server(client: &Client, asked: &Gc) -> Result<Value> {
    if asked.dry_run {
        return Ok(client.count_garbage()?);
    }
    let mut collected = client.collect_garbage()?;
    while collected["done"] == false {
        let more = client.collect_garbage()?;
        collected = summed(&collected, more);
    }
    Ok(collected)
}

/// The later answer, with what was deleted before added to it.
fn summed(before: &Value, mut later: Value) -> Value {
    for place in SUMS.into_iter().chain(["/database/returned"]) {
        let sum = [before, &later].map(|answer| answer.pointer(place).and_then(Value::as_u64).unwrap_or_default());
        if let Some(count) = later.pointer_mut(place) {
            *count = json!(sum[0].saturating_add(sum[1]));
        }
    }
    later
}

/// Nobody waits for the directory, so the steps follow each other without a rest.
fn idle(data: &Path, asked: &Gc) -> Result<Value> {
    if !data.is_dir() {
        return Err(Problem::usage(
            format!("there is no data directory `{}`", data.display()),
            "--data names the directory a server kept its data in; leave it out to ask a running server",
        ));
    }
    let store = open_store(
        data,
        "a running server collects by itself: leave --data out to ask it, or stop it first",
    )?;
    let failed = |error: StoreError| Problem::refused(error.to_string(), "what was deleted stays deleted; try again");
    let before = asked.retention.0.map(ago);
    let sweep = if asked.dry_run { Sweep::Count } else { Sweep::Delete };
    let executions = match before {
        None => 0,
        Some(before) if asked.dry_run => store.expired(before).map_err(failed)?,
        Some(before) => forget(&store, before).map_err(failed)?,
    };
    let swept = store.sweep(&|_| false, sweep).map_err(failed)?;
    let compiled = sweep_compiled(&store, data, sweep)?;
    let space = store.space().map_err(failed)?;
    let mut shrunk = space;
    if !asked.dry_run {
        while store.shrink().map_err(failed)? > 0 {}
        shrunk = store.space().map_err(failed)?;
        if !shrunk.shrinks {
            drop(store);
            store::compact(data).map_err(|error| {
                Problem::refused(
                    error.to_string(),
                    "the database is as it was; free some space on its disk",
                )
            })?;
            let again = open_store(data, "start again when nothing else uses it")?;
            shrunk = again.space().map_err(failed)?;
        }
    }
    let tally = |Tally { count, bytes }| json!({ "count": count, "bytes": bytes });
    Ok(json!({
        "done": true,
        "retentionDays": asked.retention.0.map(|kept| kept.as_secs() / DAY),
        "executions": executions,
        "stateMachines": swept.machines,
        "definitions": tally(swept.definitions),
        "components": tally(swept.components),
        "compiled": tally(compiled),
        "database": {
            "bytes": shrunk.bytes,
            "free": shrunk.free,
            "returned": space.bytes.saturating_sub(shrunk.bytes),
            "shrinks": shrunk.shrinks,
        },
    }))
}

fn ago(kept: Duration) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = now.saturating_sub(kept).as_millis();
    Timestamp(i64::try_from(before).unwrap_or(i64::MAX))
}

fn forget(store: &Store, before: Timestamp) -> std::result::Result<u64, StoreError> {
    let (mut executions, mut from) = (0, Some(ExecutionId(0)));
    while let Some(place) = from {
        let step = store.forget(before, place)?;
        executions += step.executions;
        from = step.next;
    }
    Ok(executions)
}

/// Only a sandbox knows which compiled code is its own.
fn sweep_compiled(store: &Store, data: &Path, sweep: Sweep) -> Result<Tally> {
    let sandbox = Sandbox::open(sandbox_options(&data.join(COMPILED), &Limits::default())).map_err(sandbox_problem)?;
    let failed = |error: StoreError| Problem::refused(error.to_string(), "compiled code may be deleted by hand, too");
    let modules = store.modules().map_err(|error| failed(StoreError(error.to_string())))?;
    let keep: Vec<Digest> = modules.into_iter().map(|module| module.digest).collect();
    sandbox.sweep(&keep, sweep).map_err(failed)
}

fn show(collected: &Value, asked: &Gc, output: &Output) -> Result {
    if output.is_json() {
        output.json(collected)?;
        return Ok(Ending::Good);
    }
    let number = |place: &str| collected.pointer(place).and_then(Value::as_u64).unwrap_or_default();
    let tally = |what: &str| {
        let (count, bytes) = (number(&format!("/{what}/count")), number(&format!("/{what}/bytes")));
        match count {
            0 if bytes == 0 => "0".to_owned(),
            _ => format!("{count} ({})", size(bytes)),
        }
    };
    let done = if asked.dry_run { "to delete" } else { "deleted" };
    let kept = match collected["retentionDays"].as_u64() {
        Some(1) => "kept for a day".to_owned(),
        Some(days) => format!("kept for {days} days"),
        None => "kept for ever".to_owned(),
    };
    let free = number("/database/free");
    let mut database = format!("{}, {} of it free", size(number("/database/bytes")), size(free));
    if !asked.dry_run {
        database.push_str(&format!(", {} given back", size(number("/database/returned"))));
    }
    output.pairs(&[
        ("executions", format!("{} {done} ({kept})", number("/executions"))),
        ("state machines", number("/stateMachines").to_string()),
        ("definitions", tally("definitions")),
        ("components", tally("components")),
        ("compiled code", tally("compiled")),
        ("database", database),
    ])?;
    if collected["database"]["shrinks"] == false && free > 0 {
        hint(
            output,
            "an earlier version made this database: it reuses free space, and gives it back once `sandstep gc --data DIR` \
             has rewritten it while the server is stopped",
        );
    }
    Ok(Ending::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_a_long_collection_add_up() {
        let answer = |executions: u64, returned: u64, done: bool| {
            let none = json!({ "count": 0, "bytes": 0 });
            json!({
                "done": done, "retentionDays": 90, "executions": executions, "stateMachines": 1,
                "definitions": none, "components": { "count": 2, "bytes": 7 }, "compiled": none,
                "database": { "bytes": 100 - returned, "free": 0, "returned": returned, "shrinks": true },
            })
        };
        let sum = summed(&answer(5, 10, false), answer(3, 20, true));
        assert_eq!((&sum["done"], &sum["executions"]), (&json!(true), &json!(8)));
        assert_eq!(sum["components"], json!({ "count": 4, "bytes": 14 }));
        assert_eq!(
            sum["database"],
            json!({ "bytes": 80, "free": 0, "returned": 30, "shrinks": true })
        );
    }
}
