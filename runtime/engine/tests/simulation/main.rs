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
mod map_runs;
mod model;
mod outside;
mod rng;
mod script;
mod unrecorded;
mod workflow;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use asl::{EventKind, Status};

use crate::rng::mix;
use crate::world::World;

/// Cases of a run that isn't told otherwise.
const CASES: u64 = 2_000;

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
    map_runs: u64,
    map_runs_failed: u64,
    map_runs_redriven: u64,
    children_redriven: u64,
    children: u64,
    /// Children that were stopped with their run.
    children_aborted: u64,
    seen: Seen,
}

/// Things that are rare enough to be missed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub failed_commits: u64,
    pub loads: u64,
    pub quarantines: u64,
    pub cancels: u64,
    pub names_taken: u64,
    /// Bounds of Map Runs that were changed.
    pub updates: u64,
    /// Executions that were redriven.
    pub redrives: u64,
    /// Reports of attempts that were over.
    pub late_reports: u64,
    /// Reports of a first run while a second one was going on.
    pub crossed_reports: u64,
    /// Attempts that may not be repeated and were under way when something crashed.
    pub interrupted: u64,
    /// Ends of synchronous executions that were told.
    pub synchronous: u64,
    /// Express executions that began again.
    pub restarts: u64,
    /// What was said of attempts from outside, and what came too late.
    pub words: u64,
    pub words_too_late: u64,
    pub compared_with_one_ending: u64,
    pub compared_with_several: u64,
    pub too_many_endings: u64,
}

#[test]
fn nothing_is_lost_run_early_or_told_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SIMULATION_CASES").unwrap_or(CASES)).map(mix).collect(),
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
                eprintln!("case {} failed; run it again with SIMULATION_SEED={seed}", case + 1);
                resume_unwind(panic);
            }
        }
    }
    println!("{} cases: {tally:?}", seeds.len());
    if seeds.len() as u64 >= CASES {
        tally.check();
    }
}

impl Tally {
    fn add(&mut self, world: &World) {
        self.steps += u64::from(world.steps);
        self.crashes += u64::from(world.crashes);
        for stored in world.disk.executions.values() {
            self.executions += 1;
            self.events += stored.events.len() as u64;
            for event in &stored.events {
                match event.kind {
                    EventKind::MapRunStarted { .. } => self.map_runs += 1,
                    EventKind::MapRunFailed { .. } => self.map_runs_failed += 1,
                    EventKind::MapRunRedriven { .. } => self.map_runs_redriven += 1,
                    EventKind::ExecutionRedriven { round: Some(_), .. } => self.children_redriven += 1,
                    _ => {}
                }
            }
            if stored.start.child.is_some() {
                self.children += 1;
                self.children_aborted += u64::from(stored.fold.status() == Status::Aborted);
                continue;
            }
            match stored.fold.status() {
                Status::Running => {}
                Status::Succeeded => self.succeeded += 1,
                Status::Failed => self.failed += 1,
                Status::Aborted => self.aborted += 1,
                Status::TimedOut => self.timed_out += 1,
            }
        }
        let Seen {
            failed_commits,
            loads,
            quarantines,
            cancels,
            names_taken,
            updates,
            redrives,
            late_reports,
            crossed_reports,
            interrupted,
            synchronous,
            restarts,
            words,
            words_too_late,
            compared_with_one_ending,
            compared_with_several,
            too_many_endings,
        } = &world.seen;
        self.seen.failed_commits += failed_commits;
        self.seen.loads += loads;
        self.seen.quarantines += quarantines;
        self.seen.cancels += cancels;
        self.seen.names_taken += names_taken;
        self.seen.updates += updates;
        self.seen.redrives += redrives;
        self.seen.late_reports += late_reports;
        self.seen.crossed_reports += crossed_reports;
        self.seen.interrupted += interrupted;
        self.seen.synchronous += synchronous;
        self.seen.restarts += restarts;
        self.seen.words += words;
        self.seen.words_too_late += words_too_late;
        self.seen.compared_with_one_ending += compared_with_one_ending;
        self.seen.compared_with_several += compared_with_several;
        self.seen.too_many_endings += too_many_endings;
    }

    /// A simulation in which the hard things no longer happen proves nothing.
    fn check(&self) {
        let Seen {
            failed_commits,
            loads,
            quarantines,
            cancels,
            names_taken,
            late_reports,
            crossed_reports,
            interrupted,
            synchronous,
            restarts,
            words,
            words_too_late,
            ..
        } = self.seen;
        let ends = [
            self.succeeded,
            self.failed,
            self.aborted,
            self.timed_out,
            self.crashes,
            self.map_runs,
            self.map_runs_failed,
            self.children,
            self.children_aborted,
            self.seen.updates,
            self.seen.redrives,
            self.map_runs_redriven,
            self.children_redriven,
        ];
        let rare = [
            failed_commits,
            loads,
            quarantines,
            cancels,
            names_taken,
            late_reports,
            crossed_reports,
            interrupted,
            synchronous,
            restarts,
            words,
            words_too_late,
        ];
        assert!(
            ends.iter().chain(&rare).all(|count| *count > 0),
            "the cases have become too tame: {self:?}"
        );
        let exact = self.seen.compared_with_one_ending;
        let vague = self.seen.too_many_endings;
        let compared = self.executions - self.children;
        assert!(exact * 2 > compared, "most executions have one ending: {self:?}");
        assert!(vague * 50 < compared, "almost all executions can be compared: {self:?}");
    }
}
