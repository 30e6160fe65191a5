//! Making a task last.

use std::hint::black_box;

/// Steps of one round: three milliseconds or so, and 46 million units of fuel.
const STEPS_A_ROUND: u64 = 2_000_000;
/// The most rounds a task accepts: 9.2 of the 10 billion units of fuel an attempt has.
const MOST_ROUNDS: u32 = 200;

/// Burns `rounds` of computation with a sign of life after each, so that somebody can watch an execution,
/// stop it or pull the plug in the middle. Orders ask for it with their `work` field.
pub fn work(rounds: u32) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds.min(MOST_ROUNDS) {
        for _ in 0..STEPS_A_ROUND {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        black_box(state);
        sandstep::heartbeat();
    }
}
