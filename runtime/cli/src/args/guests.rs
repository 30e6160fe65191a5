//! What tasks may use together.

use clap::Args as ClapArgs;
use server::modules::bytes;

/// The most guests at once: each reserves some 16 GiB of addresses, of which a process has 128 TiB.
const MOST_GUESTS: u64 = 4_000;

/// What all tasks of a server may use together.
#[derive(Debug, Clone, ClapArgs)]
pub struct Guests {
    /// Tasks that run at once; further ones wait for their turn
    #[arg(
        long = "guests",
        value_name = "N",
        default_value = "256",
        value_parser = clap::value_parser!(u64).range(1..=MOST_GUESTS),
        env = "SANDSTEP_GUESTS",
        hide_env = true
    )]
    pub at_once: u64,
    /// Memory of all of them together, such as 2GiB; half of the machine's without it. A task that wants more than is
    /// left waits for others to end, and no task gets more than half of it
    #[arg(long = "guest-memory", value_name = "SIZE", value_parser = bytes, env = "SANDSTEP_GUEST_MEMORY", hide_env = true)]
    pub memory: Option<u64>,
}
