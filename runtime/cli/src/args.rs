//! What was typed. Nothing here reads a file, the network or a clock: [`crate::config`] says what was meant.

mod entrance;
mod guests;
mod map_runs;
mod modules;
mod new;
mod objects;
#[cfg(test)]
mod reference;
mod test_state;
mod upkeep;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use server::LogDestination;
use server::access::Secret;

pub use entrance::{Entrance, Keys, NewKey};
pub use guests::Guests;
pub use map_runs::{MapRuns, UpdateMapRun};
pub use modules::{ModuleName, Modules};
pub use new::{Language, New};
pub use objects::{ObjectName, Objects};
pub use test_state::TestState;
pub use upkeep::{Backup, Gc, Keeping, Restore};

/// Where a client looks for its server, and where a server listens, when nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8083";

const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  the workflow failed, timed out or was stopped; or the definition has errors
  2  what was typed can't be done: unknown option, unreadable file, malformed JSON
  3  the server can't be reached or refused, or this machine did (disk, port)

Environment:
  SANDSTEP_ENDPOINT  the server that commands talk to
  SANDSTEP_TOKEN     what commands show it, where it asks for tokens
  SANDSTEP_CA_FILE   whose certificates commands trust
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
                     what commands sign their requests with, where there is no token
  SANDSTEP_DATA      the directory `serve` keeps everything in, `backup` copies and `restore` fills
  SANDSTEP_RETENTION_DAYS
                     how long `serve` keeps closed executions
  SANDSTEP_LIMITS    what `serve` and `run` let workflows use
  RUST_LOG           what `serve` and `run` log, for instance `info` or `server=debug`
  NO_COLOR           no colours, when set and not empty";

/// Workflows in the Amazon States Language whose tasks are sandboxed WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "sandstep", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options every command takes.
#[derive(Debug, ClapArgs)]
pub struct Common {
    /// Server to talk to
    #[arg(
        long,
        visible_alias = "endpoint-url",
        global = true,
        env = "SANDSTEP_ENDPOINT",
        hide_env = true,
        value_name = "URL",
        default_value = DEFAULT_ENDPOINT,
        value_parser = endpoint
    )]
    pub endpoint: String,
    /// Token to show the server; SANDSTEP_TOKEN hides it from other users of this machine
    ///
    /// Without one, requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, where those are set.
    #[arg(
        long,
        global = true,
        env = "SANDSTEP_TOKEN",
        hide_env = true,
        value_name = "TOKEN",
        value_parser = |text: &str| Ok::<_, String>(Secret::new(text))
    )]
    pub token: Option<Secret>,
    /// Certificates of the authorities to trust, in PEM form, in place of the public ones
    #[arg(long, global = true, env = "SANDSTEP_CA_FILE", hide_env = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Tables for people, JSON for programs
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub output: Format,
}

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The answer as the API gives it.
    Json,
    /// Columns and colours.
    Table,
}

