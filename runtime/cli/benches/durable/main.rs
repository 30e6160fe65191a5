//! Durable executions a second, next to what this machine allows: `cargo bench -p sandstep --bench durable`.
//!
//! The product: a release build of `sandstep serve`, 64 keep-alive connections calling StartExecution of a machine with one
//! Task, counted until every execution has closed. The floor: an axum handler whose every request is one row, committed with
//! others in one synced SQLite transaction. Both are processes of their own, driven by the same client on the same cores, in
//! turns, so that whatever else the machine does hits both.
//!
//! `SECONDS` (5) is the length of a turn, `TURNS` (3) how many each gets, `CONNECTIONS` (64) what it says.

mod floor;
mod load;
mod server;

use std::error::Error;
use std::time::{Duration, Instant};

use load::Load;
use server::Product;

/// One start is over before the scheduler has settled; the middle of some is what a person gets.
const STARTS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, directory] = arguments.as_slice()
        && mode == floor::MODE
    {
        return floor::serve(directory);
    }
    let load = Load {
        connections: number("CONNECTIONS", 64)?,
        duration: Duration::from_secs(number("SECONDS", 5)? as u64),
    };
    let turns = number("TURNS", 3)?;

    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Product::start()?.first_answer.as_secs_f64() * 1e3);
    }
    println!(
        "server start to first answer   {:>10.1} ms (median of {STARTS})",
        median(&mut starts)
    );
    let product = Product::start()?;
    println!("resident memory, idle          {:>10.1} MiB", product.resident()?);
    let request = product.one_task_machine()?;
    let floor = floor::Floor::start()?;

    let mut rates = (Vec::new(), Vec::new());
    for turn in 1..=turns {
        let since = Instant::now();
        let started = load.run(&product.address, &request)?;
        product.wait_until_idle()?;
        let rate = started as f64 / since.elapsed().as_secs_f64();
        rates.0.push(rate);
        let since = Instant::now();
        let floor_rate = load.run(&floor.address, &request)? as f64 / since.elapsed().as_secs_f64();
        rates.1.push(floor_rate);
        println!(
            "turn {turn}: {rate:>8.0} executions/s, floor {floor_rate:>8.0} rows/s, {:>4.0} %",
            rate / floor_rate * 100.0
        );
    }
    let (rate, floor_rate) = (median(&mut rates.0), median(&mut rates.1));
    println!(
        "durable one-task executions    {rate:>10.0} /s ({} connections, start to closed)",
        load.connections
    );
    println!("floor: one row a request       {floor_rate:>10.0} /s");
    println!("ratio                          {:>10.1} %", rate / floor_rate * 100.0);
    println!("resident memory, after it      {:>10.1} MiB", product.resident()?);
    Ok(())
}

fn number(variable: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} is `{text}`, which is no number").into()),
        Err(_) => Ok(default),
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
