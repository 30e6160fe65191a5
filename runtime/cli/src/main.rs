//! The program `sandstep`: the server, a runner without one, and the commands that talk to a server.
//!
//! This room reads arguments, puts the other floors together and shows their answers. It must not know how any of
//! them does its work.

mod args;
mod built;
mod client;
mod commands;
mod config;
mod connections;
mod credentials;
mod entrance;
mod events;
mod limits;
mod logging;
mod machine_memory;
mod manifest;
mod output;
mod policy;
mod problem;
mod progress;
mod serve;
mod signing;
mod source;
mod templates;
mod traces;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use client::Client;
use output::{Output, Style, paint, takes_colour};
use problem::{Problem, Result};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(message) => {
            // Help that nobody reads to its end is no failure.
            let _ = message.print();
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2));
        }
    };
    match run(&args) {
        Ok(ending) => ending.into(),
        Err(problem) => {
            report(&problem);
            problem.exit_code()
        }
    }
}

fn run(args: &Args) -> Result {
    let output = Output::new(args.common.output);
    let client = || Client::new(&args.common);
    match &args.command {
        Command::Serve(asked) => serve::serve(asked, &output),
        Command::Run(asked) => commands::run::run(asked, &output),
        Command::Deploy(asked) => commands::deploy::deploy(&client()?, asked, &output),
        Command::New(asked) => commands::new::new(asked, &output),
        Command::Modules { command } => commands::modules::modules(client, command.as_ref(), &output),
        Command::Reach { workflow } => commands::reach::workflow(&client()?, workflow, &output),
        Command::Objects { command } => commands::objects::objects(&client()?, command.as_ref(), &output),
        Command::Machines { command } => commands::machines::machines(&client()?, command.as_ref(), &output),
        Command::Start(asked) => commands::start::start(&client()?, asked, &output),
        Command::Describe { execution } => commands::describe::describe(&client()?, execution, &output),
        Command::History(asked) => commands::history::history(&client()?, asked, &output),
        Command::List(asked) => commands::list::list(&client()?, asked, &output),
        Command::MapRuns { command } => commands::map_runs::map_runs(&client()?, command, &output),
        Command::Stop(asked) => commands::stop::stop(&client()?, asked, &output),
        Command::Redrive(asked) => commands::redrive::redrive(&client()?, asked, &output),
        Command::TestState(asked) => commands::test_state::test_state(&client()?, asked, &output),
        Command::Validate(asked) => commands::validate::validate(client, asked, &output),
        Command::Gc(asked) => commands::gc::gc(client, asked, &output),
        Command::Backup(asked) => commands::backup::backup(asked, &output),
        Command::Restore(asked) => commands::backup::restore(asked, &output),
        Command::Keys { command } => commands::keys::keys(command, &output),
        Command::Completions { shell } => commands::completions::completions(*shell, &output),
    }
}

fn report(problem: &Problem) {
    if problem.is_broken_pipe() {
        return;
    }
    let colour = takes_colour(&std::io::stderr());
    let mut text = format!("{}: {problem}\n", paint("error", Style::Bad, colour));
    if !problem.hint().is_empty() {
        text.push_str(&format!("{}: {}\n", paint("hint", Style::Dim, colour), problem.hint()));
    }
    output::note(&text);
}
