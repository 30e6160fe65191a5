//! A data set through a distributed Map, by command: objects in, Map Run looked at, results out.

use std::fs;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::{Server, binary};

fn run(server: &Server, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command
        .args(arguments)
        .current_dir(server.home().path(""))
        .env("SANDSTEP_ENDPOINT", server.endpoint());
    command.output().context("running sandstep")
}

fn said(output: &Output) -> String {
    let text = |stream: &[u8]| String::from_utf8_lossy(stream).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn good(server: &Server, arguments: &[&str]) -> Result<String> {
    let output = run(server, arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {}", said(&output));
    Ok(said(&output))
}

#[test]
fn a_data_set_becomes_results() -> Result<()> {
    let server = Server::start()?;
    let rows: String = (1..=3_000).map(|row| format!("{row},{}\n", row % 7)).collect();
    fs::write(server.home().path("rows.csv"), format!("id,kind\n{rows}"))?;
    good(&server, &["objects", "put", "s3://data/", "rows.csv"])?;
    let definition = json!({"StartAt": "Rows", "States": {"Rows": {
        "Type": "Map",
        "Label": "rows",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": "data", "Key": "rows.csv"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Odd?",
            "States": {
                "Odd?": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.kind", "StringEquals": "3", "Next": "Refused"}],
                    "Default": "Taken",
                },
                "Taken": {"Type": "Succeed"},
                "Refused": {"Type": "Fail", "Error": "Kind", "Cause": "is three"},
            },
        },
        "ToleratedFailurePercentage": 20,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "data", "Prefix": "out"},
        },
        "End": true,
    }}});
    fs::create_dir(server.home().path("flows"))?;
    fs::write(server.home().path("flows/rows.asl.json"), definition.to_string())?;
    good(&server, &["deploy", "flows"])?;
    let output = good(&server, &["start", "rows", "--name", "one", "--wait"])?;
    ensure!(output.contains("ResultWriterDetails"), "{output}");

    let listed = run(&server, &["map-runs", "list", "rows:one", "--output", "json"])?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let arn = listed["mapRuns"][0]["mapRunArn"].as_str().context("one Map Run")?;
    let short = arn.split(":mapRun:").nth(1).context("an ARN")?;
    ensure!(good(&server, &["map-runs", "list", "rows:one"])?.contains(short));
    let described = good(&server, &["map-runs", "describe", short])?;
    ensure!(
        described.contains("3000 in all: 2571 succeeded, 429 failed"),
        "{described}"
    );
    let failed = good(
        &server,
        &["map-runs", "children", short, "--status", "failed", "--limit", "2"],
    )?;
    ensure!(failed.contains("rows/rows:") && failed.contains("FAILED"), "{failed}");
    let child = failed
        .lines()
        .find_map(|line| {
            line.split_whitespace()
                .next()
                .filter(|word| word.starts_with("rows/rows:"))
        })
        .context("a child")?;
    let described = good(&server, &["describe", child])?;
    ensure!(described.contains("is three"), "{described}");
    let over = run(&server, &["map-runs", "update", short, "--max-concurrency", "3"])?;
    ensure!(
        over.status.code() == Some(3) && said(&over).contains("not running"),
        "{}",
        said(&over)
    );
    let none = run(
        &server,
        &["map-runs", "describe", "rows/rows:00000000-0000-8000-8000-000000000000"],
    )?;
    ensure!(said(&none).contains("map-runs list"), "{}", said(&none));
    Ok(())
}

#[test]
fn a_map_run_is_redriven_by_command() -> Result<()> {
    let server = Server::start()?;
    // a child fails for want of a bucket, which is made before the redrive
    let definition = json!({"StartAt": "Each", "States": {"Each": {
        "Type": "Map",
        "Label": "each",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Of",
            "States": {"Of": {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": "later", "Key.$": "$"},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Same",
                    "States": {"Same": {"Type": "Pass", "End": true}},
                },
                "End": true,
            }},
        },
        "End": true,
    }}});
    fs::create_dir(server.home().path("flows"))?;
    fs::write(server.home().path("flows/nested.asl.json"), definition.to_string())?;
    good(&server, &["deploy", "flows"])?;
    let input = r#"["a.json"]"#;
    let failed = run(
        &server,
        &["start", "nested", "--name", "one", "--input", input, "--wait"],
    )?;
    ensure!(failed.status.code() == Some(1), "{}", said(&failed));

    fs::write(server.home().path("a.json"), "[1, 2]")?;
    good(&server, &["objects", "put", "s3://later/", "a.json"])?;
    let output = good(&server, &["redrive", "nested:one", "--wait"])?;
    ensure!(output.contains("[[1,2]]"), "{output}");
    let described = good(&server, &["describe", "nested:one"])?;
    ensure!(
        described.contains("redriven") && described.contains("once, "),
        "{described}"
    );
    let runs = good(&server, &["map-runs", "list", "nested:one", "-o", "json"])?;
    let runs: Value = serde_json::from_str(&runs)?;
    let run_arn = runs["mapRuns"][0]["mapRunArn"].as_str().context("a Map Run")?;
    let described = good(&server, &["map-runs", "describe", run_arn])?;
    ensure!(described.contains("once, "), "the same run went on: {described}");
    let again = run(&server, &["redrive", "nested:one"])?;
    ensure!(
        !again.status.success() && said(&again).contains("SUCCEEDED"),
        "{}",
        said(&again)
    );
    Ok(())
}
