//! Keeping what a server keeps: how long, how much, and a copy of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// A hundred years: what is meant to be kept longer is kept for ever.
const MOST_DAYS: u64 = 36_500;

/// How long executions are kept after they closed; for ever where absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(pub Option<Duration>);

/// For how long closed executions are kept.
#[derive(Debug, ClapArgs)]
pub struct Keeping {
    /// Days that executions are kept after they closed, their histories, results and names with them; `off` keeps them for
    /// ever
    #[arg(
        id = "retention_days",
        long = "retention-days",
        value_name = "N|off",
        default_value = "90",
        value_parser = retention,
        env = "SANDSTEP_RETENTION_DAYS",
        hide_env = true
    )]
    pub retention: Retention,
}

/// `sandstep gc`
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "A server does the same by itself, every hour. Asked by hand, it also gives all free space of its database back."
)]
pub struct Gc {
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Work on this data directory, which no server may be using, in place of a running server
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// For how long closed executions are kept; a running server knows it itself
    #[arg(long = "retention-days", value_name = "N|off", default_value = "90", value_parser = retention, requires = "data")]
    pub retention: Retention,
}

/// `sandstep backup`
#[derive(Debug, ClapArgs)]
pub struct Backup {
    /// Directory to make, or an empty one
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// The server's data directory; found as `serve` finds it
    #[arg(long, value_name = "DIR", env = "SANDSTEP_DATA", hide_env = true)]
    pub data: Option<PathBuf>,
    /// Leave out the objects that workflows read and wrote
    #[arg(long)]
    pub without_objects: bool,
}

/// `sandstep restore`
#[derive(Debug, ClapArgs)]
pub struct Restore {
    /// A directory that `sandstep backup` made
    #[arg(value_name = "DIR")]
    pub backup: PathBuf,
    /// Data directory to put it into, which holds no server's data yet; found as `serve` finds it
    #[arg(long, value_name = "DIR", env = "SANDSTEP_DATA", hide_env = true)]
    pub data: Option<PathBuf>,
    /// Only say whether the backup is whole
    #[arg(long)]
    pub dry_run: bool,
}

/// A number of days, or `off`.
fn retention(text: &str) -> Result<Retention, String> {
    match text.parse::<u64>() {
        Ok(days @ 1..=MOST_DAYS) => Ok(Retention(Some(Duration::from_secs(days * DAY)))),
        Err(_) if text == "off" => Ok(Retention(None)),
        Ok(_) | Err(_) => Err(format!("give a number of days from 1 to {MOST_DAYS}, or `off`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_days_or_off() {
        assert_eq!(retention("1"), Ok(Retention(Some(Duration::from_secs(86_400)))));
        assert_eq!(retention("off"), Ok(Retention(None)));
        for wrong in ["0", "-1", "36501", "90d", "", "OFF", "18446744073709551616"] {
            assert!(retention(wrong).is_err(), "`{wrong}`");
        }
    }
}
