//! Decisions from a tape of numbers: a random one makes a case, the same one makes the same case again, and a shorter one
//! makes a simpler case. Every decision's 0 is its simplest answer, which is also what a tape that has run out gives.

/// A tape and where it is read.
pub struct Tape {
    numbers: Vec<u64>,
    at: usize,
    /// Where numbers come from that aren't on the tape yet.
    fresh: Option<u64>,
}

impl Tape {
    /// A tape that is written while it is read.
    pub fn random(seed: u64) -> Self {
        Self {
            numbers: Vec::new(),
            at: 0,
            fresh: Some(seed),
        }
    }

    /// A tape that was written before.
    pub fn written(numbers: &[u64]) -> Self {
        Self {
            numbers: numbers.to_vec(),
            at: 0,
            fresh: None,
        }
    }

    /// What was decided so far.
    pub fn into_numbers(self) -> Vec<u64> {
        self.numbers
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        if let (Some(state), true) = (&mut self.fresh, self.at == self.numbers.len()) {
            self.numbers.push(bits(state) % bound);
        }
        let number = self.numbers.get(self.at).copied().unwrap_or(0) % bound;
        self.at += 1;
        number
    }

    /// True in `percent` of cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of these; the first is the simplest.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// SplitMix64.
fn bits(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Shorter tapes that are tried before the shortest so far is taken.
const TRIES: u32 = 1_500;

/// A tape as short and as low as could be found that still fails.
pub fn shrink(mut numbers: Vec<u64>, mut fails: impl FnMut(&[u64]) -> bool) -> Vec<u64> {
    let mut tries = 0;
    let mut smaller = |numbers: &mut Vec<u64>, candidate: Vec<u64>| {
        tries += 1;
        let better = candidate < *numbers || candidate.len() < numbers.len();
        let taken = tries <= TRIES && better && fails(&candidate);
        if taken {
            *numbers = candidate;
        }
        (taken, tries < TRIES)
    };
    loop {
        let before = numbers.clone();
        for size in [64, 16, 4, 2, 1] {
            let mut at = 0;
            while at < numbers.len() {
                let end = numbers.len().min(at + size);
                let mut without = numbers.clone();
                without.drain(at..end);
                let (taken, more) = smaller(&mut numbers, without);
                if !more {
                    return numbers;
                }
                at += if taken { 0 } else { size };
            }
        }
        for at in 0..numbers.len() {
            for lower in [0, numbers[at] / 2, numbers[at].saturating_sub(1)] {
                let mut lowered = numbers.clone();
                lowered[at] = lower;
                if !smaller(&mut numbers, lowered).1 {
                    return numbers;
                }
            }
        }
        if numbers == before {
            return numbers;
        }
    }
}
