//! `sandstep completions`: the completion script of a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::output::Output;
use crate::problem::{Ending, Result};

/// Prints the script.
pub fn completions(shell: Shell, output: &Output) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sandstep", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Ending::Good)
}
