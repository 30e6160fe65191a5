//! What `sandstep test-state` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Input;

/// `sandstep test-state`
#[derive(Debug, ClapArgs)]
pub struct TestState {
    /// The definition of the state, or of a state machine, as JSON; `-` reads standard input
    pub file: PathBuf,
    /// The state to test, where FILE holds a state machine
    #[arg(long, value_name = "NAME")]
    pub state: Option<String>,
    /// Input of the state
    #[command(flatten)]
    pub input: Input,
    /// Variables in sight: a JSON object
    #[arg(long, value_name = "FILE-or-JSON")]
    pub variables: Option<String>,
    /// The context object, whole; goes with a mock
    #[arg(long, value_name = "FILE-or-JSON")]
    pub context: Option<String>,
    /// What the state's task, branches or iterations return, instead of running them
    #[arg(
        long,
        value_name = "FILE-or-JSON",
        conflicts_with = "mock_error",
        allow_hyphen_values = true
    )]
    pub mock: Option<String>,
    /// The error they fail with
    #[arg(long, value_name = "NAME[=CAUSE]")]
    pub mock_error: Option<String>,
    /// How often the retrier that takes the mocked error was used before
    #[arg(long, value_name = "COUNT")]
    pub retries: Option<u32>,
    /// How many of a Map state's iterations failed
    #[arg(long, value_name = "COUNT")]
    pub failed_iterations: Option<u32>,
    /// What a Map state's ItemReader reads
    #[arg(long, value_name = "FILE")]
    pub reader_data: Option<PathBuf>,
    /// Show every intermediate value
    #[arg(long)]
    pub inspect: bool,
}