/// The modes of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Serve),
    /// Run a workflow here and now, without a server, and print its output
    Run(Run),
    /// Deploy the modules and workflows of a directory, created or updated
    Deploy(Deploy),
    /// Write a new task's project, in a language of your choice
    New(New),
    /// Look after modules
    Modules {
        /// What to do with them; lists them when absent.
        #[command(subcommand)]
        command: Option<Modules>,
    },
    /// Show all that the tasks of a workflow can touch
    Reach {
        /// The name of a state machine, or the file of a definition; `-` reads standard input
        #[arg(value_name = "WORKFLOW")]
        workflow: String,
    },
    /// Look after objects: data sets that workflows read, and results they write
    Objects {
        /// What to do with them; lists the buckets when absent.
        #[command(subcommand)]
        command: Option<Objects>,
    },
    /// Look after state machines
    #[command(visible_alias = "state-machines")]
    Machines {
        /// What to do with them; lists them when absent.
        #[command(subcommand)]
        command: Option<Machines>,
    },
    /// Start an execution
    #[command(visible_alias = "start-execution")]
    Start(Start),
    /// Show an execution
    #[command(visible_alias = "describe-execution")]
    Describe {
        /// Which
        #[arg(value_name = "EXECUTION")]
        execution: ExecutionName,
    },
    /// Show what an execution did, event by event
    #[command(visible_alias = "get-execution-history")]
    History(History),
    /// List executions, newest first
    #[command(visible_alias = "list-executions")]
    List(List),
    /// Look after Map Runs: the child executions of distributed Map states
    MapRuns {
        /// What to do with them.
        #[command(subcommand)]
        command: MapRuns,
    },
    /// Stop a running execution
    #[command(visible_alias = "stop-execution")]
    Stop(Stop),
    /// Let an execution that didn't succeed go on from what failed or was stopped
    #[command(visible_alias = "redrive-execution")]
    Redrive(Redrive),
    /// Run one state by itself, with a mocked result or for real, and show what it makes of its input
    TestState(TestState),
    /// Check a definition here and now, without a server unless --server is given
    #[command(visible_alias = "validate-state-machine-definition")]
    Validate(Validate),
    /// Delete executions after their retention, and what nothing refers to any more
    Gc(Gc),
    /// Copy a data directory, also while its server runs, and check the copy
    Backup(Backup),
    /// Put a backup into a data directory
    Restore(Restore),
    /// Look after keys and tokens of servers that ask for them
    Keys {
        /// What to do with them
        #[command(subcommand)]
        command: Keys,
    },
    /// Print the completion script of a shell
    #[command(after_help = "For bash: sandstep completions bash > ~/.local/share/bash-completion/completions/sandstep")]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `sandstep serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8083")]
    pub listen: String,
    /// Directory to keep everything in; made when absent
    ///
    /// Without it: SANDSTEP_DATA, else `sandstep` in the user's data directory (`$XDG_DATA_HOME`, else
    /// `~/.local/share`; `~/Library/Application Support` on macOS), so that a server started from another directory
    /// finds the same executions again.
    #[arg(long, value_name = "DIR", env = "SANDSTEP_DATA", hide_env = true)]
    pub data: Option<PathBuf>,
    /// Region shown in ARNs
    #[arg(long, value_name = "REGION", default_value = "us-east-1", value_parser = region)]
    pub region: String,
    /// Account shown in ARNs
    #[arg(long, value_name = "DIGITS", default_value = "000000000000", value_parser = account)]
    pub account: String,
    /// What definitions and executions may use
    #[command(flatten)]
    pub limits: Limits,
    /// What HTTP tasks may call and with which credentials: a TOML or JSON file; nothing without one
    #[arg(long, value_name = "FILE", env = "SANDSTEP_CONNECTIONS", hide_env = true)]
    pub connections: Option<PathBuf>,
    /// What modules may ask for in their manifests: a TOML file; without one nothing outward is granted
    #[arg(long, value_name = "FILE", env = "SANDSTEP_POLICY", hide_env = true)]
    pub policy: Option<PathBuf>,
    /// How many tasks run at once, and on how much memory
    #[command(flatten)]
    pub guests: Guests,
    /// How the server is reached
    #[command(flatten)]
    pub entrance: Entrance,
    /// How many of the latest executions of Express machines are remembered with their histories, in memory
    #[arg(long, value_name = "N", default_value_t = server::DEFAULT_EXPRESS_HISTORY)]
    pub express_history: usize,
    /// What is kept
    #[command(flatten)]
    pub keeping: Keeping,
    /// How log lines look on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Where the log events go that state machines ask for in their `loggingConfiguration`: `stdout`, or a directory
    /// with a file for each log group, made when absent; nowhere without it
    #[arg(long, value_name = "stdout|DIR", value_parser = log_destination)]
    pub execution_logs: Option<LogDestination>,
    /// Send traces to an OpenTelemetry collector: a span for each execution, state and attempt, over OTLP
    ///
    /// The standard variables say where to and how: OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318 without it),
    /// OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and others.
    #[arg(long)]
    pub traces: bool,
}

