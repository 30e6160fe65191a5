//! The simulation: random workflows in a virtual world with crashes between any two steps, compared with
//! a dumb reference and checked after every step.
//!
//! `SIMULATION_CASES=20000` runs more of them, `SIMULATION_SEED=<seed>` runs one case again. A case is
//! a pure function of its seed.

#![expect(
    clippy::disallowed_methods,
    reason = "the number of cases and the seed come from the environment"
)]

mod callers;
mod disk;
mod invariants;
mod model;
mod rng;
mod script;
mod workflow;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use asl::Status;

use crate::rng::mix;
use crate::world::World;

/// Cases of a run that isn't told otherwise.
const CASES: u64 = 1_000;

/// What a run went through, to see that it is worth something.
#[derive(Debug, Default)]
struct Tally {
    executions: u64,
    events: u64,
    steps: u64,
    crashes: u64,
    succeeded: u64,
    failed: u64,
    aborted: u64,
    timed_out: u64,
}

#[test]
fn nothing_is_lost_run_early_or_told_twice() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds: Vec<u64> = match number("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SIMULATION_CASES").unwrap_or(CASES))
            .map(mix)
            .collect(),
    };
    let mut tally = Tally::default();
    for (case, seed) in seeds.iter().enumerate() {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(*seed);
            world.run();
            world
        }));
        match result {
            Ok(world) => tally.add(&world),
            Err(panic) => {
                eprintln!(
                    "case {} failed; run it again with SIMULATION_SEED={seed}",
                    case + 1
                );
                resume_unwind(panic);
            }
        }
    }
    println!("{} cases: {tally:?}", seeds.len());
    if seeds.len() as u64 >= CASES {
        let endings = [
            tally.succeeded,
            tally.failed,
            tally.aborted,
            tally.timed_out,
            tally.crashes,
        ];
        assert!(
            endings.iter().all(|count| *count > 10),
            "the cases have become too tame: {tally:?}"
        );
    }
}

impl Tally {
    fn add(&mut self, world: &World) {
        self.steps += u64::from(world.steps);
        self.crashes += u64::from(world.crashes);
        for stored in world.disk.executions.values() {
            self.executions += 1;
            self.events += stored.events.len() as u64;
            match stored.fold.status() {
                Status::Running => {}
                Status::Succeeded => self.succeeded += 1,
                Status::Failed => self.failed += 1,
                Status::Aborted => self.aborted += 1,
                Status::TimedOut => self.timed_out += 1,
            }
        }
    }
}
