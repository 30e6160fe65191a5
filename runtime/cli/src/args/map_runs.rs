//! What was typed after `sandstep map-runs`.

use clap::{Args as ClapArgs, Subcommand};

use super::{ExecutionName, Status};

/// `sandstep map-runs`
#[derive(Debug, Subcommand)]
pub enum MapRuns {
    /// List the Map Runs of an execution, newest first
    #[command(visible_alias = "list-map-runs")]
    List {
        /// Whose
        #[arg(value_name = "EXECUTION")]
        execution: ExecutionName,
    },
    /// Show how far a Map Run has come
    #[command(visible_alias = "describe-map-run")]
    Describe {
        /// Its ARN, or MACHINE/LABEL:ID
        #[arg(value_name = "MAP-RUN")]
        map_run: String,
    },
    /// List the child executions of a Map Run, newest first
    Children {
        /// Its ARN, or MACHINE/LABEL:ID
        #[arg(value_name = "MAP-RUN")]
        map_run: String,
        /// Only those that stand like this
        #[arg(long, short, value_enum, ignore_case = true)]
        status: Option<Status>,
        /// At most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Change the bounds of a Map Run that goes on
    #[command(visible_alias = "update-map-run")]
    Update(UpdateMapRun),
}

/// `sandstep map-runs update`
#[derive(Debug, ClapArgs)]
#[group(id = "bounds", required = true, multiple = true)]
pub struct UpdateMapRun {
    /// Its ARN, or MACHINE/LABEL:ID
    #[arg(value_name = "MAP-RUN")]
    pub map_run: String,
    /// Child executions at once; 0 is no bound
    #[arg(long, value_name = "NUMBER", group = "bounds")]
    pub max_concurrency: Option<u32>,
    /// Failed items to tolerate
    #[arg(long, value_name = "NUMBER", group = "bounds")]
    pub tolerated_failure_count: Option<u64>,
    /// The same as a percentage of all items
    #[arg(long, value_name = "PERCENT", group = "bounds")]
    pub tolerated_failure_percentage: Option<f64>,
}
