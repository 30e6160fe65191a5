//! `kill -9` in the middle of the saga, at ten different moments: after a restart on the same directory every execution ends
//! as if nothing had happened, with each task's effect recorded once.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::examples::examples;
use crate::server::{Server, text, until};

/// The example that is interrupted.
const SAGA: &str = "order-fulfilment";
/// A moment is when a certain task has been scheduled, and so is about to run, runs, or has just ended.
const MOMENTS: usize = 10;
/// Executions interrupted together: each is at another point of its way.
const TOGETHER: usize = 8;
/// What every task has to do besides, about 3 ms a unit: longer than it takes to see a moment and to kill.
const WORK: u64 = 10;
/// The kill comes too late when all have ended; then twice as many, which take longer, are tried, so often.
const TRIES: u32 = 5;

/// How often each event happened in each state: all that must not depend on a crash. Order between branches and times may.
type Shape = BTreeMap<(String, String), usize>;

#[test]
fn a_saga_killed_at_ten_moments_ends_as_if_nothing_had_happened() -> Result<()> {
    let saga = examples()?
        .into_iter()
        .find(|example| example.name == SAGA)
        .context("the saga is gone")?;
    let mut inputs = Vec::new();
    for case in saga.cases()? {
        let input = fs::read_to_string(&case.input).with_context(|| format!("reading {}", case.input.display()))?;
        let mut input: Value = serde_json::from_str(&input)?;
        input["work"] = json!(WORK);
        inputs.push(input.to_string());
    }
    let mut server = Server::start()?;
    for entry in fs::read_dir(saga.directory.join("modules")).context("listing the modules")? {
        let file = entry?.path();
        if let Some(name) = file.to_string_lossy().strip_suffix(".wasm") {
            let name = name.rsplit('/').next().unwrap_or_default();
            server.push(name, &fs::read(&file)?)?;
        }
    }
    let definition = serde_json::from_str(&fs::read_to_string(saga.directory.join("workflow.asl.json"))?)?;
    let machine = server.create(SAGA, &definition)?;

    let mut undisturbed = Vec::new();
    let mut moments = Vec::new();
    let mut watched = 0;
    for (index, input) in inputs.iter().enumerate() {
        let execution = start(&server, &machine, &format!("undisturbed-{index}"), input)?;
        let description = server.wait(&execution)?;
        let events = server.history(&execution)?;
        let scheduled: Vec<_> = events.iter().filter(|event| event["type"] == "TaskScheduled").collect();
        if scheduled.len() > moments.len() {
            moments = scheduled.iter().filter_map(|event| event["id"].as_u64()).collect();
            watched = index;
        }
        undisturbed.push((end(&description), shape(&events)?));
    }

    ensure!(moments.len() >= MOMENTS, "the saga has only {} tasks", moments.len());
    for moment in 0..MOMENTS {
        let wanted = moments[moment * (moments.len() - 1) / (MOMENTS - 1)];
        let mut interrupted = 0;
        for attempt in 0..TRIES {
            let mut executions = Vec::new();
            let together = TOGETHER << attempt;
            for number in 0..together {
                // The watched kind starts last, so that the others are further on.
                let index = (watched + together - 1 - number) % inputs.len();
                let name = format!("moment-{moment}-{attempt}-{number}");
                executions.push((index, start(&server, &machine, &name, &inputs[index])?));
            }
            let (_, last) = executions.last().context("there are some")?;
            until(
                "the moment",
                || Ok((last_event(&server, last)? >= wanted).then_some(())),
            )?;
            let home = server.kill()?;
            let dead = now()?;
            server = Server::start_on(&home)?;
            for (index, execution) in &executions {
                let description = server.wait(execution)?;
                let found = (end(&description), shape(&server.history(execution)?)?);
                ensure!(
                    found == undisturbed[*index],
                    "event {wanted}: {execution} ended differently\nundisturbed: {:#?}\ninterrupted: {found:#?}",
                    undisturbed[*index]
                );
                let stopped = description["stopDate"]
                    .as_f64()
                    .context("a closed execution has a stopDate")?;
                interrupted += usize::from(stopped > dead);
            }
            if interrupted > 0 {
                break;
            }
        }
        ensure!(
            interrupted > 0,
            "event {wanted}: all executions had ended before the kill, {TRIES} times"
        );
    }
    Ok(())
}

fn start(server: &Server, machine: &str, name: &str, input: &str) -> Result<String> {
    let parameters = json!({ "stateMachineArn": machine, "name": name, "input": input });
    text(&server.call("StartExecution", &parameters)?, "executionArn")
}

/// Number of events so far.
fn last_event(server: &Server, execution: &str) -> Result<u64> {
    let parameters = json!({ "executionArn": execution, "reverseOrder": true, "maxResults": 1 });
    let answer = server.call("GetExecutionHistory", &parameters)?;
    answer["events"][0]["id"]
        .as_u64()
        .context("a started execution has an event")
}

/// How an execution ended.
fn end(description: &Value) -> Value {
    let fields = ["status", "output", "error", "cause"];
    fields
        .iter()
        .map(|field| ((*field).to_owned(), description[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Events inside a state name only the event before them, so states are handed on along `previousEventId`.
fn shape(events: &[Value]) -> Result<Shape> {
    let mut states = BTreeMap::from([(0, String::new())]);
    let mut shape = Shape::new();
    for event in events {
        let kind = text(event, "type")?;
        let named = ["stateEnteredEventDetails", "stateExitedEventDetails"]
            .iter()
            .find_map(|key| event[*key]["name"].as_str());
        let before = event["previousEventId"].as_u64().unwrap_or(0);
        let state = match named {
            Some(name) => name.to_owned(),
            // Whichever branch ends last stands before it.
            None if kind.starts_with("ParallelState") || kind.starts_with("MapState") => String::new(),
            None => states
                .get(&before)
                .cloned()
                .with_context(|| format!("no event {before} before {event}"))?,
        };
        states.insert(event["id"].as_u64().context("every event has an id")?, state.clone());
        *shape.entry((kind, state)).or_default() += 1;
    }
    Ok(shape)
}

fn now() -> Result<f64> {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .context("a clock before 1970")?;
    Ok(since.as_secs_f64())
}