fn log_destination(text: &str) -> Result<LogDestination, String> {
    match text {
        "" => Err("name a directory, or `stdout`".to_owned()),
        "stdout" => Ok(LogDestination::Stdout),
        directory => Ok(LogDestination::Directory(directory.into())),
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `sandstep run`
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// The definition, as JSON
    pub workflow: PathBuf,
    /// Input of the execution
    #[command(flatten)]
    pub input: Input,
    /// A module the workflow uses: NAME=FILE, or a FILE or directory of them named by file stem
    #[arg(long = "module", short, value_name = "NAME=FILE", num_args = 1..)]
    pub modules: Vec<String>,
    /// Directory of objects, made when absent: `s3://BUCKET/KEY` is the file BUCKET/KEY in it; without one nothing is kept
    #[arg(long, value_name = "DIR")]
    pub objects: Option<PathBuf>,
    /// What HTTP tasks may call and with which credentials: a TOML or JSON file; nothing without one
    #[arg(long, value_name = "FILE", env = "SANDSTEP_CONNECTIONS", hide_env = true)]
    pub connections: Option<PathBuf>,
    /// What modules may ask for in their manifests: a TOML file; without one nothing outward is granted
    #[arg(long, value_name = "FILE", env = "SANDSTEP_POLICY", hide_env = true)]
    pub policy: Option<PathBuf>,
    /// What the workflow may use
    #[command(flatten)]
    pub limits: Limits,
    /// Show the history on standard error
    #[arg(long)]
    pub history: bool,
}

/// `sandstep validate`
#[derive(Debug, ClapArgs)]
pub struct Validate {
    /// The definition, as JSON; `-` reads standard input
    pub file: PathBuf,
    /// What the definition may use
    #[command(flatten)]
    pub limits: Limits,
    /// Ask the server as well, which knows the modules: functions and labels that aren't there, arguments that don't fit
    /// their types, retries in vain
    #[arg(long)]
    pub server: bool,
}

/// What definitions and executions may use.
#[derive(Debug, ClapArgs)]
pub struct Limits {
    /// Bounds on payloads, histories, definitions and variables: `aws` for AWS's quotas, `off` for none, or a TOML or
    /// JSON file of those that differ from AWS's
    #[arg(
        long = "limits",
        value_name = "aws|off|FILE",
        default_value = "aws",
        env = "SANDSTEP_LIMITS",
        hide_env = true
    )]
    pub limits: String,
}

/// Where an execution's input comes from.
#[derive(Debug, ClapArgs)]
pub struct Input {
    /// JSON text, or a file that holds it; `-` reads standard input
    #[arg(
        long = "input",
        short = 'i',
        value_name = "FILE-or-JSON",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    pub text: String,
}

