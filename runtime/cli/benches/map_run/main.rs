//! A distributed Map over a CSV file of a million rows, next to what its rows cost a database here:
//! `cargo bench -p sandstep --bench map_run`.
//!
//! The product: a release build of `sandstep serve`, from StartExecution until the parent has closed. Every row is a child
//! execution with a Pass state, recorded with its history, and a ResultWriter writes what they come to. The floor: a program
//! that reads the same file and writes each row into SQLite, a thousand to a synced transaction, and then once more each with
//! its result. Memory is the most that the server ever held.
//!
//! `ITEMS` (1,000,000) is the number of rows, `TASK=1` runs a WebAssembly task for each in place of the Pass state.

mod floor;
#[path = "../durable/server.rs"]
mod server;

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use server::Product;

const ITEMS: u64 = 1_000_000;
const LARGEST_FAULT: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let items = match std::env::var("ITEMS") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("ITEMS is `{text}`, which is no number"))?,
        Err(_) => ITEMS,
    };
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("readings.csv");
    write_rows(&file, items)?;
    println!(
        "rows                           {items:>10}, {:.1} MB",
        std::fs::metadata(&file)?.len() as f64 / 1e6
    );

    let product = Product::start()?;
    product.put_object("data", None)?;
    product.put_object("results", None)?;
    product.put_object("data/readings.csv", Some(&file))?;
    let machine = product.machine("rows", &definition(std::env::var_os("TASK").is_some()))?;
    let idle = product.peak()?;
    let since = Instant::now();
    let execution = product.call("StartExecution", &json!({ "stateMachineArn": machine }))?;
    let closed = product.wait_until_closed(&execution["executionArn"])?;
    let seconds = since.elapsed().as_secs_f64();
    let output = closed["output"].as_str().unwrap_or_default();
    if closed["status"] != "SUCCEEDED" {
        let text = closed.to_string();
        return Err(format!("the Map ended so: {}", text.get(..LARGEST_FAULT).unwrap_or(&text)).into());
    }
    let runs = product.call("ListMapRuns", &json!({ "executionArn": execution["executionArn"] }))?;
    let run = product.call(
        "DescribeMapRun",
        &json!({ "mapRunArn": runs["mapRuns"][0]["mapRunArn"] }),
    )?;
    if run["itemCounts"]["succeeded"] != items || !output.contains("manifest.json") {
        return Err(format!("not every row has a child that succeeded: {run}, output {output}").into());
    }
    println!(
        "children from start to closed  {:>10.0} /s ({seconds:.1} s)",
        items as f64 / seconds
    );
    println!("memory, idle                   {idle:>10.1} MiB");
    println!("memory, most ever              {:>10.1} MiB", product.peak()?);
    println!(
        "disk                           {:>10.0} bytes a child",
        product.stored()? as f64 / items as f64
    );

    let since = Instant::now();
    floor::run(&file, &directory.path().join("floor.sqlite"))?;
    let floor = since.elapsed().as_secs_f64();
    println!(
        "floor: two writes a row        {:>10.0} /s ({floor:.1} s)",
        items as f64 / floor
    );
    println!("ratio                          {:>10.1} %", floor / seconds * 100.0);
    Ok(())
}

fn write_rows(file: &Path, items: u64) -> std::io::Result<()> {
    let mut rows = BufWriter::new(std::fs::File::create(file)?);
    writeln!(rows, "sensor,at,celsius,place")?;
    for row in 0..items {
        writeln!(
            rows,
            "s-{},2026-01-{:02}T00:00:00Z,{}.{},hall {}",
            row % 997,
            row % 28 + 1,
            row % 40,
            row % 10,
            row % 13
        )?;
    }
    rows.flush()
}

fn definition(task: bool) -> Value {
    let only = match task {
        true => json!({ "Type": "Task", "Resource": "wasm:echo", "End": true }),
        false => json!({ "Type": "Pass", "End": true }),
    };
    json!({
        "StartAt": "Rows",
        "States": {
            "Rows": {
                "Type": "Map",
                "Label": "Rows",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": { "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW" },
                    "Parameters": { "Bucket": "data", "Key": "readings.csv" },
                },
                "ItemProcessor": {
                    "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
                    "StartAt": "Only",
                    "States": { "Only": only },
                },
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": { "Bucket": "results", "Prefix": "rows" },
                },
                "End": true,
            },
        },
    })
}
