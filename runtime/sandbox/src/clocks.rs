//! The clocks an attempt runs against: its deadline and its heartbeat.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use asl::{TimeoutKind, Timestamp};

/// When an attempt has to be stopped.
#[derive(Debug)]
pub(crate) struct Clocks {
    submitted: Instant,
    deadline: Option<Instant>,
    heartbeat: Option<Duration>,
    last_beat_micros: AtomicU64,
}

impl Clocks {
    /// Both clocks start now. `deadline` is read against the system's clock once, here: a system
    /// clock that is set later moves no deadline.
    pub(crate) fn start(deadline: Option<Timestamp>, heartbeat_seconds: Option<u64>) -> Self {
        let submitted = Instant::now();
        let deadline = deadline.and_then(|deadline| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let left = Duration::from_millis(u64::try_from(deadline.0).unwrap_or(0)).saturating_sub(now);
            submitted.checked_add(left)
        });
        Self {
            submitted,
            deadline,
            heartbeat: heartbeat_seconds.map(Duration::from_secs),
            last_beat_micros: AtomicU64::new(0),
        }
    }

    /// Microseconds since the start.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.submitted.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The guest is alive.
    pub(crate) fn beat(&self) {
        if self.heartbeat.is_some() {
            self.last_beat_micros.store(self.micros(), Ordering::Relaxed);
        }
    }

    /// Which clock ran out first by `now`, or when to look again; `None` where no clock runs.
    pub(crate) fn check(&self, now: Instant) -> Option<Result<Instant, TimeoutKind>> {
        let beat = self.heartbeat.and_then(|allowed| {
            let last = Duration::from_micros(self.last_beat_micros.load(Ordering::Relaxed));
            self.submitted.checked_add(last)?.checked_add(allowed)
        });
        let deadline = self.deadline.map(|at| (at, TimeoutKind::Deadline));
        let beat = beat.map(|at| (at, TimeoutKind::Heartbeat));
        let (at, kind) = match (deadline, beat) {
            (Some(deadline), Some(beat)) if beat.0 < deadline.0 => beat,
            (Some(deadline), _) => deadline,
            (None, Some(beat)) => beat,
            (None, None) => return None,
        };
        Some(if at <= now { Err(kind) } else { Ok(at) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_runs_out_first_counts() {
        let clocks = Clocks::start(Some(Timestamp(0)), Some(60));
        assert_eq!(clocks.check(Instant::now()), Some(Err(TimeoutKind::Deadline)));

        let clocks = Clocks::start(Some(Timestamp::NEVER), Some(60));
        let later = Instant::now() + Duration::from_secs(61);
        assert!(matches!(clocks.check(Instant::now()), Some(Ok(_))));
        assert_eq!(clocks.check(later), Some(Err(TimeoutKind::Heartbeat)));

        assert_eq!(Clocks::start(None, None).check(later), None);
    }
}