/// `sandstep deploy`
#[derive(Debug, ClapArgs)]
pub struct Deploy {
    /// Holds modules/*.wasm and *.asl.json; `workflow.asl.json` takes the directory's name
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// `sandstep machines`
#[derive(Debug, Subcommand)]
pub enum Machines {
    /// List state machines
    #[command(visible_alias = "list-state-machines")]
    List,
    /// Show a state machine
    Describe {
        /// Its name or ARN
        name: String,
    },
    /// Delete a state machine; its running executions end by themselves
    Delete {
        /// Its name or ARN
        name: String,
    },
}

/// `sandstep start`
#[derive(Debug, ClapArgs)]
pub struct Start {
    /// Name or ARN of the state machine
    pub machine: String,
    /// Input of the execution
    #[command(flatten)]
    pub input: Input,
    /// Name of the execution; the same name and input start it only once
    #[arg(long)]
    pub name: Option<String>,
    /// Wait for its end and print its output
    #[arg(long, short)]
    pub wait: bool,
}

/// `sandstep history`
#[derive(Debug, ClapArgs)]
pub struct History {
    /// Which
    #[arg(value_name = "EXECUTION")]
    pub execution: ExecutionName,
    /// Go on until the execution has closed
    #[arg(long, short)]
    pub follow: bool,
}

/// `sandstep list`
#[derive(Debug, ClapArgs)]
pub struct List {
    /// Only executions of this state machine, by name or ARN
    #[arg(long, short, value_name = "NAME")]
    pub machine: Option<String>,
    /// Only executions that stand like this
    #[arg(long, short, value_enum, ignore_case = true)]
    pub status: Option<Status>,
    /// At most this many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// How an execution stands, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Not over.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Ran out of its TimeoutSeconds.
    TimedOut,
    /// Stopped from outside.
    Aborted,
}

impl Status {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// `sandstep stop`
#[derive(Debug, ClapArgs)]
pub struct Stop {
    /// Which
    #[arg(value_name = "EXECUTION")]
    pub execution: ExecutionName,
    /// Error name to record
    #[arg(long)]
    pub error: Option<String>,
    /// Reason to record
    #[arg(long)]
    pub cause: Option<String>,
}

/// `sandstep redrive`
#[derive(Debug, ClapArgs)]
pub struct Redrive {
    /// Which
    #[arg(value_name = "EXECUTION")]
    pub execution: ExecutionName,
    /// Wait for its end and print its output
    #[arg(long)]
    pub wait: bool,
}

/// An execution, as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionName {
    /// In full.
    Arn(String),
    /// `machine:name`
    Short {
        /// Name of its state machine.
        machine: String,
        /// Its own name.
        name: String,
    },
}

impl FromStr for ExecutionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return Ok(Self::Arn(text.to_owned()));
        }
        match text.split_once(':') {
            // The name of an Express execution is followed by what tells it from others: `name:run`.
            Some((machine, name)) if !machine.is_empty() && !name.is_empty() && name.matches(':').count() <= 1 => {
                Ok(Self::Short {
                    machine: machine.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err("an execution is named MACHINE:NAME or by its ARN; `sandstep list` shows both".to_owned()),
        }
    }
}

/// A server's address: a scheme, a host, and nothing behind it but a port.
fn endpoint(text: &str) -> Result<String, String> {
    let uri: ureq::http::Uri = text.parse().map_err(|_| format!("write it like {DEFAULT_ENDPOINT}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() && matches!(uri.path(), "" | "/") => {
            Ok(text.to_owned())
        }
        _ => Err(format!("write it like {DEFAULT_ENDPOINT}")),
    }
}

/// A part of ARNs, whose parts stand between colons.
fn region(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match text.chars().all(fits) && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err("a region has small letters, digits and hyphens, like `us-east-1`".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn endpoints_are_a_scheme_and_a_host() {
        assert!(endpoint("http://[::1]:8083/").is_ok() && endpoint("https://example.org").is_ok());
        for wrong in ["127.0.0.1:8083", "ftp://x", "http://", "http://x/path", "nonsense"] {
            assert!(endpoint(wrong).is_err(), "`{wrong}`");
        }
    }

    #[test]
    fn parts_of_arns_hold_no_colon() {
        assert!(region("eu-central-1").is_ok() && account("123456789012").is_ok());
        for wrong in ["", "a:b", "Europe"] {
            assert!(region(wrong).is_err() && account(wrong).is_err(), "`{wrong}`");
        }
    }

    #[test]
    fn executions_are_named_by_arn_or_in_two_parts() {
        let short = |machine: &str, name: &str| {
            Ok(ExecutionName::Short {
                machine: machine.to_owned(),
                name: name.to_owned(),
            })
        };
        assert_eq!("orders:a-1".parse(), short("orders", "a-1"));
        assert_eq!(
            "orders:a-1:run".parse(),
            short("orders", "a-1:run"),
            "of an Express machine"
        );
        let arn = "arn:aws:states:us-east-1:000000000000:execution:orders:a-1";
        assert_eq!(arn.parse(), Ok(ExecutionName::Arn(arn.to_owned())));
        for wrong in ["orders", "orders:", ":a", "a:b:c:d", ""] {
            assert!(wrong.parse::<ExecutionName>().is_err(), "`{wrong}`");
        }
    }
}
